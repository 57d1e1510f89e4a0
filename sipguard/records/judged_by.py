"""A configuration as far as verdicts are made of it and can be told: rules, trunks, lists, redress.

Enters: values that `settings` keeps at each reload and reads again. Leaves: an JudgedBy. Must not: hold what a list
holds, or a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import Policy
from sipguard.screening.trunk import Trunk


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """What was in force when a call came (`as_then`), or else what is now."""

    policy: Policy
    trunks: Mapping[str, Trunk]  # of each only what rules and answers are made of
    lists: Mapping[str, ListSpec] = field(default_factory=dict)  # without their files
    closed: frozenset[str] = frozenset()  # checks that must not fail
    as_then: bool = True
