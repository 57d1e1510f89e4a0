"""What to do about a reason of verification, for whoever investigates a call.

Enters: a reason. Leaves: a sentence or two. Must not: blame who need not be at fault.
"""

from __future__ import annotations

from typing import Final

from sipguard.stir.reasons import REASONS

_SIGNER_FORMAT: Final = "The signer writes tokens wrongly: show the value to the provider that signed."
_SIGNER_SERVER: Final = (
    "The signer's certificate server is at fault: tell the provider that signed, and try again later."
)
_SIGNER_CERTIFICATE: Final = (
    "The signer's certificate is not fit for this: tell the provider that signed; `sipguard certs inspect` shows it."
)
_OURS: Final = "Nothing is wrong with the call: this is a setting or a state of sipguard."

# those that another reason of their status does not share
_ADVICE: Final[dict[str, str]] = {
    "": "Give the certificate by --certificate, or fetch it by --fetch.",
    "passed": "Nothing: the provider in the certificate answers for this caller.",
    "iat_expired": "Ask when the call was made (--at). If that is right the token was replayed or held too long.",
    "iat_future": "Compare clocks: ours or the signer's is wrong.",
    "identity_missing": "The call was not signed, or lost its header on the way: ask the provider that it came from.",
    "not_verified": _OURS,
    "unsupported_ppt": "This type adds to another token: look at the other values.",
    "x5u_refused": "The signer names a certificate that nobody may fetch (https on 443 or 8443): tell it.",
    "x5u_address_refused": "The URL leads into a private network, perhaps on purpose: tell the provider that signed.",
    "x5u_busy": _OURS,
    "x5u_breaker_open": "Its host failed often just now: try again in a minute.",
    "x5u_fetcher_closed": _OURS,
    "certificate_expired": "Ask when the call was made (--at). If that is right the signer must renew its certificate.",
    "certificate_not_yet_valid": (
        "Ask when the call was made (--at). If that is right the copy at hand is newer than the call: give the"
        " certificate of then by --certificate."
    ),
    "certificate_revoked": "Do not trust this signer: its certificate was withdrawn.",
    "crl_stale": "The CRL could not be had lately: `sipguard certs status` says why.",
    "chain_untrusted": "Give all anchors (--anchors). If that is all, nobody who is trusted issued it.",
    "out_of_scope": "The signer may not sign for this number: tell it, and treat the call as unsigned.",
    "orig_mismatch": "The token is for another caller: copied from another call, or the number was changed on the way.",
    "dest_mismatch": "The token is for another called party: copied from another call, or the call was sent on.",
    "date_missing": "Date was removed on the way, or the signer sends none: ask it for the full form of tokens.",
    "signature": "Something in the token was changed after it was signed, or this is not the signer's certificate.",
    "replayed": "Look for the other call: the token was copied, or one call was sent twice by ways that look like two.",
    "div_unchecked": "Look at the other values: this one only says how a call came here.",
    "div_incomplete": "Ask for all Identity headers of the INVITE: one of the chain is missing, or was not signed.",
    "div_loop": "Ask who diverted: their tokens lead in a circle.",
    "div_too_long": "Ask who diverted so often; nothing is wrong with each token by itself.",
    "div_orig_mismatch": "One of those who diverted signed for another caller: show the chain to them.",
    "deviations": "The signer leaves the standard. Without `strict` such tokens are taken.",
}
_USUAL: Final = {436: _SIGNER_SERVER, 437: _SIGNER_CERTIFICATE}


def advice_of(reason: str) -> str:
    """What to do about `reason`, "" being that of a value whose certificate is not at hand."""
    status = REASONS[reason][0] if reason in REASONS else 0
    return _ADVICE.get(reason) or _USUAL.get(status, _SIGNER_FORMAT)
