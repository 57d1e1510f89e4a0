"""The check `lists`."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from sipguard.numbers.networkset import build_networks
from sipguard.numbers.numberset import Content, build, build_by_trunk
from sipguard.numbers.pairset import build_pairs
from sipguard.numbers.textset import build_texts
from sipguard.screening.checks import lists
from sipguard.screening.counters import Counters
from sipguard.screening.finding import CLEAR, HIT, Context, FactValue
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, Overlay
from sipguard.screening.trunk import Trunk, Upstream
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


# ------------------------------------------------------------------------------------------ other kinds

AT = 1_760_000_000.0
CUSTOMER = Trunk("customer-a", "origination", upstream=Upstream(legal_name="Example Pharmacy"))
OTHERS = Lists.open(
    [
        ListSpec("agents", "texts", ("upstream",), members=("friendly-scanner*", "carrier")),
        ListSpec("places", "networks", ("upstream",), members=("192.0.2.0/24", "2001:db8::/32")),
        ListSpec("orders", "trunks", ("upstream",), members=("trusted",)),
        ListSpec("consent", "pairs", ("pair",), members=("example pharmacy,12125550123",)),
        ListSpec(
            "own",
            bind=("caller", "shown"),
            members=("customer-a,12025550100", "carrier,12025550101"),
            per_trunk=True,
        ),
    ]
)


@pytest.mark.parametrize(
    ("trunk", "source", "agent", "listed"),
    [
        (TRUSTED, "198.51.100.1", "Friendly-Scanner 1.2", ("orders", "agents")),
        (TRUSTED, "192.0.2.7", "SBC", ("orders", "places")),
        (CARRIER, "2001:db8::7", "", ("agents", "places")),
        (CUSTOMER, "", "", ()),
    ],
)
def test_upstream_is_trunk_user_agent_and_address(trunk: Trunk, source: str, agent: str, listed: object) -> None:
    call = attempt(trunk=trunk)
    call.source, call.user_agent = source, agent
    assert lists.check(call, SETTINGS, context(OTHERS)).facts["lists.upstream"] == listed


@pytest.mark.parametrize(("trunk", "listed"), [(CUSTOMER, ("consent",)), (CARRIER, ())])
def test_a_pair_may_name_who_calls(trunk: Trunk, listed: object) -> None:
    assert lists.check(attempt(trunk=trunk), SETTINGS, context(OTHERS)).facts["lists.pair"] == listed


@pytest.mark.parametrize(("trunk", "listed"), [(CUSTOMER, ("own",)), (CARRIER, ()), (TRUSTED, ())])
def test_a_number_of_a_trunk_is_none_of_another(trunk: Trunk, listed: object) -> None:
    facts = lists.check(attempt(trunk=trunk), SETTINGS, context(OTHERS)).facts
    assert (facts["lists.caller"], facts["lists.shown"]) == (listed, listed)


def test_an_edit_of_a_list_by_trunk_is_of_that_trunk() -> None:
    overlay = Overlay()
    edited = Lists.open([ListSpec("own", bind=("caller",), members=("carrier,911",), per_trunk=True)], overlay)
    overlay.take(1, [("own", "customer-a,12025550100", ADDED, 0.0)])
    assert edited.of_trunk("caller", "customer-a", "12025550100", AT) == ("own",)
    assert edited.of_trunk("caller", "carrier", "12025550100", AT) == ()


def test_edits_of_texts_and_networks_speak_before_the_base() -> None:
    overlay = Overlay()
    edited = Lists.open(
        [
            ListSpec("agents", "texts", ("upstream",), members=("sbc",)),
            ListSpec("places", "networks", ("upstream",), members=("192.0.2.0/24",)),
        ],
        overlay,
    )
    assert edited.upstream is not None
    assert edited.upstream.of(("SBC",), "192.0.2.7", AT) == ("agents", "places")
    overlay.take(1, [("agents", "sbc", REMOVED, 0.0), ("places", "192.0.2.7/32", REMOVED, AT + 1)])
    assert edited.upstream.of(("SBC",), "192.0.2.7", AT) == ()
    assert edited.upstream.of(("SBC",), "192.0.2.8", AT) == ("places",)
    assert edited.upstream.of(("SBC",), "192.0.2.7", AT + 1) == ("places",)


def test_what_has_ended_counts_no_more(tmp_path: Path) -> None:
    build(tmp_path / "n", [], (), (), {"12025550100": int(AT)})
    build_pairs(tmp_path / "p", [("12025550100", "12125550123", int(AT))])
    build_texts(tmp_path / "t", {"sbc": int(AT)})
    build_networks(tmp_path / "w", {ip_network("192.0.2.0/24"): int(AT)})
    build_by_trunk(tmp_path / "o", {"carrier": Content([], {}, [], {"12025550100": int(AT)})})
    ending = Lists.open(
        [
            ListSpec("n", bind=("caller",), path=str(tmp_path / "n")),
            ListSpec("p", "pairs", ("pair",), str(tmp_path / "p")),
            ListSpec("t", "texts", ("upstream",), str(tmp_path / "t")),
            ListSpec("w", "networks", ("upstream",), str(tmp_path / "w")),
            ListSpec("o", bind=("caller",), path=str(tmp_path / "o"), per_trunk=True),
        ]
    )
    for at, there in ((AT - 1, True), (AT, False)):
        call = attempt(received_at=at)
        call.source, call.user_agent = "192.0.2.1", "SBC"
        facts = lists.check(call, SETTINGS, context(ending)).facts
        assert facts["lists.caller"] == (("n", "o") if there else ())
        assert facts["lists.pair"] == (("p",) if there else ())
        assert facts["lists.upstream"] == (("t", "w") if there else ())


def test_nothing_is_asked_of_a_kind_that_is_not_configured() -> None:
    assert (BOUND.upstream, BOUND.signer, BOUND.by_trunk, BOUND.brands) == (None, None, (), False)
