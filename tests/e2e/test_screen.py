"""What `sipguard screen` says of a call is what became of it: the same inputs, asked and placed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from sipguard.cli.main import main
from tests.demo import CALLER, CARRIER, CUSTOMER, DIALER, GATEWAY, STRANGER, Case, Scene, cases
from tests.e2e.product import wait_for
from tests.standin import header, headers

pytestmark = pytest.mark.e2e

TRUNKS: Final = {CARRIER: "carrier-a", CUSTOMER: "customer-b", DIALER: "dialer-c", GATEWAY: "gateway-d"}
BLOCKED: Final = "+12025550121"
OWN: Final = "+12025550141"


@dataclass(frozen=True)
class Asked:
    """A call that the demonstration does not place: From as it stands, called number or URI, further header lines."""

    what: str
    shown: str
    called: str = "+12125550123"
    source: str = CARRIER
    extra: tuple[str, ...] = ()


PAI: Final = "P-Asserted-Identity: <sip:{}@carrier.example>"
MORE: Final = (
    Asked("withheld", '"Anonymous" <sip:anonymous@anonymous.invalid>'),
    Asked("a name", "<sip:alice@carrier.example>"),
    Asked("ten digits", "<sip:2025550121@carrier.example>"),
    Asked("tel, with hyphens", "<tel:+1-202-555-0121>"),
    Asked("too short", "<sip:812@carrier.example>"),
    Asked("911 as caller", "<sip:911@carrier.example>"),
    Asked("of another country", "<sip:+442079460123@carrier.example>"),
    Asked("from abroad, of another country", "<sip:+442079460123@carrier.example>", source=GATEWAY),
    Asked("blocked, by a number asserted", f"<sip:{CALLER}@carrier.example>", extra=(PAI.format(BLOCKED),)),
    Asked("two asserted", f"<sip:{CALLER}@carrier.example>",
          extra=(PAI.format(CALLER), "P-Asserted-Identity: <tel:+12025550111>")),
    Asked("asserted by a customer", f"<sip:{CALLER}@customer.example>", source=CUSTOMER, extra=(PAI.format(OWN),)),
    Asked("diverted by a customer's number", f"<sip:{CALLER}@customer.example>", source=CUSTOMER,
          extra=(f"Diversion: <sip:{OWN}@customer.example>;reason=unconditional",)),
    Asked("urgent, from where that is not trusted", f"<sip:{BLOCKED}@carrier.example>", extra=("Priority: emergency",)),
    Asked("a service URN", f"<sip:{BLOCKED}@carrier.example>", "urn:service:sos"),
    Asked("112", f"<sip:{BLOCKED}@carrier.example>", "sip:112@sipguard.example"),
    Asked("a number that no route is asked for", f"<sip:{CALLER}@carrier.example>", "sip:4242@sipguard.example"),
)  # fmt: skip


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with ExitStack() as stack:
        yield Scene(tmp_path_factory.mktemp("screen"), stack, "udp")


def said(scene: Scene, *words: str, **more: Any) -> tuple[Any, ...]:
    """Verdict, rule and status that `screen` tells."""
    done = CliRunner().invoke(main, ["screen", *words, "--json", "-c", str(scene.product.path)], **more)
    assert done.exit_code == 0, done.output
    verdict = json.loads(done.stdout)["verdict"]
    return verdict["action"], verdict["rule"], verdict["status"], verdict["basis"]


def became(scene: Scene, call_id: str) -> tuple[tuple[Any, ...], float]:
    """The same of the record of a call, and when it came."""
    rows: list[dict[str, Any]] = []

    def there() -> bool:
        rows[:] = scene.product.calls("--call-id", call_id)
        return bool(rows)

    wait_for(there, f"a record of {call_id}")
    return tuple(rows[0][name] for name in ("action", "rule", "status", "basis")), rows[0]["at"]


def test_calls_of_the_demonstration(scene: Scene, tmp_path: Path) -> None:
    """By options, and by its INVITE where the priority is signed."""
    for case in cases(int(time.time())):
        if case.source == STRANGER:
            continue
        scene.place(case)
        invite = next(each for each in reversed(scene.callers[case.source].sent) if each.startswith("INVITE "))
        verdict, at = became(scene, header(invite, "Call-ID"))
        chain = scene.product.directory.parent / "served" / f"{case.signer}.pem"  # one that is not trusted is not kept
        asked = ("--trunk", TRUNKS[case.source], "--at", str(at), "--certificate", str(chain))
        words = ["--identity", "-"] if case.rph else _options(case, invite, tmp_path)
        assert said(scene, *asked, *words, input=invite) == verdict, case.what


def _options(case: Case, invite: str, directory: Path) -> list[str]:
    """What an operator would write of a case."""
    words = ["--from", case.caller, "--to", case.callee]
    for value in headers(invite, "P-Asserted-Identity"):
        words += ["--pai", value]
    values = headers(invite, "Identity")
    if values:
        (directory / "identity.txt").write_text("\n".join(f"Identity: {value}" for value in values))
        words += ["--identity", str(directory / "identity.txt")]
    return words


def test_calls_with_odd_numbers_and_headers(scene: Scene) -> None:
    for asked in MORE:
        caller = scene.callers[asked.source]
        uri = asked.called if ":" in asked.called else ""
        invite = caller.invite(CALLER, asked.called, extra=asked.extra, uri=uri)
        invite = invite.replace(header(invite, "From").partition(";")[0], asked.shown, 1)
        caller.call(invite, wait_s=2.0)
        verdict, at = became(scene, header(invite, "Call-ID"))
        words = ["--trunk", TRUNKS[asked.source], "--at", str(at)]
        if asked.extra:
            words += ["--identity", "-"]
        else:
            words += ["--from", asked.shown, "--to", asked.called]
        assert said(scene, *words, input=invite) == verdict, asked.what
        given = [("--diversion", "Diversion"), ("--pai", "P-Asserted-Identity")]
        options = [word for option, name in given for value in headers(invite, name) for word in (option, value)]
        if options:
            words = ["--trunk", TRUNKS[asked.source], "--from", asked.shown, "--to", asked.called, *options]
            assert said(scene, *words) == verdict, asked.what
