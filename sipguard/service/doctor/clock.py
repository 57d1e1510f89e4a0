"""How far the clock is off: tokens are good for a minute, so calls fail verification by a wrong clock.

Enters: the name of an NTP server, or chrony or systemd-timesyncd on this machine. Leaves: a diagnosis.
Must not: set the clock, or wait longer than its deadlines.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import time
from struct import Struct
from typing import Final

from sipguard.service.doctor.diagnosis import OK, PROBLEM, UNKNOWN, WARNING, Diagnosis

WITHIN_S: Final = 2.0  # an answer comes in this time or not at all
WARN_S: Final = 1.0
WRONG_S: Final = 5.0  # screening.checks.identity.future: tokens of others seem to come from the future
_EPOCH_S: Final = 2_208_988_800  # from 1900 to 1970 (RFC 5905 §6)
_PACKET: Final = Struct("!BBbbII4sQQQQ")
_UNITS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_ADVICE: Final = "install and start chrony, or correct its servers"


def examine(server: str) -> Diagnosis:
    """The clock against `server` (HOST or HOST:PORT), or by what keeps it on this machine where that is ""."""
    if server:
        host, _, port = server.partition(":") if server.count(":") == 1 else (server, "", "")
        try:
            return _judged(offset_of(host, int(port or 123)), f"by {server}")
        except (OSError, ValueError) as error:
            return Diagnosis("clock", UNKNOWN, f"{server} does not tell the time: {error}", "name another server")
    for ask in (_chrony, _timesyncd):
        offset_s, by = ask()
        if by:
            return _judged(offset_s, f"by {by}")
    advice = f"{_ADVICE}; or --ntp SERVER asks one"
    return Diagnosis("clock", UNKNOWN, "neither chrony nor systemd-timesyncd tells how far it is off", advice)


def _judged(offset_s: float | None, by: str) -> Diagnosis:
    if offset_s is None:
        return Diagnosis("clock", WARNING, f"not synchronised, {by}", _ADVICE)
    what = f"{abs(offset_s):.3f} s {'behind' if offset_s > 0 else 'ahead'}, {by}"
    if abs(offset_s) > WRONG_S:
        return Diagnosis("clock", PROBLEM, what, f"Identity headers fail; {_ADVICE}")
    return Diagnosis("clock", WARNING, what, _ADVICE) if abs(offset_s) > WARN_S else Diagnosis("clock", OK, what)


def offset_of(host: str, port: int = 123) -> float:
    """Seconds that the server's clock is ahead of ours (RFC 4330 §5). Raises OSError, ValueError."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as sock:
        sock.settimeout(WITHIN_S)
        sock.connect(address)
        cookie = int.from_bytes(os.urandom(8), "big")  # stands as our time of sending; the server repeats it
        began_at, began = time.time(), time.monotonic()
        sock.send(_PACKET.pack(0x23, 0, 0, 0, 0, 0, b"", 0, 0, 0, cookie))
        octets = sock.recv(512)
        took_s = time.monotonic() - began
    if len(octets) < _PACKET.size:
        raise ValueError("the answer is too short")
    first, stratum, *_, origin, received, sent = _PACKET.unpack(octets[: _PACKET.size])
    if first & 7 != 4 or origin != cookie:
        raise ValueError("it is no answer to what was asked")
    if first >> 6 == 3 or not 0 < stratum < 16:
        raise ValueError("it is not synchronised itself")
    return ((_unix(received) - began_at) + (_unix(sent) - (began_at + took_s))) / 2


def _unix(stamp: int) -> float:
    """An NTP timestamp as Unix seconds; those of its second era begin in 2036."""
    seconds = stamp >> 32
    return seconds + (0 if seconds & 1 << 31 else 1 << 32) - _EPOCH_S + (stamp & 0xFFFFFFFF) / 2**32


def _said(*command: str) -> str:
    """What a program prints, "" where it is not there, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _chrony() -> tuple[float | None, str]:
    """(offset, who says so) by chrony, whose clock is slow where it is positive; "" where it does not run."""
    fields = _said("chronyc", "-c", "tracking").strip().split(",")
    if len(fields) < 14:
        return None, ""
    synchronised = fields[13].strip() != "Not synchronised"
    return (float(fields[4]) if synchronised else None), "chrony"


def _timesyncd() -> tuple[float | None, str]:
    """(offset, who says so) by systemd-timesyncd; "" where it does not run."""
    found = re.search(r"Offset:\s*([+-]?[0-9.]+)\s*(us|ms|s|min)\b", _said("timedatectl", "timesync-status"))
    if found is None:
        return None, ""
    return float(found[1]) * _UNITS[found[2]], "systemd-timesyncd"
