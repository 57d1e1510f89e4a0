"""A shipped rule from report to enforcement, on a running product: a flood to one number, over sockets."""

from __future__ import annotations

from functools import partial

import pytest

from tests.e2e.calls import Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import ROOT, wait_for

pytestmark = pytest.mark.e2e

BUSY = "+12025550150"
SHIPPED = {"include": str(ROOT / "config/fraud.yaml")}
REDRESS = {"url": "https://provider.example/redress", "tel": "+12025550100"}
FLOOD = 70


def test_a_flood_is_reported_and_then_rejected(make_product: MakeProduct) -> None:
    product = make_product(policy={"rules": [SHIPPED]}, redress=REDRESS)
    calls = Calls(product)
    for n in range(FLOOD):
        assert calls.status(caller=f"+1202555{101 + n:04}", callee=BUSY) == 486
    rows = own_rows(product, FLOOD)
    assert {(row["action"], row["rule"], row["disposition"]) for row in rows} == {("allow", "default", "busy")}

    found = product.calls("--would", "fraud-tdos", "--limit", "1000")
    assert FLOOD - 62 <= len(found) <= FLOOD - 60, "from the 61st in a minute on; a minute may have ended meanwhile"
    assert {row["decision_id"] for row in found} == {row["decision_id"] for row in rows[-len(found) :]}
    told = product.command("explain", found[0]["decision_id"]).stdout
    assert "fraud-tdos" in told
    assert "rate.callee.answer_ratio_1h" in told
    wait_for(lambda: 'rule="fraud-tdos"' in product.get("/metrics")[1], "its metric")
    reported = partial(product.metric, "sipguard_reported_rules_total", rule="fraud-tdos")
    wait_for(lambda: reported() == len(found), "all reports are counted")

    product.write(policy={"rules": [SHIPPED], "overrides": {"carrier": {"fraud-tdos": "enforce"}}})
    assert product.command("reload").returncode == 0
    refused = calls.place(callee=BUSY)
    assert refused.status == 603
    assert "url=https://provider.example/redress" in refused.final
    assert calls.status() == 200, "to somebody else"
    assert calls.status(callee="911") == 200
    calls.caller.close()
