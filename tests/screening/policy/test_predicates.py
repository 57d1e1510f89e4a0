"""Which conditions need the numbering plan, that is compiled only where one does."""

from __future__ import annotations

import pytest

from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.policy.model import Vocabulary
from sipguard.screening.policy.predicates import asks_plan, wants_plan
from sipguard.settings.zones import MachineZones
from tests.screening.policy.words import read

WORDS = Vocabulary(facts=ALL_FACTS, zones=MachineZones())
WANTED = {
    "{number.shown.class: unassigned_npa}": True,
    "{not: {number.caller.class: [ok, unassigned_npa]}}": True,
    '{number.shown.class: "un*"}': True,
    '{number.shown.class: "*"}': True,
    '{number.shown.class: "invalid*"}': False,
    "{number.shown.class: ok}": False,
    "{plan.callee.country: US}": True,
    '{any: [{call.anonymous: true}, {time: {zone: callee, outside: "08:00-21:00"}}]}': True,
    '{time: {zone: utc, outside: "08:00-21:00"}}': False,
    '{call.priority: "unassigned_npa"}': False,
}


@pytest.mark.parametrize(("when", "wanted"), WANTED.items(), ids=WANTED)
def test_a_condition_asks_the_plan(when: str, wanted: bool) -> None:
    policy, problems = read(f"rules: [{{name: a, when: {when}, reject: contract}}]", WORDS)
    assert problems == []
    assert asks_plan(policy.rules[0].when) is wanted
    assert wants_plan(policy, [None]) is wanted
