"""Whether the ports of the configuration can be had, and who has them.

Enters: listeners, the processes of the running sipguard. Leaves: a diagnosis for each port. Must not: take a port for
longer than it takes to find out that it is free.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from sipguard.service.doctor.diagnosis import OK, PROBLEM, WARNING, Case, Diagnosis

_LISTENS: Final = "0A"  # state of a TCP socket in /proc/net
_ADVICE: Final = {
    errno.EADDRNOTAVAIL: ("no interface has this address", "correct the address, or bring the interface up"),
    errno.EACCES: ("not for this user", "choose a port above 1023, or grant CAP_NET_BIND_SERVICE"),
}


def examine(case: Case) -> Iterator[Diagnosis]:
    """Each port, in the order of the configuration."""
    config = case.config
    if config is None:
        return
    for name, listener in config.listeners.items():
        yield _port(f"listener {name}", listener.address, listener.port, listener.transport == "udp", case)
    yield _port("metrics", config.metrics.address, config.metrics.port, False, case)
    if config.api.token is not None:
        yield _port("api", config.api.address, config.api.port, False, case)


def _port(subject: str, host: str, port: int, datagrams: bool, case: Case) -> Diagnosis:
    where = f"{host} port {port}/{'udp' if datagrams else 'tcp'}"
    wrong = _bind(host, port, datagrams)
    if not wrong:
        if case.status:
            return Diagnosis(subject, PROBLEM, f"{where} is free, but sipguard runs", "restart it; see its log")
        return Diagnosis(subject, OK, f"{where} is free")
    if wrong != errno.EADDRINUSE:
        what, advice = _ADVICE.get(wrong, (os.strerror(wrong), ""))
        return Diagnosis(subject, PROBLEM, f"{where}: {what}", advice)
    holders = holders_of(host, port, datagrams)
    if holders & case.pids:
        return Diagnosis(subject, OK, f"{where} is bound by the running sipguard")
    if not holders:
        if case.status:
            return Diagnosis(subject, WARNING, f"{where} is taken, it cannot be seen by whom", "run this as root")
        return Diagnosis(subject, PROBLEM, f"{where} is taken, it cannot be seen by whom", "run this as root")
    names = ", ".join(f"{_name(pid)} (pid {pid})" for pid in sorted(holders))
    return Diagnosis(subject, PROBLEM, f"{where} is taken by {names}", "stop it, or choose another port")


def _bind(host: str, port: int, datagrams: bool) -> int:
    """0 where the port can be bound, else the number of the error."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM) as sock:
        if not datagrams:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            sock.bind((host, port))
            if not datagrams:
                sock.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return 0


def holders_of(host: str, port: int, datagrams: bool) -> set[int]:
    """The processes that hold a socket on this port and address, as far as this user may see them (proc(5))."""
    inodes = {f"socket:[{inode}]" for inode in _inodes(host, port, "udp" if datagrams else "tcp")}
    return {pid for pid in _pids() if inodes & _links(pid)} if inodes else set()


def _inodes(host: str, port: int, table: str) -> set[str]:
    found = set()
    address = ip_address(host)
    for name in (table, f"{table}6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            there, _, hexadecimal = fields[1].partition(":")
            if int(hexadecimal, 16) != port or (table == "tcp" and fields[3] != _LISTENS):
                continue
            octets = b"".join(
                bytes.fromhex(there[at : at + 8])[::-1] for at in range(0, len(there), 8)
            )  # words in the byte order of the machine
            bound = ip_address(octets)
            if bound == address or bound.is_unspecified or address.is_unspecified:
                found.add(fields[9])
    return found


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _links(pid: int) -> set[str]:
    """What the descriptors of a process are."""
    found = set()
    try:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            found.add(str(entry.readlink()))
    except OSError:
        pass  # it ended, or is not ours to look at
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return "?"
