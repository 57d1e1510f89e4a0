"""A stream of octets -> the messages in it (RFC 3261 §7.5, §18.3), and the keep-alives between them (RFC 5626 §3.5.1).

Enters: octets as they come, cut anywhere. Leaves: whole messages, PING for a keep-alive that wants an answer; what
is wrong once the stream cannot be read on. Must not: read more of a message than its length.

However a stream is cut, the same comes out.
"""

from __future__ import annotations

import re
from typing import Final

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import TOKEN

PING: Final = b"\r\n\r\n"  # RFC 5626 §3.5.1
PONG: Final = b"\r\n"
LARGEST_HEAD: Final = 64 * 1024
LARGEST_BODY: Final = 64 * 1024
_END: Final = b"\r\n\r\n"
_BEGINNINGS: Final = frozenset(map(ord, TOKEN))  # what a method, or SIP/2.0, can begin with
_LENGTHS: Final = re.compile(rb"\r\n(?:content-length|l)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)", re.IGNORECASE)


class Framer:
    """One direction of one connection.

    `broken` says what is wrong once nothing more can be cut out of it; its `head` is that of the message concerned,
    b"" where not even that is known. `partial` is whether a message has begun that is not complete.
    """

    __slots__ = ("_need", "_rest", "_searched", "broken", "head")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._need = 0  # octets of the message that has begun; 0 while that is not known
        self._searched = 0  # up to where no end of a head begins
        self.broken: MalformedMessage | None = None
        self.head = b""

    @property
    def partial(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._rest) and self._rest[0] not in PING and self.broken is None

    def feed(self, octets: bytes) -> list[bytes]:
        """The messages that are complete with these octets, and PING for each keep-alive."""
        found: list[bytes] = []
        if self.broken is not None:
            return found
        rest = self._rest
        if not rest:  # mostly, and mostly whole messages come
            octets = self._cut_whole(octets, found)
            if not octets or self.broken is not None:
                return found
        rest += octets
        while rest and self._take(found):
            pass
        return found

    def _cut_whole(self, octets: bytes, found: list[bytes]) -> bytes:
        """Cuts whole messages off the front without copying what follows them; answers what is left."""
        while octets and octets[0] in _BEGINNINGS:
            end = octets.find(_END)
            if end < 0 or end > LARGEST_HEAD:
                return octets
            need = self._length(octets[:end])
            if need < 0 or need > len(octets):
                return octets
            if need == len(octets):
                found.append(octets)
                return b""
            found.append(octets[:need])
            octets = octets[need:]
        return octets

    def _take(self, found: list[bytes]) -> bool:
        """Takes one message or keep-alive off the front of what is there; False where it is not complete."""
        rest = self._rest
        if rest[0] in PING:
            return self._take_line_ends(found)
        if not self._need:
            if rest[0] not in _BEGINNINGS:
                return self._break(MalformedMessage("this is not SIP"), b"")
            end = rest.find(_END, self._searched)
            if end > LARGEST_HEAD or (end < 0 and len(rest) > LARGEST_HEAD + 3):
                return self._break(MalformedMessage("the head is too large", 513, "Message Too Large"), b"")
            if end < 0:
                self._searched = max(0, len(rest) - 3)
                return False
            head = bytes(rest[:end])
            self._need = self._length(head)
            if self._need < 0:
                return self._break(self._why(head), head)
        if len(rest) < self._need:
            return False
        found.append(bytes(rest[: self._need]))
        del rest[: self._need]
        self._need = self._searched = 0
        return True

    def _take_line_ends(self, found: list[bytes]) -> bool:
        """Line ends between messages: two make a PING; one is a PONG, or stands before a message (§7.5)."""
        rest = self._rest
        if rest[:4] == PING:
            found.append(PING)
            del rest[:4]
            return True
        if PING.startswith(rest):
            return False
        del rest[:1]
        return True

    @staticmethod
    def _length(head: bytes) -> int:
        """Octets of the whole message, -1 where its head does not say, or says too much (§18.3, §20.14)."""
        lengths = _LENGTHS.findall(head)
        if len(lengths) != 1 and len({each.strip() for each in lengths}) != 1:
            return -1
        digits = lengths[0].strip()
        if not digits.isdigit() or len(digits.lstrip(b"0")) > 9:
            return -1
        length = int(digits.lstrip(b"0") or b"0")
        return -1 if length > LARGEST_BODY else len(head) + len(_END) + length

    @staticmethod
    def _why(head: bytes) -> MalformedMessage:
        """What is wrong with a head that does not say where its message ends."""
        lengths = _LENGTHS.findall(head)
        if not lengths:
            return MalformedMessage("Content-Length is missing")
        if len({each.strip() for each in lengths}) > 1:
            return MalformedMessage("content-length stands more than once")
        digits = lengths[0].strip()
        if not digits.isdigit():
            return MalformedMessage("Content-Length is not a number")
        return MalformedMessage("the body is too large", 513, "Message Too Large")

    def _break(self, why: MalformedMessage, head: bytes) -> bool:
        self.broken = why
        self.head = head
        self._rest = bytearray()
        return False
