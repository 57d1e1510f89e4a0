"""The states in which an emergency call must reach a peer: what is changed in the engine before it comes.

Enters: a Ruleset, an engine. Leaves: the Ruleset of a state, an engine in that state, the time that its calls come at.
Must not: know a form, or judge what comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from sipguard.b2bua.commands import Clock, Drain, Mode, Reload
from sipguard.numbers.textset import TextSet
from sipguard.screening.checks import CHECKS
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import NUMBERS_OF
from sipguard.screening.overlay import Overlay
from sipguard.screening.ruleset import CLOSED, Overload, Ruleset
from sipguard.screening.textlists import TextLists
from sipguard.screening.trunk import Trunk

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.sip.flow import Address

NOW: Final = 1000.0  # monotonic seconds of every call
SILENT_S: Final = 3600.0  # for how long a next hop has asked to be left alone


@dataclass(frozen=True, slots=True)
class State:
    """One state. `ruleset` makes its Ruleset of the configured one; `enter` brings an engine into it, once; `before`
    is done before each call from a trunk, `after` once its INVITE has left. `stops` says that a usual call is refused.
    """

    name: str
    what: str
    ruleset: Callable[[Ruleset], Ruleset] = lambda ruleset: ruleset
    enter: Callable[[Engine, Clock], object] | None = None
    before: Callable[[Engine, Trunk, Clock], object] | None = None
    after: Callable[[Engine, Ruleset, Clock], object] | None = None
    last: Callable[[Engine, Ruleset, Clock], object] | None = None  # done when the call has been answered
    backlog_s: Callable[[Overload], float] = lambda overload: 0.0
    applies: Callable[[Ruleset, Trunk], bool] = lambda ruleset, trunk: True
    stops: bool = False
    signed: bool = False  # its calls carry an Identity whose certificate is not at hand
    answered: bool = False  # the next hop answers, and the answer must reach the caller
    refusing: str = ""  # status line with which each peer that is tried refuses: all others must be tried


def states() -> tuple[State, ...]:
    """All states, the usual one first."""
    return (
        State("normal", "nothing is amiss", answered=True),
        *_of_load(),
        State("draining", "sipguard drains", enter=lambda e, c: e.control(Drain(), c), stops=True),
        State("report", "mode report", enter=lambda e, c: e.control(Mode("report"), c)),
        State("bypass", "mode bypass", enter=lambda e, c: e.control(Mode("bypass"), c)),
        State("certificate", "its Identity needs a certificate that is not at hand", signed=True),
        *(_check_breaks(name) for name in CHECKS),
        State("listed", "every number is on every list", ruleset=_all_listed),
        State("reloading", "a reload comes while the call is under way", after=_reload, answered=True),
        State(
            "replaced",
            "a Ruleset without its trunk and peers comes while the call is under way",
            after=_replace,
            last=_reload,
            answered=True,
        ),
        State("failover", "the peers that are tried answer 503", refusing="503 Service Unavailable"),
        State("down", "probes find all peers of its first trunk down", before=_down),
        State("silence", "all peers of its first trunk have asked to be left alone", before=_silence),
    )


def _of_load() -> tuple[State, ...]:
    return (
        State(
            "shedding",
            "the socket is behind: verification is skipped",
            backlog_s=lambda overload: overload.skip_verification_after_s + 0.001,
            signed=True,
        ),
        State(
            "overload",
            "the socket is far behind: calls are turned away",
            backlog_s=lambda overload: overload.refuse_after_s + 1.0,
            stops=True,
        ),
        State("full", "overload.max_calls is reached", ruleset=_full, stops=True),
        State(
            "calls",
            "the trunk's limit of calls is reached",
            before=_calls_reached,
            applies=lambda _, trunk: bool(trunk.limits.calls),
            stops=True,
        ),
        State(
            "cps",
            "the trunk's limit of calls a second is reached",
            before=_rate_reached,
            applies=lambda _, trunk: bool(trunk.limits.cps),
            stops=True,
        ),
    )


def _full(ruleset: Ruleset) -> Ruleset:
    """No call fits: the table is as full with none as the configured one is with max_calls."""
    return replace(ruleset, overload=replace(ruleset.overload, max_calls=0))


def _calls_reached(engine: Engine, trunk: Trunk, clock: Clock) -> None:
    engine.load_of(trunk).calls = trunk.limits.calls


def _rate_reached(engine: Engine, trunk: Trunk, clock: Clock) -> None:
    load, limits = engine.load_of(trunk), replace(trunk.limits, calls=0)
    while not load.admit(limits, clock.now):
        pass


def _check_breaks(name: str) -> State:
    """A check without its settings has failed, and no check may."""

    def ruleset(given: Ruleset) -> Ruleset:
        settings: Mapping[str, object] = {key: value for key, value in given.settings.items() if key != name}
        return replace(given, settings=settings, on_failure=dict.fromkeys(CHECKS, CLOSED))

    return State(
        f"check_{name}", f"check {name} has failed, all checks on_failure: closed", ruleset=ruleset, signed=True
    )


class Everything(frozenset[Any]):
    """A list that holds whatever it is asked for."""

    def __contains__(self, member: object) -> bool:
        return True


def _all_listed(given: Ruleset) -> Ruleset:
    """Lists that a caller may come onto tomorrow must harm nobody."""
    names, every, text = given.lists.names, Everything(), TextSet.of(["*"])
    bound = {which: tuple((name, every) for name in names[which]) for which in NUMBERS_OF}
    lists = Lists(bound, tuple((name, every) for name in names["pair"]))
    if names["upstream"]:
        lists.upstream = TextLists([(name, text) for name in names["upstream"]], (), Overlay())
    if names["signer"]:
        lists.signer = TextLists([(name, text) for name in names["signer"]], (), Overlay())
    return replace(given, lists=lists)


def _reload(engine: Engine, ruleset: Ruleset, clock: Clock) -> None:
    engine.control(Reload(ruleset), clock)


def _replace(engine: Engine, ruleset: Ruleset, clock: Clock) -> None:
    """What a reload or a rollback may bring at most: none of what the call was sent by is left."""
    engine.control(Reload(replace(ruleset, trunks={}, routes={}, ways={}, policies={}, emergency_route="")), clock)


def first_trunk(ruleset: Ruleset, trunk: Trunk) -> Trunk | None:
    """The trunk that an emergency call from `trunk` tries first, None where it has no way at all."""
    if ruleset.emergency_route in ruleset.trunks:
        return ruleset.trunks[ruleset.emergency_route]
    every = ruleset.routes[trunk.name].every if trunk.name in ruleset.routes else []
    return every[0] if every else None


def peers_of(engine: Engine, ruleset: Ruleset, trunk: Trunk) -> set[Address]:
    """Where an emergency call from `trunk` may be sent to: by emergency.route, and by all routes of its own."""
    ways = list(ruleset.routes[trunk.name].every) if trunk.name in ruleset.routes else []
    if ruleset.emergency_route in ruleset.trunks:
        ways.append(ruleset.trunks[ruleset.emergency_route])
    return {(peer.host, peer.port) for way in ways for peer in engine.peers.every(way)}


def _down(engine: Engine, trunk: Trunk, clock: Clock) -> None:
    first = first_trunk(engine.ruleset, trunk)
    engine.peers.forget("probed", ())
    for peer in engine.peers.every(first) if first is not None else ():
        engine.peers.probed_down(peer, first or trunk)


def _silence(engine: Engine, trunk: Trunk, clock: Clock) -> None:
    first = first_trunk(engine.ruleset, trunk)
    engine.peers.forget("retry_after", ())
    for peer in engine.peers.every(first) if first is not None else ():
        engine.peers.refused(peer, replace(first or trunk, retry_after_limit_s=SILENT_S), SILENT_S, clock.now)
