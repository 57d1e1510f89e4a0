"""Which addresses a fetch may connect to (RFC 6890 and the registries of IANA)."""

from ipaddress import ip_network

import pytest

from sipguard.net.address import allowed, refused_literal

INSIDE = [
    "0.0.0.1", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1",
    "192.0.0.9", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1",
    "::ffff:8.8.8.8", "::8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:1::1", "2001:2::1", "2001:3::1", "2001:10::1", "2001:20::1", "2001:30::1", "2001:db8::1",
    "2002:7f00:1::", "2620:4f:8000::1", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0",
    "fec0::1", "ff02::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_special_purpose_addresses_are_refused(address: str) -> None:
    assert not allowed(address, ())
    assert refused_literal(address, ())


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0", "0177.0.0.1", "127.0.0.1.", "0x7f.1"])
def test_a_number_that_resolvers_take_for_an_address_is_refused(host: str) -> None:
    assert refused_literal(host, ())
    assert refused_literal(host, (ip_network("127.0.0.0/8"),))


def test_a_name_is_not_refused() -> None:
    assert not refused_literal("127.certs.example", ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert allowed(address, ())


def test_a_network_may_be_allowed_by_hand() -> None:
    assert allowed("10.1.2.3", (ip_network("10.1.0.0/16"),))
    assert not allowed("10.2.2.3", (ip_network("10.1.0.0/16"),))
