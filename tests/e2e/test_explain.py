"""What `sipguard explain` tells of calls that SIPp has placed: steps, microseconds, rules, SIP, plain English."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.e2e.product import CALLER_HOST, HOP_HOST, POLICY, Product, free_port, wait_for
from tests.e2e.sipp import Sipp
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there"),
]

WATCHED: Final = {"name": "watched", "when": {"lists.caller": "watched"}, "mode": "report", "reject": "contract"}
CALLS: Final = {  # scenario -> the caller's number
    "001_answered_call": "+12025550101",
    "004_cancelled_while_ringing": "+12025550101",
    "023_blocked_caller": "+12025550121",
    "025_labelled": "+12025550171",
    "026_emergency_911": "+12025550121",
    "195_reported_only": "+12025550191",
}


class Told:
    """A product with a record for each scenario."""

    def __init__(self, product: Product, records: dict[str, dict[str, Any]]) -> None:
        self.product = product
        self.records = records

    def steps(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.product.answer("explain", self.records[name]["decision_id"])["steps"]
        return found

    def plain(self, name: str) -> str:
        done = self.product.command("explain", "--plain", "--utc", self.records[name]["decision_id"])
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Each scenario once, one after the other; then another policy is in force."""
    from tests.e2e.product import configuration

    hop = (HOP_HOST, free_port(HOP_HOST))
    config = copy.deepcopy(configuration(hop[1]))
    config["policy"] = {**POLICY, "rules": [WATCHED, *POLICY["rules"]]}
    config["lists"]["watched"] = {
        "members": ["+12025550191"],
        "bind": ["caller"],
        "purpose": "callers that are watched",
    }
    config["redress"] = {"url": "https://provider.example/redress"}
    product = Product(tmp_path_factory.mktemp("explain"), config)
    try:
        product.start()
        records = {name: _call(product, name, hop) for name in CALLS}
        product.write(policy={"rules": [{**WATCHED, "mode": "enforce"}], "default": "allow"})
        assert product.command("reload").returncode == 0
        product.answer("mode", "report")
        records["mode report"] = _call(product, "195_reported_only", hop)
        product.answer("mode", "enforce")
        product.write(policy={"rules": [], "default": "allow"})
        assert product.command("reload").returncode == 0
        yield Told(product, records)
    finally:
        product.stop()


def _call(product: Product, name: str, hop: tuple[str, int]) -> dict[str, Any]:
    directory = product.directory
    before = len(product.calls())
    uas = Sipp(f"{name}_uas", directory, hop, None).start()
    uac = Sipp(f"{name}_uac", directory, (CALLER_HOST, free_port(CALLER_HOST)), product.address()).start()
    try:
        assert uac.wait() == 0, uac.complaint()
    finally:
        uac.stop()
        uas.stop()
    wait_for(lambda: len(product.calls()) > before and bool(product.calls()[0]["disposition"]), "its record")
    return product.calls()[0]


