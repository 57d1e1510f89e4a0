"""SIPp as a process, and what it wrote about the messages it sent and received.

Enters: a scenario file, addresses. Leaves: exit status, messages. Must not: know what a scenario is about.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from tests.e2e.product import ROOT, wait_for
from tests.standin import header, headers

SCENARIOS: Final = ROOT / "sipp_scenarios"
LONGEST_S: Final = 60
SPOKEN: Final = {  # options of SIPp: one connection for all calls, or one for each
    "udp": (),
    "tcp": ("-t", "t1", "-max_socket", "200"),
    "tcp-each": ("-t", "tn", "-max_socket", "9000"),
    "tls": ("-t", "t1", "-max_socket", "200"),  # Debian's has no TLS: tests/tlsrelay.py stands before it
    "tls-each": ("-t", "tn", "-max_socket", "9000"),
}
CONTROL_HOST: Final = "127.0.0.1"  # SIPp listens for commands, over IPv4 only
CONTROL_PORTS: Final = range(10_000, 19_000)  # below those that the kernel gives away by chance
_turns: Final = count(os.getpid() * 97)

_HEAD: Final = re.compile(
    r"^-{20,} [0-9].*\n(?:UDP|TCP|TLS) message (sent|received) (?:\(\d+ bytes\)|\[\d+\] bytes)[ :]*\n\n", re.MULTILINE
)


def table(part: int) -> dict[str, tuple[str, str, str]]:
    """Rows of a part of the README: scenario -> what happens, asserted at A, asserted at B."""
    rows = {}
    for line in (SCENARIOS / "README.md").read_text().split("\n## ")[part].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if len(cells) == 4 and cells[0][:3].isdigit():
            rows[cells[0]] = (cells[1], cells[2], cells[3])
    return rows


TABLE: Final = table(0)  # one call each, all run by test_sipp
LOADS: Final = table(1)  # many calls, each run by a test of its own
IDENTITIES: Final = table(2)  # one call for each row of tests/e2e/identities.py


@dataclass(frozen=True)
class Message:
    """One message at one side; `sent` is seen from SIPp."""

    sent: bool
    text: str

    @property
    def start(self) -> str:
        """The start line."""
        return self.text.partition("\r\n")[0]

    @property
    def lines(self) -> list[str]:
        """The header lines."""
        return self.text.partition("\r\n\r\n")[0].split("\r\n")[1:]

    @property
    def body(self) -> str:
        """What follows the headers."""
        return self.text.partition("\r\n\r\n")[2]

    @property
    def kind(self) -> str:
        """`INVITE`, or `200 INVITE` for a response."""
        first = self.start.split(" ")
        return f"{first[1]} {header(self.text, 'CSeq').split()[-1]}" if first[0].startswith("SIP/") else first[0]

    def values(self, *names: str) -> list[str]:
        """Values of the headers with one of these names."""
        return headers(self.text, *names)


def messages(log: Path) -> list[Message]:
    """The messages of a -trace_msg file, in order."""
    text = log.read_bytes().decode("latin-1") if log.exists() else ""
    pieces = _HEAD.split(text)[1:]
    found = []
    for direction, content in zip(pieces[::2], pieces[1::2], strict=True):
        content = re.sub(r"(?<!\r)\n", "\r\n", content)
        found.append(Message(direction == "sent", _one(content)))
    return found


def _one(content: str) -> str:
    """Headers and as many octets of body as Content-Length says; the log adds empty lines."""
    head, _, body = content.partition("\r\n\r\n")
    length = header(f"{head}\r\n\r\n", "Content-Length", "l")
    return f"{head}\r\n\r\n{body[: int(length or 0)]}"


class Sipp:
    """One side of one call."""

    def __init__(
        self,
        scenario: str,
        directory: Path,
        local: tuple[str, int],
        remote: tuple[str, int] | None,
        *more: str,
        calls: int = 1,
        over: str = "udp",
    ) -> None:
        self.errors = directory / f"{scenario}.errors"
        self.log = directory / f"{scenario}.messages"
        self.local = local
        host, port = local
        media = 20000 + 4 * ((port + 37 * int(scenario[:3])) % 3000)  # below those that others are given by chance
        self._directory = directory
        self._command = [
            "sipp", "-sf", str(SCENARIOS / f"{scenario}.xml"), "-i", _shown(host), "-p", str(port),
            "-ci", CONTROL_HOST, "-cp", str(_control_port()), "-mp", str(media),
            "-m", str(calls), "-nostdin", "-timeout", f"{LONGEST_S}s", "-timeout_error",
            "-trace_err", "-error_file", str(self.errors), *SPOKEN[over], *more,
        ]  # fmt: skip
        if calls == 1:
            self._command += ["-trace_msg", "-message_file", str(self.log)]
        if remote is not None:
            self._command.append(f"{_shown(remote[0])}:{remote[1]}")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Sipp:
        """Starts it; a called side listens when this returns."""
        self._process = process = subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            cwd=self._directory,
        )
        wait_for(lambda: _bound(self.local) or process.poll() is not None, f"SIPp listens on {self.local}")
        return self

    def wait(self, within_s: float = LONGEST_S + 10) -> int:
        """The exit status, 0 where the scenario went as written."""
        assert self._process is not None
        return self._process.wait(within_s)

    def quit(self) -> None:
        """Has it begin no more calls and end with the last one (its own pid)."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    def stop(self) -> None:
        """Ends it where it waits for what must not come."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def messages(self) -> list[Message]:
        """What it sent and received."""
        return messages(self.log)

    def complaint(self) -> str:
        """What it found wrong."""
        return self.errors.read_text(errors="replace") if self.errors.exists() else ""


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _control_port() -> int:
    """A port that nobody has, another one each time; processes beside this one begin elsewhere."""
    while True:
        port = CONTROL_PORTS[next(_turns) % len(CONTROL_PORTS)]
        if not _bound((CONTROL_HOST, port)):
            return port


def _bound(local: tuple[str, int]) -> bool:
    """Whether a socket is bound to this port, UDP or TCP."""
    six = "6" if ":" in local[0] else ""
    return any(f":{local[1]:04X} " in Path(f"/proc/net/{kind}{six}").read_text() for kind in ("udp", "tcp"))
