"""A request that the parser refuses -> octets that it reads, with everything repaired that can be.

Enters: the octets of one message. Leaves: octets that say the same, b"" where too little is left of it. Must not: be
asked for a call that nobody's life depends on: what it infers is likely, not certain, and so could be used to show
screening another message than neighbours see.

What no repair replaces: a Request-URI, a Via, a Call-ID and the number of CSeq. Without the first nobody knows where
the call goes, without the others no answer finds its way.
"""

from __future__ import annotations

import re
from typing import Final

from sipguard.sip.address import read_address
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Request
from sipguard.sip.parse import MAX_CSEQ, MAX_LINES, METHODS, key_of
from sipguard.sip.uri import require_request_uri, require_scheme, user_of
from sipguard.sip.via import read_via, sent_by

_LINE_END: Final = r"(?:\r\n|\n|\r)"
_HEAD_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r(?!\n))")
_TOKEN: Final = r"[-A-Za-z0-9.!%*_+`'~]"
_BRANCH: Final = re.compile(rf"branch[ \t]*=[ \t]*\"?({_TOKEN}+)", re.IGNORECASE)
_SENT_BY: Final = re.compile(rf"[^/]*/[^/]*/[ \t]*({_TOKEN}+)[ \t]+([^;, \t]+)")
_TAG: Final = re.compile(rf";[ \t]*tag[ \t]*=[ \t]*\"?({_TOKEN}+)", re.IGNORECASE)
_URI: Final = re.compile(r"(?:sips?|tel):[^ \t<>;\",]+", re.IGNORECASE)
_NOWHERE: Final = "unknown.invalid"  # a host that nobody has (RFC 2606 §2); answers go where the request came from
_NOBODY: Final = "<sip:anonymous@anonymous.invalid>"  # RFC 3323 §4.1.1.3
_VIAS: Final = 100
_WRITTEN: Final = frozenset({"via", "from", "to", "call-id", "cseq", "content-length"})


def mended(octets: bytes) -> bytes:
    """The request in `octets` as it was probably meant; b"" where it cannot be one, or names no place or transaction.

    Lines that are no header go, one that was to stand once stands once, and the body is what came: of Content-Length
    octets where one says so and so many are there.
    """
    octets = octets.lstrip(b"\r\n")
    end = _HEAD_END.search(octets)
    head, body = (octets[: end.start()], octets[end.end() :]) if end is not None else (octets, b"")
    lines = re.split(_LINE_END, head.decode("latin-1"))
    method, uri = _request_line(lines[0])
    fields = _fields(lines[1:])
    values = {key: _values(fields, key) for key in _WRITTEN}
    cseq = _number(values["cseq"])
    if not uri or not cseq or not values["via"] or not values["call-id"]:
        return b""
    body = _body(body, values["content-length"])
    written = [
        *(f"Via: {via}" for via in _vias(values["via"])),
        f"From: {_address(values['from'], _NOBODY)}",
        f"To: {_address(values['to'], f'<{uri}>')}",
        f"Call-ID: {values['call-id'][0]}",
        f"CSeq: {cseq} {method}",
    ]
    as_said = set(values["content-length"]) == {str(len(body))}
    others = [line for key, line in fields if key not in _WRITTEN or (as_said and key == "content-length")]
    kept = [f"{method} {uri} SIP/2.0", *written, *others[: MAX_LINES - len(written) - 1]]
    if not as_said:
        kept.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*kept, "", ""]).encode("latin-1") + body


def _request_line(start: str) -> tuple[str, str]:
    """Method and Request-URI; both "" where there is none that can be read. White space within the URI goes."""
    method, *rest = start.split() or [""]
    if rest and rest[-1][:4].upper() == "SIP/":
        rest.pop()
    elif len(rest) > 1:
        return "", ""  # another protocol
    uri = _request_uri("".join(rest).strip("<>\"'")) if method in METHODS else ""
    return (method, uri) if uri else ("", "")


