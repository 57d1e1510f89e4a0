"""Reload under load: policies alternate while SIPp calls; no call fails, every record fits the revision it names."""

from __future__ import annotations

import csv
import threading
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, HOP_HOST, POLICY, Product, free_port, wait_for
from tests.e2e.sipp import Sipp
from tests.wanted import reason

pytestmark = [
    pytest.mark.load,
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there"),
]

RATE: Final = 300  # calls a second
SECONDS: Final = 10
POLICIES: Final = 6  # each is proved first, in a process of the lowest priority
EVERY_S: Final = 0.7 * SECONDS / POLICIES  # besides what the reload itself takes


def policy(number: int) -> dict[str, Any]:
    """A policy whose first rule labels every call of the trunk, and is named after the policy."""
    rule = {
        "name": f"policy-{number}",
        "when": {"trunk.kind": "interconnect"},
        "label": {"headers": {"X-Policy": str(number)}},
    }
    return {**POLICY, "rules": [rule, *POLICY["rules"]]}


class Reloads:
    """Reloads a product again and again in a thread; `rule_of` says which rule each revision decides by."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.rule_of = {product.answer("status")["revision"]: "policy-0"}
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Reloads:
        self._thread.start()
        return self

    def _run(self) -> None:
        for number in range(1, POLICIES + 1):
            time.sleep(EVERY_S)
            self._product.write(policy=policy(number))
            try:
                self.rule_of[self._product.answer("reload")["revision"]] = f"policy-{number}"
            except AssertionError as error:
                self.failures.append(str(error))

    def __exit__(self, *error: object) -> None:
        self._thread.join(60)


def outcome(statistics: Path) -> dict[str, int]:
    """Successful and failed calls and retransmissions of a SIPp statistics file."""
    last = list(csv.DictReader(statistics.read_text().splitlines(), delimiter=";"))[-1]
    return {name: int(last[f"{name}(C)"]) for name in ("SuccessfulCall", "FailedCall", "Retransmissions")}


def test_reload_under_load(make_product: MakeProduct, tmp_path: Path) -> None:
    hop_port = free_port(HOP_HOST)
    product = make_product(start=False, policy=policy(0))
    product.config["trunks"]["hop"]["peers"] = [f"{HOP_HOST}:{hop_port}"]
    product.write()
    product.start()
    count = RATE * SECONDS
    uas = Sipp("001_answered_call_uas", tmp_path, (HOP_HOST, hop_port), None, calls=count).start()
    statistics = tmp_path / "uac.csv"
    uac = Sipp(
        "001_answered_call_uac", tmp_path, (CALLER_HOST, free_port(CALLER_HOST)), product.address(),
        "-r", str(RATE), "-trace_stat", "-stf", str(statistics), calls=count,
    )  # fmt: skip
    try:
        with Reloads(product) as reloads:
            status = uac.start().wait()
    finally:
        uac.stop()
        uas.stop()
    assert reloads.failures == []
    assert len(reloads.rule_of) == POLICIES + 1
    assert (status, outcome(statistics)["FailedCall"]) == (0, 0), uac.complaint()
    wait_for(lambda: len(product.calls()) == count, "all records", 20)
    rows = product.calls()
    wrong = [row for row in rows if row["rule"] != reloads.rule_of[row["revision"]]]
    assert wrong == []
    assert len({row["revision"] for row in rows}) > POLICIES / 2, "the policies took turns"
    assert product.metric("sipguard_troubles_total") == 0
