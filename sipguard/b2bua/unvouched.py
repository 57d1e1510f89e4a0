"""What nobody outside may say in our place, taken out: verstat of addresses (RFC 3325 §5), claims in Call-Info.

Enters: header lines and values as they would cross. Leaves: the same without them.
Must not: touch a display name, any other parameter, or a header that holds neither addresses nor calls.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import name_addr, quoted_end

ADDRESSES: Final = frozenset(  # headers whose addresses are read as somebody's number
    {
        "from", "f", "contact", "m", "p-asserted-identity", "p-preferred-identity", "remote-party-id", "diversion",
        "history-info", "referred-by", "b", "reply-to", "p-charge-info", "p-served-user",
    }
)  # fmt: skip
CARRIED: Final = ADDRESSES - {"from", "contact"}  # those of an INVITE that cross as they came
_NAME: Final = "verstat"
_CLAIMS: Final = ("verified", "integrity")  # that rich call data were verified (RFC 9796)
_ESCAPED: Final = "%3b"  # a semicolon in the user part of a URI


def lines_unmarked(text: str, claims: bool) -> str:
    """Header lines, joined, without verstat in those that hold addresses; with `claims` without those in Call-Info."""
    if not claims and not may_have_verstat(text):
        return text
    kept: list[str] = []
    for line in text.split("\r\n"):
        if line[:1] in (" ", "\t") and kept:
            kept[-1] = f"{kept[-1]}\r\n{line}"
        else:
            kept.append(line)
    if claims:
        kept = [line_without_claims(line) for line in kept]
    return "\r\n".join([line_without_verstat(line) for line in kept])


def line_without_claims(line: str) -> str:
    """A header line, folded or not; of Call-Info without what says that its content was verified."""
    name, colon, value = line.partition(":")
    if name.strip().lower() != "call-info" or not any(each in value.lower() for each in _CLAIMS):
        return line
    kept = []
    for each in _cut(value, ","):
        content, *parameters = _cut(each, ";") if each.count("<") == each.count(">") else each.split(";")
        kept.append(";".join([content, *[one for one in parameters if not _is_claim(one)]]))
    return f"{name}{colon}{','.join(kept)}"


def _is_claim(parameter: str) -> bool:
    return parameter.partition("=")[0].strip().lower() in _CLAIMS


def line_without_verstat(line: str) -> str:
    """One header line, folded or not."""
    name, colon, value = line.partition(":")
    if name.strip().lower() not in ADDRESSES or not may_have_verstat(value):
        return line
    return f"{name}{colon}{','.join([without_verstat(each) for each in _cut(value, ',')])}"


def without_verstat(address: str) -> str:
    """An address without any verstat parameter: of the user part, of the URI, of the header.

    What stands in quotes is nobody's number, and stays. What name_addr can read it can read afterwards.
    """
    if not may_have_verstat(address):
        return address
    try:
        display, uri, rest = name_addr(address.strip())
    except MalformedMessage:
        return _unreadable(address)
    before, *parameters = _cut(rest, ";")
    after = ";".join([before, *[each for each in parameters if not _is_verstat(each)]])
    kept = _uri(uri)
    if (kept, after) == (uri, rest):
        return address
    space = address[: len(address) - len(address.lstrip())]
    if "<" not in address:
        return f"{space}{kept}{after}"
    return f"{space}{display} <{kept}>{after}" if display else f"{space}<{kept}>{after}"


def _unreadable(address: str) -> str:
    """What is no address, without the parameter: others may read it all the same."""
    first, *others = address.split(";")
    uri, bracket, rest = first.rpartition("<")
    kept = [f"{uri}{bracket}{_uri(rest)}"]
    for each in others:
        ends = [i for i in map(each.find, "@>") if i >= 0]
        end = min(ends, default=len(each))
        if _is_verstat(each[:end]):
            kept[-1] += each[end:]
        else:
            kept.append(each)
    return ";".join(kept)


def may_have_verstat(text: str) -> bool:
    """Whether verstat stands in a text, escaped or not; in quotes it means nothing, and is found here all the same."""
    low = text.lower()
    return _NAME in low or ("%" in low and _NAME in unquote(low, "latin-1"))


def _cut(text: str, separator: str) -> list[str]:
    """`text` cut at every `separator` outside quotes and brackets, nothing lost; a quote left open is none."""
    pieces: list[str] = []
    start, i, angle = 0, 0, False
    while i < len(text):
        c = text[i]
        if c == '"' and not angle:
            i = max(quoted_end(text, i), i)
        elif c == "<":
            angle = True
        elif c == ">":
            angle = False
        elif c == separator and not angle:
            pieces.append(text[start:i])
            start = i + 1
        i += 1
    pieces.append(text[start:])
    return pieces


def _uri(uri: str) -> str:
    """A URI without the parameter, escaped or not; one that would have nothing left is no number and stays."""
    scheme, colon, rest = uri.partition(":")
    at = rest.rfind("@") if scheme.strip().lower() in ("sip", "sips") else -1
    if at >= 0:
        user, password_colon, password = rest[:at].partition(":")
        before = f"{_less(user)}{password_colon}{password}@"
        rest = rest[at + 1 :]
    else:
        before = ""
    host, question, headers = rest.partition("?")
    after = f"{_less(host)}{question}{headers}"
    return f"{scheme}{colon}{before}{after}" if before or after.strip() else uri


def _less(text: str) -> str:
    """`a;b;c` without the parameter."""
    kept: list[str] = []
    low, start = text.lower(), 0
    while start < len(text):
        ends = [i for i in (low.find(";", start + 1), low.find(_ESCAPED, start + 1)) if i >= 0]
        end = min(ends, default=len(text))
        piece = text[start:end]
        named = piece[1:] if piece[0] == ";" else piece[3:] if low.startswith(_ESCAPED, start) else ""
        if not _is_verstat(named):
            kept.append(piece)
        start = end
    return "".join(kept)


def _is_verstat(parameter: str) -> bool:
    """Whether `name=value`, or a name alone, is it, in any spelling."""
    return unquote(parameter, "latin-1").partition("=")[0].strip().lower() == _NAME
