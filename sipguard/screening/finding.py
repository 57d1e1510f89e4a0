"""What a check may say: a finding, or that it waits for something from outside.

Enters: what checks return. Leaves: the values that facts and verdict are made of.
Must not: decide anything; only policy decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

from sipguard.numbers.plan import NO_PLAN, Plan
from sipguard.screening.shapesasked import NO_SHAPES, ShapesAsked

if TYPE_CHECKING:
    from sipguard.screening.counters import Counters
    from sipguard.screening.lists import Lists
    from sipguard.screening.verification.replays import Replays
    from sipguard.stir.certificate import CertificateStore

CLEAR: Final = "clear"
HIT: Final = "hit"
FAILED: Final = "failed"

FactValue = str | int | float | bool | tuple[str, ...] | None


@dataclass(frozen=True)
class FactSpec:
    """Documentation of one fact: its full name, type, unit and where it comes from."""

    name: str  # "number.shown.class"
    type: str  # text | number | flag | set (a set of texts) | choice
    what: str
    unit: str = ""
    choices: tuple[str, ...] = ()  # the closed list of its values (of a set: of its members), where there is one
    least: float = -inf  # a number is not below it
    most: float = inf  # nor above that


class Finding:
    """What one check found: `status` clear, hit or failed; a reason slug; the facts that there are, by full name.

    What is absent does not stand in `facts`; that the check was asked is told elsewhere.

    `told` are header lines for the caller's side, joined, "" for none. Facts of a check that failed stand in the
    record; no rule sees them.
    """

    __slots__ = ("facts", "reason", "status", "told")

    def __init__(self, status: str, reason: str, facts: dict[str, FactValue], told: str = "") -> None:
        self.status = status
        self.reason = reason
        self.facts = facts
        self.told = told


class Need:
    """Something that is not in local memory: `kind` certificate (more to come) and its key (a URL)."""

    __slots__ = ("budget_s", "key", "kind")

    def __init__(self, kind: str, key: str, budget_s: float) -> None:
        self.kind = kind
        self.key = key
        self.budget_s = budget_s


class Waiting:
    """A check cannot answer before one of `needs` was answered, or their budget is over.

    All are asked for at once, under one budget, that of the first. The check is run again after each answer.
    """

    __slots__ = ("needs",)

    def __init__(self, *needs: Need) -> None:
        self.needs = needs


class Context:
    """What a check may read besides the attempt. One object for the life of a Ruleset; `unix_at` moves."""

    __slots__ = ("certificates", "counters", "late", "lists", "plan", "replays", "shapes", "unix_at")

    def __init__(
        self,
        lists: Lists,
        counters: Counters,
        certificates: CertificateStore,
        replays: Replays,
        plan: Plan = NO_PLAN,
        shapes: ShapesAsked = NO_SHAPES,
    ) -> None:
        self.lists = lists
        self.plan = plan
        self.shapes = shapes  # what to tell of the counters
        self.counters = counters
        self.certificates = certificates
        self.replays = (
            replays  # with the counters of signers what a check writes to: it alone knows which token verified
        )
        self.unix_at = 0.0  # Unix seconds of the receipt of the INVITE
        self.late = ""  # why nothing more will come, as a slug, where a check is asked for the last time
