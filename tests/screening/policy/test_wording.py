"""Which part of a condition is said not to hold."""

from __future__ import annotations

import pytest

from sipguard.screening.policy.model import AllOf, AnyOf, Compare, Condition, OneOf
from sipguard.screening.policy.predicates import FAILED, FALSE
from sipguard.screening.policy.wording import lacking

KIND = OneOf("trunk.kind", ("gateway",))
OTHER = OneOf("trunk.kind", ("origination",))
NAME = OneOf("trunk.name", ("carrier-a",))
DIGITS = Compare("plan.shared_digits", "at_least", 6)  # whose check was not asked
RESULT = OneOf("identity.result", ("passed",))  # whose check failed


@pytest.mark.parametrize(
    ("condition", "parts"),
    [
        (AllOf((KIND, DIGITS)), [KIND]),
        (AllOf((DIGITS, NAME, AnyOf((KIND, OTHER)), RESULT)), [KIND, OTHER]),
        (AnyOf((AllOf((KIND, DIGITS)), OTHER)), [KIND, OTHER]),
        (AllOf((NAME, DIGITS)), [DIGITS]),
        (AnyOf((KIND, RESULT)), [RESULT]),
        (AnyOf((KIND, NAME)), []),
    ],
    ids=["not asked", "one of two", "all of any", "not known yet", "failed", "holds"],
)
def test_only_what_made_it_so_is_told(condition: Condition, parts: list[Condition]) -> None:
    facts = {"trunk.kind": "interconnect", "trunk.name": "carrier-a"}
    assert list(lacking(condition, facts, {"trunk": FALSE, "identity": FAILED})) == parts
