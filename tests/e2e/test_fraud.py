"""Fraud on a running product, over sockets: a shipped rule from report to enforcement; what is usual on a trunk."""

from __future__ import annotations

import json
import os
import signal
from array import array
from base64 import b64encode
from functools import partial

import pytest

from sipguard.screening.usual import HOURS
from sipguard.service.usuals import NAME
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


def test_what_is_usual_on_a_trunk_outlives_a_crash_and_a_restart(make_product: MakeProduct) -> None:
    asks = {
        "name": "odd",
        "when": {"rate.trunk.attempts_over_usual_1h": {"under": 0.5}},
        "mode": "report",
        "reject": "contract",
    }
    product = make_product(start=False, policy={"rules": [asks]})
    kept = product.directory / "state" / NAME
    kept.parent.mkdir(exist_ok=True)
    means = [array("d", [value] * HOURS) for value in (100.0, 4.0, 3.0)]  # attempts, of them abroad, weeks
    learned = b64encode(b"".join(each.tobytes() for each in means)).decode()
    kept.write_text(json.dumps({"format": 1, "trunks": {"carrier": learned, "gone": "AAAA"}}))
    before = kept.stat().st_mtime_ns
    product.start()
    calls = Calls(product)

    def is_told(count: int) -> None:
        assert calls.status() == 200
        own_rows(product, count)
        assert len(product.calls("--would", "odd")) == count

    is_told(1)
    assert "what is usual on gone: 3 octets" in product.log.read_text()
    worker = product.worker_pid()
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: product.worker_pid() not in (0, worker) and product.healthy(), "the worker is started again")
    is_told(2)
    product.stop()
    assert kept.stat().st_mtime_ns > before
    assert json.loads(kept.read_text())["trunks"]["carrier"] == learned
    product.start()
    is_told(3)
    calls.caller.close()
