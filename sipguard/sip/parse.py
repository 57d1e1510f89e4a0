"""Octets -> Message: split once, names mapped, the fields that route a message read and checked.

Enters: one whole message (a datagram, or what `framing` cut out of a stream). Leaves: Request or Response.
Must not: look into bodies or into headers that only cross. Raises MalformedMessage with the status to answer
with (RFC 3261 §8.2, §16.3, RFC 4475) and what could be read.

The usual layout of each field is read by a few str methods; whatever looks different takes the full grammar. A fault
that leaves no doubt of what was meant refuses nothing (RFC 4475 §3.1.2 names most of them): docs/sip.md lists which.
"""

from __future__ import annotations

from typing import Final

from sipguard.sip.address import read_address, usual_tag
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import COMPACT, Message, Request, Response
from sipguard.sip.uri import TOKEN, require_request_uri
from sipguard.sip.via import branch_of, read_via, read_via_leniently

Problem = tuple[str] | tuple[str, int, str]  # to raise; an exception kept in a frame would be a cycle
MAX_CSEQ: Final = 2**32  # below 2**31, says RFC 3261 §8.1.1.5; some count with 32 bits, and it does no harm
MAX_LINES: Final = 512  # header lines; more are answered 513 and not read
ESSENTIAL: Final = ("via", "call-id", "cseq", "from", "to")
METHODS: Final = frozenset(
    {
        "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "PRACK", "UPDATE", "INFO", "REFER", "NOTIFY", "MESSAGE",
        "SUBSCRIBE", "PUBLISH", "REGISTER",
    }
)  # fmt: skip
HOPS: Final = {str(n): n for n in range(256)}
STATUS: Final = {f"SIP/2.0 {n} ": n for n in range(100, 700)}  # how a status line mostly begins
_COMMON: Final = (
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Content-Length", "Content-Type",
    "Allow", "Supported", "User-Agent", "Server", "Identity", "P-Asserted-Identity", "Privacy", "Diversion",
    "History-Info", "Call-Info", "Priority", "Reason", "Record-Route", "Route", "Date", "Session-Expires",
    "Min-SE", "Require", "Accept", "Allow-Events", "Expires", "P-Charging-Vector", "Content-Disposition",
    "Remote-Party-ID", "Proxy-Require", "Timestamp", "Warning", "Unsupported", "Retry-After", "Feature-Caps",
)  # fmt: skip


NAMES: Final[dict[str, str]] = (  # header name as it is mostly written -> key
    {name: name.lower() for name in _COMMON}
    | {name.lower(): name.lower() for name in _COMMON}
    | {"Call-Id": "call-id", "CSEQ": "cseq", "Cseq": "cseq", "VIA": "via", "FROM": "from", "TO": "to"}
    | COMPACT
    | {short.upper(): long for short, long in COMPACT.items()}
)
MOST_HOPS: Final = 255
_SINGLE: Final = ESSENTIAL[1:]  # two would leave open whose message it is; of other headers the first counts


def parse(octets: bytes) -> Request | Response:
    """The message in `octets` (RFC 3261 §7). Leading empty lines are passed over (§7.5)."""
    if octets[:1] == b"\r" or octets[:1] == b"\n":
        octets = octets.lstrip(b"\r\n")
    head, end, body = octets.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    start = lines.pop(0)
    if start[:4] == "SIP/":
        return _response(Response(head, lines), start, end, body)
    request = Request(head, lines)
    try:
        problem = _index(request)
        _request_line(request, start)
        _essentials(request)
        if problem:
            raise MalformedMessage(*problem)
        request.body = _body(request, end, body)
    except MalformedMessage as error:
        error.message = request
        if not request.call_id:  # Via was not reached, or is broken itself
            request.method = request.method or start.partition(" ")[0]
            read_via_leniently(request)
        raise
    return request


def _response(response: Response, start: str, end: bytes, body: bytes) -> Response:
    """Reads what a response is matched by: the branch of its top Via, and CSeq (RFC 3261 §17.1.3)."""
    try:
        problem = _index(response)
        _status_line(response, start)
        at = response.at
        if "via" not in at or "cseq" not in at:
            raise MalformedMessage("a response without Via or CSeq")
        response.branch = branch_of(response.value("via"))
        _cseq(response, response.value("cseq"))
        if problem:
            raise MalformedMessage(*problem)
        response.body = _body(response, end, body)
    except MalformedMessage as error:
        error.message = response
        raise
    return response


