"""A reader of HEP3 packets, for tests: strict, and written from the layout alone.

Enters: a datagram. Leaves: its chunks. Must not: use the product's own composing.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from struct import unpack_from
from typing import Any, Final

NUMBERS: Final = {1: 1, 2: 1, 7: 2, 8: 2, 9: 4, 10: 4, 11: 1, 12: 4}  # type of chunk -> octets of its value
ADDRESSES: Final = {3: 4, 4: 4, 5: 16, 6: 16}
TEXTS: Final = (14, 17, 19)
PAYLOAD: Final = 15


@dataclass
class Packet:
    """Type of chunk -> value: numbers, addresses and texts as such, the payload as octets."""

    chunks: dict[int, Any]

    @property
    def at(self) -> float:
        """Unix seconds."""
        return float(self.chunks[9]) + self.chunks[10] / 1e6

    @property
    def source(self) -> tuple[str, int]:
        """Where the message came from."""
        return self.chunks.get(3) or self.chunks[5], self.chunks[7]

    @property
    def target(self) -> tuple[str, int]:
        """Where it went."""
        return self.chunks.get(4) or self.chunks[6], self.chunks[8]


def read(octets: bytes) -> Packet:
    """The packet in a datagram. Raises ValueError for what is no HEP3."""
    if octets[:4] != b"HEP3" or unpack_from("!H", octets, 4)[0] != len(octets):
        raise ValueError("no HEP3, or of another length than it says")
    at = 6
    chunks: dict[int, Any] = {}
    while at < len(octets):
        vendor, kind, length = unpack_from("!HHH", octets, at)
        value = octets[at + 6 : at + length]
        if vendor or length < 6 or len(value) != length - 6 or kind in chunks:
            raise ValueError(f"chunk {vendor}.{kind} of length {length}")
        chunks[kind] = _value(kind, value)
        at += length
    return Packet(chunks)


def _value(kind: int, value: bytes) -> Any:
    if kind in NUMBERS or kind in ADDRESSES:
        if len(value) != {**NUMBERS, **ADDRESSES}[kind]:
            raise ValueError(f"chunk {kind} of {len(value)} octets")
        return int.from_bytes(value, "big") if kind in NUMBERS else str(ip_address(value))
    if kind in TEXTS:
        return value.decode()
    if kind == PAYLOAD:
        return value
    raise ValueError(f"chunk {kind} is unknown")
