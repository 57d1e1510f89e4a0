"""What a service supervisor hears, by a socket that stands in for systemd's."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipguard.service.notify import Notify


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """The value of NOTIFY_SOCKET and who listens there."""
    name = f"{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        abstract = request.param == "abstract"
        sock.bind(f"\0{name}" if abstract else name)
        sock.settimeout(2)
        yield ("@" + name) if abstract else name, sock


def test_what_is_said(heard: tuple[str, socket.socket]) -> None:
    place, sock = heard
    notify = Notify({"NOTIFY_SOCKET": place})
    notify.ready("Ruleset 1")
    notify.reloading()
    notify.alive()
    notify.stopping("draining", 70.0)
    said = [sock.recv(4096).decode().split("\n") for _ in range(4)]
    assert said[0] == ["READY=1", "STATUS=Ruleset 1"]
    assert said[1][0] == "RELOADING=1"
    assert said[1][1].startswith("MONOTONIC_USEC=")
    assert said[2] == ["WATCHDOG=1"]
    assert said[3] == ["STOPPING=1", "STATUS=draining", "EXTEND_TIMEOUT_USEC=70000000"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify"}], ids=["none", "gone"])
def test_without_a_listener_nothing_happens(environment: dict[str, str]) -> None:
    Notify(environment).ready("")


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0.0),
        ({}, 0.0),
    ],
    ids=["set", "ours", "another's", "none"],
)
def test_whether_somebody_watches(environment: dict[str, str], seconds: float) -> None:
    assert Notify(environment).watchdog_s == seconds