def _index(message: Message) -> Problem | None:
    """Fills `keys` and `at`; answers what is wrong with the lines, if anything."""
    lines, keys, at = message.lines, message.keys, message.at
    repeated = False
    for line in lines:
        colon = line.find(":")
        if colon < 0:
            return _unusual_lines(message)
        key = NAMES.get(line[:colon]) or key_of(line[:colon])
        if not key:
            return _unusual_lines(message)
        if key in at:
            repeated = True
        else:
            at[key] = len(keys)
        keys.append(key)
    joined = "".join(lines)
    if joined.find("\n") >= 0 or joined.find("\r") >= 0 or len(lines) > MAX_LINES:
        return _unusual_lines(message)
    return _repeated(message) if repeated else None


def _repeated(message: Message) -> Problem | None:
    """What is wrong where headers stand more than once."""
    keys = message.keys
    for key in _SINGLE:
        if key in message.at and keys.count(key) > 1:
            return (f"{key} stands more than once",)
    return _same_length(message) if keys.count("content-length") > 1 else None


def _same_length(message: Message) -> Problem | None:
    """Drops a Content-Length that says the same once more; one that says another length is wrong (RFC 4475 §3.3.9)."""
    if len(set(message.values("content-length"))) > 1:
        return ("content-length stands more than once",)
    first, keys = message.at["content-length"], message.keys
    kept = [n for n in range(len(keys)) if n == first or keys[n] != "content-length"]
    message.lines[:] = [message.lines[n] for n in kept]
    message.keys = keys = [keys[n] for n in kept]
    message.at = {}
    for n in range(len(keys) - 1, -1, -1):
        message.at[keys[n]] = n
    return None


def _unusual_lines(message: Message) -> Problem | None:
    """As `_index`, for lines some of which are folded or no headers; changes `lines` in place."""
    lines = message.lines
    problem: Problem | None = None
    if len(lines) > MAX_LINES:
        del lines[MAX_LINES:]
        problem = ("too many header lines", 513, "Message Too Large")
    if any(line[:1] in (" ", "\t") for line in lines):
        _fold(message)
    message.keys = keys = [key_of(line.partition(":")[0]) if ":" in line else "" for line in lines]
    if "" in keys and problem is None:
        problem = ("a line is not a header",)
    message.at = at = {}
    for n in range(len(keys) - 1, -1, -1):
        at[keys[n]] = n
    return _bare_line_ends(message) or problem or _repeated(message)


def _fold(message: Message) -> None:
    """Joins lines that begin with white space to the one before them (RFC 3261 §7.3.1)."""
    kept: list[str] = []
    for line in message.lines:
        if line[:1] in (" ", "\t") and kept:
            kept[-1] = f"{kept[-1]}\r\n{line}"
        else:
            kept.append(line)
    message.lines[:] = kept
    message.folded = True


def _bare_line_ends(message: Message) -> Problem | None:
    """What is wrong where a CR or LF stands alone: less careful neighbours would end the line there."""
    for line in message.lines:
        bare = line.replace("\r\n", "")
        if "\n" in bare or "\r" in bare:
            return ("CR or LF stands alone in the header section",)
    return None


def key_of(name: str) -> str:
    """Lower-case long form of a header name as it is written, "" where it is none."""
    name = name.rstrip(" \t")
    if not name or not TOKEN.issuperset(name):
        return ""
    low = name.lower()
    return COMPACT.get(low, low)


def _cseq(message: Message, value: str) -> None:
    """Number and method of CSeq (§20.16)."""
    digits, _, method = value.partition(" ")
    if len(digits) < 10 and digits.isdigit() and method.isalpha() and value.isascii():
        message.cseq, message.cseq_method = int(digits), method
        return
    message.cseq, message.cseq_method = _unusual_cseq(value)
    if message.cseq >= MAX_CSEQ:
        raise MalformedMessage("CSeq is out of range")


def _unusual_cseq(value: str) -> tuple[int, str]:
    """Number and method of a CSeq with leading zeros, other white space, or an unusual method."""
    number, _, method = value.replace("\t", " ").partition(" ")
    if not number.isdigit() or not number.isascii():
        raise MalformedMessage("CSeq is not a number and a method")
    method = method.strip(" ")
    if not method or not TOKEN.issuperset(method):
        raise MalformedMessage("CSeq has no method")
    return _long_number(number), method


