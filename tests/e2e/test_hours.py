"""Hours of the called party, on calls over sockets: to a number of one zone, and to one of none."""

from __future__ import annotations

import pytest

from tests.e2e.calls import Calls, own_rows
from tests.e2e.conftest import MakeProduct

pytestmark = pytest.mark.e2e

NEVER = {"time": {"zone": "callee", "days": ["mon-sun"]}}  # whatever the hour is where the callee is
POLICY = {"rules": [{"name": "hours", "when": {"trunk.kind": "interconnect", **NEVER}, "reject": "contract"}]}


def test_a_call_is_refused_by_the_hour_only_where_the_zone_is_known(make_product: MakeProduct) -> None:
    product = make_product(policy=POLICY)
    calls = Calls(product)
    assert calls.status(callee="+12125550133") == 403
    assert calls.status(callee="+18005550133") == 200, "toll-free numbers are nowhere"
    refused, passed = own_rows(product, 2)
    assert (refused["rule"], refused["status"]) == ("hours", 403)
    assert passed["action"] == "allow"
    told = product.command("explain", str(refused["decision_id"])).stdout
    assert "America/New_York" in told
    assert "time.callee = " in told
    assert "region   NY" in product.command("numbers", "+12125550133").stdout
    calls.caller.close()
