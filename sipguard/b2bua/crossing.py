"""What passes between the legs: one table, and the messages composed by it.

Enters: a message of one leg and the other Leg. Leaves: octets for the other leg. Must not: touch a body, or a
header that the table does not name; those cross in order and byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.privacy import NOTHING, without
from sipguard.b2bua.untold import lines_untold
from sipguard.b2bua.unvouched import line_without_verstat, lines_unmarked
from sipguard.sip.message import Message, Request, Response

if TYPE_CHECKING:
    from sipguard.b2bua.leg import Leg

OWN: Final = "own"  # each leg writes its own
HOP: Final = "hop"  # between neighbours only, dropped
CHANGED: Final = "changed"  # crosses, with what the comment says

CROSSING: Final = {
    "via": OWN,
    "from": OWN,
    "to": OWN,
    "call-id": OWN,
    "cseq": OWN,
    "contact": OWN,
    "max-forwards": OWN,
    "route": HOP,
    "record-route": HOP,
    "path": HOP,
    "timestamp": HOP,  # RFC 3261 §20.38: echoed hop by hop
    "p-asserted-identity": CHANGED,  # verstat of outside is removed, ours is written, a label's prefix
    "p-preferred-identity": CHANGED,  # verstat of outside is removed
}

# Headers that may show the other side's addresses, because carriers need them unchanged; and all bodies.
# A Contact crosses in a 3xx and a 485 only: there it names where else to call, not who answered (§20.10).
EXPOSED: Final = frozenset(
    {
        "identity", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion", "history-info",
        "call-info", "alert-info", "error-info", "user-agent", "server", "warning", "reason", "geolocation",
        "p-charge-info", "p-charging-vector", "p-access-network-info", "p-called-party-id", "refer-to",
        "referred-by", "reply-to", "in-reply-to", "organization",
        "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate",
    }
)  # fmt: skip

TARGET_REFRESH: Final = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})
WITH_CONTACT: Final = TARGET_REFRESH | {"ACK", "OPTIONS"}  # RFC 3261 table 2 and the methods' own RFCs

NOT_CROSSING: Final = frozenset(key for key, how in CROSSING.items() if how != CHANGED)


def crossing_lines(message: Message, source: Leg) -> str:
    """The header lines of a message from `source` that cross, joined, without what only we may say."""
    lines = "\r\n".join(kept_lines(message, source.staying))
    return lines if source.staying is NOT_CROSSING else lines_unmarked(lines, "call-info" in message.at)


def kept_lines(message: Message, staying: frozenset[str]) -> list[str]:
    """The header lines that cross, in order, less those of the names `staying`; Content-Length is added if it lacks."""
    lines, keys = message.lines, message.keys
    kept: list[str] = []
    for n in range(len(keys)):
        if keys[n] not in staying:
            kept.append(lines[n])
    if "content-length" not in message.at:
        kept.append(f"Content-Length: {len(message.body)}")
    return kept


def hops_left(request: Request) -> int:
    """Max-Forwards for the other leg; 69 where the request has none (RFC 3261 §16.6 step 3)."""
    return request.hops - 1 if request.hops >= 0 else 69


def in_dialog(leg: Leg, method: str, cseq: int, branch: str, hops: int, lines: str, body: bytes) -> bytes:
    """A request within the dialog of `leg` (RFC 3261 §12.2.1.1); `lines` are what crosses or our own."""
    contact = leg.contact if method in WITH_CONTACT else ""
    if method == "ACK" and leg.login is not None:
        contact += leg.login.invited  # RFC 3261 §22.1
    text = (
        f"{method} {leg.request_uri} SIP/2.0\r\n{leg.via}{branch};rport\r\n{leg.route_lines}"
        f"Max-Forwards: {hops}\r\nFrom: {leg.local}\r\nTo: {leg.remote}\r\n"
        f"Call-ID: {leg.call_id}\r\nCSeq: {cseq} {method}\r\n{contact}{lines}\r\n\r\n"
    )
    return text.encode("latin-1") + body


def bare_ack(leg: Leg, cseq: int, branch: str) -> bytes:
    """An ACK of our own for a 2xx that came from `leg`."""
    return in_dialog(leg, "ACK", cseq, branch, 70, "Content-Length: 0", b"")


def relayed(
    response: Response,
    source: Leg,
    head: str,
    to_line: str,
    tag: str,
    contact: str,
    dropped: frozenset[str] = NOTHING,
    more: str = "",
    untold: bool = False,
) -> bytes:
    """A response from `source` for the other leg: its status, phrase and headers under the head of that leg's request.

    `dropped` are names of headers that must not be shown there, `more` lines of our own behind those that cross;
    `untold` says that a Reason of protocol STIR does not cross.
    """
    at = response.at
    if "p-asserted-identity" in at or "remote-party-id" in at or "call-info" in at:
        lines = crossing_lines(response, source)
    else:
        lines = "\r\n".join(kept_lines(response, source.staying))
    if dropped:
        lines = without(lines, dropped)
    if untold and "reason" in at:
        lines = lines_untold(lines)
    if more:
        lines = f"{lines}\r\n{more}"
    add = f";tag={tag}" if tag else ""
    if 300 <= response.status < 400 or response.status == 485:
        contacts = response.lines_of("contact")
        if source.staying is not NOT_CROSSING:
            contacts = [line_without_verstat(line) for line in contacts]
        contact = "".join(f"{line}\r\n" for line in contacts)
    text = f"SIP/2.0 {response.status} {response.phrase}\r\n{head}{to_line}{add}\r\n{contact}{lines}\r\n\r\n"
    return text.encode("latin-1") + response.body
