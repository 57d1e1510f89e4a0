"""Octets -> Message: split once, names mapped, the fields that route a message read and checked.

Enters: one whole message (a datagram, or what `framing` cut out of a stream). Leaves: Request or Response.
Must not: look into bodies or into headers that only cross. Raises MalformedMessage with the status to answer
with (RFC 3261 §8.2, §16.3, RFC 4475) and what could be read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import COMPACT, Message, Request, Response, line_value
from sipguard.sip.uri import (
    TOKEN,
    is_host,
    name_addr,
    parameters,
    require_scheme,
    require_sip_uri,
    split_outside,
    tag_of,
)

MAX_CSEQ: Final = 2**31
ESSENTIAL: Final = ("via", "call-id", "cseq", "from", "to")
_COMMON: Final = (
    "Via From To Call-ID CSeq Contact Max-Forwards Content-Length Content-Type Allow Supported User-Agent Server "
    "Identity P-Asserted-Identity Privacy Diversion History-Info Call-Info Priority Reason Record-Route Route Date "
    "Session-Expires Min-SE Require Accept Allow-Events Expires P-Charging-Vector Content-Disposition "
    "Remote-Party-ID Proxy-Require Timestamp Warning Unsupported Retry-After Feature-Caps"
).split()
NAMES: Final[dict[str, str]] = (
    {name: name.lower() for name in _COMMON}
    | {name.lower(): name.lower() for name in _COMMON}
    | {"Call-Id": "call-id", "CSEQ": "cseq", "Cseq": "cseq", "VIA": "via", "FROM": "from", "TO": "to"}
    | COMPACT
    | {short.upper(): long for short, long in COMPACT.items()}
)
_SINGLE: Final = frozenset({"from", "to", "call-id", "cseq", "max-forwards", "content-length", "date", "content-type"})


def parse(octets: bytes) -> Request | Response:
    """The message in `octets` (RFC 3261 §7). Leading empty lines are passed over (§7.5)."""
    if octets[:1] in (b"\r", b"\n"):
        octets = octets.lstrip(b"\r\n")
    head, end, body = octets.partition(b"\r\n\r\n")
    text = head.decode("latin-1")
    lines = text.split("\r\n")
    folded = "\r\n " in text or "\r\n\t" in text
    if folded:
        lines = _with_folds(lines)
    start = lines.pop(0)
    message: Request | Response
    if start.startswith("SIP/"):
        message = Response(head, lines)
    else:
        message = Request(head, lines)
    try:
        problem = _index(message, lines) if end else "the header section has no end"
        if type(message) is Request:
            _request_line(message, start)
            _essentials(message, folded)
            if message.method != message.cseq_method:
                raise MalformedMessage("the method in CSeq is another one")
        else:
            _status_line(message, start)  # type: ignore[arg-type]
            _matched_by(message)  # type: ignore[arg-type]
        if problem:
            raise MalformedMessage(problem)
        message.body = _body(message, body)
    except MalformedMessage as error:
        error.message = message
        if type(message) is Request and not message.sent_by:
            _read_leniently(message, start)
        raise
    return message


def _with_folds(lines: list[str]) -> list[str]:
    """Header lines; one that begins with white space belongs to the one before it (RFC 3261 §7.3.1)."""
    kept: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and kept:
            kept[-1] = f"{kept[-1]}\r\n{line}"
        else:
            kept.append(line)
    return kept


def _index(message: Message, lines: list[str]) -> str:
    """Fills `keys` and `at`; what is wrong with the lines, or ""."""
    get = NAMES.get
    keys = [get(line[: line.find(":")], "") for line in lines]
    problem = ""
    if "" in keys:
        for n, key in enumerate(keys):
            if not key:
                keys[n] = name = _unusual_name(lines[n])
                if not name:
                    problem = "a line is not a header"
    message.keys = keys
    last = len(keys) - 1
    message.at = at = dict(zip(keys[::-1], range(last, -1, -1), strict=True))
    if len(at) <= last and not problem:
        for key in _SINGLE:
            if key in at and keys.count(key) > 1:
                return f"{key} stands more than once"
    return problem


def _unusual_name(line: str) -> str:
    """Lower-case long name of a header line, "" where the line is no header."""
    name, colon, _ = line.partition(":")
    name = name.rstrip(" \t")
    if not colon or not name or not TOKEN.issuperset(name):
        return ""
    low = name.lower()
    return COMPACT.get(low, low)


def _read_leniently(request: Request, start: str) -> None:
    """Reads what an answer to a broken request needs, where it can be read."""
    request.method = request.method or start.partition(" ")[0]
    try:
        if not request.at:
            _index(request, request.lines)
        _request_via(request, request.value("via"))
    except MalformedMessage:
        return


def _matched_by(response: Response) -> None:
    """Branch and CSeq of a response: what it is matched by (RFC 3261 §17.1.3)."""
    at = response.at
    if "via" not in at or "cseq" not in at:
        raise MalformedMessage("a response without Via or CSeq")
    line = response.lines[at["via"]]
    response.branch = branch_of(line if "\n" not in line else response.value("via"))
    _cseq(response, response.value("cseq"))


def _cseq(message: Message, value: str) -> None:
    """Number and method of CSeq (§20.16)."""
    number, _, method = value.partition(" ")
    if not number.isdigit() or not number.isascii() or len(number) > 10:
        raise MalformedMessage("CSeq is not a number and a method")
    message.cseq = int(number)
    if not (method.isalpha() and method.isascii()):
        method = method.strip()
        if not method or not TOKEN.issuperset(method):
            raise MalformedMessage("CSeq has no method")
    message.cseq_method = method
    if message.cseq >= MAX_CSEQ:
        raise MalformedMessage("CSeq is out of range")


def _essentials(request: Request, folded: bool) -> None:
    """Reads and checks what a request is routed by: Via, Call-ID, CSeq, From, To, Max-Forwards (§8.1.1)."""
    at = request.at
    lines = request.lines
    for key in ESSENTIAL:
        if key not in at:
            raise MalformedMessage(f"{key} is missing")
    if folded:
        via, call_id, cseq, from_value, to_value = [line_value(lines[at[key]]) for key in ESSENTIAL]
    else:
        via, call_id, cseq, from_value, to_value = [
            line[line.find(":") + 1 :].strip() for line in [lines[at[key]] for key in ESSENTIAL]
        ]
    _request_via(request, via)
    if not call_id:
        raise MalformedMessage("Call-ID is empty")
    request.call_id = call_id
    _cseq(request, cseq)
    request.from_value = from_value
    request.from_tag = _address_tag(from_value, "From")
    request.to_value = to_value
    request.to_tag = _address_tag(to_value, "To")
    n = at.get("max-forwards")
    if n is not None:
        text = line_value(lines[n])
        if not text.isdigit() or not text.isascii() or len(text) > 3 or int(text) > 255:
            raise MalformedMessage("Max-Forwards is not a number from 0 to 255")
        request.hops = int(text)


def _address_tag(value: str, which: str) -> str:
    """The tag of a From or To value, whose form is checked."""
    if value.startswith("<sip:") and '"' not in value and " " not in value:  # the common layout
        uri, close, rest = value.partition(">")
        if close and "<" not in rest and uri.rfind("<") == 0:
            if not rest:
                return ""
            if rest.startswith(";tag="):
                tag = rest[5:]
                if tag.isalnum() and tag.isascii():
                    return tag
            return tag_of(rest)
    try:
        _, uri, rest = name_addr(value)
        if " " in uri or "<" in uri:
            raise MalformedMessage("the URI has a space or a bracket")
        require_scheme(uri)
        return tag_of(rest)
    except MalformedMessage as error:
        raise MalformedMessage(f"{which}: {error.what}") from None


def branch_of(via: str) -> str:
    """The branch parameter of the first value in a Via line, or ""."""
    start = via.find(";branch=")
    if start < 0:
        start = via.lower().find(";branch=")
        if start < 0:
            params = parameters(";" + split_outside(via, ",")[0].partition(";")[2])
            return params.get("branch", "")
    start += 8
    end = via.find(";", start)
    comma = via.find(",", start)
    if comma >= 0 and (end < 0 or comma < end):
        end = comma
    return (via[start:] if end < 0 else via[start:end]).rstrip()


def _request_via(message: Request, via: str) -> None:
    """Branch, sent-by and rport of a request's top Via (RFC 3261 §20.42, RFC 3581 §3)."""
    message.via = via
    first = via if "," not in via else split_outside(via, ",")[0]
    if first.startswith("SIP/2.0/"):
        rest = first.partition(" ")[2]
    else:
        rest = _spaced_protocol(first)[1]
    sent_by, semicolon, params = rest.partition(";")
    sent_by = sent_by.strip()
    _require_sent_by(sent_by)
    message.sent_by = sent_by
    if not semicolon:
        return
    if "rport" in params:
        message.rport = params.endswith(";rport") or ";rport;" in params or "rport" in parameters(params)
    message.branch = branch_of(first)


