"""Facts of shapes: what each says, which of them somebody asks for, their values for one call.

Enters: names of facts that rules ask for, the Tally of a call. Leaves: SPECS, a ShapesAsked, facts. Must not: count
anything by itself but a signer, which only verification knows.

Only what some rule asks for is counted, and only that is told: calls of a policy without shapes pay for none.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING, Final

from sipguard.numbers.canonical import E164, Number, goes_abroad
from sipguard.screening.counters import Keys, turn
from sipguard.screening.finding import Context, FactSpec, FactValue
from sipguard.screening.shape import (
    ABROAD,
    ANSWERED,
    CALLEES,
    CALLERS,
    COUNTED,
    FINISHED,
    HOUR_MS,
    IN_SEQUENCE,
    LASTING,
    LISTED,
    LOOKED_AT,
    MINUTE_MS,
    NEAR,
    NEIGHBOURS,
    ON_LIST,
    ONE_RING,
    SEQUENTIAL,
    SHORT,
    TALKING,
    TO_ABROAD,
    USUAL,
    Shape,
    Tally,
)
from sipguard.screening.shapesasked import (
    CALLEE,
    CALLER,
    KINDS,
    PREFIX,
    SIGNER,
    TRUNK,
    Read,
    ShapeFact,
    ShapesAsked,
    Value,
)

if TYPE_CHECKING:
    from sipguard.screening.attempt import CallAttempt


def _attempts_1m(shape: Shape, at_ms: int) -> Value:
    return shape.attempts_1m(at_ms)


def _attempts_1h(shape: Shape, at_ms: int) -> Value:
    return shape.attempts_1h(at_ms)


def _concurrent(shape: Shape, at_ms: int) -> Value:
    return shape.concurrent


def _answer_ratio(shape: Shape, at_ms: int) -> Value:
    return shape.share(ANSWERED, FINISHED, at_ms)


def _minutes(shape: Shape, at_ms: int) -> Value:
    return shape.minutes(at_ms)


def _mean_duration(shape: Shape, at_ms: int) -> Value:
    return shape.mean_s(at_ms)


def _short_ratio(shape: Shape, at_ms: int) -> Value:
    return shape.share(SHORT, ANSWERED, at_ms)  # not of those that ended: short ones do so first


def _one_ring_ratio(shape: Shape, at_ms: int) -> Value:
    return shape.share(ONE_RING, FINISHED, at_ms)


def _callers(shape: Shape, at_ms: int) -> Value:
    return shape.callers(at_ms)


def _callees(shape: Shape, at_ms: int) -> Value:
    return shape.callees(at_ms)


def _callers_per_call(shape: Shape, at_ms: int) -> Value:
    return shape.callers_per_call(at_ms)


def _sequential_ratio(shape: Shape, at_ms: int) -> Value:
    return shape.share(SEQUENTIAL, LOOKED_AT, at_ms)


def _dnc_ratio(shape: Shape, at_ms: int) -> Value:
    return shape.share(ON_LIST, LOOKED_AT, at_ms)


def _neighbour_ratio(shape: Shape, at_ms: int) -> Value:
    return shape.share(NEIGHBOURS, LOOKED_AT, at_ms)


def _abroad_ratio(shape: Shape, at_ms: int) -> Value:
    return shape.share(TO_ABROAD, LOOKED_AT, at_ms)


def _attempts_over_usual(shape: Shape, at_ms: int) -> Value:
    return shape.usual.attempts_over(shape.attempts_1h(at_ms)) if shape.usual is not None else None


def _abroad_over_usual(shape: Shape, at_ms: int) -> Value:
    calls = (shape.total(TO_ABROAD, at_ms) + HOUR_MS // 2) // HOUR_MS
    return shape.usual.abroad_over(calls) if shape.usual is not None else None


def _abroad_ratio_over_usual(shape: Shape, at_ms: int) -> Value:
    share = shape.share(TO_ABROAD, LOOKED_AT, at_ms)
    return shape.usual.share_over(share) if shape.usual is not None and share is not None else None


PREFIX_DIGITS: Final = 7  # of an E.164 number, country code included: NPA-NXX in North America
DIALOG_LONGEST: Final = 200  # characters that tell dialogs apart; whoever calls writes them
VIA_LONGEST: Final = 200
_ALL: Final = KINDS
_CALLING: Final = (CALLER, TRUNK, SIGNER)
_MANY: Final = (TRUNK, SIGNER)
_TABLE: Final[tuple[tuple[str, tuple[str, ...], int, Read, str, str], ...]] = (
    ("attempts_1m", _ALL, COUNTED, _attempts_1m, "", "attempts {of}, last minute, this one included"),
    ("attempts_1h", _ALL, COUNTED, _attempts_1h, "", "attempts {of}, last hour, this one included"),
    ("concurrent", _ALL, LASTING, _concurrent, "", "attempts {of} that have not ended yet, this one included"),
    (
        "minutes_1h",
        _ALL,
        TALKING,
        _minutes,
        "min",
        "minutes talked in all calls {of}, last hour, those that have not ended included",
    ),
    (
        "answer_ratio_1h",
        _ALL,
        LASTING,
        _answer_ratio,
        "",
        "share of the finished attempts {of} that were answered, last hour",
    ),
    (
        "mean_duration_1h",
        _ALL,
        LASTING,
        _mean_duration,
        "s",
        "mean duration of the answered calls {of} that ended in the last hour",
    ),
    (
        "short_ratio_1h",
        _ALL,
        LASTING,
        _short_ratio,
        "",
        "share of the answered calls {of} that ended within 6 s, last hour",
    ),
    (
        "one_ring_ratio_1h",
        _ALL,
        LASTING,
        _one_ring_ratio,
        "",
        "share of the finished attempts {of} that the calling side gave up within 5 s, last hour",
    ),
    ("callees_1h", _CALLING, CALLEES, _callees, "", "different numbers called {of}, last hour"),
    (
        "callees_1h",
        (PREFIX,),
        CALLEES,
        _callees,
        "",
        "different numbers of the called prefix that were called, last hour",
    ),
    ("callers_1h", (CALLEE, PREFIX, *_MANY), CALLERS, _callers, "", "different numbers of callers {of}, last hour"),
    (
        "callers_per_call_1h",
        _MANY,
        CALLERS,
        _callers_per_call,
        "",
        "different numbers of callers to attempts {of}, last hour; 1.0 where each call has its own",
    ),
    (
        "sequential_ratio_1h",
        _CALLING,
        IN_SEQUENCE,
        _sequential_ratio,
        "",
        "share of the attempts {of} to a number that is 1 to 10 above or below one of the last called, last hour",
    ),
    (
        "dnc_ratio_1h",
        _CALLING,
        LISTED,
        _dnc_ratio,
        "",
        "share of the attempts {of} to a number on a list of `do_not_call`, last hour; absent where one of these is"
        " missing",
    ),
    (
        "neighbour_ratio_1h",
        _MANY,
        NEAR,
        _neighbour_ratio,
        "",
        "share of the attempts {of} whose number shown has area code and exchange of the number called, last hour",
    ),
    (
        "abroad_ratio_1h",
        _CALLING,
        ABROAD,
        _abroad_ratio,
        "",
        "share of the attempts {of} to another country, the Caribbean included, or to a premium number, last hour",
    ),
    (
        "attempts_over_usual_1h",
        (TRUNK,),
        USUAL,
        _attempts_over_usual,
        "",
        "attempts {of}, last hour, to what is usual there at this hour of the week, 1.0 for as many; absent until two"
        " such hours were seen",
    ),
    (
        "abroad_over_usual_1h",
        (TRUNK,),
        USUAL | ABROAD,
        _abroad_over_usual,
        "",
        "attempts {of} to another country or a premium number, last hour, to what is usual there at this hour of the"
        " week; absent until two such hours were seen",
    ),
    (
        "abroad_ratio_over_usual_1h",
        (TRUNK,),
        USUAL | ABROAD,
        _abroad_ratio_over_usual,
        "",
        "share of the attempts {of} to another country or a premium number, last hour, to the share that is usual there"
        " at this hour of the week; absent until two such hours were seen",
    ),
)
_OF: Final = {
    CALLER: "by the caller",
    CALLEE: "to the called number",
    PREFIX: "to the called prefix",
    TRUNK: "on the trunk",
    SIGNER: "that the signer of this call has signed",
}
_FACTS: Final[dict[str, tuple[str, ShapeFact]]] = {
    f"rate.{kind}.{name}": (kind, ShapeFact(f"rate.{kind}.{name}", asks, read))
    for kind in KINDS
    for name, kinds, asks, read, _, _ in _TABLE
    if kind in kinds
}


def _most(name: str) -> float:
    """What a fact is not above: a share of calls not above all of them."""
    return 1.0 if "_ratio_" in name else inf


def specs(*kinds: str) -> tuple[FactSpec, ...]:
    """The facts of some kinds of key."""
    return tuple(
        [
            FactSpec(f"rate.{kind}.{name}", "number", what.format(of=_OF[kind]), unit, (), 0.0, _most(name))
            for kind in kinds
            for name, of_kinds, _, _, unit, what in _TABLE
            if kind in of_kinds
        ]
    )


def asked_of(names: Iterable[str], do_not_call: tuple[str, ...], everything: bool = False) -> ShapesAsked:
    """What is asked by rules that name these facts, of any check; all of it where `everything` is.

    Attempts of callers and trunks are counted in any case. With no `do_not_call` lists their share is asked by nobody.
    """
    asked = set(_FACTS) if everything else set(names)
    by_kind: dict[str, tuple[ShapeFact, ...]] = {}
    for name, (kind, fact) in _FACTS.items():
        if name not in asked or (fact.asks == LISTED and not do_not_call):
            continue
        if fact.asks == COUNTED and kind in (CALLER, TRUNK):
            continue
        by_kind[kind] = (*by_kind.get(kind, ()), fact)
    looks = any(fact.asks == LISTED for facts in by_kind.values() for fact in facts)
    return ShapesAsked(by_kind, do_not_call if looks else ())


def begin(
    attempt: CallAttempt, context: Context, now: float, lasting: bool, from_tag: str = "", via: str = ""
) -> Tally | None:
    """Counts a call that has begun, on the clock of the counters; see `Counters.begin`."""
    counters = context.counters
    wanted = counters.wanted
    if not wanted.looks:
        counters.count(attempt.trunk.name, attempt.caller.tn, now)
        return None
    callee = attempt.callee.tn
    names = wanted.do_not_call
    listed = bool(names) and context.lists.any_has(names, callee, attempt.received_at)
    caller, dialog = attempt.caller.tn, ""
    if from_tag:  # with the caller: whoever calls may write the rest as he likes
        dialog = f"{caller} {from_tag} {attempt.call_id}"[:DIALOG_LONGEST]
    prefix = prefix_of(attempt.callee) if wanted.prefix else ""
    abroad, hour = False, -1
    if wanted.looks & (ABROAD | USUAL):
        abroad = goes_abroad(attempt.callee, attempt.trunk.read.default_cc)
        hour = int(attempt.received_at // 3600.0)
    tally = counters.begin(
        attempt.trunk.name, caller, callee, now, attempt.shown.tn, listed, lasting, dialog, prefix,
        via[:VIA_LONGEST], abroad, hour,
    )  # fmt: skip
    attempt.tally = tally
    return tally


def prefix_of(callee: Number) -> str:
    """The first digits of a called number, "" where it is not complete.

    Counted from the front: many of the numbers that are pumped are longer or shorter than their plan has them, and who
    dials more digits stays in the prefix. Seven are NPA-NXX in North America, a block of 10,000 numbers; elsewhere a
    block of 1,000 to 100,000, as regulators assign them and rate decks name them; and all of the identification code of
    a network behind +882 and +883 (ITU-T E.164.1).
    """
    return callee.tn[:PREFIX_DIGITS] if callee.form == E164 else ""


def shape_of(counted: Shape | None, keys: Keys, key: str, at_ms: int) -> Shape:
    """The shape that a call was counted for, its windows at `at_ms`; without one what is known of its key.

    A key that was never counted has done nothing.
    """
    shape = counted if counted is not None else keys.of(key)
    if shape is None:
        return Shape(at_ms // MINUTE_MS)
    turn(shape, at_ms)
    return shape


def tell(
    facts: dict[str, FactValue], asked: tuple[ShapeFact, ...], shape: Shape, tally: Tally | None, at_ms: int
) -> None:
    """Adds what is asked of one key of a call to its facts.

    Of a call whose end will not be seen nothing is told that depends on ends.
    """
    for fact in asked:
        if fact.asks & (LASTING | TALKING) and tally is not None and not tally.lasting:
            continue
        value = fact.read(shape, at_ms)
        if value is not None:
            facts[fact.name] = value


def tell_signer(
    facts: dict[str, FactValue], attempt: CallAttempt, spc: tuple[str, ...], organisation: str, context: Context
) -> None:
    """Counts a call whose signature was verified for its signer, and adds what is asked of that to its facts."""
    signer = spc[0] if spc else f"={organisation}" if organisation else ""
    if not signer:
        return
    counters, tally = context.counters, attempt.tally
    if tally is not None:
        counters.signed(tally, signer)
    at_ms = counters.at_ms
    shape = shape_of(tally.signer if tally is not None else None, counters.signers, signer, at_ms)
    tell(facts, context.shapes.signer, shape, tally, at_ms)
