"""What the numbering plan tells of the numbers of a call."""

from __future__ import annotations

from sipguard.numbers.plan import NO_PLAN, Place, Plan
from sipguard.screening.checks import plan
from sipguard.screening.counters import Counters
from sipguard.screening.finding import Context, FactValue
from sipguard.screening.lists import Lists
from sipguard.screening.verification.replays import Replays
from sipguard.stir.certificate import CertificateStore
from tests.screening.build import attempt

NEW_YORK = Place("US", "NY", "fixed_or_mobile", ("America/New_York",))
PLAN = Plan(
    "1",
    {
        "1": Place("", "", "", ()),
        "1212": NEW_YORK,
        "1800": Place("", "", "tollfree", ()),
        "44": Place("GB", "", "", ("Europe/London",)),
    },
    frozenset({"212"}),
)


def facts(of: Plan = PLAN, **written: str) -> dict[str, FactValue]:
    context = Context(Lists({}), Counters(), CertificateStore(), Replays(), of)
    return plan.check(attempt(**written), plan.Settings(), context).facts  # type: ignore[arg-type]


def of(which: str, found: dict[str, FactValue]) -> dict[str, FactValue]:
    return {name.split(".")[2]: value for name, value in found.items() if name.startswith(f"plan.{which}.")}


def test_each_number_has_its_place() -> None:
    found = facts(uri="sip:+12125550123@gw.example.com", shown="<sip:+442079460000@example.com>;tag=1")
    assert of("callee", found) == {
        "country": "US",
        "region": "NY",
        "line": "fixed_or_mobile",
        "zones": ("America/New_York",),
    }
    assert of("shown", found) == of("caller", found) == {"country": "GB", "zones": ("Europe/London",)}
    assert "plan.shared_digits" not in found


def test_toll_free_has_a_line_and_neither_country_nor_zones() -> None:
    assert of("callee", facts(uri="sip:+18005550123@gw.example.com")) == {"line": "tollfree"}


def test_what_is_no_complete_number_is_nowhere() -> None:
    assert of("callee", facts(uri="sip:411@gw.example.com")) == {}
    assert of("callee", facts(uri="sip:+99912345678@gw.example.com")) == {}


def test_without_a_plan_only_the_digits_are_told() -> None:
    assert facts(NO_PLAN) == {"plan.shared_digits": 1}  # +1 212 and +1 202


def test_neighbours_share_their_exchange() -> None:
    near = facts(uri="sip:+12125550123@gw.example.com", shown="<sip:+12125550199@example.com>;tag=1")
    assert near["plan.shared_digits"] == 8
    same = facts(uri="sip:+12125550123@gw.example.com", shown="<sip:+12125550123@example.com>;tag=1")
    assert same["plan.shared_digits"] == 10
