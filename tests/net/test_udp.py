"""UDP sockets: the class of their packets."""

from __future__ import annotations

import socket

import pytest

from sipguard.net.udp import open_socket
from sipguard.screening.trunk import Listener


@pytest.mark.parametrize(
    ("host", "level", "option"),
    [("127.0.0.1", socket.IPPROTO_IP, socket.IP_TOS), ("::1", socket.IPPROTO_IPV6, socket.IPV6_TCLASS)],
)
@pytest.mark.parametrize("dscp", [0, 24, 46])
def test_packets_have_the_class_of_the_listener(host: str, level: int, option: int, dscp: int) -> None:
    with open_socket(Listener("main", host, 0, dscp=dscp)) as sock:
        assert sock.getsockopt(level, option) >> 2 == dscp
