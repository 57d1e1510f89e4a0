"""A policy as it was read: conditions, rules, responses.

Enters: nothing, these are values; `read` makes them, `compile` reads them. All can be pickled and compared.
Must not: hold functions or decide anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from sipguard.screening.finding import FactSpec

Scalar = str | int | float | bool

COMPARISONS: Final = ("over", "under", "at_least", "at_most")


@dataclass(frozen=True, slots=True)
class OneOf:
    """A fact is, or as a set holds, one of `values` or what fits one of `patterns` (`*` is any text)."""

    fact: str
    values: tuple[Scalar, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """A number is over, under, at_least or at_most `bound`."""

    fact: str
    operator: str
    bound: float


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds; true without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; false without parts."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part is known and does not hold."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Offsets:
    """A time zone: `seconds[n]` ahead of UTC up to `since[n]`, in Unix seconds; the last of them from then on."""

    since: tuple[int, ...]
    seconds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Time:
    """The instant of receipt is inside or outside a window of local time, in every zone that is meant."""

    zone: str  # callee, caller, utc or the name of a zone
    outside: bool
    begin_s: int  # seconds of the local day; the window ends before `end_s`, on the next day where that is less
    end_s: int
    days: frozenset[int] = frozenset()  # Monday 0; empty for all
    dates: frozenset[int] = frozenset()  # days since 1970-01-01; empty for all
    zones: tuple[tuple[str, Offsets], ...] = field(default=(), compare=False, repr=False)  # that it may be asked in


Condition = OneOf | Compare | AllOf | AnyOf | Not | Time

# ------------------------------------------------------------------------------------------ rejecting

BASES: Final[dict[str, str]] = {
    "order": "an order of an authority to block an upstream provider",
    "dno": "a number that never originates calls (47 CFR 64.1200(o))",
    "invalid": "a caller number that cannot exist",
    "contract": "the trunk's customer may not place this call",
    "subscriber": "the called subscriber asked for it",
    "anonymous": "the called party takes no calls of withheld numbers (RFC 5079)",
    "analytics": "reasonable analytics, answered 603+ with a redress contact (47 CFR 64.1200(k))",
    "identity": "no valid Identity header where one is required (RFC 8224 §6.2.2)",
    "unscreened": "a check that must not fail has failed",
}


@dataclass(frozen=True, slots=True)
class Response:
    """The final response of a basis. Status 0 is `auto`: what the failed verification says."""

    status: int
    phrase: str = ""
    plus: bool = False


DEFAULT_RESPONSES: Final[dict[str, Response]] = {
    "order": Response(403, "Forbidden"),
    "dno": Response(403, "Forbidden"),
    "invalid": Response(404, "Not Found"),
    "contract": Response(403, "Forbidden"),
    "subscriber": Response(607, "Unwanted"),
    "anonymous": Response(433, "Anonymity Disallowed"),
    "analytics": Response(603, "Network Blocked", plus=True),
    "identity": Response(0),
    "unscreened": Response(403, "Forbidden"),
}


@dataclass(frozen=True, slots=True)
class Redress:
    """Where a blocked caller may complain: at least one of them is needed for a 603+ (ATIS-1000099)."""

    url: str = ""
    tel: str = ""  # +E.164
    email: str = ""

    def __bool__(self) -> bool:
        """Whether there is any contact."""
        return bool(self.url or self.tel or self.email)


# ------------------------------------------------------------------------------------------ rules


@dataclass(frozen=True, slots=True)
class LabelSpec:
    """What a rule writes into a call that goes on."""

    prefix: str = ""
    max: int = 0
    verstat: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. At most one of `basis`, `contact`, `route` is set; none of them means the call goes on."""

    name: str
    when: Condition
    basis: str = ""
    contact: str = ""
    route: str = ""
    label: LabelSpec | None = None
    tags: tuple[str, ...] = ()
    continues: bool = False
    report: bool = False
    rollout: int = 10_000  # of 10,000 callers
    until_day: int | None = None  # last day it acts on, days since 1970-01-01 UTC
    on: tuple[str, ...] = ()  # names of ingress trunks, empty for all


@dataclass(frozen=True, slots=True)
class Override:
    """What is other about a rule on one trunk; None where it is as the rule says."""

    trunk: str
    rule: str
    off: bool = False
    report: bool | None = None
    rollout: int | None = None
    until_day: int | None = None


@dataclass(frozen=True)
class Policy:
    """Rules in their order, and what happens to a call that none of them stops."""

    rules: tuple[Rule, ...] = ()
    default_basis: str = ""  # "" allows
    responses: Mapping[str, Response] = field(default_factory=lambda: dict(DEFAULT_RESPONSES))
    redress: Redress = Redress()
    overrides: tuple[Override, ...] = ()

    def reporting(self) -> frozenset[str]:
        """Names of the rules that only report, on one trunk at least."""
        own = [rule.name for rule in self.rules if rule.report]
        return frozenset([*own, *(each.rule for each in self.overrides if each.report)])


class Zones(Protocol):
    """The time zones that a policy may name, with their offsets."""

    def names(self) -> tuple[str, ...]:
        """All names, to find what was meant."""

    def named(self, name: str) -> Offsets | None:
        """The zone of this name, None where there is none."""

    def of_numbers(self) -> tuple[tuple[str, Offsets], ...]:
        """(name, offsets) of all zones that numbers may be in."""


@dataclass(frozen=True)
class Vocabulary:
    """The words that a policy may use: facts, lists with what they are bound to, trunks, time zones."""

    facts: tuple[FactSpec, ...]
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # name -> shown, caller, pair ...
    trunks: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()  # trunks that have peers
    redress: Redress = Redress()
    zones: Zones | None = None
