"""`sipguard run` as a service supervisor sees it: what it says on NOTIFY_SOCKET, what of it dies with what."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.calls import Calls
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import Product, wait_for

pytestmark = pytest.mark.e2e


class Listener:
    """Stands in for systemd."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(str(place))
        self._sock.setblocking(False)
        self._said: list[str] = []

    def said(self) -> list[str]:
        """The first lines of what was said so far."""
        while True:
            try:
                self._said.append(self._sock.recv(4096).decode().partition("\n")[0])
            except BlockingIOError:
                return self._said

    def alive_within(self, seconds: float) -> bool:
        """Whether it is told of a live worker in the next seconds."""
        before = self.said().count("WATCHDOG=1")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.said().count("WATCHDOG=1") > before:
                return True
            time.sleep(0.05)
        return False

    def close(self) -> None:
        """Closes the socket."""
        self._sock.close()


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    """Who is notified."""
    found = Listener(tmp_path / "notify.sock")
    yield found
    found.close()


@pytest.fixture
def watched(make_product: MakeProduct, listener: Listener) -> Product:
    """A product whose watchdog is 1.5 s."""
    product = make_product(start=False)
    product.environment = {"NOTIFY_SOCKET": str(listener.place), "WATCHDOG_USEC": "1500000"}
    return product.start()


def test_ready_reload_and_stop(watched: Product, listener: Listener) -> None:
    wait_for(lambda: "READY=1" in listener.said(), "it is ready")
    assert listener.said()[0] == "READY=1"
    assert listener.alive_within(3)
    assert watched.command("reload").returncode == 0
    said = [line for line in listener.said() if line != "WATCHDOG=1"]
    assert said == ["READY=1", "RELOADING=1", "READY=1"]
    assert watched.stop() == 0
    assert [line for line in listener.said() if line != "WATCHDOG=1"][-1] == "STOPPING=1"


def test_a_worker_that_hangs_is_not_alive_and_is_started_again(watched: Product, listener: Listener) -> None:
    assert listener.alive_within(3)
    hung = watched.worker_pid()
    os.kill(hung, signal.SIGSTOP)
    time.sleep(1)  # an answer that was on its way
    assert not listener.alive_within(3)
    wait_for(lambda: watched.worker_pid() != hung, "another worker", 20)
    assert listener.alive_within(5)
    calls = Calls(watched)
    assert calls.status() == 200
    calls.caller.close()


def test_all_end_with_the_supervisor(make_product: MakeProduct) -> None:
    product = make_product()
    first, *others = product.pids()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in others), "the others end")
    product.start()
    calls = Calls(product)
    assert calls.status() == 200
    calls.caller.close()
