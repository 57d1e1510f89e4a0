"""HEP3 packets as others read and write them, and an exporter that never waits."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sipguard.net.capture import Seen
from sipguard.net.hep import LARGEST, LOG, Exporter, HepSettings, packet, way_chunks
from sipguard.sip.secret import Secret
from tests import hep
from tests.sip.torture import VECTORS

A, B = ("192.0.2.1", 5060), ("198.51.100.7", 40_404)
A6, B6 = ("2001:db8::1", 5062), ("2001:db8::7", 40_404)
MESSAGE = b"OPTIONS sip:192.0.2.1 SIP/2.0\r\n\r\n"
SAMPLES = ("hep-js-sample.hep3", "heplify_hep3_options200.hep3")


@pytest.fixture
def collector() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5)
        yield sock


def settings(collector: socket.socket | None = None, **changed: object) -> HepSettings:
    """Where the copies go."""
    port = collector.getsockname()[1] if collector is not None else 9
    values = {"address": "127.0.0.1", "port": port, "capture_id": 2**32 - 1, "node": "node-1"}
    return HepSettings(**{**values, "sip": True, "verdicts": True, **changed})  # type: ignore[arg-type]


def seen(sent: bool = False, transport: str = "udp", octets: bytes = MESSAGE, decision_id: str = "d-1") -> Seen:
    """A message."""
    return Seen(1_795_000_000.123456, sent, transport, A, B, decision_id, octets)


def caught(collector: socket.socket) -> hep.Packet:
    """The next packet."""
    return hep.read(collector.recv(65_535))


def test_a_message_and_its_other_direction(collector: socket.socket) -> None:
    exporter = Exporter(settings(collector), Secret(b"let me in"))
    exporter.message(seen())
    exporter.message(seen(sent=True, transport="tls"))
    first, second = caught(collector), caught(collector)
    assert first.chunks == {
        1: 2, 2: 17, 3: B[0], 4: A[0], 7: B[1], 8: A[1], 9: 1_795_000_000, 10: 123_456, 11: 1, 12: 2**32 - 1,
        14: "let me in", 15: MESSAGE, 17: "d-1", 19: "node-1",
    }  # fmt: skip
    assert (second.source, second.target, second.chunks[2]) == (A, B, 6)
    assert (exporter.sent, exporter.dropped) == (2, 0)
    exporter.close()


def test_a_verdict(collector: socket.socket) -> None:
    exporter = Exporter(settings(collector), None)
    exporter.verdict(1_795_000_000.5, "udp", A6, B6, "d-1", b"{}")
    found = caught(collector)
    assert (found.source, found.target, found.chunks[1]) == (A6, B6, 10)
    assert (found.chunks[11], found.chunks[15], found.chunks[17]) == (100, b"{}", "d-1")
    assert 14 not in found.chunks
    exporter.close()


def test_what_belongs_to_no_call_has_no_correlation(collector: socket.socket) -> None:
    exporter = Exporter(settings(collector), None)
    exporter.message(seen(decision_id=""))
    assert 17 not in caught(collector).chunks
    exporter.close()


def test_what_is_too_long_is_cut() -> None:
    octets = packet(way_chunks("udp", A, B), 1.0, LOG, "d-1", b"x" * 65_507, b"")
    assert len(octets) == LARGEST
    assert set(hep.read(octets).chunks[15]) == {ord("x")}


def test_a_collector_that_cannot_be_reached_is_counted() -> None:
    exporter = Exporter(settings(address="255.255.255.255"), None)  # no broadcasting: the kernel refuses
    exporter.message(seen())
    assert (exporter.sent, exporter.dropped) == (0, 1)
    exporter.close()


@pytest.mark.skipif(not (VECTORS / "hep").is_dir(), reason=f"no vectors in {VECTORS}: set SIPGUARD_VECTORS")
@pytest.mark.parametrize("name", SAMPLES)
def test_packets_of_others_have_the_same_layout(name: str) -> None:
    """Read, and written again from what was read: every chunk that both have is the same octet for octet."""
    octets = (VECTORS / "hep" / name).read_bytes()
    read = hep.read(octets)
    transport = "udp" if read.chunks[2] == 17 else "tcp"
    own = b""
    for kind, value in ((12, read.chunks[12].to_bytes(4, "big")), (14, read.chunks[14].encode())):
        own += kind.to_bytes(4, "big") + (6 + len(value)).to_bytes(2, "big") + value
    way = way_chunks(transport, read.source, read.target)
    again = packet(way, read.at, read.chunks[11], read.chunks.get(17, ""), read.chunks[15], own)
    assert _chunks(again) - {b"\0\0\0\1\0\7\2", b"\0\0\0\x0b\0\7\0"} <= _chunks(octets)
    assert hep.read(again).at == read.at


def _chunks(octets: bytes) -> set[bytes]:
    """The chunks of a packet, whole."""
    found, at = set(), 6
    while at < len(octets):
        length = int.from_bytes(octets[at + 4 : at + 6], "big")
        found.add(octets[at : at + length])
        at += length
    return found


@pytest.mark.skipif(not (VECTORS / "hep").is_dir(), reason=f"no vectors in {VECTORS}: set SIPGUARD_VECTORS")
def test_hep2_is_no_hep3() -> None:
    with pytest.raises(ValueError, match="no HEP3"):
        hep.read((VECTORS / "hep" / "heplify_hep2.bin").read_bytes())
