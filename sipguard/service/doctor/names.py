"""Whether names resolve: the resolvers answer, and the peers' names have addresses.

Enters: /etc/resolv.conf, `dns:`, names of peers. Leaves: diagnoses. Must not: wait for any of them longer than its
deadline.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sipguard.net.nameservers import DnsSettings
from sipguard.net.resolve import ResolveError, Resolver
from sipguard.service.doctor.diagnosis import OK, PROBLEM, WARNING, Case, Diagnosis
from sipguard.service.peer_states import in_words
from sipguard.sip.locate import Query

WITHIN_S: Final = 2.0
RESOLVERS: Final = Path("/etc/resolv.conf")
_ROOT_NS: Final = b"\x01\0\0\x01\0\0\0\0\0\0" + b"\0\0\x02\0\x01"  # recursion desired; one question: ". NS IN"


def examine(case: Case, resolvers: Path = RESOLVERS) -> Iterator[Diagnosis]:
    """Each resolver, and each peer that is a name."""
    service, ruleset = case.loaded.service, case.loaded.ruleset
    own = service.dns.servers if service is not None else ()
    for host, port in own:
        yield _resolver(host, port, "correct dns.servers; peers' names do not resolve without")
    yield from _of_system(resolvers)
    if service is None or ruleset is None:
        return
    for trunk in ruleset.trunks.values():
        for peer in trunk.named:
            yield _name(f"peer {peer.query.shown} of {trunk.name}", peer.query, service.dns)


def running(case: Case) -> Iterator[Diagnosis]:
    """Peers that the running sipguard passes over."""
    for each in case.status.get("peers", ()):
        if each["passed_over"]:
            what = f"is passed over: {in_words(each['passed_over'])}"
            yield Diagnosis(f"peer {each['peer']} of {each['trunk']}", WARNING, what, "see whether it is up")


def _of_system(file: Path) -> Iterator[Diagnosis]:
    try:
        lines = file.read_text().splitlines()
    except OSError as error:
        yield Diagnosis("DNS", WARNING, f"{file}: {error.strerror}", "name a resolver there, for certificates' hosts")
        return
    servers = [words[1] for line in lines if len(words := line.split()) > 1 and words[0] == "nameserver"]
    if not servers:
        yield Diagnosis("DNS", WARNING, f"{file} names no resolver", "certificates cannot be fetched without one")
    for server in servers:
        yield _resolver(server, 53, f"correct {file}; certificates cannot be fetched without a resolver")


def _resolver(server: str, port: int, advice: str) -> Diagnosis:
    if _answers(server, port):
        return Diagnosis("DNS", OK, f"resolver {server} answers")
    return Diagnosis("DNS", WARNING, f"resolver {server} does not answer within {WITHIN_S:g} s", advice)


def _answers(server: str, port: int) -> bool:
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


def _name(subject: str, query: Query, settings: DnsSettings) -> Diagnosis:
    """Where a peer's name leads, as the fetcher would find it now."""
    try:
        answer = asyncio.run(Resolver(settings).resolve(query))
    except ResolveError as error:
        return Diagnosis(subject, PROBLEM, f"does not resolve: {error}", "correct the name, its zone, or dns:")
    places = [
        f"{address} port {place.port}/{place.transport}" for place in answer.places for address in place.addresses
    ]
    return Diagnosis(subject, OK, f"resolves to {', '.join(places)}")
