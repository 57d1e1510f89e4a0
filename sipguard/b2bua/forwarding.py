"""The forwarded INVITE: its From, To, Request-URI, label, verstat and what crosses.

Enters: the caller's INVITE, the verdict, the egress trunk and a peer. Leaves: the INVITE for that peer.
Must not: choose the peer, keep state beyond the Call it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import refresh
from sipguard.b2bua.crossing import NOT_CROSSING, hops_left, kept_lines
from sipguard.b2bua.label import (
    attestation_lines,
    verstat_of,
    with_prefix,
    with_verstat,
    without_verstat,
)
from sipguard.b2bua.naming import NAMING, named_lines
from sipguard.sip.message import Request
from sipguard.sip.uri import host_of, name_addr, user_of, with_host, without_transport

if TYPE_CHECKING:
    from sipguard.b2bua.leg import Leg
    from sipguard.b2bua.setup import Setup
    from sipguard.screening.trunk import Peer, Trunk, WriteRules

ANONYMOUS_HOST: Final = "anonymous.invalid"  # RFC 3323 §4.1.1.3


def prepare_lines(setup: Setup, egress: Trunk) -> None:
    """Sets `lines` and `from_...` of `setup`: what all tries of this call at `egress` carry."""
    kept, shown, _ = marked_lines(setup, egress)
    setup.lines = "\r\n".join(kept)
    timer = setup.call.trunk.session_timer
    if timer is not None and not setup.untouched and not setup.call.emergency:
        setup.lines, setup.asks_s = refresh.asked_for(setup.lines, setup.request, timer)
    display, uri, rest = name_addr(shown)
    setup.from_display = f"{display} " if display else ""
    setup.from_uri = uri
    setup.from_rest = _without_tag(rest)


def marked_lines(setup: Setup, egress: Trunk) -> tuple[list[str], str, int]:
    """(lines that cross, From value, how many lines are of the INVITE) as `egress` wants them; sets `verstat`."""
    request = setup.request
    kept = kept_lines(request) if NAMING.isdisjoint(request.at) else named_lines(setup.call.engine, request, None)
    shown = request.from_value
    own = len(kept)
    if not setup.untouched:
        if b"verstat" in request.head.lower():
            kept = [without_verstat(line) for line in kept]
            shown = without_verstat(shown)
        shown = _mark(setup, egress, kept, shown)
    return kept, shown, own


def _mark(setup: Setup, egress: Trunk, kept: list[str], shown: str) -> str:
    """Writes verstat, attestation and label into `kept`; answers the From value with what belongs there."""
    label = setup.label
    facts = setup.screening.facts
    result, attest = facts.get("identity.result"), facts.get("identity.attest")
    verstat = verstat_of(egress.verstat, result, attest) if setup.call.trunk.verify else ""
    if label is not None and label.verstat:
        verstat = label.verstat
    n = _asserted_in(setup.request, kept)
    if n < 0 and not setup.attempt.shown.tn:
        verstat = ""  # it speaks of a number (3GPP TS 24.229 §7.2A.20)
    setup.verstat = verstat
    if verstat and n >= 0:
        name, _, value = kept[n].partition(":")
        kept[n] = f"{name}: {with_verstat(value.strip(), verstat)}"
    elif verstat:
        shown = with_verstat(shown, verstat)
    if result == "passed":
        kept += attestation_lines(egress, attest, facts.get("identity.origid"))
    if label is not None:
        if label.prefix:
            shown = with_prefix(shown, label.prefix, label.max)
            if n >= 0:
                name, _, value = kept[n].partition(":")
                kept[n] = f"{name}: {with_prefix(value.strip(), label.prefix, label.max)}"
        kept += [line.encode().decode("latin-1") for line in label.header_lines(facts, setup.call.id)]
    return shown


def _asserted_in(request: Request, kept: list[str]) -> int:
    """Index of the first P-Asserted-Identity line in `kept`, -1 where there is none."""
    at = request.at.get("p-asserted-identity")
    if at is None:
        return -1
    return sum(1 for key in request.keys[:at] if key not in NOT_CROSSING)


def _without_tag(rest: str) -> str:
    """What follows the From URI, less its tag."""
    if rest.startswith(";tag=") and rest.find(";", 1) < 0:
        return ""
    return "".join(f";{piece}" for piece in rest.split(";")[1:] if not piece.strip().lower().startswith("tag="))


def invite(setup: Setup, leg: Leg, egress: Trunk, peer: Peer, branch: str) -> bytes:
    """The INVITE for `peer`; fills the leg's From and To."""
    request = setup.request
    from_uri = setup.from_uri
    if from_uri[:3].lower() == "sip" and host_of(from_uri) != ANONYMOUS_HOST:
        from_uri = with_host(from_uri, setup.call.engine.listeners[leg.flow.listener].own_host)
    leg.local = f"{setup.from_display}<{from_uri}>;tag={leg.local_tag}{setup.from_rest}"
    uri = setup.contact
    if not uri:
        uri = written(setup.target or request.uri, egress.write, peer.uri_host, egress.write.prefix)
        if "transport=" in uri:  # it was said of the way to us
            uri = without_transport(uri)
    display, to_uri, to_rest = name_addr(request.to_value)
    if to_uri == request.uri and not setup.target and (setup.contact or not egress.write.prefix):
        to_uri = uri
    else:
        to_uri = written(to_uri, egress.write, peer.uri_host, "")
    leg.remote = f"{display} <{to_uri}>{to_rest}" if display else f"<{to_uri}>{to_rest}"
    leg.target = leg.request_uri = uri
    text = (
        f"INVITE {uri} SIP/2.0\r\n{leg.via}{branch};rport\r\nMax-Forwards: {hops_left(request)}\r\n"
        f"From: {leg.local}\r\nTo: {leg.remote}\r\nCall-ID: {leg.call_id}\r\n"
        f"CSeq: {leg.cseq} INVITE\r\n{leg.contact}{setup.lines}\r\n\r\n"
    )
    return text.encode("latin-1") + request.body


def written(uri: str, rules: WriteRules, host: str, prefix: str) -> str:
    """A URI at `host`, its number as the trunk wants it written; by default the digits are untouched."""
    if uri[:3].lower() != "sip":
        return uri
    if rules.form == "received" and not prefix:
        return with_host(uri, host)
    user = user_of(uri)
    digits, semicolon, params = user.partition(";")
    plain = digits.lstrip("+")
    if rules.form != "received" and plain.isascii() and plain.isdigit():
        if rules.form == "national" and len(plain) == 11 and plain[0] == "1":
            digits = plain[1:]
        elif rules.form == "plain":
            digits = "1" + plain if len(plain) == 10 and digits == plain else plain
        elif rules.form == "e164":
            if digits == plain and len(plain) == 10:
                digits = "+1" + plain
            elif len(plain) > 10:
                digits = "+" + plain
    return with_host(uri.replace(user, f"{prefix}{digits}{semicolon}{params}", 1) if user else uri, host)
