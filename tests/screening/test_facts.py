"""Facts of the attempt itself."""

from __future__ import annotations

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


def test_the_facts_are_those_documented() -> None:
    assert list(base_facts(attempt())) == [spec.name for spec in BASE_FACTS]
