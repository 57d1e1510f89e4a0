"""The real product in a directory of its own: configuration from a template, start, commands, stop.

Sockets lie on loopback addresses: callers on 127.0.11.*, sipguard's outer listener on 127.0.20.1, its inner one on
127.0.30.1, next hops on 127.0.42.*; so no address of one leg may be seen on the other. Ports are free ones.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from shutil import unpack_archive
from typing import Any, Final

from click.testing import CliRunner

from sipguard.cli.main import main

ROOT: Final = Path(__file__).resolve().parents[2]
CALLER_HOST: Final = "127.0.11.1"
STRANGER_HOST: Final = "127.0.19.9"  # in no trunk
OUTER: Final = "127.0.20.1"
INNER: Final = "127.0.30.1"
HOP_HOST: Final = "127.0.42.1"
READY_WITHIN_S: Final = 60.0  # two seconds on an idle machine

POLICY: Final[dict[str, Any]] = {
    "rules": [
        {"name": "dno", "when": {"lists.shown": "dno"}, "reject": "dno"},
        {"name": "dno-asserted", "when": {"lists.asserted": "dno"}, "reject": "dno"},
        {"name": "blocked-caller", "when": {"lists.caller": "blocked"}, "reject": "subscriber"},
        {
            "name": "verified-only",
            "when": {"lists.callee": "verified_only", "identity.result": ["failed", "none", "unsupported"]},
            "reject": "identity",
        },
        {
            "name": "short-calls",
            "when": {"lists.caller": "watched", "rate.caller.short_ratio_1h": {"over": 0.8}},
            "reject": "contract",
        },
        {
            "name": "moved",
            "when": {"lists.callee": "moved"},
            "redirect": {"contact": "sip:+12025550162@example.com"},
        },
        {
            "name": "reported-caller",
            "when": {"lists.caller": "complaints"},
            "label": {"prefix": "SPAM? ", "max": 15, "headers": {"Call-Info": "<https://provider.example/redress>"}},
        },
    ],
    "default": "allow",
}


def free_port(host: str = "127.0.0.1", kind: socket.SocketKind = socket.SOCK_DGRAM) -> int:
    """A port that nobody has at the moment."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def configuration(hop_port: int) -> dict[str, Any]:
    """The template: calls of CALLER_HOST go to HOP_HOST. Tests change what they need before they start it."""
    return {
        "site": "test",
        "node": "one",
        "listeners": {
            "outer": {"address": OUTER, "port": free_port(OUTER)},
            "inner": {"address": INNER, "port": free_port(INNER)},
        },
        "trunks": {
            "hop": {"kind": "interconnect", "listener": "inner", "peers": [f"{HOP_HOST}:{hop_port}"]},
            "carrier": {
                "kind": "interconnect",
                "listener": "outer",
                "sources": ["127.0.11.0/24"],
                "route": "hop",
                "trust_pai": True,
            },
        },
        "lists": {
            "dno": {"members": ["+12025550111"], "bind": ["shown", "asserted"]},
            "blocked": {"members": ["+12025550121", "+12025550190"], "bind": ["caller"]},
            "moved": {"members": ["+12025550161"], "bind": ["callee"]},
            "complaints": {"members": ["+12025550171"], "bind": ["caller"]},
            "watched": {"members": ["+12025550188"], "bind": ["caller"]},
            "verified_only": {"members": ["+12025550181"], "bind": ["callee"]},
        },
        "emergency": {"psap_callers": ["+12025550190"]},
        "policy": POLICY,
        "screening": {"checks": {"identity": {"budget": "2s"}}},  # a machine that runs tests may be slow to fetch
        "drain": {"deadline": "2s"},
        "journal": {"directory": "journal", "segment_size": "4MiB"},
        "records": {"database": "records.sqlite", "interval": "100ms"},
        "metrics": {"address": "127.0.0.1", "port": free_port(kind=socket.SOCK_STREAM)},
        "logs": {"calls": "off"},
        "run": {"directory": "run"},
        "state": {"directory": "state"},
    }


ASKED: Final[dict[str, dict[str, Any]]] = {"asked": {"contact": "switch.example"}, "asked404": {"go_on": 404}}


def asked_listeners() -> dict[str, Any]:
    """Redirect listeners on the outer address."""
    return {name: {"address": OUTER, "port": free_port(OUTER), "redirect": answer} for name, answer in ASKED.items()}


