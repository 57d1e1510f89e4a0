"""From an INVITE to its verdict, and from the verdict to what is done.

Enters: a new INVITE from an admitted source. Leaves: a Call that was refused, forwarded, or waits for something.
Must not: be asked twice for one INVITE; retransmissions end in the transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import frames, privacy, refresh
from sipguard.b2bua.call import Call
from sipguard.b2bua.commands import Record
from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.extensions import unknown_extensions
from sipguard.b2bua.forwarding import bare_lines, prepare_lines
from sipguard.b2bua.leg import B
from sipguard.b2bua.loops import is_loop, is_spiral, sent_first
from sipguard.b2bua.naming import NAMING, asked_for
from sipguard.b2bua.redirecting import given_back
from sipguard.b2bua.setup import Setup
from sipguard.b2bua.setup_table import SCREENING
from sipguard.screening import guard, shapes
from sipguard.screening.attempt import CallAttempt, bare_attempt, read_attempt
from sipguard.screening.finding import Waiting
from sipguard.screening.pipeline import Screening, admit, break_off, screen, skip
from sipguard.screening.pipeline import give_up as give_up_check
from sipguard.screening.route import Way
from sipguard.screening.trunk import Peer
from sipguard.screening.verdict import (
    ALLOW,
    BYPASS,
    BYPASS_RULE,
    EMERGENCY_RULE,
    ENFORCE,
    LABEL,
    LIMIT_RULE,
    REDIRECT,
    REJECT,
    REPORT,
    UNSCREENED_RULE,
    Verdict,
)
from sipguard.sip.compose import local_response
from sipguard.sip.message import Request
from sipguard.sip.transaction import ServerTransaction
from sipguard.sip.uri import user_of

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.peers import Hop
    from sipguard.screening.trunk import RedirectRules, Trunk

_INVITES: Final = INDEX["invites"]
_EMERGENCIES: Final = INDEX["emergencies"]
_SHED_CALLS: Final = INDEX["shed_calls"]
_SHED_VERIFICATION: Final = INDEX["shed_verification"]
_DRAINING: Final = INDEX["refused_draining"]
_BYPASSED: Final = INDEX["bypassed"]
_REPORTED: Final = INDEX["reported"]
_BY_ACTION: Final = {
    ALLOW: INDEX["allowed"], LABEL: INDEX["labelled"], REJECT: INDEX["rejected"], REDIRECT: INDEX["redirected"],
}  # fmt: skip
_BY_RESULT: Final = {result: INDEX[f"identity_{result}"] for result in ("passed", "failed", "none", "unsupported")}

_BYPASS: Final = Verdict(ALLOW, BYPASS_RULE)
_EMERGENCY: Final = Verdict(ALLOW, EMERGENCY_RULE)
_UNSCREENED: Final = Verdict(ALLOW, UNSCREENED_RULE)
_LIMITED: Final = Verdict(  # a 5xx would be read as our own trouble
    REJECT, LIMIT_RULE, status=480, phrase="Trunk Limit Reached"
)
NO_PEER: Final = (500, "No Peer Reachable")
NO_ROUTE: Final = (404, "No Route To Number")


def begin(engine: Engine, request: Request, server: ServerTransaction, trunk: Trunk) -> None:
    """Screens a new INVITE and does what the verdict says."""
    counts = engine.counts
    counts[_INVITES] += 1
    if is_loop(engine, request, trunk):
        engine.answer(server, request, 482, "Loop Detected")
        return
    attempt = attempt_of(engine, request, trunk)
    ruleset = engine.ruleset
    screening = Screening(None, engine.stopwatch)
    if not engine.tried(admit, screening, attempt, ruleset, engine.context):
        screening.emergency = guard.plainly(request.uri, ruleset.emergency)
    emergency = screening.emergency or ""
    if emergency:
        counts[_EMERGENCIES] += 1
    else:
        unknown = unknown_extensions(request)  # an emergency call is for who answers it to judge
        if unknown:
            engine.answer(server, request, 420, "Bad Extension", f"Unsupported: {unknown}")
            return
        timer = trunk.session_timer
        if timer is not None and refresh.too_short(request, timer):
            engine.answer(server, request, 422, "Session Interval Too Small", refresh.least(timer))
            return
        turned_away = _turned_away(engine)
        if turned_away:
            octets = local_response(server.head, server.to_line, engine.ids.token(), 503, turned_away)
            server.respond(503, octets, engine.clock.now)
            return
    engine.layer.at_work = call = Call(engine, ruleset, trunk, engine.flow, server.flow)
    call.emergency = emergency
    call.invited(request)
    setup = Setup(call, request, server, attempt, screening, engine.context)
    limit = "" if emergency else engine.load_of(trunk).admit(trunk.limits, engine.clock.now)
    if limit:
        counts[INDEX[f"limited_{limit}"]] += 1
        _limited(engine, setup)
        return
    if not call.a.prepare(request) and not (emergency and call.a.aim_at_source()):
        setup.refuse(400, "Contact Missing Or Malformed")
        call.close("")
        return
    engine.enter(call)
    mode = engine.mode_of(trunk)
    if mode == BYPASS:
        counts[_BYPASSED] += 1
        apply(engine, setup, _BYPASS, mode)
        return
    if emergency:
        engine.counters.count(trunk.name, attempt.caller.tn, engine.clock.now)
    elif not is_spiral(engine, request):
        lasting = engine.listeners[call.listener].listener.redirect is None
        via = sent_first(request) if engine.counters.wanted.looks else ""
        call.tally = shapes.begin(attempt, engine.context, engine.clock.now, lasting, request.from_tag, via)
    if engine.clock.backlog_s > engine.overload.skip_verification_after_s:
        skip(setup.screening, "identity", "overload")
        counts[_SHED_VERIFICATION] += 1
    go_on(engine, setup)


def attempt_of(engine: Engine, request: Request, trunk: Trunk) -> CallAttempt:
    """An INVITE as screening sees it."""
    at = request.at
    attempt = read_attempt(
        trunk,
        engine.clock.unix,
        request.uri,
        request.from_value,
        request.to_value,
        request.values("p-asserted-identity") if "p-asserted-identity" in at else (),
        request.values("diversion") if "diversion" in at else (),
        request.values("identity") if "identity" in at else (),
        request.value("priority") if "priority" in at else "",
        request.value("date") if "date" in at else "",
        request.call_id,
    )
    if "date" in at and request.keys.count("date") > 1:
        attempt.dates_differ = len(set(request.values("date"))) > 1
    if "resource-priority" in at:
        attempt.resource_priority = request.values("resource-priority")
    if engine.ruleset.lists.upstream is not None:
        attempt.source = engine.flow.remote[0]
        attempt.user_agent = request.value("user-agent") if "user-agent" in at else ""
    return attempt


def _turned_away(engine: Engine) -> str:
    """Why there is no room for any more calls, "" if there is. Never asked for an emergency call."""
    counts = engine.counts
    if engine.draining:
        counts[_DRAINING] += 1
        return "Draining"
    overload = engine.overload
    if engine.clock.backlog_s > overload.refuse_after_s or len(engine.calls) >= overload.max_calls:
        counts[_SHED_CALLS] += 1
        return "Overloaded"
    return ""


# ---------------------------------------------------------------------- where something broke


def resume(engine: Engine, setup: Setup) -> None:
    """Screening broke, or what follows it: the call goes on as one whose checks have failed, an emergency call plainly.

    Not twice: what breaks again ends the call. Without marks, since writing those may be what broke.
    """
    setup.resumed = setup.unmarked = True
    engine.awaiting.stop(setup)
    call = setup.call
    if call.emergency or setup.screening.emergency:
        _forward_plainly(engine, setup)
        return
    ruleset = call.ruleset
    verdict = break_off(setup.screening, ruleset.compiled(call.trunk.name), ruleset)
    apply(engine, setup, verdict, engine.mode_of(call.trunk))


def rescue(engine: Engine, request: Request, server: ServerTransaction) -> None:
    """An INVITE broke before there was a call: one that looks like an emergency by the plainest reading goes on."""
    ruleset = engine.ruleset
    emergency = guard.plainly(request.uri, ruleset.emergency)
    trunk = engine.sources.trunk_of(engine.flow)
    if not emergency or trunk is None:
        return
    call = Call(engine, ruleset, trunk, engine.flow, server.flow)
    call.emergency = emergency
    call.invited(request)
    attempt = bare_attempt(trunk, engine.clock.unix, request.uri, request.call_id)
    setup = Setup(call, request, server, attempt, Screening(emergency), engine.context)
    engine.counts[_EMERGENCIES] += 1
    setup.resumed = True
    _forward_plainly(engine, setup)


def try_next(setup: Setup) -> None:
    """An emergency call whose peer is lost by our own fault goes to the next one."""
    setup.plain = True
    bare_lines(setup)
    setup.try_next()


def _forward_plainly(engine: Engine, setup: Setup) -> None:
    """An emergency call goes on with nothing that is not needed to reach somebody."""
    call = setup.call
    if call.id not in engine.calls:
        if not engine.tried(call.a.prepare, setup.request) or not call.a.target:
            call.a.aim_at_source()
        engine.enter(call)
    setup.plain = setup.untouched = True
    setup.label, setup.told = None, ""
    way = _emergency_way(setup)
    hops = engine.peers.to_try(way, engine.clock.now, True) if way is not None else []
    rules = engine.listeners[call.listener].listener.redirect
    if rules is not None and engine.tried(
        _give_back, engine, setup, _EMERGENCY, engine.mode_of(call.trunk), rules, hops
    ):
        return
    bare_lines(setup)
    if not call.decided:
        route = hops[0][0].name if hops else ""
        _note(engine, setup, _EMERGENCY, engine.mode_of(call.trunk), route)
    if hops:
        setup.forward(hops)
    else:
        setup.refuse(*NO_PEER)
        call.close(frames.UNREACHABLE)


def record_broken(engine: Engine, setup: Setup) -> None:
    """The frames of a call that was ended because something broke."""
    call = setup.call
    if not call.decided:
        _note(engine, setup, _EMERGENCY if call.emergency else _UNSCREENED, engine.mode_of(call.trunk), "")
    call.record_end(frames.BROKEN)


# ---------------------------------------------------------------------- the verdict


def _limited(engine: Engine, setup: Setup) -> None:
    """Refuses a call above a trunk limit, unscreened, and records it. What overload or a drain turns away has no
    frame: shedding must cost little, and those calls come again elsewhere."""
    _note(engine, setup, _LIMITED, ENFORCE, "")
    setup.call.end_kept = True
    setup.refuse(_LIMITED.status, _LIMITED.phrase)
    setup.call.close("")


def go_on(engine: Engine, setup: Setup) -> None:
    """Screens as far as it goes: to a verdict, or until something is needed from outside.

    A call keeps the Ruleset and the lists that it began with, however long it waits.
    """
    call = setup.call
    ruleset = call.ruleset
    policy = ruleset.compiled(call.trunk.name)
    result = screen(setup.screening, setup.attempt, policy, ruleset, setup.context)
    if type(result) is Waiting:
        engine.awaiting.wait(setup, result.needs)
        return
    if setup.asked_for is not None:
        engine.awaiting.stop(setup)
    assert isinstance(result, Verdict)
    if setup.screening.emergency and not call.emergency:  # its certificate had to be fetched first
        engine.counts[_EMERGENCIES] += 1
        engine.lift(call, setup.screening.emergency)
    apply(engine, setup, result, engine.mode_of(call.trunk))


def give_up(engine: Engine, setup: Setup, check: str, reason: str) -> None:
    """What `check` waited for did not come in time."""
    if setup.state == SCREENING:
        give_up_check(setup.screening, setup.attempt, setup.call.ruleset, setup.context, check, reason)
        go_on(engine, setup)


def apply(engine: Engine, setup: Setup, verdict: Verdict, mode: str) -> None:
    """Records the verdict and carries it out."""
    call = setup.call
    engine.counts[_BY_ACTION[verdict.action]] += 1
    passes = verdict.goes_on or mode != ENFORCE
    if mode == REPORT and not verdict.goes_on:
        engine.counts[_REPORTED] += 1
    if verdict.reported:
        would = call.ruleset.compiled(call.trunk.name).would
        for name in verdict.reported:
            engine.reported[name, would[name]] = engine.reported.get((name, would[name]), 0) + 1
    way = _way(setup, verdict, mode) if passes else None
    peers = engine.peers
    hops = peers.to_try(way, engine.clock.now, bool(call.emergency)) if way is not None else []
    if way is not None and (not hops or peers.has_marks()):
        call.marked = peers.marked(way, engine.clock.now)
    if passes and verdict.redirect is None and not call.emergency and not NAMING.isdisjoint(setup.request.at):
        hops = _to_named(engine, setup) or hops
    lacking = ""
    if hops and "privacy" in setup.request.at and not call.emergency:
        hops, lacking = privacy.reachable(setup.request, hops)
    egress = hops[0][0] if hops else way.trunks[0] if way is not None and way.trunks else None
    if mode == BYPASS:
        call.a.untold = False
    setup.label = verdict.label if mode == ENFORCE else None
    setup.untouched = mode == BYPASS
    if call.trunk.reason_stir:
        setup.told = setup.screening.told()
    if passes:
        rules = engine.listeners[call.listener].listener.redirect
        if rules is not None:
            _give_back(engine, setup, verdict, mode, rules, hops)
            return
        if egress is not None:
            prepare_lines(setup, egress)
    if not passes:
        setup.wrote = verdict.header_lines(call.id)
    _note(engine, setup, verdict, mode, egress.name if egress is not None else "")
    if not passes:
        call.end_kept = True
        setup.refuse(verdict.status, verdict.phrase, tuple(setup.wrote))
        call.close("")
        return
    if lacking and not hops:
        setup.refuse(privacy.FAILURE[0], f"{privacy.FAILURE[1]} - {lacking}")
        call.close(frames.FAILED)
        return
    if not hops:
        setup.refuse(*(NO_ROUTE if way is None else NO_PEER))
        call.close(frames.UNREACHABLE)
        return
    setup.forward(hops)


def _give_back(
    engine: Engine, setup: Setup, verdict: Verdict, mode: str, rules: RedirectRules, hops: list[Hop]
) -> None:
    """Gives a call of a redirect listener back to who asked; that is its end."""
    call = setup.call
    to_peers = rules.status == 302 and (setup.elsewhere or not rules.contact)
    if to_peers and not hops:
        _note(engine, setup, verdict, mode, "")
        setup.refuse(*NO_PEER)
        call.close(frames.UNREACHABLE)
        return
    answer = given_back(setup, rules, hops)
    _note(engine, setup, verdict, mode, hops[0][0].name if to_peers else "")
    setup.refuse(*answer)
    call.close(frames.REDIRECTED)


def _to_named(engine: Engine, setup: Setup) -> list[Hop]:
    """Where an INVITE goes that replaces or joins a dialog of ours: to the end that knows it, [] for any other.

    It is only of use there (RFC 3891 §4). Where it was sent to our Contact, the end's Contact takes its place.
    """
    leg = asked_for(engine, setup.request)
    named = leg.call if leg is not None else None
    if leg is None or named is None:
        return []
    if leg.name == B:
        trunk = setup.call.ruleset.trunks.get(named.egress) or (named.setup.egress if named.setup is not None else None)
        peer = named.peer
    else:
        trunk, flow = named.trunk, leg.flow
        peer = Peer(*flow.remote, flow.transport, flow.listener, flow.tls_names)
    if trunk is None or peer is None:
        return []
    if user_of(setup.request.uri) == engine.ids.worker:
        setup.contact = leg.target
    return [(trunk, peer)]


def _way(setup: Setup, verdict: Verdict, mode: str) -> Way | None:
    """The trunks that the call may leave by, None where there is no route for its number."""
    call = setup.call
    ruleset = call.ruleset
    if call.emergency:
        return _emergency_way(setup)
    if verdict.redirect is not None and verdict.redirect.route and mode == ENFORCE:
        setup.elsewhere = True
        return ruleset.ways.get(verdict.redirect.route)
    return ruleset.routes[call.trunk.name].find(setup.attempt.callee.tn)


def _emergency_way(setup: Setup) -> Way | None:
    """For an emergency call everything is tried: its own route, that of its number, then all others of its trunk."""
    ruleset = setup.call.ruleset
    table = ruleset.routes[setup.call.trunk.name]
    own = table.find(setup.attempt.callee.tn)
    if own is not None and own.trunks == tuple(table.every) and not ruleset.emergency_route:
        return own
    trunks = [ruleset.trunks[ruleset.emergency_route]] if ruleset.emergency_route else []
    for trunk in [*(own.trunks if own is not None else ()), *table.every]:
        if trunk not in trunks:
            trunks.append(trunk)
    return Way(trunks) if trunks else None


def _note(engine: Engine, setup: Setup, verdict: Verdict, mode: str, route: str) -> None:
    """The verdict frame, with everything that the decision was made of; without, where that cannot be noted."""
    if not engine.tried(_record, engine, setup, verdict, mode, route):
        engine.tried(_record_barely, engine, setup, verdict, mode, route)


def _record_barely(engine: Engine, setup: Setup, verdict: Verdict, mode: str, route: str) -> None:
    """The verdict frame without facts: what was decided, and what is needed to find the call."""
    call, ruleset = setup.call, setup.call.ruleset
    frame = frames.VerdictFrame(
        decision_id=call.id,
        at=call.received_at,
        site=ruleset.site,
        node=ruleset.node,
        worker=engine.worker,
        trunk=call.trunk.name,
        route=route,
        callee=setup.attempt.callee.tn,
        action=verdict.action,
        rule=verdict.rule,
        status=verdict.status,
        mode=mode,
        emergency=call.emergency,
        revision=ruleset.revision,
        call_id_a=call.a.call_id,
        from_tag_a=call.a.remote_tag,
        source=call.source,
        transport=call.transport,
        listener=call.listener,
        head=setup.request.head,
    )
    engine.layer.out.append(Record(frame))
    call.decided = True


def _record(engine: Engine, setup: Setup, verdict: Verdict, mode: str, route: str) -> None:
    """The verdict frame: everything that the decision was made of."""
    call, attempt, screening = setup.call, setup.attempt, setup.screening
    counts = engine.counts
    facts = screening.facts
    result = facts.get("identity.result")
    if result is not None:
        counts[_BY_RESULT[str(result)]] += 1
    unscreened = screening.unscreened()
    for name in unscreened:
        counts[INDEX[f"unscreened_{name}"]] += 1
    ruleset = call.ruleset
    asserted = attempt.asserted
    engine.layer.out.append(
        Record(
            frames.VerdictFrame(
                decision_id=call.id,
                at=call.received_at,
                site=ruleset.site,
                node=ruleset.node,
                worker=engine.worker,
                trunk=call.trunk.name,
                route=route,
                shown=attempt.shown.tn,
                asserted=asserted.tn if asserted is not None else "",
                caller=attempt.caller.tn,
                callee=attempt.callee.tn,
                action=verdict.action,
                rule=verdict.rule,
                basis=verdict.basis,
                status=verdict.status,
                mode=mode,
                emergency=call.emergency,
                revision=ruleset.revision,
                attest=str(facts.get("identity.attest") or ""),
                identity=str(result or ""),
                screen_us=int((engine.stopwatch() - call.received_mono) * 1e6),
                call_id_a=call.a.call_id,
                from_tag_a=call.a.remote_tag,
                source=call.source,
                transport=call.transport,
                listener=call.listener,
                verstat=setup.verstat,
                facts=screening.facts_noted(),
                findings=[(name, f.status, f.reason) for name, f in screening.findings.items()],
                not_asked=screening.not_asked(),
                unscreened=unscreened,
                tags=verdict.tags,
                matched=verdict.matched,
                reported=verdict.reported,
                head=setup.request.head,
                signed=setup.signed,
                edits=attempt.edits,
                received_mono=call.received_mono,
                runs=screening.runs,
                phrase=verdict.phrase,
                wrote=setup.wrote,
                removed=setup.removed,
                told=setup.told,
            )
        )
    )
    call.decided = True
