"""Kamailio in front of products, with the recipe of config/recipes/kamailio: its addresses are replaced, nothing else.

Enters: products, a next hop, who calls. Leaves: where calls go, what it counted. Must not: run on a port of others.
"""

from __future__ import annotations

import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tests.e2e.product import ROOT, free_port, wait_for

RECIPE: Final = ROOT / "config/recipes/kamailio"
FRONT_HOST: Final = "127.0.11.50"  # of the sources of the products' trunk `carrier`
EDGE_HOST: Final = "127.0.14.1"


class Front:
    """One Kamailio."""

    def __init__(
        self, directory: Path, nodes: Iterable[tuple[str, int]], hops: Iterable[tuple[str, int]], host: str = FRONT_HOST
    ) -> None:
        directory.mkdir(parents=True)
        self.place = (host, free_port(host))
        self.log = directory / "kamailio.log"
        self._http = free_port(kind=socket.SOCK_STREAM)
        self._directory = directory
        lists = [f"1 sip:{node}:{port} 8 0" for node, port in nodes]
        lists += [f"2 sip:{hop}:{port} 0 {20 - n}" for n, (hop, port) in enumerate(hops)]
        lists.append(f"3 sip:{EDGE_HOST}:5060 0 0")
        (directory / "dispatcher.list").write_text("\n".join([*lists, ""]))
        config = (RECIPE / "kamailio.cfg").read_text()
        for written, here in (
            ("udp:192.0.2.10:5060", f"udp:{host}:{self.place[1]}"),
            ("192.0.2.10", host),
            ("tcp:127.0.0.1:9465", f"tcp:127.0.0.1:{self._http}"),
            ("unix:/run/kamailio/kamailio_ctl", f"unix:{directory / 'ctl'}"),
            ("/etc/kamailio/dispatcher.list", str(directory / "dispatcher.list")),
        ):
            assert written in config, written
            config = config.replace(written, here)
        (directory / "kamailio.cfg").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None
        self.counts_at_end: dict[str, int] = {}

    def start(self) -> Front:
        """Starts it and waits until its metrics answer."""
        with self.log.open("wb") as log:
            self._process = process = subprocess.Popen(
                ["kamailio", "-DD", "-E", "-f", str(self._directory / "kamailio.cfg"), "-Y", str(self._directory),
                 "-m", "64", "-M", "8", "-x", "fm", "-X", "fm"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self._directory,
            )  # fmt: skip
        wait_for(lambda: self._answers() or process.poll() is not None, "Kamailio is up")
        assert process.poll() is None, self.log.read_text()
        return self

    def _answers(self) -> bool:
        try:
            self.counts()
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def command(self, *words: str) -> None:
        """What an operator says to it by kamcmd."""
        done = subprocess.run(
            ["kamcmd", "-s", f"unix:{self._directory / 'ctl'}", *words], capture_output=True, text=True, timeout=10
        )
        assert done.returncode == 0 and "error" not in done.stdout, done.stdout + done.stderr

    def counts(self) -> dict[str, int]:
        """Calls by way, `sipguard` and `past`, and `silent`: tries that nobody answered."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._http}/metrics", timeout=5) as response:
            lines = response.read().decode().splitlines()
        found = {"sipguard": 0, "past": 0, "silent": 0}
        for line in lines:
            name, _, rest = line.partition(" ")
            if name == "kamailio_front_silent_tries":
                found["silent"] = int(rest.split()[0])
            for way in ("sipguard", "past"):
                if name == f'kamailio_front_calls{{way="{way}"}}':
                    found[way] = int(rest.split()[0])
        return found

    def stop(self) -> None:
        """SIGTERM to its own pid; what it has counted stands in `counts_at_end`."""
        if self._process is not None and self._process.poll() is None:
            self.counts_at_end = self.counts()
            self._process.terminate()
            self._process.wait(20)
