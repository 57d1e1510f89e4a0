"""Softphones as processes: PJSUA2 in tests/e2e/softphone.py, and Debian's baresip.

Enters: a transport, a host, commands. Leaves: events, SIP messages. Must not: know what a test wants of them.
"""

from __future__ import annotations

import json
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from tests.e2e.product import INNER, OUTER, ROOT, free_port, wait_for

PATIENCE_S: Final = 10.0
MODULES: Final = "/usr/lib/baresip/modules"

_TRACED: Final = re.compile(rb"#\n(?:UDP|TCP|TLS) (\S+) -> (\S+)\n(.*?)\x1b\[;m", re.DOTALL)


def pjsua_is_missing() -> str:
    """Why PJSUA2 cannot be used here, "" where it can."""
    if find_spec("pjsua2") is not None:
        return ""
    if sys.version_info >= (3, 13):
        return "pjsua2-python has no wheel for this Python"
    return "pjsua2 is missing: pip install --require-hashes -r requirements.lock"


class Phone:
    """One softphone and everything that it said."""

    def __init__(self, transport: str, host: str, *tls: str) -> None:
        self.transport = transport
        self.host = host
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.softphone", transport, host, *tls],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            text=True,
        )
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.messages: list[tuple[bool, str]] = []  # sent?, text
        self.said: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.port = int(self.wait("ready")["port"])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                self.said.append(line)
                continue
            if event["event"] == "message":
                self.messages.append((event["sent"], event["text"]))
            else:
                self._events.put(event)

    def tell(self, do: str, **more: object) -> None:
        """A command."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()

    def wait(self, event: str, **more: object) -> dict[str, Any]:
        """The next event of that kind; those before it are dropped. Raises AssertionError after a while."""
        end = time.monotonic() + PATIENCE_S
        seen = []
        while True:
            try:
                found = self._events.get(timeout=max(end - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"no {event} {more}, but {seen}, {self.messages[-2:]}") from None
            if found["event"] == event and all(found.get(name) == value for name, value in more.items()):
                return found
            seen.append(found)

    def heard(self, start: str, sent: bool = False) -> list[str]:
        """Messages received (or sent) whose start line begins so; waits for the first."""
        wait_for(lambda: bool(self._starting(start, sent)), f"{start} at {self.host}", PATIENCE_S)
        return self._starting(start, sent)

    def count(self, start: str, sent: bool = False) -> int:
        """How many messages that begin so were received (or sent) up to now."""
        return len(self._starting(start, sent))

    def _starting(self, start: str, sent: bool) -> list[str]:
        return [text for was_sent, text in list(self.messages) if was_sent is sent and text.startswith(start)]

    def close(self) -> None:
        """Ends it."""
        if self._process.poll() is None:
            self.tell("quit")
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(2)
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


class Baresip:
    """Debian's baresip: one account; what it sends and receives stands in its log."""

    def __init__(self, directory: Path, transport: str, host: str, user: str) -> None:
        directory.mkdir()
        self.host = host
        self.port = free_port(host, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
        self._control = free_port("127.0.0.1", socket.SOCK_STREAM)
        lines = [
            "poll_method epoll", f"sip_listen {host}:{self.port}", "call_local_timeout 120", "call_max_calls 4",
            "audio_player aubridge,nil", "audio_source aubridge,nil", "audio_alert aubridge,nil",
            f"module_path {MODULES}", "module g711.so", "module aubridge.so",
            "module_tmp account.so", "module_app menu.so", "module_app ctrl_tcp.so",
            f"ctrl_tcp_listen 127.0.0.1:{self._control}",
        ]  # fmt: skip
        (directory / "config").write_text("\n".join([*lines, ""]))
        (directory / "accounts").write_text(f"<sip:{user}@{host}:{self.port}>;regint=0\n")
        self._log = directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["stdbuf", "-oL", "baresip", "-s", "-f", str(directory)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_for(lambda: b"baresip is ready" in self._log.read_bytes(), "baresip is ready", PATIENCE_S)

    def tell(self, command: str, parameters: str = "") -> None:
        """A command of its menu."""
        text = json.dumps({"command": command, "params": parameters})
        with socket.create_connection(("127.0.0.1", self._control), 5) as connection:
            connection.sendall(f"{len(text)}:{text},".encode())
            connection.recv(65536)

    def heard(self, start: str, sent: bool = False) -> list[str]:
        """Messages received (or sent) whose start line begins so; waits for the first."""
        wait_for(lambda: bool(self._starting(start, sent)), f"{start} at {self.host}", PATIENCE_S)
        return self._starting(start, sent)

    def count(self, start: str, sent: bool = False) -> int:
        """How many messages that begin so were received (or sent) up to now."""
        return len(self._starting(start, sent))

    def _starting(self, start: str, sent: bool) -> list[str]:
        found = []
        for source, _target, text in _TRACED.findall(self._log.read_bytes()):
            ours = source.decode().startswith((f"{OUTER}:", f"{INNER}:"))  # it need not send from where it listens
            if ours is not sent and text.startswith(start.encode()):
                found.append(text.decode("latin-1"))
        return found

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