def _essentials(request: Request) -> None:
    """Reads and checks what a request is routed by: Via, Call-ID, CSeq, From, To, Max-Forwards (§8.1.1)."""
    at = request.at
    for key in ESSENTIAL:
        if key not in at:
            raise MalformedMessage(f"{key} is missing")
    read_via(request, request.value("via"))
    request.call_id = request.value("call-id")
    if not request.call_id:
        raise MalformedMessage("Call-ID is empty")
    _cseq(request, request.value("cseq"))
    value = request.from_value = request.value("from")
    tag = usual_tag(value)
    if tag is None:
        request.from_value, tag = read_address(value, "From")
    request.from_tag = tag
    value = request.to_value = request.value("to")
    tag = usual_tag(value)
    if tag is None:
        request.to_value, tag = read_address(value, "To")
    request.to_tag = tag
    if "max-forwards" in at:
        text = request.value("max-forwards")
        hops = HOPS.get(text)
        request.hops = _unusual_hops(text) if hops is None else hops
    if request.method != request.cseq_method:
        what = "the method in CSeq is another one"
        if request.method in METHODS:
            raise MalformedMessage(what)
        raise MalformedMessage(what, 501, "Not Implemented")  # RFC 4475 §3.1.2.18


def _unusual_hops(text: str) -> int:
    """Max-Forwards with leading zeros (RFC 4475 §3.1.1.1), or above 255; -1, as for none, where it is no number."""
    if not text.isdigit() or not text.isascii():
        return -1
    return HOPS.get(text.lstrip("0") or "0", MOST_HOPS)


def _request_line(request: Request, start: str) -> None:
    """Method and Request-URI (RFC 3261 §7.1); more spaces than one are passed over (RFC 4475 §3.1.2.9, §3.1.2.10)."""
    pieces = start.split(" ")
    if len(pieces) != 3:
        pieces = [piece for piece in pieces if piece]
        if len(pieces) != 3:
            raise MalformedMessage("the request line is not METHOD URI VERSION")
    request.method, request.uri, version = pieces
    if version != "SIP/2.0" and version.upper() != "SIP/2.0":
        if version[:4].upper() != "SIP/":
            raise MalformedMessage("the request line is not METHOD URI VERSION")
        raise MalformedMessage("unsupported SIP version", 505, "Version Not Supported")
    if request.method not in METHODS and not (request.method and TOKEN.issuperset(request.method)):
        raise MalformedMessage("the method is not a token")
    if request.uri[:1] == "<" and request.uri[-1:] == ">":  # RFC 4475 §3.1.2.7
        request.uri = request.uri[1:-1]
    require_request_uri(request.uri)


def _status_line(response: Response, start: str) -> None:
    """Status and phrase (RFC 3261 §7.2)."""
    status = STATUS.get(start[:12])
    if status is not None:
        response.status, response.phrase = status, start[12:]
        if response.phrase.find("\n") >= 0 or response.phrase.find("\r") >= 0:
            raise MalformedMessage("CR or LF stands alone in the status line")
        return
    version, _, rest = start.partition(" ")
    code, _, phrase = rest.partition(" ")
    if version.upper() != "SIP/2.0" or len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise MalformedMessage("not a status line")
    if "\n" in phrase or "\r" in phrase:
        raise MalformedMessage("CR or LF stands alone in the status line")
    response.status, response.phrase = int(code), phrase
    if not 100 <= response.status < 700:
        raise MalformedMessage("the status is not from 100 to 699")


def _body(message: Message, end: bytes, body: bytes) -> bytes:
    """The body: Content-Length octets of a datagram, the rest is dropped (RFC 3261 §18.3)."""
    if not end:
        raise MalformedMessage("the header section has no end")
    if "content-length" not in message.at:
        return body
    text = message.value("content-length")
    if not text.isdigit() or not text.isascii():
        raise MalformedMessage("Content-Length is not a number")
    length = int(text) if len(text) < 10 else _long_number(text)
    if length == len(body):
        return body
    if length > len(body):
        raise MalformedMessage("the body is shorter than Content-Length says")
    return body[:length]


def _long_number(digits: str) -> int:
    """The number, or 2**32 where it is not smaller; leading zeros are passed over (RFC 4475 §3.1.1.1)."""
    digits = digits.lstrip("0")
    return min(int(digits or "0"), MAX_CSEQ) if len(digits) < 11 else MAX_CSEQ