def _request_uri(uri: str) -> str:
    """The URI as a Request-URI can have it, "" for none: escaped, without headers, where needed without its host."""
    try:
        require_scheme(uri)
    except MalformedMessage:
        uri = f"sip:{uri}"
    uri = "".join(char if "!" <= char <= "~" and char not in '"<>\\^`{|}' else f"%{ord(char):02X}" for char in uri)
    before, at, after = uri.rpartition("@")
    user = _escaped(user_of(uri))
    host = re.split("[;?:]", after)[0]
    tries = [f"{before}{at}{after.partition('?')[0]}"]
    if user and at:
        tries += [f"sip:{user}@{host}", f"sip:{user}@{_NOWHERE}"]
    for each in tries:
        try:
            require_request_uri(each)
        except MalformedMessage:
            continue
        return each
    return ""


def _escaped(user: str) -> str:
    """`user` with every % that escapes nothing escaped itself (RFC 3261 §19.1.2)."""
    return re.sub("%(?![0-9A-Fa-f]{2})|[\\[\\]#@]", lambda found: f"%{ord(found[0]):02X}", user)


def _fields(lines: list[str]) -> list[tuple[str, str]]:
    """(key, line) of the lines that are headers, in order; folds are joined, as far as there is a line before them."""
    found: list[tuple[str, str]] = []
    for line in lines:
        bare = line.strip(" \t")
        name, colon, _ = bare.partition(":")
        if line[:1] in (" ", "\t") and found:
            key, before = found[-1]
            found[-1] = (key, f"{before} {bare}".rstrip(" "))
        elif colon and key_of(name):
            found.append((key_of(name), line if line[:1] not in (" ", "\t") else bare))
    return found


def _values(fields: list[tuple[str, str]], key: str) -> list[str]:
    """What the headers of that name say, in order, those that say nothing left out."""
    values = [line.partition(":")[2].strip(" \t") for name, line in fields if name == key]
    return [value for value in values if value]


def _number(values: list[str]) -> str:
    """The number of the first CSeq that has one, "" where none has one that fits."""
    for value in values:
        found = re.match("[0-9]+", value)
        if found is not None:
            digits = found[0].lstrip("0") or "0"
            return digits if len(digits) < 11 and int(digits) < MAX_CSEQ else ""
    return ""


def _body(body: bytes, lengths: list[str]) -> bytes:
    """The body: as long as the one Content-Length says, all of it where that says nothing usable (RFC 3261 §18.3)."""
    if len(set(lengths)) == 1 and re.fullmatch("[0-9]{1,9}", lengths[0]) is not None:
        return body[: int(lengths[0])]
    return body


def _vias(values: list[str]) -> list[str]:
    """Via values, the topmost one such that the request can be answered."""
    top, *others = values
    if not _is_via(top):
        first, *more = top.split(",")
        others = [one for one in more if _is_via(one)] + others
        top = _via(first)
    return [top, *others[: _VIAS - 1]]


def _is_via(value: str) -> bool:
    try:
        read_via(Request(b"", []), value.strip(" \t"))
    except MalformedMessage:
        return False
    return True


def _via(value: str) -> str:
    """A Via value with what can be read of this one; with `rport`, so that answers go where the request came from."""
    found = _SENT_BY.match(value)
    transport, host = (found[1], found[2]) if found is not None else ("UDP", _NOWHERE)
    try:
        sent_by(host)
    except MalformedMessage:
        host = _NOWHERE
    branch = _BRANCH.search(value)
    return f"SIP/2.0/{transport} {host};rport" + (f";branch={branch[1]}" if branch is not None else "")


def _address(values: list[str], otherwise: str) -> str:
    """The first From or To, with its URI and tag alone where it cannot be read; `otherwise` where it has no URI."""
    value = values[0] if values else ""
    try:
        return read_address(value, "")[0]
    except MalformedMessage:
        uri, tag = _URI.search(value), _TAG.search(value)
    meant = (f"<{uri[0]}>" if uri is not None else otherwise) + (f";tag={tag[1]}" if tag is not None else "")
    try:
        return read_address(meant, "")[0]
    except MalformedMessage:
        return otherwise
