"""The forwarded INVITE: its From, To, Request-URI, label, verstat and what crosses.

Enters: the caller's INVITE, the verdict, the egress trunk and a peer. Leaves: the INVITE for that peer.
Must not: choose the peer, keep state beyond the Call it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import refresh
from sipguard.b2bua.authentication import diversion_lines, identity_lines, unsign
from sipguard.b2bua.crossing import NOT_CROSSING, hops_left, kept_lines
from sipguard.b2bua.label import attestation_lines, with_prefix
from sipguard.b2bua.naming import NAMING, named_lines
from sipguard.b2bua.privacy import ALWAYS, ANONYMOUS, NOTHING, hidden, name_in, privacy_of
from sipguard.b2bua.unvouched import (
    CARRIED,
    line_without_claims,
    line_without_verstat,
    may_have_verstat,
    without_verstat,
)
from sipguard.b2bua.verstat import ASSERTED, mark
from sipguard.b2bua.writing import request_uri, to_uri
from sipguard.screening.verdict import filled
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.flow import TLS
from sipguard.sip.message import Request
from sipguard.sip.uri import host_of, name_addr, split_outside, user_of, with_host, without_transport

if TYPE_CHECKING:
    from sipguard.b2bua.leg import Leg
    from sipguard.b2bua.setup import Setup
    from sipguard.screening.trunk import Peer, SignRules, Trunk

ANONYMOUS_HOST: Final = "anonymous.invalid"  # RFC 3323 §4.1.1.3
CODE_DIGITS: Final = 6  # a service code has at most so many; more are a number


def prepare_lines(setup: Setup, egress: Trunk) -> None:
    """Sets `lines` and `from_...` of `setup`: what all tries of this call at `egress` carry.

    A call whose marks cannot be written goes on without them, one that cannot be signed goes on unsigned.
    """
    if setup.plain:
        bare_lines(setup)
    elif not setup.call.engine.tried(_prepare, setup, egress):
        setup.unmarked = True
        setup.wrote = ()
        _prepare(setup, egress)


def bare_lines(setup: Setup) -> None:
    """As `prepare_lines`, with what crosses in any case: for an emergency call where all else broke.

    What could say in our name what was verified is left out, with the whole line or the parameters that it stands in.
    """
    request = setup.request
    setup.wrote = ()
    setup.lines = "\r\n".join(
        [line for line in kept_lines(request, setup.call.engine.staying) if "verstat" not in line.lower()]
    )
    try:
        uri = name_addr(request.from_value)[1]
    except MalformedMessage:
        uri = ""
    user = user_of(uri).partition(";")[0].partition("%")[0]
    setup.from_display = setup.from_rest = ""
    setup.from_uri = f"sip:{user or 'anonymous'}@{ANONYMOUS_HOST if not user else 'localhost'}"


def _prepare(setup: Setup, egress: Trunk) -> None:
    kept, shown, own = marked_lines(setup, egress)
    prefixed = setup.label is not None and bool(setup.label.prefix)
    if prefixed:
        asserted = [line for line in kept[:own] if name_in(line) == ASSERTED][:1]
        setup.wrote = [f"From: {shown}", *asserted, *kept[own:]]
    elif own < len(kept):
        setup.wrote = kept[own:]
    rules = setup.call.trunk.sign
    if rules is not None and egress.add_identity and not setup.untouched:
        engine = setup.call.engine
        if not engine.tried(_sign, setup, rules, kept, shown):
            engine.tried(unsign, setup)
    setup.lines = "\r\n".join(kept)
    timer = setup.call.trunk.session_timer
    if timer is not None and not setup.untouched and not setup.call.emergency:
        setup.lines, setup.asks_s = refresh.asked_for(setup.lines, setup.request, timer)
    display, uri, rest = name_addr(shown)
    setup.from_display = f"{display} " if display else ""
    setup.from_uri = uri
    setup.from_rest = _without_tag(rest)


def _sign(setup: Setup, rules: SignRules, kept: list[str], shown: str) -> None:
    kept += identity_lines(setup, rules, kept, shown)


def marked_lines(setup: Setup, egress: Trunk) -> tuple[list[str], str, int]:
    """(lines that cross, From value, how many lines are of the INVITE) as `egress` wants them; sets `verstat`."""
    request = setup.request
    call = setup.call
    staying = NOT_CROSSING if setup.untouched else call.a.staying
    if NAMING.isdisjoint(request.at):
        kept = kept_lines(request, staying)
    else:
        kept = named_lines(call.engine, request, None, staying)
    shown = request.from_value
    dropped = NOTHING
    believed = call.trunk.accept_pai and not setup.attempt.asserted_beyond
    if (egress.send_pai != ALWAYS or not believed) and not call.emergency:
        dropped = hidden(request, believed, egress.send_pai)
        if dropped:
            setup.removed = sorted(dropped.intersection(request.at))
            kept = [line for line in kept if name_in(line) not in dropped]
        if egress.send_pai != ALWAYS and "user" in privacy_of(request):
            shown = f"{ANONYMOUS}{name_addr(shown)[2]}"
    own = len(kept)
    if setup.untouched:
        return kept, shown, own
    if _says_verstat(request) and not _may_say(setup):
        kept = [line_without_verstat(line) for line in kept]
        shown = without_verstat(shown)
    if "call-info" in request.at and not call.trunk.accept_marks:
        kept = [line_without_claims(line) for line in kept]
    if setup.unmarked:
        return kept, shown, own
    shown = _mark(setup, egress, kept, shown, _asserted_in(request, kept, staying, bool(dropped)))
    if call.trunk.accept_marks and len(kept) > own:  # ours stand in place of theirs
        ours = call.engine.staying.intersection([name_in(line) for line in kept[own:]])
        theirs = [line for line in kept[:own] if name_in(line) not in ours]
        kept, own = theirs + kept[own:], len(theirs)
    return kept, shown, own


def _says_verstat(request: Request) -> bool:
    """Whether a number of the caller's INVITE may have one; the long lines of Identity are not looked at."""
    if may_have_verstat(request.from_value):
        return True
    for name in CARRIED.intersection(request.at):
        for line in request.lines_of(name):
            if may_have_verstat(line):
                return True
    return False


