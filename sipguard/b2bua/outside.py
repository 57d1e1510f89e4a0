"""Requests outside any dialog: new calls, OPTIONS for ourselves, and what a B2BUA of calls does not serve.

Enters: a request without a To-tag. Leaves: a call that begins, or the answer to the request. Must not: know of legs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import admission
from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.extensions import unknown_extensions
from sipguard.b2bua.loops import has_returned
from sipguard.b2bua.refusals import STRANGER
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.sip.transaction import ServerTransaction

ALLOW: Final = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS"
WITHIN: Final = f"{ALLOW}, PRACK, UPDATE, INFO, REFER, NOTIFY, MESSAGE"  # those, and what is used within dialogs
SUPPORTED: Final = "Supported: 100rel, timer, replaces"  # RFC 3262, 4028, 3891: all pass between the ends
SCHEMES: Final = ("sip:", "sips:", "tel:", "urn:service:")

REFUSED: Final = {  # method outside a dialog -> status, phrase; any other is 501 (RFC 3261 §21.5.2)
    "BYE": (481, "Call/Transaction Does Not Exist"),  # RFC 3261 §15.1.2
    "INFO": (481, "Call/Transaction Does Not Exist"),  # RFC 6086 §4.2.1: it belongs to a dialog
    "NOTIFY": (481, "Subscription Does Not Exist"),  # RFC 6665 §4.1.3
    "PRACK": (481, "Call/Transaction Does Not Exist"),  # RFC 3262 §3
    "UPDATE": (481, "Call/Transaction Does Not Exist"),  # RFC 3311 §5.1: it belongs to a dialog
    "MESSAGE": (405, "Method Not Allowed"),  # RFC 3261 §8.2.1, as the following
    "PUBLISH": (405, "Method Not Allowed"),
    "REFER": (405, "Method Not Allowed"),
    "REGISTER": (405, "Method Not Allowed"),
    "SUBSCRIBE": (405, "Method Not Allowed"),
}
NOT_IMPLEMENTED: Final = (501, "Not Implemented")
_UNKNOWN: Final = INDEX["unknown_source"]


def outside(engine: Engine, flow: Flow, request: Request, key: str) -> None:
    """A request outside any dialog: only from those who may send."""
    trunk = engine.sources.trunk_of(flow)
    if trunk is None:
        engine.counts[_UNKNOWN] += 1
        engine.refusals.note(flow.remote[0], flow.listener, STRANGER, ", ".join(flow.tls_names), engine.clock.unix)
        return
    server = engine.server_for(flow, request, key)
    method = request.method
    if method == "INVITE":
        if not request.uri.lower().startswith(SCHEMES):
            engine.answer(server, request, 416, "Unsupported URI Scheme")
        elif request.hops == 0:
            engine.answer(server, request, 483, "Too Many Hops")
        else:
            admission.begin(engine, request, server, trunk)
    elif method == "OPTIONS":
        _options(engine, request, server)
    else:
        engine.counts[INDEX["refused_methods"]] += 1
        status, phrase = REFUSED.get(method, NOT_IMPLEMENTED)
        engine.answer(server, request, status, phrase, *((ALLOW,) if status == 405 else ()))


def _options(engine: Engine, request: Request, server: ServerTransaction) -> None:
    """Whether we are there, and would take an INVITE (§11.2). Max-Forwards 0 is for us too, as we go no further."""
    engine.counts[INDEX["options"]] += 1
    unknown = unknown_extensions(request)
    if not request.uri.lower().startswith(SCHEMES):
        engine.answer(server, request, 416, "Unsupported URI Scheme")
    elif unknown:
        engine.answer(server, request, 420, "Bad Extension", f"Unsupported: {unknown}")
    elif has_returned(engine, request):
        engine.answer(server, request, 482, "Loop Detected")
    elif engine.draining:
        engine.answer(server, request, 503, "Draining")
    else:
        engine.answer(server, request, 200, "OK", WITHIN, "Accept: application/sdp", SUPPORTED)
