"""Facts of the attempt itself."""

from __future__ import annotations

import pytest

from sipguard.screening.facts import BASE_FACTS, base_facts
from tests.screening.build import TRUSTED, attempt


def test_base_facts_of_a_plain_call() -> None:
    assert base_facts(attempt(received_at=86_400.0 + 5 * 3600 + 59)) == {
        "trunk.name": "carrier",
        "trunk.kind": "interconnect",
        "call.hour_utc": 5,
        "call.has_identity": False,
        "call.priority": None,
        "call.caller_source": "from",
        "call.shown_is_asserted": None,
        "call.anonymous": False,
    }


def test_base_facts_of_an_anonymous_signed_urgent_call() -> None:
    facts = base_facts(
        attempt(
            shown="<sip:anonymous@anonymous.invalid>",
            pai=["<tel:+12025550111>"],
            identity=["x"],
            priority="urgent",
            trunk=TRUSTED,
        )
    )
    assert facts["call.anonymous"] is True
    assert facts["call.has_identity"] is True
    assert facts["call.priority"] == "urgent"
    assert facts["call.caller_source"] == "pai"


@pytest.mark.parametrize(
    ("shown", "pai", "same"),
    [
        ("<sip:2025550111@example.com>", ["<tel:+12025550111>"], True),
        ("<sip:+12025550100@example.com>", ["<tel:+12025550111>"], False),
        ("<sip:+12025550100@example.com>", ["<sip:+12025550111@example.com>, <tel:+12025550100>"], True),
        ("<sip:+12025550100@example.com>", ["<sip:+12025550111@example.com>, <tel:+12025550112>"], False),
        ("<sip:+12025550100@example.com>", ["<sip:alice@example.com>"], None),
        ("<sip:anonymous@anonymous.invalid>", ["<tel:+12025550111>"], None),
        ("<sip:+12025550100@example.com>", [], None),
    ],
)
def test_a_number_shown_may_be_another_than_the_one_asserted(shown: str, pai: list[str], same: bool | None) -> None:
    assert base_facts(attempt(shown=shown, pai=pai))["call.shown_is_asserted"] is same


def test_the_facts_are_those_documented() -> None:
    assert list(base_facts(attempt())) == [spec.name for spec in BASE_FACTS]
