"""Kamailio before us signs calls with its module secsipid; the running product verifies them."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import Signer
from tests.e2e.product import Product, free_port, wait_for
from tests.standin import Caller, NextHop, header, headers
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    *(
        pytest.mark.skipif(bool(reason(program)), reason=reason(program) or f"{program} is there")
        for program in ("kamailio", "secsipid.so")
    ),
]

HOST: Final = "127.0.11.60"  # of the sources of the product's trunk `carrier`
EDGE_HOST: Final = "127.0.14.2"
CALLER: Final = "12025550101"
CALLEE: Final = "12025550181"  # wants verified callers only

CONFIGURATION: Final = """
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
loadmodule "secsipid.so"

request_route {{
    if (is_method("INVITE") && !has_totag()) {{
        $var(orig) = $fU;
        $var(dest) = $rU;
        if (!is_present_hf("X-As-Dialled")) {{
            $var(orig) = $(fU{{s.substr,1,0}});
            $var(dest) = $(rU{{s.substr,1,0}});
        }}
        if (!secsipid_add_identity("$var(orig)", "$var(dest)", "$hdr(X-Attest)", "", "{x5u}", "{key}")) {{
            sl_send_reply("500", "Not Signed");
            exit;
        }}
        $du = "sip:{next}";
    }}
    t_relay();
}}
"""


class Kamailio:
    """A proxy that signs."""

    def __init__(self, directory: Path, signer: Signer, outer: tuple[str, int]) -> None:
        self.place = (HOST, free_port(HOST))
        self.log = directory / "kamailio.log"
        self._directory = directory
        (directory / "kamailio.cfg").write_text(
            CONFIGURATION.format(
                host=HOST, port=self.place[1], x5u=signer.x5u, key=signer.key_file, next=f"{outer[0]}:{outer[1]}"
            )
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Kamailio:
        """Starts it and waits until it answers."""
        with self.log.open("wb") as log:
            self._process = process = subprocess.Popen(
                ["kamailio", "-DD", "-E", "-f", str(self._directory / "kamailio.cfg"), "-Y", str(self._directory),
                 "-m", "64", "-M", "8"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=self._directory,
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


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, product: Product, signer: Signer) -> Iterator[Caller]:
    """Who calls by way of Kamailio."""
    kamailio = Kamailio(tmp_path_factory.mktemp("kamailio"), signer, product.address()).start()
    found = Caller(kamailio.place, EDGE_HOST)
    yield found
    found.close()
    kamailio.stop()


@pytest.mark.parametrize(
    ("attest", "as_dialled", "deviations"), [("A", False, []), ("B", False, []), ("C", True, ["tn_plus"])]
)
def test_what_kamailio_signs_is_verified(
    edge: Caller, hop: NextHop, product: Product, attest: str, as_dialled: bool, deviations: list[str]
) -> None:
    began_at = time.time()
    more = (f"X-Attest: {attest}", *(["X-As-Dialled: yes"] if as_dialled else []))
    outcome = edge.call(edge.invite(f"+{CALLER}", f"+{CALLEE}", extra=more))
    assert outcome.status == 200, outcome.final
    assert outcome.bye_status == 200
    arrived = hop.invite_for(CALLEE)
    assert arrived is not None
    assert len(headers(arrived[0], "Identity")) == 1
    assert "verstat=TN-Validation-Passed" in header(arrived[0], "From")
    row = product.call_of(CALLEE, began_at)
    assert (row["identity"], row["attest"], row["action"]) == ("passed", attest, "allow")
    steps = product.answer("explain", row["decision_id"])["steps"]
    facts = {name: value for step in steps for name, value in step["facts"].items()}
    assert (facts["identity.reason"], facts["identity.deviations"]) == ("passed", deviations)
