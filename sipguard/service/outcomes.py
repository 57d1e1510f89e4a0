"""What signing over HTTP may come to.

Enters: nothing. Leaves: a table, which responses and metrics are written by. Must not: sign.
"""

from __future__ import annotations

from typing import Final

from sipguard.stir.attestations import ATTESTATIONS

WHY_REFUSED: Final[dict[str, tuple[int, str]]] = {  # reason -> (status, what it means)
    "attest_invalid": (422, "attest is none of A, B, C"),
    "orig_invalid": (422, "orig.tn is no complete number, such as 12025550101"),
    "dest_invalid": (422, "dest is no number, or no service such as urn:service:sos"),
    "tn_ambiguous": (
        422,
        "a number of ten digits may have its country code or not; write + and all digits, or 1 and ten",
    ),
    "dest_several": (422, "dest names more than one party"),
    "iat_invalid": (422, "iat is not Unix seconds, as a whole number"),
    "iat_expired": (422, "iat is older than a verifier accepts"),
    "iat_future": (422, "iat lies further ahead of our clock than a verifier accepts"),
    "origid_invalid": (422, "origid is no UUID"),
    "signer_unknown": (422, "signer names none that may sign here, or is missing where there are several"),
    "out_of_scope": (422, "the certificate of the signer does not cover orig.tn"),
    "no_signer": (503, "the key of the signer cannot be used now"),
    "expired": (503, "the certificate of the signer is not valid now"),
}
KINDS: Final = (*(f"signed_{attest}" for attest in ATTESTATIONS), *(f"refused_{why}" for why in WHY_REFUSED))