def _may_say(setup: Setup) -> bool:
    """Whether verstat of the caller's side crosses: its trunk may assert it, and there is none of ours."""
    trunk, label = setup.call.trunk, setup.label
    return trunk.accept_marks and not trunk.verify and not (label is not None and label.verstat)


def _mark(setup: Setup, egress: Trunk, kept: list[str], shown: str, n: int) -> str:
    """Writes verstat, attestation and label into `kept`; answers the From value with what belongs there.

    `n` is the index of the first P-Asserted-Identity, -1 where there is none.
    """
    label = setup.label
    facts = setup.screening.facts
    shown, named = mark(setup, egress.verstat, kept, shown, n)
    if named:
        kept += attestation_lines(egress, facts.get("identity.attest"), facts.get("identity.origid"))
    if label is not None:
        if label.prefix:
            prefix = filled(label.prefix, facts, setup.call.id)
            shown = with_prefix(shown, prefix, label.max)
            if n >= 0:
                name, _, value = kept[n].partition(":")
                kept[n] = f"{name}: {with_prefix(value.strip(), prefix, label.max)}"
        kept += [line.encode().decode("latin-1") for line in label.header_lines(facts, setup.call.id)]
    return shown


def _asserted_in(request: Request, kept: list[str], staying: frozenset[str], fewer: bool) -> int:
    """Index of the first P-Asserted-Identity line in `kept`, -1 where there is none; `fewer`: some were taken out."""
    at = request.at.get(ASSERTED)
    if at is None:
        return -1
    if fewer:
        names = [line.partition(":")[0].strip().lower() for line in kept]
        return names.index(ASSERTED) if ASSERTED in names else -1
    return sum(1 for key in request.keys[:at] if key not in staying)


def _without_tag(rest: str) -> str:
    """What follows the From URI, less its tag."""
    if rest.startswith(";tag=") and rest.find(";", 1) < 0:
        return ""
    pieces = split_outside(rest, ";")[1:]
    return "".join(f";{piece}" for piece in pieces if piece.partition("=")[0].strip().lower() != "tag")


def _divert(setup: Setup, rules: SignRules, made: list[str]) -> None:
    made.append(diversion_lines(setup, rules))


def code_dialled(setup: Setup) -> str:
    """The service code, such as 911, that an emergency call was dialled to; "" for any other call."""
    emergency = setup.call.emergency
    if not emergency or not emergency.startswith("dialled"):
        return ""
    tn = setup.attempt.callee.tn
    return tn if len(tn) <= CODE_DIGITS and not setup.target else ""


def invite(setup: Setup, leg: Leg, egress: Trunk, peer: Peer, branch: str) -> bytes:
    """The INVITE for `peer`; fills the leg's From and To."""
    request = setup.request
    from_uri = setup.from_uri
    if from_uri[:3].lower() == "sip" and host_of(from_uri) != ANONYMOUS_HOST:
        own_host = setup.call.engine.listeners[leg.flow.listener].own_host
        from_uri = with_host(from_uri, egress.write.from_host or own_host)
    leg.local = f"{setup.from_display}<{from_uri}>;tag={leg.local_tag}{setup.from_rest}"
    uri = setup.contact
    if not uri:
        code = code_dialled(setup)
        uri = request_uri(setup.target or request.uri, egress.write, peer.uri_host, code)
        if "transport=" in uri:  # it was said of the way to us
            uri = without_transport(uri)
        if peer.transport != TLS and uri[:5].lower() == "sips:":  # it would promise what this hop is not (§26.2.2)
            uri = f"sip:{uri[5:]}"
    display, to, to_rest = name_addr(request.to_value)
    same = to == request.uri and not setup.target and (bool(setup.contact) or egress.write.usual)
    to = uri if same and to[:4].lower() != "tel:" else to_uri(to, egress.write, peer.uri_host)
    leg.remote = f"{display} <{to}>{to_rest}" if display else f"<{to}>{to_rest}"
    leg.target = leg.request_uri = uri
    rules = setup.call.trunk.sign if setup.target and egress.add_identity and not setup.untouched else None
    diverted = ""
    if rules is not None:
        made: list[str] = []
        if setup.call.engine.tried(_divert, setup, rules, made):
            diverted = made[0]
    text = (
        f"INVITE {uri} SIP/2.0\r\n{leg.via}{branch};rport\r\nMax-Forwards: {hops_left(request)}\r\n"
        f"From: {leg.local}\r\nTo: {leg.remote}\r\nCall-ID: {leg.call_id}\r\n"
        f"CSeq: {leg.cseq} INVITE\r\n{leg.contact}{setup.lines}\r\n{diverted}\r\n"
    )
    return text.encode("latin-1") + request.body
