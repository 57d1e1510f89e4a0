"""Composing: the lines that all responses to a request share, local responses, ACK and CANCEL.

Enters: messages, and lines that the caller made. Leaves: octets. Must not: decide what crosses between legs.
"""

from __future__ import annotations

from sipguard.sip.flow import TLS, UDP, Address, Flow
from sipguard.sip.message import Request, Response
from sipguard.sip.uri import split_outside
from sipguard.sip.via import via_host_port

CRLF = "\r\n"


def response_flow(request: Request, flow: Flow) -> Flow:
    """The way of responses to a request that came by `flow` (RFC 3261 §18.2.2, RFC 3581 §4); maddr is not followed."""
    if request.rport or flow.reliable:
        return flow
    return Flow(0, UDP, flow.listener, (flow.remote[0], via_host_port(request.sent_by)[1] or 5060))


def response_flow_anew(request: Request, flow: Flow) -> Flow | None:
    """The way of responses once the connection that the request came by is gone; None for datagrams (§18.2.2)."""
    if not flow.reliable:
        return None
    port = via_host_port(request.sent_by)[1] or (5061 if flow.transport == TLS else 5060)
    return Flow(0, flow.transport, flow.listener, (flow.remote[0], port), flow.tls_names)


def response_head(request: Request, source: Address) -> str:
    """Via, From, Call-ID and CSeq lines of a request for its responses, each with its line end (§8.2.6.2).

    Of a broken request, those that are there. The top Via gets `received` and the value of `rport`
    (§18.2.1, RFC 3581 §4).
    """
    at = request.at
    lines = request.lines
    top = lines[at["via"]]
    if request.rport or via_host_port(request.sent_by)[0].strip("[]") != source[0]:
        top = _marked(top, request, source)
    vias = request.lines_of("via") if request.keys.count("via") > 1 else None
    if vias is not None:
        vias[0] = top
        top = CRLF.join(vias)
    try:
        return f"{top}\r\n{lines[at['from']]}\r\n{lines[at['call-id']]}\r\n{lines[at['cseq']]}\r\n"
    except KeyError:
        kept = "".join(f"{lines[at[key]]}\r\n" for key in ("from", "call-id", "cseq") if key in at)
        return f"{top}\r\n{kept}"


def _marked(line: str, request: Request, source: Address) -> str:
    """The Via line with `received` and `rport` in its first value; what the sender wrote there is removed."""
    host, port = source
    if "," not in line and '"' not in line and "received" not in line.lower():
        i = line.find(";rport")
        if request.rport and i > 0 and line[i + 6 : i + 7] in ("", ";"):
            return f"{line[:i]};received={host};rport={port}{line[i + 6 :]}"
        if not request.rport:
            return f"{line};received={host}"
    name, _, value = line.partition(":")
    first, *others = split_outside(" ".join(value.split(CRLF)), ",")
    written = ("received", "rport")
    pieces = [p for p in split_outside(first, ";") if p.partition("=")[0].strip().lower() not in written]
    pieces.append(f"received={host}")
    if request.rport:
        pieces.append(f"rport={port}")
    return f"{name}: {', '.join([';'.join(pieces), *others])}"


def local_response(
    head: str,
    to_line: str,
    to_tag: str,
    status: int,
    phrase: str,
    extra: tuple[str, ...] = (),
    body: bytes = b"",
) -> bytes:
    """A response of our own. `to_tag` is added where the To line has none yet (§8.2.6.2).

    A `to_line` of "" leaves To out: the request had none.
    """
    to = f"{to_line};tag={to_tag}\r\n" if to_tag and to_line else f"{to_line}\r\n" if to_line else ""
    more = "".join(f"{line}\r\n" for line in extra)
    text = f"SIP/2.0 {status} {phrase}\r\n{head}{to}{more}Content-Length: {len(body)}\r\n\r\n"
    return text.encode("latin-1", "replace") + body


def _line_starting(lines: list[str], prefix: str) -> str:
    return next(line for line in lines if line.startswith(prefix))


def ack_of_failure(invite: bytes, response: Response) -> bytes:
    """The ACK for a final response other than 2xx, out of the INVITE that we composed (§17.1.1.3)."""
    lines = invite.partition(b"\r\n\r\n")[0].decode("latin-1").split(CRLF)
    uri = lines[0].split(" ")[1]
    cseq = _line_starting(lines, "CSeq: ").split(" ")[1]
    kept = [_line_starting(lines, "Via: "), *(line for line in lines if line.startswith("Route: "))]
    text = CRLF.join(
        [
            f"ACK {uri} SIP/2.0",
            *kept,
            "Max-Forwards: 70",
            _line_starting(lines, "From: "),
            f"To: {response.value('to')}",
            _line_starting(lines, "Call-ID: "),
            f"CSeq: {cseq} ACK",
            "Content-Length: 0",
        ]
    )
    return f"{text}\r\n\r\n".encode("latin-1")


def cancel_of(invite: bytes, reason: str = "") -> bytes:
    """The CANCEL of an INVITE that we composed (§9.1); `reason` is a raw Reason line or ""."""
    lines = invite.partition(b"\r\n\r\n")[0].decode("latin-1").split(CRLF)
    uri = lines[0].split(" ")[1]
    cseq = _line_starting(lines, "CSeq: ").split(" ")[1]
    text = CRLF.join(
        [
            f"CANCEL {uri} SIP/2.0",
            _line_starting(lines, "Via: "),
            *(line for line in lines if line.startswith("Route: ")),
            "Max-Forwards: 70",
            _line_starting(lines, "From: "),
            _line_starting(lines, "To: "),
            _line_starting(lines, "Call-ID: "),
            f"CSeq: {cseq} CANCEL",
            *([reason] if reason else []),
            "Content-Length: 0",
        ]
    )
    return f"{text}\r\n\r\n".encode("latin-1")
