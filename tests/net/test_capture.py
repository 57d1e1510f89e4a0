"""A capture file block by block: headers with right checksums, and what other programs make of the rest."""

from __future__ import annotations

import shutil
import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest

from sipguard.net.capture import Capture, Seen, datagram, internet_checksum
from tests.wanted import reason

OCTETS = (
    b"OPTIONS sip:192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\n"
    b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:192.0.2.1>\r\nCall-ID: one@example.com\r\n"
    b"CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
HERE, THERE = ("192.0.2.1", 5060), ("198.51.100.7", 40_404)
HERE6, THERE6 = ("2001:db8::1", 5062), ("2001:db8::7", 40_404)


def seen(transport: str = "udp", sent: bool = False, six: bool = False, octets: bytes = OCTETS) -> Seen:
    """A message of a call."""
    local, remote = (HERE6, THERE6) if six else (HERE, THERE)
    return Seen(1_795_000_000.123456, sent, transport, local, remote, "d-1", octets)


def words(octets: bytes) -> int:
    """The sum of 16-bit words in ones' complement, added one by one (RFC 1071 §4.1)."""
    octets += b"\0" * (len(octets) % 2)
    total = 0
    for at in range(0, len(octets), 2):
        total += int.from_bytes(octets[at : at + 2], "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total


@pytest.mark.parametrize("octets", [b"", b"\0\0", b"\xff\xff", b"\1", OCTETS, bytes(range(256)) * 255], ids=len)
def test_the_checksum_makes_the_sum_all_ones(octets: bytes) -> None:
    octets += b"\0" * (len(octets) % 2)
    assert words(octets + internet_checksum(octets).to_bytes(2, "big")) == 0xFFFF


@pytest.mark.parametrize("sent", [False, True], ids=["received", "sent"])
@pytest.mark.parametrize("octets", [OCTETS, OCTETS + b"x", b"x" * 65_507], ids=["even", "odd", "largest"])
def test_a_datagram_of_ipv4(sent: bool, octets: bytes) -> None:
    frame = datagram(seen(sent=sent, octets=octets))
    head, udp = frame[14:34], frame[34:]
    assert frame[12:14] == b"\x08\x00"
    assert words(head) == 0xFFFF
    assert int.from_bytes(head[2:4], "big") == len(head) + len(udp)
    source, target = (HERE, THERE) if sent else (THERE, HERE)
    assert (head[12:16], head[16:20]) == (ip_address(source[0]).packed, ip_address(target[0]).packed)
    assert udp[:4] == source[1].to_bytes(2, "big") + target[1].to_bytes(2, "big")
    assert words(head[12:20] + b"\0\x11" + udp[4:6] + udp) == 0xFFFF
    assert udp[8:] == octets


def test_a_datagram_of_ipv6() -> None:
    frame = datagram(seen(six=True))
    head, udp = frame[14:54], frame[54:]
    assert frame[12:14] == b"\x86\xdd"
    assert int.from_bytes(head[4:6], "big") == len(udp)
    assert words(head[8:40] + b"\0\0" + udp[4:6] + b"\0\0\0\x11" + udp) == 0xFFFF


def blocks(octets: bytes) -> list[tuple[int, bytes]]:
    """(type, body) of each block; their two lengths must agree."""
    found = []
    while octets:
        kind, length = (int.from_bytes(octets[at : at + 4], "little") for at in (0, 4))
        assert length % 4 == 0
        assert octets[length - 4 : length] == octets[4:8]
        found.append((kind, octets[8 : length - 4]))
        octets = octets[length:]
    return found


def test_an_interface_is_declared_when_its_first_message_comes() -> None:
    capture = Capture()
    octets = capture.head() + capture.message(seen()) + capture.message(seen(sent=True))
    assert [kind for kind, _ in blocks(octets)] == [0x0A0D0D0A, 1, 6, 6]
    more = capture.message(seen("tls")) + capture.end(1_795_000_000.5, 3)
    (_, interface), (_, packet), (kind, statistics) = blocks(more)
    assert (interface[:2], packet[:4]) == (b"\xfc\0", b"\1\0\0\0")
    assert (kind, statistics[12:24]) == (5, b"\5\0\x08\0" + (3).to_bytes(8, "little"))


def test_nothing_caught_has_no_statistics() -> None:
    assert Capture().end(1_795_000_000.5, 0) == b""


@pytest.mark.e2e
@pytest.mark.skipif(bool(reason("tshark")), reason=reason("tshark"))
def test_every_transport_is_sip_for_wireshark(tmp_path: Path) -> None:
    capture = Capture()
    file = tmp_path / "all.pcapng"
    messages = [seen(transport, sent, six) for transport in ("udp", "tcp", "tls") for six in (0, 1) for sent in (0, 1)]
    file.write_bytes(capture.head() + b"".join(map(capture.message, messages)) + capture.end(1_795_000_001.0, 1))
    fields = ("sip.Method", "sip.Call-ID", "_ws.malformed", "ip.src", "ipv6.src", "exported_pdu.ipv4_src",
              "exported_pdu.ipv6_src", "frame.time_epoch")  # fmt: skip
    command = [str(shutil.which("tshark")), "-r", str(file), "-T", "fields", "-E", "separator=|"]
    for name in fields:
        command += ["-e", name]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == len(messages)
    for line, message in zip(lines, messages, strict=True):
        method, call_id, malformed, *sources, at = line.split("|")
        assert (method, call_id, malformed) == ("OPTIONS", "one@example.com", "")
        assert (message.local if message.sent else message.remote)[0] in sources
        assert float(at) == pytest.approx(message.at, abs=1e-6)
