"""A Kamailio of the tests: a proxy on an address and port of its own, with secsipid loaded, with a route of the test's.

Enters: what it does with a request. Leaves: a running process. Must not: know what the test expects.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.product import free_port, wait_for
from tests.wanted import reason

NEEDS: Final = [
    pytest.mark.skipif(bool(reason(program)), reason=reason(program) or f"{program} is there")
    for program in ("kamailio", "secsipid.so")
]
_HEAD: Final = """
debug=1
log_stderror=yes
children=2
listen=udp:{host}:{port}
auto_aliases=no
loadmodule "pv.so"
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "secsipid.so"
"""


class Kamailio:
    """A proxy at `place`."""

    def __init__(self, directory: Path, host: str, route: str, **environment: str) -> None:
        self.place = (host, free_port(host))
        self.log = directory / "kamailio.log"
        self._directory = directory
        self._environment = {**os.environ, **environment}
        (directory / "kamailio.cfg").write_text(_HEAD.format(host=host, port=self.place[1]) + route)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Kamailio:
        """Starts it and waits until it answers."""
        with self.log.open("wb") as log:
            self._process = process = subprocess.Popen(
                ["kamailio", "-DD", "-E", "-f", str(self._directory / "kamailio.cfg"), "-Y", str(self._directory),
                 "-m", "64", "-M", "8"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self._directory,
                env=self._environment,
            )  # fmt: skip
        bound = f":{self.place[1]:04X} "
        wait_for(lambda: bound in Path("/proc/net/udp").read_text() or process.poll() is not None, "Kamailio is up")
        assert process.poll() is None, self.log.read_text()
        return self

    def stop(self) -> None:
        """SIGTERM to its own pid."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(20)
