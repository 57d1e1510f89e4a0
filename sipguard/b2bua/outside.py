"""Requests outside any dialog: new calls, OPTIONS for ourselves, and what a B2BUA of calls does not serve.

Enters: a request without a To-tag. Leaves: a call that begins, or the answer to the request. Must not: know of legs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua import admission
from sipguard.b2bua.counts import INDEX
from sipguard.sip.flow import Flow
from sipguard.sip.message import Request

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine

ALLOW: Final = "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS"
END_TO_END: Final = frozenset(  # option tags that concern the two ends
    {
        "100rel", "timer", "replaces", "norefersub", "histinfo", "resource-priority", "precondition", "early-session",
        "from-change", "tdialog", "join", "multiple-refer", "recipient-list-invite", "sec-agree", "answermode",
        "policy", "199", "uui",
    }
)  # fmt: skip
SCHEMES: Final = ("sip:", "sips:", "tel:", "urn:service:")
_UNKNOWN: Final = INDEX["unknown_source"]


def outside(engine: Engine, flow: Flow, request: Request, key: str) -> None:
    """A request outside any dialog: only from those who may send."""
    trunk = engine.sources.trunk_of(flow)
    if trunk is None:
        engine.counts[_UNKNOWN] += 1
        return
    server = engine.server_for(flow, request, key)
    method = request.method
    if method in ("INVITE", "OPTIONS"):
        unknown = unknown_extensions(request)
        if not request.uri.lower().startswith(SCHEMES):
            engine.answer(server, request, 416, "Unsupported URI Scheme")
            return
        if unknown:
            engine.answer(server, request, 420, "Bad Extension", f"Unsupported: {unknown}")
            return
    if method == "INVITE":
        if request.hops == 0:
            engine.answer(server, request, 483, "Too Many Hops")
        else:
            admission.begin(engine, request, server, trunk)
    elif method == "OPTIONS":
        engine.counts[INDEX["options"]] += 1
        if engine.draining:
            engine.answer(server, request, 503, "Draining")
        else:
            engine.answer(server, request, 200, "OK", ALLOW, "Accept: application/sdp", "Supported: 100rel, timer")
    elif method == "NOTIFY":
        engine.answer(server, request, 481, "Subscription Does Not Exist")
    else:
        engine.counts[INDEX["refused_methods"]] += 1
        engine.answer(server, request, 405, "Method Not Allowed", ALLOW)


def unknown_extensions(request: Request) -> str:
    """Option tags of Require and Proxy-Require that do not pass through us, or "" (RFC 3261 §8.2.2.3)."""
    if "require" not in request.at and "proxy-require" not in request.at:
        return ""
    wanted = [
        tag
        for value in request.values("require") + request.values("proxy-require")
        for tag in map(str.strip, value.split(","))
    ]
    return ", ".join(tag for tag in wanted if tag and tag.lower() not in END_TO_END)
