"""Was a token signed by whoever may sign it? (RFC 8224 §6.2 steps 3 to 5, RFC 8226)

Enters: a token that was read, what is known of its certificate. Leaves: the last steps of its Result.
Must not: fetch, look at the call.
"""

from __future__ import annotations

from sipguard.screening.verification.result import PASSED, Result
from sipguard.stir.certificate import Credential
from sipguard.stir.constraints import require_allowed
from sipguard.stir.errors import InvalidIdentity, StirError, UnsupportedCredential
from sipguard.stir.passport import Passport, verify


def prove(result: Result, passport: Passport, found: Credential | StirError, tn: str, unix_at: float) -> None:
    """Takes the certificate and the signature into `result`, which passes where nothing has failed it before.

    `tn` is the number that the signer must have authority over, "" where the caller is a URI or nobody.
    """
    try:
        _verify(result, passport, found, tn, unix_at)
    except StirError as error:
        if not result.reason:
            result.reason, result.status = error.reason, error.status
    if not result.reason:
        result.outcome, result.reason = PASSED, PASSED


def _verify(result: Result, passport: Passport, found: Credential | StirError, tn: str, unix_at: float) -> None:
    """The certificate and the signature by it. Raises StirError."""
    if isinstance(found, StirError):
        result.chain_ok = None if found.status == 436 else False
        raise type(found)(found.reason, found.detail)  # the kept one must not collect frames
    result.credential = found
    result.chain_ok = True
    if (tn or result.orig_ok) and not found.authority.covers(tn):  # a URI is vouched for by an SPC only
        raise UnsupportedCredential("out_of_scope", tn)
    try:
        verify(passport, found, unix_at)
        result.signature_ok = True
        if result.step == 4:
            result.step = 5
    except InvalidIdentity:
        result.signature_ok = False
        raise
    except UnsupportedCredential:
        result.chain_ok = False
        raise
    if found.constraints:
        require_allowed(passport, found.constraints)
