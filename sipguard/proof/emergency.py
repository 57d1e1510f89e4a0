"""Every emergency call of every trunk in every state, placed through the real engine.

Enters: a Ruleset, who makes engines, what time it is, how long it may take. Leaves: Proved: how many calls were placed,
and a counterexample for each thing that is wrong. Must not: wait, open a socket, or model the product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from sipguard.b2bua.commands import Clock, Resolved
from sipguard.b2bua.engine import Engine
from sipguard.proof.calls import Entry, Outcome, answer, entries_of, place, refuse, unknown_identity
from sipguard.proof.forms import CALLEE, Form, Forms
from sipguard.proof.judgement import Fault, Path, fault_of
from sipguard.proof.likeness import alike
from sipguard.proof.states import NOW, State, peers_of, states
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.sip.locate import Answer
from sipguard.sip.locate import Place as Found
from sipguard.stir.certificate import CertificateStore

if TYPE_CHECKING:
    from sipguard.sip.flow import Address

MakeEngine = Callable[[Ruleset], Engine]

USUAL: Final = Form("usual", f"sip:{CALLEE}@{{host}}", "number", CALLEE[2:])
STANDS_FOR_NAMES: Final = {4: "192.0.2.200", 6: "2001:db8::c8"}  # where names of peers lead to, as none is asked
TTL_S: Final = 1e9


@dataclass(frozen=True, slots=True)
class Counterexample:
    """One call that is harmed, and how many like it are."""

    trunk: str
    form: str
    state: str
    what: str  # the state in words
    invite: str  # start line and headers as they came in
    kind: str
    happened: str
    path: Path
    mend: str
    like: int = 1  # calls that the same setting harms in the same way
    trunks: tuple[str, ...] = ()  # whose calls it harms so, this one first


@dataclass
class Proved:
    """What the calls came to. By state: what it is and how many emergency calls were placed in it; `refused`: how many
    usual calls were, of how many."""

    calls: int = 0
    states: dict[str, tuple[str, int]] = field(default_factory=dict)
    stands_for: int = 0  # calls of all trunks that these stand for
    trunks: int = 0  # that calls come in by
    called_from: int = 0  # groups of like ones
    left_out: list[str] = field(default_factory=list)
    refused: dict[str, tuple[int, int]] = field(default_factory=dict)
    not_done: list[str] = field(default_factory=list)  # trunks that there was no time for
    counterexamples: list[Counterexample] = field(default_factory=list)


class Octets:
    """Octets that look like chance and are the same in every proof."""

    __slots__ = ("_n",)

    def __init__(self) -> None:
        self._n = 0

    def __call__(self, n: int) -> bytes:
        found = b""
        while len(found) < n:
            self._n += 1
            found += sha256(str(self._n).encode()).digest()
        return found[:n]


def new_engine(ruleset: Ruleset) -> Engine:
    """The engine as a worker has it, with no certificate at hand."""
    return Engine(ruleset, CertificateStore(), Octets(), lambda: 0.0)


def prove_emergencies(
    ruleset: Ruleset, at: float, over: Callable[[], bool] = lambda: False, make: MakeEngine = new_engine
) -> Proved:
    """Places the calls, at Unix seconds `at`; ends early where `over` says that there is no more time."""
    return _Proof(ruleset, at, over, make).run()


class _Proof:
    """One run. A group of like trunks is gone through as a whole, so what was proved is proved of whole trunks."""

    def __init__(self, ruleset: Ruleset, at: float, over: Callable[[], bool], make: MakeEngine) -> None:
        self._ruleset = ruleset
        self._at = at
        self._over = over
        self._proved = Proved()
        self._found: dict[tuple[str, Path, str], int] = {}
        self._identity = unknown_identity(at)
        self._places: dict[str, dict[Address, list[str]]] = {}
        self._states: list[tuple[State, Ruleset, Engine, Clock]] = []
        for state in states():
            changed = state.ruleset(ruleset)
            clock = Clock(NOW, at, state.backlog_s(ruleset.overload))
            engine = make(changed)
            _resolve(engine, changed, clock)
            if state.enter is not None:
                state.enter(engine, clock)
            self._states.append((state, changed, engine, clock))
            self._places[state.name] = _places(engine, changed)

    def run(self) -> Proved:
        """All groups, as far as time allows."""
        proved = self._proved
        usual = self._states[0][2]
        entries: dict[str, list[Entry]] = {}
        for trunk in self._ruleset.trunks.values():
            found, left_out = entries_of(usual, trunk)
            proved.left_out += left_out
            if found:
                entries[trunk.name] = found
        groups = alike(self._ruleset, [self._ruleset.trunks[name] for name in entries])
        proved.trunks, proved.called_from = len(entries), len(groups)
        for group in groups:
            if not self._group(group, entries[group[0].name]):
                proved.not_done += [trunk.name for trunk in group]
        return proved

    def _group(self, group: Sequence[Trunk], entries: Sequence[Entry]) -> bool:
        """All calls of one group; False where time was over before the last."""
        trunk = group[0]
        forms = Forms(trunk, self._ruleset.emergency)
        self._proved.left_out += [each for each in forms.left_out if each not in self._proved.left_out]
        for entry in entries:
            for state, ruleset, engine, clock in self._states:
                if self._over():
                    return False
                if not state.applies(ruleset, trunk):
                    continue
                self._usual(entry, state, engine, clock)
                for form in forms.all:
                    outcome = self._call(entry, form, state, engine, clock)
                    self._proved.stands_for += len(group)
                    self._proved.states[state.name] = state.what, self._proved.states.get(state.name, ("", 0))[1] + 1
                    fault = fault_of(outcome, entry, form, state, ruleset, self._places[state.name])
                    if fault is not None:
                        self._note(fault, outcome, entry, form, state, group)
        return True

    def _usual(self, entry: Entry, state: State, engine: Engine, clock: Clock) -> None:
        """A usual call, to see that the state is what it says: it is refused where usual calls are to be."""
        if state.before is not None:
            state.before(engine, entry.trunk, clock)
        outcome = place(engine, entry, USUAL, clock, self._number(), "")
        refused, of = self._proved.refused.get(state.name, (0, 0))
        self._proved.refused[state.name] = refused + bool(outcome.answer and not outcome.invites), of + 1

    def _call(self, entry: Entry, form: Form, state: State, engine: Engine, clock: Clock) -> Outcome:
        if state.before is not None:
            state.before(engine, entry.trunk, clock)
        outcome = place(engine, entry, form, clock, self._number(), self._identity if state.signed else "")
        if state.after is not None:
            state.after(engine, self._ruleset, clock)
        if state.answered and outcome.invites:
            answer(engine, outcome, clock)
        if state.refusing and outcome.invites:
            outcome.awaited = peers_of(engine, self._ruleset, entry.trunk)
            refuse(engine, outcome, clock, state.refusing, len(outcome.awaited) + 1)
        if state.last is not None:
            state.last(engine, self._ruleset, clock)
            _resolve(engine, self._ruleset, clock)  # names of peers that were gone are asked for before they are used
        return outcome

    def _number(self) -> int:
        self._proved.calls += 1
        return self._proved.calls

    def _note(
        self, fault: Fault, outcome: Outcome, entry: Entry, form: Form, state: State, group: Sequence[Trunk]
    ) -> None:
        """Keeps the first call of each kind, and counts those like it."""
        key = (fault.kind, fault.path, "" if fault.kind == "digits" else state.name)
        kept = self._proved.counterexamples
        at = self._found.get(key)
        if at is not None:
            kept[at] = _with_more(kept[at], group)
            return
        self._found[key] = len(kept)
        kept.append(
            Counterexample(
                trunk=entry.trunk.name,
                form=form.name,
                state=state.name,
                what=state.what,
                invite=outcome.message.rstrip(),
                kind=fault.kind,
                happened=fault.happened,
                path=fault.path,
                mend=fault.mend,
                like=len(group),
                trunks=tuple(trunk.name for trunk in group),
            )
        )


def _with_more(found: Counterexample, group: Sequence[Trunk]) -> Counterexample:
    """One more call like it, from each trunk of a group."""
    trunks = dict.fromkeys((*found.trunks, *(trunk.name for trunk in group)))
    return replace(found, like=found.like + len(group), trunks=tuple(trunks))


def _places(engine: Engine, ruleset: Ruleset) -> dict[Address, list[str]]:
    """Where peers are -> names of the trunks that have one there."""
    found: dict[Address, list[str]] = {}
    for trunk in ruleset.trunks.values():
        for peer in engine.peers.every(trunk):
            found.setdefault((peer.host, peer.port), []).append(trunk.name)
    return found


def _resolve(engine: Engine, ruleset: Ruleset, clock: Clock) -> None:
    """Has every name of peers lead to an address: that names resolve is not what is proved."""
    for trunk in ruleset.trunks.values():
        for named in trunk.named:
            query = named.query
            places = tuple(
                Found(transport, query.port or 5060, tuple(STANDS_FOR_NAMES[each] for each in families))
                for transport, families in zip(query.transports, query.families, strict=True)
            )
            engine.control(Resolved(query, Answer(places, TTL_S)), clock)
