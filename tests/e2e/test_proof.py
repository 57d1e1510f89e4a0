"""A configuration that harms emergency calls: a reload refuses it unless forced, a start tells of it and goes on."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakeProduct
from tests.e2e.product import wait_for

pytestmark = pytest.mark.e2e


def test_what_harms_emergency_calls_is_taken_up_by_force_only(make_product: MakeProduct) -> None:
    product = make_product()
    before = product.answer("status")["revision"]
    carrier = {**product.config["trunks"]["carrier"], "read": {"tech_prefix": "9?1*"}}
    product.write(trunks={**product.config["trunks"], "carrier": carrier})
    refused = product.command("reload")
    assert refused.returncode == 1
    assert "trunks.carrier.read.tech_prefix: harms emergency calls: 91112 from trunk carrier" in refused.stderr
    assert f"{product.path}:" in refused.stderr and "--force" in refused.stderr
    assert product.answer("status")["revision"] == before
    forced = product.command("reload", "--force")
    assert forced.returncode == 0
    assert "harms emergency calls" in forced.stderr
    assert product.answer("status")["revision"] != before
    assert product.stop() == 0
    product.start()
    wait_for(lambda: '"event": "emergency_calls_harmed"' in product.log.read_text(), "it is told of", 30)
    told = product.answer("status")["troubles"]
    assert any("harms emergency calls" in each["what"] for each in told)
    product.write(trunks={**product.config["trunks"], "carrier": {**carrier, "read": {}}})
    assert product.command("reload").returncode == 0
    back = product.command("rollback")
    assert back.returncode == 0, "whoever goes back is in need"
    assert ": trunks.carrier.read.tech_prefix: harms emergency calls: 91112 from trunk carrier" in back.stderr
    assert product.stop() == 0


def test_a_reload_of_what_harms_nobody_says_nothing(make_product: MakeProduct) -> None:
    product = make_product()
    product.write(site="elsewhere")
    done = product.command("reload")
    assert done.returncode == 0
    assert "emergency" not in done.stderr and "proved" not in done.stderr
    assert product.stop() == 0


def test_a_reload_shows_mistakes_that_lint_finds(make_product: MakeProduct) -> None:
    product = make_product()
    odd = {
        "name": "odd",
        "when": {"trunk.kind": "interconnect", "not": {"trunk.kind": "interconnect"}},
        "reject": "dno",
    }
    product.write(policy={**product.config["policy"], "rules": [odd]})
    done = product.command("reload")
    assert done.returncode == 0
    assert "warning: policy.rules[0] (odd).when: no call can match" in done.stderr
    assert product.stop() == 0
