"""SIP messages as a capture file that Wireshark reads (pcapng, draft-ietf-opsawg-pcapng).

Enters: messages as the tap saw them. Leaves: octets of the file, block after block, so that it can be read while it
is written. Must not: open a file or a socket.

A datagram gets Ethernet, IP and UDP headers of our own making with correct checksums. A message of a connection,
decrypted where that was TLS, is an exported PDU of Wireshark: its addresses and ports as tags and the message
whole, which is decoded as SIP on any port and without the stream around it.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from typing import Final, NamedTuple

from sipguard import __version__
from sipguard.sip.flow import UDP, Address


class Seen(NamedTuple):
    """A message that came or left. `at` is Unix seconds; `decision_id` is "" where it belongs to no known call."""

    at: float
    sent: bool
    transport: str  # udp | tcp | tls
    local: Address
    remote: Address
    decision_id: str
    octets: bytes


_BLOCK: Final = Struct("=II")  # type, length; the length stands once more at the end
_LENGTH: Final = Struct("=I")
_SECTION: Final = Struct("=IHHq")  # byte-order magic, version, length of the section (unknown)
_INTERFACE: Final = Struct("=HHI")  # link type, reserved, snap length
_PACKET: Final = Struct("=IIIII")  # interface, timestamp high and low, captured and original length
_STATISTICS: Final = Struct("=III")  # interface, timestamp high and low
_OPTION: Final = Struct("=HH")
_ETHERNET: Final = 1
_UPPER_PDU: Final = 252
_COMMENT, _NAME, _FLAGS, _DROPPED, _APPLICATION = 1, 2, 2, 5, 4  # options; their numbers are of each block's own
_INBOUND, _OUTBOUND = 1, 2

_TAG: Final = Struct("!HH")
_DISSECTOR, _IPV4_SRC, _IPV4_DST, _IPV6_SRC, _IPV6_DST, _PORT_TYPE, _SRC_PORT, _DST_PORT = (
    12,
    20,
    21,
    22,
    23,
    24,
    25,
    26,
)
_TCP_PORTS: Final = 2  # of Wireshark's port types

_IPV4_HEADER: Final = Struct("!BBHHHBBH4s4s")
_IPV6_HEADER: Final = Struct("!IHBB16s16s")
_UDP_HEADER: Final = Struct("!HHHH")
_MAC: Final = (b"\x02\x00\x00\x00\x00\x01", b"\x02\x00\x00\x00\x00\x02")  # locally administered: received by, sent by
_UDP_NUMBER: Final = 17


class Capture:
    """One file. Interfaces are declared when their first message comes, since some readers want all of one kind."""

    def __init__(self) -> None:
        self._interfaces: dict[int, int] = {}  # link type -> number

    def head(self) -> bytes:
        """What the file begins with."""
        section = _SECTION.pack(0x1A2B3C4D, 1, 0, -1)
        return _block(0x0A0D0D0A, section + _options((_APPLICATION, f"sipguard {__version__}".encode())))

    def message(self, seen: Seen) -> bytes:
        """One message, with its direction, and its decision id as comment."""
        link, frame = (_ETHERNET, datagram(seen)) if seen.transport == UDP else (_UPPER_PDU, exported(seen))
        new = b""
        number = self._interfaces.get(link)
        if number is None:
            number = self._interfaces[link] = len(self._interfaces)
            name = b"sipguard datagrams" if link == _ETHERNET else b"sipguard connections"
            new = _block(1, _INTERFACE.pack(link, 0, 0) + _options((_NAME, name)))
        options = [(_FLAGS, _LENGTH.pack(_OUTBOUND if seen.sent else _INBOUND))]
        if seen.decision_id:
            options.insert(0, (_COMMENT, f"decision {seen.decision_id}".encode()))
        head = _PACKET.pack(number, *_halves(seen.at), len(frame), len(frame))
        return new + _block(6, head + _padded(frame) + _options(*options))

    def end(self, at: float, lost: int) -> bytes:
        """Says how many messages are missing because nobody read fast enough; b"" where nothing was captured."""
        if not self._interfaces:
            return b""
        return _block(5, _STATISTICS.pack(0, *_halves(at)) + _options((_DROPPED, lost.to_bytes(8, "little"))))


def datagram(seen: Seen) -> bytes:
    """Ethernet, IPv4 (RFC 791) or IPv6 (RFC 8200) and UDP (RFC 768) around a message."""
    source, target = (seen.local, seen.remote) if seen.sent else (seen.remote, seen.local)
    from_ip, to_ip = ip_address(source[0]), ip_address(target[0])
    length = _UDP_HEADER.size + len(seen.octets)
    pseudo = from_ip.packed + to_ip.packed + length.to_bytes(4, "big") + _UDP_NUMBER.to_bytes(4, "big")
    ports = _UDP_HEADER.pack(source[1], target[1], length, 0)
    checksum = internet_checksum(pseudo + ports + seen.octets) or 0xFFFF  # 0 would say that there is none
    payload = _UDP_HEADER.pack(source[1], target[1], length, checksum) + seen.octets
    here, there = _MAC
    ethernet = (there + here) if seen.sent else (here + there)
    if isinstance(from_ip, IPv6Address):
        head = _IPV6_HEADER.pack(6 << 28, length, _UDP_NUMBER, 64, from_ip.packed, to_ip.packed)
        return ethernet + b"\x86\xdd" + head + payload
    return ethernet + b"\x08\x00" + _ipv4_header(from_ip, to_ip, length) + payload


def _ipv4_header(source: IPv4Address, target: IPv4Address | IPv6Address, length: int) -> bytes:
    values = (0x45, 0, _IPV4_HEADER.size + length, 0, 0x4000, 64, _UDP_NUMBER)
    checksum = internet_checksum(_IPV4_HEADER.pack(*values, 0, source.packed, target.packed))
    return _IPV4_HEADER.pack(*values, checksum, source.packed, target.packed)


def exported(seen: Seen) -> bytes:
    """A message of a connection as an exported PDU for Wireshark's dissector `sip`."""
    source, target = (seen.local, seen.remote) if seen.sent else (seen.remote, seen.local)
    four = ":" not in source[0]
    tags = (
        (_DISSECTOR, b"sip\0"),
        (_IPV4_SRC if four else _IPV6_SRC, ip_address(source[0]).packed),
        (_IPV4_DST if four else _IPV6_DST, ip_address(target[0]).packed),
        (_PORT_TYPE, _TCP_PORTS.to_bytes(4, "big")),
        (_SRC_PORT, source[1].to_bytes(4, "big")),
        (_DST_PORT, target[1].to_bytes(4, "big")),
        (0, b""),
    )
    return b"".join(_TAG.pack(tag, len(value)) + value for tag, value in tags) + seen.octets


def internet_checksum(octets: bytes) -> int:
    """RFC 1071: the complement of the sum of 16-bit words in ones' complement.

    2**16 is 1 modulo 65535, so the whole as one number leaves the same remainder as its words added.
    """
    rest = int.from_bytes(octets + b"\0" * (len(octets) % 2), "big") % 0xFFFF
    return 0xFFFF ^ (rest or (0xFFFF if any(octets) else 0))


def _halves(at: float) -> tuple[int, int]:
    """An instant in microseconds, as two numbers of 32 bits."""
    return divmod(round(at * 1e6), 1 << 32)


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)


def _options(*options: tuple[int, bytes]) -> bytes:
    """Options of a block, and their end."""
    return b"".join(_OPTION.pack(code, len(value)) + _padded(value) for code, value in options) + _OPTION.pack(0, 0)


def _block(kind: int, body: bytes) -> bytes:
    length = _BLOCK.size + len(body) + _LENGTH.size
    return _BLOCK.pack(kind, length) + body + _LENGTH.pack(length)
