"""Errors of the SIP room.

SipError
+-- MalformedMessage   octets that are no SIP message; carries the status to answer with
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipguard.sip.message import Message


class SipError(Exception):
    """Root of the tree."""


class MalformedMessage(SipError):
    """What is wrong, the SIP status and phrase to answer with, and what could be read of the message."""

    def __init__(self, what: str, status: int = 400, phrase: str = "Bad Request") -> None:
        super().__init__(what)
        self.what = what
        self.status = status
        self.phrase = phrase
        self.message: Message | None = None
