"""The check `rate`."""

from __future__ import annotations

import pytest

from sipguard.screening import shapes
from sipguard.screening.checks import ALL_FACTS, rate
from sipguard.screening.counters import Counters
from sipguard.screening.finding import CLEAR, Context
from sipguard.screening.lists import Lists
from sipguard.screening.shapes import asked_of
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.screening.build import attempt

ATTEMPTS = [f"rate.{kind}.attempts_{window}" for kind in ("caller", "trunk") for window in ("1h", "1m")]


def context_of(counters: Counters, *names: str, everything: bool = False) -> Context:
    """What the check reads where rules ask for `names`."""
    asked = asked_of(names, ("dnc",), everything)
    counters.use(asked.wanted, 100)
    dnc: Lists = Lists({"callee": (("dnc", frozenset({"12125550123"})),)})
    return Context(dnc, counters, CertificateStore(), Replays(), shapes=asked)


def test_it_reads_what_was_counted_at_the_instant_of_the_count() -> None:
    counters = Counters()
    for at in (3600.0, 3600.0, 3800.0):
        counters.count("carrier", "12025550100", at)
    counters.count("carrier", "12025550101", 3801.0)
    context = context_of(counters)
    context.unix_at = 1_760_000_000.0  # another clock than that of the counters
    finding = rate.check(attempt(), rate.Settings(), context)
    assert finding.status == CLEAR
    assert finding.facts == {
        "rate.caller.attempts_1m": 1,
        "rate.caller.attempts_1h": 3,
        "rate.trunk.attempts_1m": 2,
        "rate.trunk.attempts_1h": 4,
    }


def test_a_caller_without_a_number_has_no_rate() -> None:
    counters = Counters()
    counters.count("carrier", "", 10.0)
    facts = rate.check(
        attempt(shown="<sip:anonymous@anonymous.invalid>"), rate.Settings(), context_of(counters, everything=True)
    ).facts
    assert (facts["rate.trunk.attempts_1m"], facts["rate.trunk.attempts_1h"]) == (1, 1)
    assert not [name for name in facts if name.startswith("rate.caller.")]


def test_only_what_is_asked_is_told() -> None:
    counters = Counters()
    context = context_of(counters, "rate.caller.concurrent", "rate.callee.callers_1h", "lists.callee")
    call = attempt()
    assert shapes.begin(call, context, 10.0, lasting=True) is not None
    facts = rate.check(call, rate.Settings(), context).facts
    assert sorted(facts) == sorted([*ATTEMPTS, "rate.caller.concurrent", "rate.callee.callers_1h"])
    assert (facts["rate.caller.concurrent"], facts["rate.callee.callers_1h"]) == (1, 1)


def test_everything_is_told_of_who_calls_enough() -> None:
    """But what the signer has, which another check finds, and the ends of calls, of which there are none."""
    counters = Counters()
    context = context_of(counters, everything=True)
    for n in range(10):
        call = attempt(uri="sip:+12125550123@gw.example.com", shown=f"<sip:+1202555010{n}@example.com>;tag=1")
        assert shapes.begin(call, context, 10.0, lasting=True) is not None
    facts = rate.check(call, rate.Settings(), context).facts
    assert facts["rate.trunk.dnc_ratio_1h"] == 1.0
    assert (facts["rate.callee.callers_1h"], facts["rate.trunk.callers_per_call_1h"]) == (10, 1.0)
    assert set(facts) <= {spec.name for spec in rate.FACTS}
    of_trunk = {name.removeprefix("rate.trunk.") for name in facts if name.startswith("rate.trunk.")}
    counted = {"attempts_1m", "attempts_1h", "concurrent", "minutes_1h"}
    counted |= {"callees_1h", "callers_1h", "callers_per_call_1h"}
    assert of_trunk == counted | {"sequential_ratio_1h", "dnc_ratio_1h", "neighbour_ratio_1h", "abroad_ratio_1h"}


NUMBERS = {
    "sip:+12125550123@gw.example.com": "1212555",
    "sip:2125550123@gw.example.com": "1212555",
    "sip:+441632960123@gw.example.com": "4416329",
    "sip:+44163296012345@gw.example.com": "4416329",  # who dials more digits stays in the prefix
    "sip:+4416329@gw.example.com": "4416329",
    "sip:+44163@gw.example.com": "44163",
    "sip:411@gw.example.com": "",
    "sip:5550123@gw.example.com": "",
    "sip:bob@gw.example.com": "",
}


@pytest.mark.parametrize(("uri", "prefix"), NUMBERS.items(), ids=NUMBERS)
def test_the_prefix_of_a_called_number(uri: str, prefix: str) -> None:
    counters = Counters()
    context = context_of(counters, "rate.prefix.attempts_1h")
    facts = {}
    for n in range(2):
        call = attempt(uri=uri, shown=f"<sip:+1202555010{n}@example.com>;tag=1")
        assert shapes.begin(call, context, 10.0, lasting=True) is not None
        facts = rate.check(call, rate.Settings(), context).facts
    assert facts.get("rate.prefix.attempts_1h") == (2 if prefix else None)
    assert len(counters.prefixes) == (1 if prefix else 0)
    assert not prefix or counters.prefixes.of(prefix) is not None


def test_each_fact_is_found_by_one_check() -> None:
    names = [spec.name for spec in ALL_FACTS]
    assert len(names) == len(set(names))
    assert {spec.name for spec in rate.FACTS} | {spec.name for spec in shapes.specs("signer")} == {
        name for name in names if name.startswith("rate.")
    }


def test_a_call_that_was_not_counted_has_what_is_known_of_its_keys() -> None:
    counters = Counters()
    context = context_of(counters, everything=True)
    facts = rate.check(attempt(), rate.Settings(), context).facts
    assert {facts[name] for name in (*ATTEMPTS, "rate.callee.concurrent", "rate.trunk.callers_1h")} == {0}
    shapes.begin(attempt(), context, 10.0, lasting=True)
    facts = rate.check(attempt(), rate.Settings(), context).facts
    assert {facts[name] for name in (*ATTEMPTS, "rate.callee.concurrent", "rate.trunk.callers_1h")} == {1}


def test_without_the_lists_nobody_is_asked_about_them() -> None:
    asked = asked_of(["rate.trunk.dnc_ratio_1h", "rate.caller.attempts_1m"], ())
    assert (asked.wanted.looks, asked.wanted.do_not_call) == (0, ())
    assert asked_of(["rate.trunk.dnc_ratio_1h"], ("dnc",)).wanted.do_not_call == ("dnc",)
    assert asked_of(["rate.trunk.callers_1h"], ("dnc",)).wanted.do_not_call == ()
