"""What a request says of dialogs and transactions: each leg has its own names for them.

Enters: a request that crosses, and all legs. Leaves: its header lines, with the names that the far side knows.
Must not: change a line that names nothing of ours; it crosses byte for byte, for the far side to judge.

A dialog is named by Call-ID and two tags: in Replaces (RFC 3891), Join (RFC 3911), Target-Dialog (RFC 4538), and in
the same headers within the URI of a Refer-To (RFC 3515). Whoever names one of ours as its own party sees it, names it
for the other side, and gets the identifiers of the other leg written. What is already written as the other side sees it
(we wrote it into a Refer-To before) is left as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from sipguard.b2bua.crossing import NOT_CROSSING
from sipguard.b2bua.early import fork_key
from sipguard.b2bua.subscription import renamed_event
from sipguard.b2bua.unvouched import lines_unmarked
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Request, line_value
from sipguard.sip.uri import host_port_of, name_addr, with_host

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.leg import Leg
    from sipguard.b2bua.place import Place

DIALOGS: Final = {  # header -> parameters with the tag of whoever is asked, and with that of the other party
    "replaces": ("to-tag", "from-tag"),
    "join": ("to-tag", "from-tag"),
    "target-dialog": ("remote-tag", "local-tag"),
}
NAMING: Final = frozenset({*DIALOGS, "event", "rack", "refer-to"})


def renamed_lines(engine: Engine, request: Request, source: Leg, other: Leg) -> str:
    """As crossing.crossing_lines, of a request in a dialog, for `other`. Raises MalformedMessage with the status."""
    lines = "\r\n".join(named_lines(engine, request, other, source.staying))
    return lines if source.staying is NOT_CROSSING else lines_unmarked(lines, "call-info" in request.at)


def named_lines(engine: Engine, request: Request, other: Leg | None, staying: frozenset[str]) -> list[str]:
    """As crossing.kept_lines, with the names written anew; `other` is None for a new call."""
    kept: list[str] = []
    for n, key in enumerate(request.keys):
        if key in staying:
            continue
        line = request.lines[n]
        if key in NAMING:
            name, _, _ = line.partition(":")
            before = line_value(line)
            after = _renamed(engine, key, before, request, other)
            if after != before:
                line = f"{name}: {after}"
        kept.append(line)
    if "content-length" not in request.at:
        kept.append(f"Content-Length: {len(request.body)}")
    return kept


def _renamed(engine: Engine, key: str, value: str, request: Request, other: Leg | None) -> str:
    if key in DIALOGS:
        return _dialog(engine, key, value)
    if key == "refer-to":
        return _refer_to(engine, value, other)
    if other is None:
        return value
    if key == "event":
        return renamed_event(request.method, value, other)
    return _rack(value, other)


def _is_number(text: str) -> bool:
    """Whether it is one of up to 32 bits (RFC 3262 §7.1), by length."""
    return text.isascii() and text.isdigit() and len(text) <= 10


def _rack(value: str, other: Leg) -> str:
    """RAck with the CSeq number that the INVITE has on the other leg (RFC 3262 §7.2)."""
    pieces = value.split()
    if len(pieces) != 3 or not (_is_number(pieces[0]) and _is_number(pieces[1])):
        raise MalformedMessage("RAck is not two numbers and a method")
    if int(pieces[1]) != other.invited_by:  # §3: no provisional response of this INVITE waits for it
        raise MalformedMessage("RAck names no INVITE", 481, "Call/Transaction Does Not Exist")
    return f"{pieces[0]} {other.invited_as} {pieces[2]}"


# ------------------------------------------------------------------------------------------ dialogs


def _dialog(engine: Engine, key: str, value: str) -> str:
    """A dialog of ours as the other side knows it; `value` where it is none of ours."""
    call_id, asked, named = _tags(key, value)
    leg = _leg(engine, call_id, asked, named)
    if leg is None and key == "target-dialog":  # implementations differ in whose view this header is written
        asked, named = named, asked
        leg = _leg(engine, call_id, asked, named)
    other = leg.other if leg is not None else None
    if other is None or not other.remote_tag:
        return value
    pieces = value.split(";")
    for n, piece in enumerate(pieces):
        name, equal, tag = piece.partition("=")
        tag = tag.strip()
        if not n:
            pieces[0] = other.call_id
        elif equal and tag == asked:
            pieces[n] = f"{name}={other.remote_tag}"
        elif equal and tag == named:
            pieces[n] = f"{name}={other.local_tag}"
    return ";".join(pieces)


def _tags(key: str, value: str) -> tuple[str, str, str]:
    """Call-ID, tag of whoever is asked, tag of the other party; "" for what is missing."""
    first, second = DIALOGS[key]
    call_id, *pieces = value.split(";")
    found = {}
    for piece in pieces:
        name, _, tag = piece.partition("=")
        found[name.strip().lower()] = tag.strip()
    return call_id.strip(), found.get(first, ""), found.get(second, "")


def _leg(engine: Engine, call_id: str, local_tag: str, remote_tag: str) -> Leg | None:
    """The leg with these identifiers."""
    leg = engine.legs.get(local_tag)
    if leg is not None and leg.remote_tag != remote_tag:
        leg = engine.legs.get(fork_key(local_tag, remote_tag))
    return leg if leg is not None and leg.call_id == call_id else None


def asked_for(engine: Engine, invite: Request) -> Leg | None:
    """The leg at whose far end the dialog is known that an INVITE wants to replace or join; None for none of ours."""
    for key in ("replaces", "join"):
        if key in invite.at:
            call_id, asked, named = _tags(key, invite.value(key))
            leg = _leg(engine, call_id, asked, named)
            return leg.other if leg is not None else _leg(engine, call_id, named, asked)
    return None


# ------------------------------------------------------------------------------------------ Refer-To


def _refer_to(engine: Engine, value: str, other: Leg | None) -> str:
    """Refer-To for the far side: dialogs as it knows them, and our own address as it reaches us."""
    try:
        display, uri, rest = name_addr(value)
    except MalformedMessage:
        return value
    renamed = _with_dialogs(engine, uri)
    source = other.other if other is not None else None
    if other is not None and source is not None:
        here = engine.listeners.get(source.flow.listener)
        there = engine.listeners.get(other.flow.listener)
        before, question, headers = renamed.partition("?")
        if here is not None and there is not None and _is_ours(before, here):
            renamed = with_host(before, there.own_host) + question + headers
    if renamed == uri:
        return value
    return f"{display} <{renamed}>{rest}" if display else f"<{renamed}>{rest}"


def _with_dialogs(engine: Engine, uri: str) -> str:
    """A URI with the dialogs anew that its headers name (RFC 3261 §19.1.1: `?name=value&...`, escaped)."""
    before, question, headers = uri.partition("?")
    if not question:
        return uri
    pieces = headers.split("&")
    for n, piece in enumerate(pieces):
        name, _, value = piece.partition("=")
        key = unquote(name).lower()
        if key in DIALOGS:
            plain = unquote(value, "latin-1")
            renamed = _dialog(engine, key, plain)
            if renamed != plain:
                pieces[n] = f"{name}={quote(renamed, '', 'latin-1')}"
    return f"{before}?{'&'.join(pieces)}"


def _is_ours(uri: str, place: Place) -> bool:
    """Whether a URI names the listener that stands there, as peers are told it."""
    host, port = host_port_of(uri)
    listener = place.listener
    return host == listener.public_host and (port or (5061 if listener.transport == "tls" else 5060)) == (
        listener.public_port
    )
