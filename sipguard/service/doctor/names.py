"""Whether names resolve: the resolvers answer, and the peers' names have addresses.

Enters: /etc/resolv.conf, hosts of peers. Leaves: diagnoses. Must not: wait longer than its deadline for any of them.
"""

from __future__ import annotations

import os
import queue
import socket
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from sipguard.service.doctor.diagnosis import OK, PROBLEM, WARNING, Case, Diagnosis

WITHIN_S: Final = 2.0
RESOLVERS: Final = Path("/etc/resolv.conf")
_ROOT_NS: Final = b"\x01\0\0\x01\0\0\0\0\0\0" + b"\0\0\x02\0\x01"  # recursion desired; one question: ". NS IN"


def examine(case: Case, resolvers: Path = RESOLVERS) -> Iterator[Diagnosis]:
    """Each resolver, and each name."""
    yield from _resolvers(resolvers)
    config = case.config
    if config is None:
        return
    names = {peer.host: trunk for trunk, shape in config.trunks.items() for peer in shape.peers}
    for host, trunk in names.items():
        if not _is_literal(host):
            yield _name(f"peer {host} of {trunk}", host)


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _resolvers(file: Path) -> Iterator[Diagnosis]:
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        yield Diagnosis("DNS", WARNING, f"{file}: {error.strerror}", "name a resolver there, for certificates' hosts")
        return
    servers = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    if not servers:
        yield Diagnosis("DNS", WARNING, f"{file} names no resolver", "certificates cannot be fetched without one")
    for server in servers:
        if _answers(server):
            yield Diagnosis("DNS", OK, f"resolver {server} answers")
        else:
            advice = f"correct {file}; certificates cannot be fetched without a resolver"
            yield Diagnosis("DNS", WARNING, f"resolver {server} does not answer within {WITHIN_S:g} s", advice)


def _answers(server: str, port: int = 53) -> bool:
    """Whether a resolver answers a question, whatever it says."""
    identifier = os.urandom(2)
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.settimeout(WITHIN_S)
            sock.connect((server, port))
            sock.send(identifier + _ROOT_NS)
            return sock.recv(4096)[:2] == identifier
    except OSError:
        return False


def _name(subject: str, host: str) -> Diagnosis:
    """Whether the system resolves a name; it may take longer than we wait, so it is asked beside."""
    answers: queue.Queue[set[str] | OSError] = queue.Queue()

    def ask() -> None:
        try:
            answers.put({str(each[4][0]) for each in socket.getaddrinfo(host, None)})
        except OSError as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=WITHIN_S)
    except queue.Empty:
        answer = OSError(f"no answer within {WITHIN_S:g} s")
    if isinstance(answer, OSError):
        return Diagnosis(subject, PROBLEM, f"does not resolve: {answer}", "correct the name, or its zone")
    return Diagnosis(subject, OK, f"resolves to {', '.join(sorted(answer))}")
