"""Kamailio before us signs calls with its module secsipid; the running product verifies them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.conftest import Signer
from tests.e2e.kamailio import NEEDS, Kamailio
from tests.e2e.product import Product
from tests.standin import Caller, NextHop, header, headers

pytestmark = [pytest.mark.e2e, *NEEDS]

HOST: Final = "127.0.11.60"  # of the sources of the product's trunk `carrier`
EDGE_HOST: Final = "127.0.14.2"
CALLER: Final = "12025550101"
CALLEE: Final = "12025550181"  # wants verified callers only

ROUTE: Final = """
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


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, product: Product, signer: Signer) -> Iterator[Caller]:
    """Who calls by way of Kamailio."""
    host, port = product.address()
    text = ROUTE.format(x5u=signer.x5u, key=signer.key_file, next=f"{host}:{port}")
    kamailio = Kamailio(tmp_path_factory.mktemp("kamailio"), HOST, text).start()
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