@lru_cache(maxsize=4096)
def _require_sent_by(sent_by: str) -> None:
    """Raises where a sent-by is none; peers are few, so the answer is remembered."""
    host, port = via_host_port(sent_by)
    if not is_host(host) or port < 0:
        raise MalformedMessage("Via has no valid sent-by")


def _spaced_protocol(via: str) -> tuple[str, str]:
    """Protocol and rest of a Via value written with white space around its slashes (RFC 4475 §3.1.1.1)."""
    pieces = via.split("/", 2)
    if len(pieces) != 3 or pieces[0].strip().upper() != "SIP" or pieces[1].strip() != "2.0":
        raise MalformedMessage("Via does not begin with SIP/2.0/")
    transport, _, rest = pieces[2].strip().partition(" ")
    if not transport or not rest:
        raise MalformedMessage("Via has no sent-by")
    return f"SIP/2.0/{transport}", rest


def via_host_port(sent_by: str) -> tuple[str, int]:
    """Host and port of a sent-by; port 0 where none is written, -1 where it is not one."""
    if sent_by.startswith("["):
        host, _, tail = sent_by.partition("]")
        host += "]"
        colon, port = tail[:1], tail[1:].strip()
        if tail.strip() and colon != ":":
            return host, -1
    else:
        host, colon, port = sent_by.partition(":")
        host, port = host.strip(), port.strip()
    if not colon:
        return host, 0
    if port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536:
        return host, int(port)
    return host, -1


