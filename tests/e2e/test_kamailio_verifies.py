"""Kamailio behind us checks with its module secsipid what the running product signs, and answers accordingly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.calls import CALLEE, CALLER, Calls
from tests.e2e.conftest import MakeProduct, Signer
from tests.e2e.kamailio import NEEDS, Kamailio
from tests.e2e.product import Product
from tests.e2e.test_signing import PASSPHRASE, Certified
from tests.pki import identity_value, passport
from tests.standin import NextHop, headers

pytestmark = [pytest.mark.e2e, *NEEDS]

HOST: Final = "127.0.12.60"
ROUTE: Final = """
modparam("secsipid", "expire", 60)
modparam("secsipid", "timeout", 5)
modparam("secsipid", "libopt", "CertCAFile={anchor}")
modparam("secsipid", "libopt", "CertVerify=5")

request_route {{
    if (is_method("INVITE") && !has_totag()) {{
        if (!is_present_hf("Identity")) {{
            sl_send_reply("428", "Use Identity Header");
            exit;
        }}
        if (!secsipid_check_identity("")) {{
            xlog("L_ERR", "refused: $rc\\n");
            sl_send_reply("438", "Invalid Identity Header");
            exit;
        }}
        append_hf("X-Checked: $rc\\r\\n");
        $du = "sip:{next}";
    }}
    t_relay();
}}
"""


@pytest.fixture
def product(make_product: MakeProduct, hop: NextHop, signer: Signer, tmp_path: Path) -> Iterator[Product]:
    """A product that signs for one customer, and whose next hop is Kamailio, who has the certificate from x5u."""
    certified = Certified(tmp_path / "signing")
    certified.install(signer.leaf)
    anchor = signer.anchors / "root.pem"
    text = ROUTE.format(anchor=anchor, next=f"{hop.host}:{hop.port}")
    kamailio = Kamailio(tmp_path, HOST, text, SSL_CERT_FILE=str(anchor))
    found = make_product(start=False, identity=signer.identity())
    trunks = found.config["trunks"]
    sign = {"by": "own", "attest": [{"when": {"lists.caller": "customers"}, "attest": "A"}], "otherwise": "none"}
    found.write(
        trunks={
            "hop": {**trunks["hop"], "peers": [f"{HOST}:{kamailio.place[1]}"]},
            "carrier": {**trunks["carrier"], "kind": "origination", "sign": sign},
        },
        lists={**found.config["lists"], "customers": {"members": [CALLER], "bind": ["caller"]}},
        signers=certified.signers(signer.x5u),
    )
    found.environment = {"SHAKEN_PASSPHRASE": PASSPHRASE}
    try:
        kamailio.start()
        yield found.start()
    finally:
        kamailio.stop()


def test_what_we_sign_passes_kamailio(product: Product, hop: NextHop) -> None:
    calls = Calls(product)
    outcome = calls.place()
    assert outcome.status == 200, outcome.final
    assert outcome.bye_status == 200
    arrived = hop.invite_for(CALLEE.lstrip("+"))
    assert arrived is not None
    (value,) = headers(arrived[0], "Identity")
    assert value.endswith(";ppt=shaken")
    assert headers(arrived[0], "X-Checked") == ["1"]
    assert calls.status(caller="+12025550131") == 428, "who is no customer is not signed for"
    calls.caller.close()


KNOBS: Final[dict[str, tuple[dict[str, Any], Callable[[str], str], int]]] = {
    "as it is": ({}, str, 200),
    "ppt in quotes": ({}, lambda value: value.replace("ppt=shaken", 'ppt="shaken"'), 200),
    "tampered": ({"tamper": True}, str, 438),
    "old": ({"iat": int(time.time()) - 600}, str, 438),
}


@pytest.mark.parametrize(("knobs", "change", "status"), KNOBS.values(), ids=KNOBS)
def test_what_came_is_kept_and_kamailio_judges_it(
    product: Product, signer: Signer, knobs: dict[str, Any], change: Callable[[str], str], status: int
) -> None:
    calls = Calls(product)
    token = passport(CALLER[1:], CALLEE[1:], signer.leaf.key, signer.x5u, **knobs)
    line = change(identity_value(token, signer.x5u).replace('"shaken"', "shaken"))
    outcome = calls.caller.call(calls.caller.invite(CALLER, CALLEE, extra=(f"Identity: {line}",)))
    assert outcome.status == status, outcome.final
    calls.caller.close()


def test_kamailio_knows_no_div(product: Product, signer: Signer) -> None:
    calls = Calls(product)
    values = diverted(signer, CALLEE[1:], "12125550124")
    lines = tuple(f"Identity: {value}" for value in values)
    assert calls.caller.call(calls.caller.invite(CALLER, CALLEE, extra=lines)).status == 200, "one value holds"
    assert calls.caller.call(calls.caller.invite(CALLER, CALLEE, extra=lines[1:])).status == 438
    calls.caller.close()


def diverted(signer: Signer, called: str, target: str) -> tuple[str, str]:
    """A shaken value, and the div value that leads it elsewhere."""
    first = identity_value(passport(CALLER[1:], called, signer.leaf.key, signer.x5u), signer.x5u)
    claims = {"attest": None, "origid": None, "div": {"tn": called}}
    token = passport(CALLER[1:], target, signer.leaf.key, signer.x5u, ppt="div", extra=claims)
    return first, identity_value(token, signer.x5u).replace("shaken", "div")
