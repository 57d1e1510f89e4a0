"""Sets of networks against ipaddress."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.numbers.networkset import Network, NetworkSet, address_of, build_networks, network_of
from sipguard.numbers.wide import NEVER

V4 = st.tuples(st.sampled_from([0xC0000200, 0xC0000280, 0xCB007100]), st.integers(20, 32))
V6 = st.tuples(
    st.sampled_from([0x20010DB8 << 96, 0x20010DB8 << 96 | 1, 0x20010DB8 << 96 | 1 << 64]), st.integers(30, 128)
)
NETWORKS = st.dictionaries(
    V4.map(lambda n: IPv4Network(n, strict=False)) | V6.map(lambda n: IPv6Network(n, strict=False)),
    st.sampled_from([1, 50, NEVER]),
    max_size=12,
)
ADDRESSES = [
    "192.0.2.0",
    "192.0.2.129",
    "203.0.113.9",
    "198.51.100.1",
    "2001:db8::",
    "2001:db8::1:0:0:0",
    "::",
    "0.0.0.0",
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("networks") / "list.set"


@settings(max_examples=120, deadline=None)
@given(NETWORKS)
def test_an_address_is_in_what_ipaddress_says(file: Path, networks: dict[Network, int]) -> None:
    assert build_networks(file, networks) == len(networks)
    mapped, plain = NetworkSet.open(file), NetworkSet.of(map(str, networks))
    for text in ADDRESSES:
        address = ip_address(text)
        inside = {str(each): end for each, end in networks.items() if address in each}
        assert set(mapped.entries_of(address)) == set(plain.entries_of(address)) == set(inside)
        assert (address in mapped) is (address in plain) is bool(inside)
        assert mapped.until(address) == max(inside.values(), default=0)
    assert set(mapped) == set(plain) == set(map(str, networks))
    assert len(mapped) == len(networks)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("edge.example", None),
    ],
)
def test_addresses_are_read_as_sockets_show_them(written: str, read: str | None) -> None:
    assert address_of(written) == (ip_address(read) if read else None)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("192.0.2.1/24", "192.0.2.0/24"), ("192.0.2.0/33", "192.0.2.0/24"), ("edge.example", "192.0.2.0/24")],
)
def test_what_is_no_network_is_told(written: str, meant: str) -> None:
    assert network_of(written) == (None, meant)
    assert network_of("192.0.2.7") == (ip_network("192.0.2.7/32"), "")
