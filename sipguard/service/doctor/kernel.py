"""Limits of the kernel that a SIP socket meets: receive buffers, open files.

Enters: /proc. Leaves: diagnoses. Must not: set a limit.
"""

from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sipguard.net.udp import BUFFER
from sipguard.service.doctor.diagnosis import OK, UNKNOWN, WARNING, Case, Diagnosis

RMEM_MAX: Final = Path("/proc/sys/net/core/rmem_max")
FILES_BESIDE: Final = 256  # descriptors that are no connections
_NET_ADMIN: Final = 12  # bit of CAP_NET_ADMIN (capabilities(7))


def examine(case: Case, rmem_max: Path = RMEM_MAX) -> Iterator[Diagnosis]:
    """Each limit."""
    pid = str(next((process["pid"] for process in case.status.get("processes", {}).values()), "self") or "self")
    yield _buffer(rmem_max, pid)
    if case.config is not None:
        yield _files(case, pid)


def _buffer(file: Path, pid: str) -> Diagnosis:
    try:
        most = int(file.read_text())
    except (OSError, ValueError):
        return Diagnosis("receive buffer", UNKNOWN, f"{file} cannot be read")
    shown = f"net.core.rmem_max is {most}"
    if most >= BUFFER:
        return Diagnosis("receive buffer", OK, shown)
    if _may_force(pid):
        return Diagnosis("receive buffer", OK, f"{shown}, and CAP_NET_ADMIN goes beyond it")
    advice = f"sysctl -w net.core.rmem_max={BUFFER}, or grant CAP_NET_ADMIN: bursts are lost otherwise"
    return Diagnosis("receive buffer", WARNING, shown, advice)


def _may_force(pid: str) -> bool:
    """Whether a process has CAP_NET_ADMIN in effect."""
    try:
        found = re.search(r"^CapEff:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    except OSError:
        return False
    return found is not None and bool(int(found[1], 16) >> _NET_ADMIN & 1)


def _files(case: Case, pid: str) -> Diagnosis:
    """Whether as many connections can be open as the listeners allow."""
    assert case.config is not None
    streams = [each for each in case.config.listeners.values() if each.transport != "udp"]
    wanted = FILES_BESIDE + sum(each.connections.most for each in streams)
    limit = _limit(pid)
    shown = f"{limit} open files, {wanted} may be needed"
    if limit < wanted:
        return Diagnosis("open files", WARNING, shown, "raise LimitNOFILE, or lower connections.most of listeners")
    return Diagnosis("open files", OK, shown)


def _limit(pid: str) -> int:
    try:
        text = Path(f"/proc/{pid}/limits").read_text()
    except OSError:
        return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    found = re.search(r"^Max open files\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found is not None else resource.getrlimit(resource.RLIMIT_NOFILE)[0]
