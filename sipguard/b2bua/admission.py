"""From an INVITE to its verdict, and from the verdict to what is done.

Enters: a new INVITE from an admitted source. Leaves: a Call that was refused, forwarded, or waits for something.
Must not: be asked twice for one INVITE; retransmissions end in the transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import frames
from sipguard.b2bua.call import SCREENING, Call
from sipguard.b2bua.commands import Record
from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.forwarding import prepare_lines
from sipguard.screening import guard
from sipguard.screening.attempt import CallAttempt, read_attempt
from sipguard.screening.finding import Waiting
from sipguard.screening.pipeline import Screening, fail, screen, skip
from sipguard.screening.verdict import ALLOW, BYPASS, BYPASS_RULE, LABEL, REDIRECT, REJECT, REPORT, Verdict
from sipguard.sip.compose import local_response
from sipguard.sip.message import Request
from sipguard.sip.transaction import ServerTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.screening.trunk import Trunk

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
_BY_RESULT: Final = {
    result: INDEX[f"identity_{result}"] for result in ("passed", "failed", "none", "unsupported")
}

_BYPASS: Final = Verdict(ALLOW, BYPASS_RULE)
NO_ROUTE: Final = (500, "No Peer Reachable")


def begin(engine: Engine, request: Request, server: ServerTransaction, trunk: Trunk) -> None:
    """Screens a new INVITE and does what the verdict says."""
    counts = engine.counts
    counts[_INVITES] += 1
    attempt = _attempt(engine, request, trunk)
    ruleset = engine.ruleset
    emergency = guard.admit(attempt, ruleset.emergency)
    if emergency:
        counts[_EMERGENCIES] += 1
    else:
        turned_away = _turned_away(engine, trunk)
        if turned_away:
            status, phrase = turned_away
            server.respond(
                status,
                local_response(server.head, server.to_line, engine.ids.token(), status, phrase),
                engine.clock.now,
            )
            return
    call = Call(engine, ruleset, trunk, request, server)
    call.emergency = emergency
    if not call.prepare(request):
        call.refuse(400, "Contact Missing Or Malformed")
        server.user = None
        return
    engine.enter(call, attempt)
    call.screening = screening = Screening(emergency)
    mode = engine.mode_of(trunk)
    if mode == BYPASS:
        counts[_BYPASSED] += 1
        apply(engine, call, attempt, _BYPASS, mode)
        return
    engine.context.counters.count(trunk.name, attempt.caller.tn, engine.clock.unix)
    if engine.clock.backlog_s > engine.overload.skip_verification_after_s and not emergency:
        skip(screening, "identity", "overload")
        counts[_SHED_VERIFICATION] += 1
    go_on(engine, call, attempt)


def _attempt(engine: Engine, request: Request, trunk: Trunk) -> CallAttempt:
    at = request.at
    return read_attempt(
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


def _turned_away(engine: Engine, trunk: Trunk) -> tuple[int, str] | None:
    """Why there is no room for this call, as status and phrase. Never asked for an emergency call."""
    counts = engine.counts
    if engine.draining:
        counts[_DRAINING] += 1
        return 503, "Draining"
    overload = engine.overload
    if engine.clock.backlog_s > overload.refuse_after_s or len(engine.calls) >= overload.max_calls:
        counts[_SHED_CALLS] += 1
        return 503, "Overloaded"
    limit = engine.load_of(trunk).admit(trunk.limits, engine.clock.now)
    if limit:
        counts[INDEX[f"limited_{limit}"]] += 1
        return 480, "Trunk Limit Reached"  # a 5xx would be read as our own trouble
    return None


def go_on(engine: Engine, call: Call, attempt: CallAttempt) -> None:
    """Screens as far as it goes: to a verdict, or until something is needed from outside."""
    screening = call.screening
    assert screening is not None
    ruleset = call.ruleset
    result = screen(screening, attempt, ruleset.compiled(call.trunk.name), ruleset, engine.context)
    if type(result) is Waiting:
        engine.wait(call, attempt, result.need)
        return
    assert isinstance(result, Verdict)
    apply(engine, call, attempt, result, engine.mode_of(call.trunk))


def give_up(engine: Engine, call: Call, attempt: CallAttempt, check: str, reason: str) -> None:
    """What `check` waited for did not come in time."""
    if call.screening is not None and call.state == SCREENING:
        fail(call.screening, check, reason)
        go_on(engine, call, attempt)


def apply(engine: Engine, call: Call, attempt: CallAttempt, verdict: Verdict, mode: str) -> None:
    """Records the verdict and carries it out."""
    call.verdict = verdict
    counts = engine.counts
    counts[_BY_ACTION[verdict.action]] += 1
    trunk = call.trunk
    route = trunk.route
    redirect = verdict.redirect
    passes = verdict.goes_on or mode != "enforce"
    if redirect is not None and redirect.route and mode == "enforce":
        route = redirect.route
    if call.emergency and call.ruleset.emergency_route:
        route = call.ruleset.emergency_route
    egress = call.ruleset.trunks.get(route)
    if passes and egress is not None:
        request = call.request
        assert request is not None
        label = verdict.label if mode == "enforce" else None
        prepare_lines(call, request, egress, label, untouched=mode == BYPASS)
    if mode == REPORT and not verdict.goes_on:
        counts[_REPORTED] += 1
    _record(engine, call, attempt, verdict, mode, route if passes else "")
    if not passes:
        headers = verdict.header_lines(call.id) if verdict.headers else ()
        call.refuse(verdict.status, verdict.phrase, tuple(headers))
        call.close("")
        return
    peers = engine.peers.to_try(egress, engine.clock.now, bool(call.emergency)) if egress is not None else []
    if egress is None or not peers:
        call.refuse(*NO_ROUTE)
        call.close(frames.UNREACHABLE)
        return
    call.forward(egress, peers)


def _record(
    engine: Engine, call: Call, attempt: CallAttempt, verdict: Verdict, mode: str, route: str
) -> None:
    """The verdict frame: everything that the decision was made of."""
    screening = call.screening
    request = call.request
    assert screening is not None and request is not None
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
    remote = engine.flow.remote
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
                source=f"{remote[0]}:{remote[1]}",
                listener=call.a.listener,
                verstat=call.verstat,
                facts=facts,
                findings=[(name, f.status, f.reason) for name, f in screening.findings.items()],
                not_asked=screening.not_asked(),
                unscreened=unscreened,
                tags=verdict.tags,
                matched=verdict.matched,
                reported=verdict.reported,
                head=request.head,
            )
        )
    )