class Product:
    """`sipguard run` on a configuration in `directory`."""

    def __init__(self, directory: Path, config: dict[str, Any]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.config = config
        self.path = directory / "sipguard.yaml"
        self.log = directory / "product.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        self.write()

    def write(self, **changed: object) -> None:
        """Writes the configuration, with some keys of its first level changed for good (JSON is YAML)."""
        self.config.update(changed)
        self.path.write_text(json.dumps(self.config, indent=1))

    def address(self, listener: str = "outer") -> tuple[str, int]:
        """Host and port of a listener."""
        found = self.config["listeners"][listener]
        return found["address"], found["port"]

    def start(self) -> Product:
        """Starts it and waits until it is ready; returns itself. Raises AssertionError with its log."""
        said = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sipguard.cli.main", "run", "-c", str(self.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env={**os.environ, **self.environment},
            )
        process = self.process
        wait_for(
            lambda: b'"event": "ready"' in self.log.read_bytes()[said:] or process.poll() is not None,
            f"sipguard is ready (its log is {self.log}; a machine that is busy with other things may need longer)",
            READY_WITHIN_S,
        )
        assert process.poll() is None, self.log.read_text()
        wait_for(self.healthy, "the desk is up", READY_WITHIN_S)
        return self

    def healthy(self) -> bool:
        """Whether /healthz says so; False too while nobody listens there."""
        try:
            return self.get("/healthz")[0] == 200
        except urllib.error.URLError:
            return False

    def stop(self, patience_s: float = 15.0) -> int:
        """SIGTERM to its own pid, later once more, at last SIGKILL; answers the exit status."""
        process = self.process
        if process is None:
            return 0
        for each in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(each)
                try:
                    process.wait(patience_s)
                except subprocess.TimeoutExpired:
                    continue
        self.process = None
        return process.returncode

    def terminate(self) -> None:
        """SIGTERM, without waiting for the end."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)

    def command(self, *arguments: str, timeout_s: float = 30.0) -> subprocess.CompletedProcess[str]:
        """`sipguard ARGUMENTS -c FILE`."""
        return subprocess.run(
            [sys.executable, "-m", "sipguard.cli.main", *arguments, "-c", str(self.path)],
            capture_output=True,
            text=True,
            cwd=ROOT,
            timeout=timeout_s,
            env={**os.environ, "COLUMNS": "200"},
        )

    def answer(self, *arguments: str) -> Any:
        """What a command prints with --json; it must succeed. In this process: an interpreter takes half a second."""
        done = CliRunner().invoke(main, [*arguments, "--json", "-c", str(self.path)])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def calls(self, *arguments: str) -> list[dict[str, Any]]:
        """Rows of `sipguard calls`, newest first."""
        found: list[dict[str, Any]] = self.answer("calls", "--limit", "100000", *arguments)
        return found

    def call_of(self, number: str, began_at: float) -> dict[str, Any]:
        """The newest row with this number that is not older than `began_at` (Unix seconds) and has ended; waits."""
        found: list[dict[str, Any]] = []

        def there() -> bool:
            found[:] = [row for row in self.calls("--number", number) if row["at"] >= began_at]
            return bool(found) and bool(found[0]["disposition"])

        wait_for(there, f"a record of {number}")
        return found[0]

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of `/metrics` or `/healthz`."""
        url = f"http://127.0.0.1:{self.config['metrics']['port']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=15) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric over all processes, of those with these labels."""
        found = [
            float(line.rpartition(" ")[2])
            for line in self.get("/metrics")[1].splitlines()
            if line.partition("{")[0].partition(" ")[0] == name
            and all(f'{label}="{value}"' in line for label, value in labels.items())
        ]
        assert found, f"there is no metric {name} {labels}"
        return sum(found)

    def pids(self) -> list[int]:
        """All its processes, the supervisor first."""
        assert self.process is not None
        children = self.answer("status")["processes"].values()
        return [self.process.pid, *(int(each["pid"]) for each in children)]

    def kill(self) -> None:
        """SIGKILL to all its processes at once, by their own pids."""
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        assert self.process is not None
        self.process.wait()
        self.process = None

    def worker_pid(self) -> int:
        """The process that owns the calls."""
        return int(self.answer("status")["processes"]["worker"]["pid"])


def wait_for(there: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    """Returns once `there` says yes. Raises AssertionError."""
    end = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < end, f"{what}: not within {within_s} s"
        time.sleep(0.05)


def shown_outside(product: Product, tmp_path: Path) -> list[bytes]:
    """What others may see of a running product: environment and arguments of its processes but the first, which is
    given the passphrase; every file in a backup and in a bundle of `doctor`."""
    pids = [pid for pid in product.pids() if pid != getattr(product.process, "pid", 0)]
    shown = [Path(f"/proc/{pid}/{what}").read_bytes() for pid in pids for what in ("environ", "cmdline")]
    backup, bundle = tmp_path / "backup.tar.gz", tmp_path / "bundle.tar.gz"
    assert product.command("backup", str(backup)).returncode == 0
    product.command("doctor", "--bundle", str(bundle))
    for archive in (backup, bundle):
        unpacked = tmp_path / f"{archive.name}.d"
        unpack_archive(archive, unpacked)
        shown += [path.read_bytes() for path in unpacked.rglob("*") if path.is_file()]
    return shown
