"""A SIP message: start line, raw header lines, body. Structure is read where it is asked for.

Enters: lines that `parse` split. Leaves: raw lines, values, the few fields that every message is routed by.
Must not: change a line; what crosses to the other leg is the line as it was received.

Text is the octets decoded as Latin-1, one character an octet, so that a line leaves byte for byte as it came.
"""

from __future__ import annotations

from typing import Final

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import name_addr, tag_of

COMPACT: Final = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "n": "identity-info",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

_SPACE: Final = 32


class Message:
    """What requests and responses share. `keys[n]` is the lower-case long name of `lines[n]`."""

    __slots__ = (
        "at",  # dict[str, int]: key -> index of its first line
        "body",
        "branch",  # of the top Via
        "cseq",
        "cseq_method",
        "folded",  # whether a line is folded
        "head",  # start line and header octets as received, without the empty line
        "keys",
        "lines",
    )

    def __init__(self, head: bytes, lines: list[str]) -> None:
        self.head = head
        self.lines = lines
        self.keys: list[str] = []
        self.at: dict[str, int] = {}
        self.body = b""
        self.branch = self.cseq_method = ""
        self.cseq = 0
        self.folded = False

    def value(self, key: str) -> str:
        """Value of the first header of that name, unfolded and stripped; "" where there is none."""
        n = self.at.get(key)
        if n is None:
            return ""
        line = self.lines[n]
        begin = len(key) + 2  # in the usual layout: a long name, one space, no other white space or control character
        if (
            begin < len(line)
            and not self.folded
            and line[1] != ":"  # no compact form: its colon might be another one
            and ord(line[1]) > _SPACE
            and line[begin - 2] == ":"
            and line[begin - 1] == " "
            and ord(line[begin]) > _SPACE
            and ord(line[-1]) > _SPACE
        ):
            return line[begin:]
        return line_value(line)

    def values(self, key: str) -> list[str]:
        """Values of all header lines of that name, in order; commas are not split."""
        return [line_value(line) for line in self.lines_of(key)]

    def lines_of(self, key: str) -> list[str]:
        """The raw header lines of that name, in order."""
        first = self.at.get(key)
        if first is None:
            return []
        lines, keys = self.lines, self.keys
        found = [lines[first]]
        for n in range(first + 1, len(keys)):
            if keys[n] == key:
                found.append(lines[n])
        return found


class Request(Message):
    """A request, with what it is routed by. `sent_by` is host[:port] of the top Via, `rport` a flag of it."""

    __slots__ = (
        "call_id",
        "from_tag",
        "from_value",
        "hops",  # Max-Forwards, -1 where there is none
        "method",
        "rport",
        "sent_by",
        "to_tag",
        "to_value",
        "uri",
        "via",  # raw value of the top Via header line
    )

    def __init__(self, head: bytes, lines: list[str]) -> None:
        Message.__init__(self, head, lines)
        self.method = self.uri = self.sent_by = self.via = ""
        self.call_id = self.from_value = self.from_tag = self.to_value = self.to_tag = ""
        self.hops = -1
        self.rport = False


class Response(Message):
    """A response; only what every one is matched by is read beforehand."""

    __slots__ = ("phrase", "status")

    def __init__(self, head: bytes, lines: list[str]) -> None:
        Message.__init__(self, head, lines)
        self.status = 0
        self.phrase = ""

    @property
    def to_tag(self) -> str:
        """The To tag, "" where there is none that can be read."""
        value = self.value("to")
        before, close, tag = value.rpartition(">;tag=")
        if close and before.find('"') < 0 and tag.isalnum() and tag.isascii():
            return tag
        try:
            return tag_of(name_addr(value)[2])
        except MalformedMessage:
            return ""


def line_value(line: str) -> str:
    """The value of a raw header line: after the colon, folds joined by a space (RFC 3261 §7.3.1).

    Only white space of SIP is stripped: other characters that str.strip() takes are octets of UTF-8 here.
    """
    value = line[line.find(":") + 1 :]
    if "\n" in value:
        value = " ".join([piece.strip(" \t") for piece in value.split("\r\n")])
    return value.strip(" \t")