def of(steps: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [step for step in steps if step["kind"] == kind]


def test_a_rejected_call(told: Told) -> None:
    steps = told.steps("023_blocked_caller")
    fates = {step["rule"]: step["outcome"] for step in of(steps, "rule")}
    assert list(fates) == ["watched", "dno", "dno-asserted", "blocked-caller"]
    assert (fates["dno"], fates["blocked-caller"]) == ("no_match", "matched")
    (dno,) = [step for step in of(steps, "rule") if step["rule"] == "dno"]
    assert "{lists.shown: dno} does not hold" in dno["text"] and dno["facts"] == {"lists.shown": []}
    assert of(steps, "judged")[0]["text"] == "they lead to the verdict that was recorded"
    assert "as kept" in "".join(step["text"] for step in of(steps, "rules")), "the policy is another one by now"
    (sent,) = of(steps, "sent")
    assert sent["text"] == "answered SIP/2.0 607 Unwanted"
    plain = told.plain("023_blocked_caller")
    assert "Your call to +1 202-555-0131 on " in plain and "was rejected." in plain
    assert "The reason: the caller's number is on the list blocked." in plain
    assert "turn to https://provider.example/redress and give the reference" in plain


def test_checks_have_their_microseconds(told: Told) -> None:
    steps = told.steps("001_answered_call")
    checks = of(steps, "check")
    assert {"lists", "identity"} <= {step["text"].split(" ")[1] for step in checks}
    assert all(0 <= step["took_us"] <= step["after_us"] for step in checks)
    (verdict,) = of(steps, "verdict")
    assert checks[-1]["after_us"] <= verdict["after_us"]
    (route,) = of(steps, "route")
    assert verdict["after_us"] <= route["after_us"]
    text = told.product.command("explain", told.records["001_answered_call"]["decision_id"]).stdout
    assert " us; what it saw:" in text and "forwarded by trunk hop" in text
    assert "was put through. It was answered, and lasted" in told.plain("001_answered_call")


def test_a_cancelled_call(told: Told) -> None:
    (end,) = of(told.steps("004_cancelled_while_ringing"), "end")
    assert end["text"].startswith("ended, cancelled")
    assert "You hung up before it was answered." in told.plain("004_cancelled_while_ringing")


def test_a_labelled_call(told: Told) -> None:
    (sent,) = of(told.steps("025_labelled"), "sent")
    assert sent["text"] == "written into the INVITE that left; host and tag of From are ours:"
    assert sent["lines"][0].startswith('From: "SPAM? Caller')
    assert "Call-Info: <https://provider.example/redress>" in sent["lines"]
    plain = told.plain("025_labelled")
    assert "was put through, with a mark for the called party." in plain
    assert "The reason: the caller's number is on the list complaints." in plain


def test_an_emergency_call(told: Told) -> None:
    steps = told.steps("026_emergency_911")
    assert "admitted" in of(steps, "guard")[0]["text"]
    assert of(steps, "rule") == [] and of(steps, "judged") == []
    assert "It counts as an emergency call" in told.plain("026_emergency_911")


def test_a_rule_that_only_reports(told: Told) -> None:
    steps = told.steps("195_reported_only")
    (watched,) = [step for step in of(steps, "rule") if step["rule"] == "watched"]
    assert watched["outcome"] == "reported" and watched["facts"] == {"lists.caller": ["watched"]}
    (listed,) = of(steps, "listed")
    assert "caller is on watched by the configuration, +12025550191" in listed["text"]
    assert listed["facts"] == {"list purpose": "callers that are watched"}
    plain = told.plain("195_reported_only")
    assert "A rule that is only on trial would have treated it otherwise" in plain


def test_a_call_in_mode_report(told: Told) -> None:
    steps = told.steps("mode report")
    (watched,) = of(steps, "rule")
    assert (watched["rule"], watched["outcome"]) == ("watched", "matched")
    assert of(steps, "judged")[0]["text"] == "they lead to the verdict that was recorded"
    assert "would have been answered 403; mode report: recorded only" in of(steps, "verdict")[0]["text"]
    assert of(steps, "route")[0]["text"].startswith("forwarded by trunk hop")
    assert of(steps, "sent") == [] or "answered" not in of(steps, "sent")[0]["text"], "nothing was rejected on the wire"
    plain = told.plain("mode report")
    assert "was put through. Screening was only on trial at that time; otherwise it would have been rejected." in plain
    assert "The reason: the caller's number is on the list watched." in plain and "redress" not in plain


def test_a_number_of_several_calls_lists_them(told: Told) -> None:
    done = told.product.command("explain", CALLS["023_blocked_caller"])
    assert done.returncode == 1 and "2 calls are meant" in done.stderr
    assert told.records["023_blocked_caller"]["decision_id"] in done.stdout
    only = told.product.command("explain", CALLS["025_labelled"])
    assert only.returncode == 0 and told.records["025_labelled"]["decision_id"] in only.stdout
