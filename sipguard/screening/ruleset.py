"""One immutable snapshot of everything that a verdict depends on, under one revision.

Enters: a PlainRuleset, values only, which may be sent between processes. Leaves: a Ruleset with its lists
mapped, its anchors read and its policy compiled for each trunk. Must not: change; a reload makes another
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from sipguard.numbers.plan import NO_PLAN, Plan, PlanDate
from sipguard.screening.attestation import Attestation
from sipguard.screening.checks import CHECKS, rate
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.marks import ATTESTING, marks_of
from sipguard.screening.overlay import Overlay
from sipguard.screening.policy.compile import CompiledPolicy, compile_policy
from sipguard.screening.policy.model import Policy, Redress
from sipguard.screening.policy.predicates import facts_of
from sipguard.screening.route import RouteTable, Way
from sipguard.screening.shapes import asked_of
from sipguard.screening.shapesasked import NO_SHAPES, ShapesAsked
from sipguard.screening.trunk import Listener, SignerFiles, Trunk
from sipguard.sip.secret import Account
from sipguard.stir.certificate import Anchors
from sipguard.stir.signer import Signer

OPEN: Final = "open"
CLOSED: Final = "closed"


@dataclass(frozen=True)
class Overload:
    """From when on work is shed; the age of the oldest datagram that was not read is the measure."""

    skip_verification_after_s: float = 0.1
    refuse_after_s: float = 0.4
    max_calls: int = 20_000


@dataclass(frozen=True, eq=False, kw_only=True)
class _Snapshot:
    """What a Ruleset and its plain form have in common."""

    revision: str
    policy: Policy
    trunks: Mapping[str, Trunk]
    listeners: Mapping[str, Listener]
    settings: Mapping[str, object]  # name of a check -> its Settings
    on_failure: Mapping[str, str]  # name of a check -> open | closed; open where it is not named
    complete_percent: float = 0.0  # of calls that run all checks, whatever the verdict needs
    emergency: GuardSettings = field(default_factory=GuardSettings)
    emergency_route: str = ""  # trunk that emergency calls leave by, "" for the route of their trunk
    mode: str = "enforce"  # enforce | report | bypass, until an operator says otherwise
    redress: Redress = field(default_factory=Redress)
    overload: Overload = field(default_factory=Overload)
    stale_s: float = 86_400.0  # how long what a name led to is used after its TTL, where DNS does not answer
    site: str = ""
    node: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class PlainRuleset(_Snapshot):
    """A Ruleset before it was opened: only values, so it can be pickled and sent to a worker."""

    lists: tuple[ListSpec, ...] = ()
    anchors: tuple[bytes, ...] = ()  # PEM
    signers: Mapping[str, SignerFiles] = field(default_factory=dict)
    plan_file: str = ""  # numbering plan, "" where no rule asks for it
    plan_dates: tuple[PlanDate, ...] = ()  # of when plan and report are
    npas: frozenset[str] = frozenset()  # area codes in service, empty for those of the plan


@dataclass(frozen=True, eq=False, kw_only=True)
class Ruleset(_Snapshot):
    """The snapshot that calls are screened by."""

    lists: Lists
    anchors: Anchors
    policies: Mapping[str, CompiledPolicy]
    plan: Plan = NO_PLAN
    accounts: Mapping[str, Account] = field(default_factory=dict)  # name of a trunk -> for its challenges
    routes: Mapping[str, RouteTable] = field(
        default_factory=dict
    )  # name of the trunk that calls come from -> where they leave
    ways: Mapping[str, Way] = field(default_factory=dict)  # name of a trunk -> the way by it alone
    signers: Mapping[str, Signer] = field(default_factory=dict)  # as they were when it was opened
    signer_names: frozenset[str] = frozenset()  # of all that are configured, also those whose keys cannot be used
    attestations: Mapping[str, Attestation] = field(default_factory=dict)  # name of a trunk with `sign`
    marks: frozenset[str] = ATTESTING  # headers that only sipguard may write
    shapes: ShapesAsked = NO_SHAPES  # what its rules ask of counters beyond attempts

    def compiled(self, trunk_name: str) -> CompiledPolicy:
        """The policy as it stands for calls from this trunk. KeyError where there is no such trunk."""
        return self.policies[trunk_name]

    @classmethod
    def open(
        cls,
        plain: PlainRuleset,
        accounts: Mapping[str, Account] | None = None,
        signers: Mapping[str, Signer] | None = None,
        overlay: Overlay | None = None,
    ) -> Ruleset:
        """Maps the lists, reads the anchors, compiles the policy. `accounts` and `signers` were read from files;
        `overlay` holds what lists were edited by, now and later.

        Raises the errors of `Lists.open`, `Plan.open` and of `Anchors` where a file changed since it was checked.
        """
        common = {each.name: getattr(plain, each.name) for each in fields(_Snapshot)}
        costs = {name: check.COST for name, check in CHECKS.items()}
        policies = {name: compile_policy(plain.policy, trunk, costs) for name, trunk in plain.trunks.items()}
        return cls(
            lists=Lists.open(plain.lists, overlay),
            anchors=Anchors.read(plain.anchors),
            policies=policies,
            plan=Plan.open(plain.plan_file, plain.npas),
            accounts=accounts or {},
            routes={name: RouteTable(trunk, plain.trunks) for name, trunk in plain.trunks.items()},
            ways={name: Way([trunk]) for name, trunk in plain.trunks.items()},
            signers=signers or {},
            signer_names=frozenset(plain.signers),
            attestations={
                name: Attestation(trunk, trunk.sign, costs)
                for name, trunk in plain.trunks.items()
                if trunk.sign is not None
            },
            marks=marks_of(plain.policy, plain.trunks.values()),
            shapes=_shapes(plain),
            **common,
        )


def _shapes(plain: PlainRuleset) -> ShapesAsked:
    """The facts of shapes that rules ask for, those by which calls are signed included, and those that labels write."""
    settings = plain.settings.get("rate")
    if not isinstance(settings, rate.Settings):
        return NO_SHAPES
    names: set[str] = set()
    for rule in plain.policy.rules:
        names |= facts_of(rule.when)
        if rule.label is not None:
            for text in (rule.label.prefix, *[value for _, value in rule.label.headers]):
                names.update(piece.partition("}")[0] for piece in text.split("{")[1:])
    for trunk in plain.trunks.values():
        if trunk.sign is not None:
            for each in trunk.sign.rules:
                names |= facts_of(each.when)
    return asked_of(names, do_not_call_of(plain), settings.count_all)


def do_not_call_of(plain: PlainRuleset) -> tuple[str, ...]:
    """The lists whose numbers are not to be called, () where one of them is missing."""
    settings = plain.settings.get("rate")
    names = settings.do_not_call if isinstance(settings, rate.Settings) else ()
    known = {spec.name for spec in plain.lists if not spec.missing}
    return names if known.issuperset(names) else ()
