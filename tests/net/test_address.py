"""Which addresses may be connected to (facts A6.4, RFC 6890)."""

import socket
from ipaddress import ip_network

import pytest

from sipguard.net.address import AddressRefused, CheckedResolver, allowed, refused_literal

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1"]
INSIDE = [
    "127.0.0.1",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.7",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:808:808::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00::1",
    "ff02::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert allowed(address, ())


@pytest.mark.parametrize("address", INSIDE)
def test_special_purpose_addresses_are_refused(address: str) -> None:
    assert not allowed(address, ())
    assert refused_literal(address, ())


def test_a_network_can_be_allowed_by_hand() -> None:
    lab = (ip_network("127.0.0.0/8"), ip_network("fd00::/8"))
    assert allowed("127.0.0.1", lab)
    assert allowed("fd00::1", lab)
    assert not allowed("10.0.0.1", lab)


def test_a_name_is_no_literal() -> None:
    assert not refused_literal("certs.example", ())


async def test_a_name_that_leads_inside_is_refused() -> None:
    with pytest.raises(AddressRefused):
        await CheckedResolver(()).resolve("localhost", 443, socket.AF_INET)
    lab = CheckedResolver((ip_network("127.0.0.0/8"),))
    assert [one["host"] for one in await lab.resolve("localhost", 443, socket.AF_INET)] == ["127.0.0.1"]
