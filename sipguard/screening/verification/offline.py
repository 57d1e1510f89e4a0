"""What verification came to, for people and programs away from the call path.

Enters: Results. Leaves: plain members of JSON documents. Must not: verify; `evaluate` does, the same for a call, for a
command and for HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.screening.verification.described import diverting, signing
from sipguard.screening.verification.priority import RPH, signed_values
from sipguard.screening.verification.result import (
    FAILED,
    PASSED,
    UNSUPPORTED,
    WAITING,
    Diversion,
    Result,
    judged,
    passes,
)
from sipguard.screening.verification.rich import rich_call_data
from sipguard.stir.advice import advice_of
from sipguard.stir.certificate import CertificateStore
from sipguard.stir.credential import Credential, read_chain
from sipguard.stir.errors import UnsupportedCredential
from sipguard.stir.jose import der_of
from sipguard.stir.passport import Passport
from sipguard.stir.reasons import REASONS
from sipguard.stir.unreadable import UNREADABLE

Member = str | int | float | bool | None | list[str] | list["Member"] | dict[str, "Member"]
NONE: Final = "none"  # there is no Identity value
NO_CRL_WANTED: Final = "no CRL was given, and none is configured"
NO_CRL_HAD: Final = "a CRL is configured, but there is none that can be used; `sipguard certs status` says why"
WAITING_MEANS: Final = "its certificate is not at hand"


def document(results: Sequence[Result], at: float, store: CertificateStore) -> dict[str, Member]:
    """All of it: `verdict` is passed | failed | unsupported | waiting | none, that of the value numbered `judged`."""
    best = judged(results)
    number = next((n for n, one in enumerate(results, 1) if one is best), 0)
    return {
        "at": at,
        "at_utc": instant(at),
        "verdict": verdict(results),
        "judged": number,
        "revocation": revocation(store, at),
        "trust_version": store.trust_version,
        "results": list[Member]([described(one, at) for one in results]),
    }


def revocation(store: CertificateStore, at: float) -> dict[str, Member]:
    """Which CRL the certificates were looked up in; where in none, `checked` is false and `why` has words for it."""
    crl = store.crl
    if crl is None:
        return {"checked": False, "why": NO_CRL_WANTED}
    if not crl.issuer:
        return {"checked": False, "why": NO_CRL_HAD}
    return {
        "checked": True,
        "why": "",
        "number": crl.number,
        "issuer": crl.issuer,
        "issued_at_utc": instant(crl.issued_at),
        "next_at_utc": instant(crl.next_at),
        "entries": len(crl),
        "stale": at > crl.next_at,
    }


def verdict(results: Sequence[Result]) -> str:
    """passed where one value passes, else waiting where one might, else what the value judged came to; none."""
    best = judged(results)
    if best is None:
        return NONE
    if passes(best):
        return PASSED
    if any(one.outcome == WAITING for one in results):
        return WAITING
    return UNSUPPORTED if best.outcome == UNSUPPORTED else FAILED


def described(result: Result, at: float) -> dict[str, Member]:
    """One value with the outcome of each step; null for a step that was not taken, or for what nobody says."""
    passport, credential = result.passport, result.credential
    waiting = result.outcome == WAITING
    return {
        "ppt": result.ppt,
        "outcome": result.outcome,
        "reason": result.reason,
        "status": result.status,
        "meaning": WAITING_MEANS if waiting else REASONS.get(result.reason, (0, ""))[1],
        "advice": advice_of("" if waiting else result.reason),
        "orig_ok": result.orig_ok,
        "orig_source": result.source,
        "orig_tn": result.tn,
        "dest_ok": result.dest_ok,
        "dest_source": result.dest_source,
        "fresh": result.fresh,
        "date_differs": result.date_differs,
        "chain_ok": result.chain_ok,
        "signature_ok": result.signature_ok,
        "x5u_host": result.host,
        "deviations": list[Member](result.deviations),
        "diversion": _chain(result.diversion) if result.diversion is not None else None,
        "token": claimed(passport, at) if passport is not None else None,
        "certificate": _held(credential) if credential is not None else None,
    }


def claimed(passport: Passport, at: float) -> dict[str, Member]:
    """What a token says, whether it is true or not."""
    return {
        "ppt": passport.ppt,
        "alg": passport.alg,
        "x5u": passport.x5u,
        "iat": passport.iat,
        "iat_utc": instant(passport.iat),
        "age_s": round(at - passport.iat, 3),
        "orig_tn": passport.orig_tn,
        "orig_uri": passport.orig_uri,
        "dest_tns": list[Member](passport.dest_tns),
        "dest_uris": list[Member](passport.dest_uris),
        "div_tn": passport.div_tn,
        "div_uri": passport.div_uri,
        "attest": passport.attest,
        "origid": passport.origid,
        "rph": list[Member](signed_values(passport)) if passport.ppt == RPH else [],
        "sph": passport.claims.sph if passport.ppt == RPH else None,
        **_named(passport),
    }


def _named(passport: Passport) -> dict[str, Member]:
    """What a token calls the caller, and why they call, as one line each."""
    found = rich_call_data(passport)
    return {name.removeprefix("identity."): text if isinstance(text, str) else None for name, text in found.items()}


def _chain(diversion: Diversion) -> dict[str, Member]:
    """The last who diverted stands first. Where it does not hold, these are of the way that came nearest."""
    return {
        "holds": diversion.holds,
        "reason": diversion.reason,
        "hops": len(diversion.hops),
        "numbers": [diverting(hop) for hop in diversion.hops],
        "signers": [signing(hop) for hop in diversion.hops],
    }


def _held(credential: Credential) -> dict[str, Member]:
    return {
        "subject": credential.subject,
        "issuer": credential.issuer,
        "organisation": credential.organisation,
        "delegate": credential.delegate,
        "delegated_by": credential.provider,
        "provider_spc": list[Member](credential.provider_spc),
        "spc": list[Member](credential.spc),
        "ranges": [f"{start}+{count}" for start, count in credential.authority.ranges],
        "sha256": credential.sha256,
        "not_before_utc": instant(credential.not_before_at),
        "not_after_utc": instant(credential.not_after_at),
        "deviations": list[Member](credential.warnings),
    }


def fitting(passport: Passport, chains: Sequence[bytes]) -> bytes:
    """Of several PEM files the one with the key that signed the token, the first where none did; b"" for no file."""
    der = der_of(passport.signature)
    for octets in chains:
        try:
            for one in read_chain(octets):
                key = one.public_key()
                if isinstance(key, EllipticCurvePublicKey):
                    key.verify(der, passport.signing_input, ECDSA(SHA256()))
                    return octets
        except (InvalidSignature, UnsupportedCredential, *UNREADABLE):
            continue
    return chains[0] if chains else b""


def instant(unix_at: float) -> str:
    """Unix seconds as UTC, "" for what no calendar has."""
    try:
        return datetime.fromtimestamp(unix_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (OverflowError, ValueError, OSError):
        return ""
