"""Copies of messages and verdicts for a capture server such as Homer: HEP3 over UDP.

Enters: messages as the tap saw them, verdicts as JSON, with the id that joins the legs of a call. Leaves: datagrams,
and counts of those that left and of those that there was no room for. Must not: wait, or raise for a collector that
is away.

Layout (HEP3, EEP of sipcapture): "HEP3", the length of the packet in 16 bits, then chunks of vendor, type and length
(16 bits each, the length with these six octets) and a value.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from struct import Struct
from typing import Final

from sipguard.net.capture import Seen
from sipguard.sip.flow import UDP, Address
from sipguard.sip.secret import Secret

FAMILY, PROTOCOL, SOURCE4, TARGET4, SOURCE6, TARGET6, SOURCE_PORT, TARGET_PORT = 1, 2, 3, 4, 5, 6, 7, 8
SECONDS, MICROSECONDS, KIND, CAPTURE_ID, PASSWORD, PAYLOAD, CORRELATION, NODE = 9, 10, 11, 12, 14, 15, 17, 19
SIP: Final = 1  # values of KIND
LOG: Final = 100

WAYS_KEPT: Final = 10_000
LARGEST: Final = 65_507  # of a datagram over IPv4
_HEAD: Final = Struct("!4sH")
_CHUNK: Final = Struct("!HHH")
_OCTET: Final = Struct("!HHHB")
_SHORT: Final = Struct("!HHHH")
_LONG: Final = Struct("!HHHI")
_WHEN: Final = Struct("!HHHIHHHIHHHB")
_UDP_NUMBER, _TCP_NUMBER = 17, 6


@dataclass(frozen=True)
class HepSettings:
    """Where copies go, and of what. `password_file` is a path, "" for none."""

    address: str
    port: int
    capture_id: int
    node: str
    sip: bool
    verdicts: bool
    password_file: str = ""


class Exporter:
    """Sends to one collector."""

    def __init__(self, settings: HepSettings, password: Secret | None) -> None:
        family = socket.AF_INET6 if ":" in settings.address else socket.AF_INET
        self.settings = settings
        self.sent = 0
        self.dropped = 0
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._to = (settings.address, settings.port)
        own = _LONG.pack(0, CAPTURE_ID, 10, settings.capture_id) + _text(NODE, settings.node.encode())
        self._own = own + (_text(PASSWORD, password.reveal()) if password is not None else b"")
        self._ways: dict[tuple[str, Address, Address], bytes] = {}

    def message(self, seen: Seen) -> None:
        """A copy of a SIP message; its decision id joins it with the other leg."""
        source, target = (seen.local, seen.remote) if seen.sent else (seen.remote, seen.local)
        self._send(seen.at, seen.transport, source, target, SIP, seen.decision_id, seen.octets)

    def verdict(
        self, at: float, transport: str, source: Address, target: Address, decision_id: str, json: bytes
    ) -> None:
        """A verdict on the INVITE that came from `source` to `target`."""
        self._send(at, transport, source, target, LOG, decision_id, json)

    def _send(
        self, at: float, transport: str, source: Address, target: Address, kind: int, correlation: str, payload: bytes
    ) -> None:
        key = (transport, source, target)
        way = self._ways.get(key)
        if way is None:
            if len(self._ways) >= WAYS_KEPT:
                self._ways.clear()
            way = self._ways[key] = way_chunks(transport, source, target)
        octets = packet(way, at, kind, correlation, payload, self._own)
        try:
            self._sock.sendto(octets, self._to)
            self.sent += 1
        except OSError:  # no room, no way there: as if lost on the way
            self.dropped += 1

    def close(self) -> None:
        """Closes the socket."""
        self._sock.close()


def way_chunks(transport: str, source: Address, target: Address) -> bytes:
    """The chunks that say where a message came from and went to."""
    from_ip, to_ip = ip_address(source[0]), ip_address(target[0])
    six = from_ip.version == 6
    return b"".join(
        (
            _OCTET.pack(0, FAMILY, 7, socket.AF_INET6 if six else socket.AF_INET),
            _OCTET.pack(0, PROTOCOL, 7, _UDP_NUMBER if transport == UDP else _TCP_NUMBER),
            _text(SOURCE6 if six else SOURCE4, from_ip.packed),
            _text(TARGET6 if six else TARGET4, to_ip.packed),
            _SHORT.pack(0, SOURCE_PORT, 8, source[1]),
            _SHORT.pack(0, TARGET_PORT, 8, target[1]),
        )
    )


def packet(way: bytes, at: float, kind: int, correlation: str, payload: bytes, own: bytes) -> bytes:
    """One packet. `at` is Unix seconds, `own` the chunks that are the same in all of a collector's packets."""
    seconds, microseconds = divmod(round(at * 1e6), 1_000_000)
    chunks = way + own + _WHEN.pack(0, SECONDS, 10, seconds, 0, MICROSECONDS, 10, microseconds, 0, KIND, 7, kind)
    if correlation:
        chunks += _text(CORRELATION, correlation.encode())
    room = LARGEST - _HEAD.size - len(chunks) - _CHUNK.size
    if len(payload) > room:
        payload = payload[:room]  # a cut copy says more than none
    return _HEAD.pack(b"HEP3", LARGEST - room + len(payload)) + chunks + _text(PAYLOAD, payload)


def _text(kind: int, value: bytes) -> bytes:
    """A chunk of octets."""
    return _CHUNK.pack(0, kind, _CHUNK.size + len(value)) + value
