"""Errors of the STIR room. Each that the wire gives rise to carries the status of a rejection (RFC 8224 §6.2.2).

    StirError
    +-- StaleDate              403 Stale Date               iat outside the window of freshness
    +-- UnsupportedPassport    428 Use Identity Header      a PASSporT type this product does not verify
    +-- BadIdentityInfo        436 Bad Identity Info        the certificate cannot or may not be fetched
    +-- UnsupportedCredential  437 Unsupported Credential   fetched, but not to be trusted
    +-- InvalidIdentity        438 Invalid Identity Header  syntax, claims or signature are wrong
    NotSignable                                             what shall be signed, or by what, is not fit for it
    TrustError                                              a trust list or CRL that may not be used

`reason` is a slug out of a closed set, fit for a metric label; `detail` is for a human.
"""

from __future__ import annotations

from typing import ClassVar, Final

NO_IDENTITY_STATUS: Final = 428  # what a rejection carries where there is no Identity at all
NO_IDENTITY_PHRASE: Final = "Use Identity Header"
NO_SUPPORTED_PHRASE: Final = "Use Supported PASSporT Format"  # of the same status, where values of other types came


def in_short(error: Exception) -> str:
    """What a library says of octets, without the links to its own pages."""
    return str(error).partition(" See http")[0][:200]


class StirError(Exception):
    """Root of the tree: why one Identity value does not authenticate its caller."""

    status: ClassVar[int] = 438
    phrase: ClassVar[str] = "Invalid Identity Header"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class StaleDate(StirError):
    """`iat` lies too far in the past or in the future."""

    status = 403
    phrase = "Stale Date"


class UnsupportedPassport(StirError):
    """The value is well formed, but of a type that is not verified here; other values may still serve."""

    status = NO_IDENTITY_STATUS
    phrase = NO_IDENTITY_PHRASE


class BadIdentityInfo(StirError):
    """The certificate that `info` names cannot be had."""

    status = 436
    phrase = "Bad Identity Info"


class UnsupportedCredential(StirError):
    """The certificate was had, and is not to be trusted for this."""

    status = 437
    phrase = "Unsupported Credential"


class InvalidIdentity(StirError):
    """The value or its PASSporT is malformed, contradicts the call, or is not signed by its certificate."""


PHRASES: Final[dict[int, str]] = {
    kind.status: kind.phrase
    for kind in (StaleDate, UnsupportedPassport, BadIdentityInfo, UnsupportedCredential, InvalidIdentity)
}


class NotSignable(Exception):
    """Why something is not signed: a slug, which holds nothing of what should have been signed or of the key.

    `detail` may name a certificate, which is public.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class TrustError(Exception):
    """Why a trust list or a CRL is not used. It concerns no single call, so it has no status."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
