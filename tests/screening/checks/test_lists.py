"""The check `lists`."""

from __future__ import annotations

import pytest

from sipguard.screening.checks import lists
from sipguard.screening.counters import Counters
from sipguard.screening.finding import CLEAR, HIT, Context, FactValue
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.screening.build import CARRIER, TRUSTED, attempt

BOUND = Lists.open(
    [
        ListSpec("dno", bind=("shown",), members=("12025550100",)),
        ListSpec("spoofed", bind=("asserted", "caller"), members=("12025550111", "12025550100")),
        ListSpec("own", bind=("diverting", "caller"), members=("12025550122", "12025550111")),
        ListSpec("dnc", bind=("callee",), members=("12125550123",)),
        ListSpec("consent", "pairs", ("pair",), members=("12025550111,12125550123",)),
        ListSpec("orders", "trunks", ("upstream",), members=("trusted",)),
    ]
)
SETTINGS = lists.Settings()


def context(bound: Lists) -> Context:
    return Context(bound, Counters(), CertificateStore(), Replays())


@pytest.mark.parametrize(
    ("trunk", "expected"),
    [
        (
            TRUSTED,
            {
                "lists.shown": ("dno",),
                "lists.asserted": ("spoofed",),
                "lists.caller": ("spoofed", "own"),
                "lists.diverting": ("own",),
                "lists.callee": ("dnc",),
                "lists.pair": ("consent",),
                "lists.upstream": ("orders",),
            },
        ),
        (
            CARRIER,
            {
                "lists.shown": ("dno",),
                "lists.asserted": ("spoofed",),
                "lists.caller": ("spoofed",),
                "lists.diverting": ("own",),
                "lists.callee": ("dnc",),
                "lists.pair": (),
                "lists.upstream": (),
            },
        ),
    ],
    ids=["PAI counts", "From counts"],
)
def test_each_number_is_looked_up_where_it_is_bound(trunk: object, expected: dict[str, FactValue]) -> None:
    call = attempt(
        pai=["<tel:+12025550111>"],
        diversion=["<tel:+12025550122>"],
        trunk=TRUSTED if trunk is TRUSTED else CARRIER,
    )
    finding = lists.check(call, SETTINGS, context(BOUND))
    assert (finding.status, finding.reason) == (HIT, "listed")
    assert finding.facts == expected


@pytest.mark.parametrize(
    ("pai", "listed"),
    [
        ("<sip:+13125550199@example.com>, <tel:+12025550111>", ("spoofed",)),
        ("<tel:+12025550111>, <tel:+13125550199>", ("spoofed",)),
        ("<sip:+13125550199@example.com>, <tel:+13125550198>", ()),
    ],
)
def test_a_number_hides_behind_no_other_assertion(pai: str, listed: tuple[str, ...]) -> None:
    assert lists.check(attempt(pai=[pai]), SETTINGS, context(BOUND)).facts["lists.asserted"] == listed


def test_clear_where_nothing_is_listed() -> None:
    call = attempt("sip:+12125550199@gw.example.com", "<sip:alice@example.com>")
    finding = lists.check(call, SETTINGS, context(BOUND))
    assert finding.status == CLEAR
    assert set(finding.facts.values()) == {()}


def test_the_facts_are_those_documented() -> None:
    finding = lists.check(attempt(), SETTINGS, context(Lists({})))
    assert list(finding.facts) == [spec.name for spec in lists.FACTS]


def test_the_third_number_asserted_is_looked_up_too() -> None:
    values = ["<sip:+12025550188@example.com>, <tel:+12025550189>", "<tel:+12025550111>"]
    assert lists.check(attempt(pai=values), SETTINGS, context(BOUND)).facts["lists.asserted"] == ("spoofed",)