def _request_line(message: Request, start: str) -> None:
    """Method and Request-URI (RFC 3261 §7.1); the scheme may be any, only sip: and sips: are looked into."""
    pieces = start.split(" ")
    if len(pieces) != 3:
        raise MalformedMessage("the request line is not METHOD URI VERSION")
    message.method, message.uri, version = pieces
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        raise MalformedMessage("unsupported SIP version", 505, "Version Not Supported")
    if not TOKEN.issuperset(message.method):
        raise MalformedMessage("the method is not a token")
    _require_uri(message.uri)


@lru_cache(maxsize=4096)
def _require_uri(uri: str) -> None:
    """Raises where a Request-URI is none; in a dialog it is always ours, so the answer is remembered."""
    scheme = "sip" if uri.startswith("sip:") else require_scheme(uri)
    if uri[0] == "<" or '"' in uri or ">" in uri:
        raise MalformedMessage("the Request-URI stands in brackets")
    if scheme in ("sip", "sips"):
        require_sip_uri(uri)
        if "?" in uri and "?" in uri[uri.rfind("@") + 1 :]:
            raise MalformedMessage("the Request-URI carries headers")


def _status_line(message: Response, start: str) -> None:
    """Status and phrase (RFC 3261 §7.2)."""
    version, _, rest = start.partition(" ")
    code, _, phrase = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise MalformedMessage("not a status line")
    message.status, message.phrase = int(code), phrase
    if not 100 <= message.status < 700:
        raise MalformedMessage("the status is not from 100 to 699")


def _body(message: Message, body: bytes) -> bytes:
    """The body: Content-Length octets of a datagram, the rest is dropped (RFC 3261 §18.3)."""
    n = message.at.get("content-length")
    if n is None:
        return body
    line = message.lines[n]
    text = line[line.find(":") + 1 :].strip()
    if not text.isdigit() or not text.isascii() or len(text) > 9:
        raise MalformedMessage("Content-Length is not a number")
    length = int(text)
    if length == len(body):
        return body
    if length > len(body):
        raise MalformedMessage("the body is shorter than Content-Length says")
    return body[:length]
