"""What systemd is told: ready, reloading, stopping, and that the worker lives (sd_notify(3)).

Enters: NOTIFY_SOCKET and WATCHDOG_USEC. Leaves: datagrams on that socket. Must not: matter where there is no systemd,
or fail what it tells of.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping


class Notify:
    """The notification socket; without NOTIFY_SOCKET nothing is sent. Children do not inherit the variables."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        place = environment.get("NOTIFY_SOCKET", "")
        self._place = f"\0{place[1:]}" if place.startswith("@") else place
        watched = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        microseconds = environment.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(microseconds) / 1e6 if watched and microseconds.isdigit() else 0.0  # 0: nobody watches

    def ready(self, status: str) -> None:
        """It serves, for the first time or again after a reload."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """It takes a configuration over; `ready` ends this."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, status: str, within_s: float) -> None:
        """It drains or ends, which may take so long."""
        self._send("STOPPING=1", f"STATUS={status}", f"EXTEND_TIMEOUT_USEC={int(within_s * 1e6)}")

    def alive(self) -> None:
        """The worker has answered."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._place:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
                sock.sendto("\n".join(lines).encode(), self._place)
        except OSError:
            return  # systemd restarts what it does not hear; a full socket must not hold us up
