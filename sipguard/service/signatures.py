"""Signing for an SBC that asks off the call path: a signingRequest in, an Identity value out (ATIS-1000082).

Enters: requests that bear the token, as JSON; the keys of signers that the operator named. Leaves: Identity values, a
count and a line in the log for each request. Must not: sign by another signer, attest more than the operator lets it,
show a whole number in the log unless told to.

Whether the caller is known and may use its number, only who asks knows: its attestation is taken, up to a limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from sipguard.numbers.canonical import E164, IMPOSSIBLE, SHORT_CODES, UNKNOWN, URN, classify, read, readings
from sipguard.screening.signingkey import SigningKey
from sipguard.service.call_log import masked
from sipguard.service.errors import BadRequest
from sipguard.service.outcomes import WHY_REFUSED
from sipguard.stir.attestations import ATTESTATIONS
from sipguard.stir.errors import NotSignable
from sipguard.stir.signer import Signer
from sipguard.stir.signing import shaken

log: Final = structlog.get_logger("sipguard")


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator lets those sign who ask. Durations are seconds."""

    signers: tuple[str, ...]
    attest_at_most: str = "B"
    freshness_s: float = 60.0
    future_s: float = 5.0
    whole_numbers: bool = False  # in the log


class Signatures:
    """Signs. `count` is told each outcome by its name in KINDS."""

    def __init__(self, limits: Limits, keys: Iterable[SigningKey], count: Callable[[str], None]) -> None:
        self._limits = limits
        self._count = count
        self._shown: Callable[[str], str] = str if limits.whole_numbers else masked
        self._signers: Mapping[str, Signer] = {}
        self.take(keys)

    def take(self, keys: Iterable[SigningKey]) -> None:
        """The keys in force from now on; those of signers that may not sign here are left aside."""
        self._signers = {key.name: key.signer() for key in keys if key.name in self._limits.signers}

    def reckon(self, freshness_s: float, future_s: float) -> None:
        """What counts as fresh from now on."""
        self._limits = replace(self._limits, freshness_s=freshness_s, future_s=future_s)

    def signed(self, body: object, now: float) -> dict[str, Any]:
        """The answer to a body with a signingRequest. Raises BadRequest, NotSignable with a reason of WHY_REFUSED."""
        asked = body.get("signingRequest") if isinstance(body, dict) else None
        if not isinstance(asked, dict):
            raise BadRequest("there is no object signingRequest")
        try:
            return self._signed(asked, now)
        except NotSignable as error:
            why = error.reason if error.reason in WHY_REFUSED else "dest_invalid"  # a URN that no token may have
            self._count(f"refused_{why}")
            log.info("signature_refused", why=why)
            raise NotSignable(why) from None

    def _signed(self, asked: dict[str, Any], now: float) -> dict[str, Any]:
        attest = self._attest(asked.get("attest"))
        orig, dest = _orig(asked.get("orig")), _dest(asked.get("dest"))
        iat = self._iat(asked.get("iat"), now)
        origid = asked.get("origid")
        signer = self._signer(asked.get("signer"), orig, now)
        if not isinstance(origid, str):
            raise NotSignable("origid_invalid")
        origid = origid.lower()  # RFC 9562 §4: upper case is read as lower
        value = shaken(signer, attest, orig, dest, iat, origid)
        self._count(f"signed_{attest}")
        shown = self._shown
        log.info(
            "signed", signer=signer.name, attest=attest, asked=asked["attest"], orig=shown(orig), dest=shown(dest),
            origid=origid, iat=iat, certificate=signer.certificate_sha256,
        )  # fmt: skip
        return {"signingResponse": {"identity": value}, "details": {"attest": attest, "signer": signer.name}}

    def _attest(self, asked: object) -> str:
        """What was asked for, or what is the most that may be attested."""
        if not isinstance(asked, str) or asked not in ATTESTATIONS:
            raise NotSignable("attest_invalid")
        return max(asked, self._limits.attest_at_most)  # A comes before B before C

    def _iat(self, asked: object, now: float) -> int:
        if isinstance(asked, bool) or not isinstance(asked, int):
            raise NotSignable("iat_invalid")
        if now - asked > self._limits.freshness_s:
            raise NotSignable("iat_expired")
        if asked - now > self._limits.future_s:
            raise NotSignable("iat_future")
        return asked

    def _signer(self, asked: object, orig: str, now: float) -> Signer:
        """The signer that was asked for, or the only one, where it may sign for `orig` now."""
        allowed = self._limits.signers
        if asked is None and len(allowed) == 1:
            asked = allowed[0]
        if not isinstance(asked, str) or asked not in allowed:
            raise NotSignable("signer_unknown")
        signer = self._signers.get(asked)
        if signer is None:
            raise NotSignable("no_signer")
        if not signer.valid_at(now):
            raise NotSignable("expired")
        if not signer.authority.covers(orig):
            raise NotSignable("out_of_scope")
        return signer


def _orig(party: object) -> str:
    """The TN in `orig`, which has one member (RFC 8225 §5.2.1)."""
    written = party.get("tn") if isinstance(party, dict) and len(party) == 1 else None
    if not isinstance(written, str):
        raise NotSignable("orig_invalid")
    return _complete(written, "orig_invalid")


def _dest(party: object) -> str:
    """The TN in `dest`, or the URN of a service in its `uri`."""
    if not isinstance(party, dict):
        raise NotSignable("dest_invalid")
    found = [each for kind in ("tn", "uri") for each in _listed(party.get(kind, []))]
    if len(found) > 1:
        raise NotSignable("dest_several")
    if not found or not isinstance(found[0], str):
        raise NotSignable("dest_invalid")
    number = read(found[0])
    if number.form == URN and "uri" in party:
        return found[0].strip().lower()
    if "tn" not in party:
        raise NotSignable("dest_invalid")
    return number.tn if number.tn in SHORT_CODES else _complete(found[0], "dest_invalid")


def _complete(written: str, otherwise: str) -> str:
    """The TN of a number that is complete. Canonical TNs are written without + (RFC 8224 §8.3).

    Raises NotSignable: `otherwise`, or tn_ambiguous for ten digits, of which a signature must not guess the country.
    """
    number = read(written)
    tn = number.tn
    if len(readings(written)) > 1:
        raise NotSignable("tn_ambiguous")
    if number.form == UNKNOWN and 10 <= len(tn) <= 15 and tn[0] not in "01":  # ten that no NANP number has
        number = read(f"+{tn}")
    if number.form != E164 or not tn.isascii() or classify(number) in IMPOSSIBLE:
        raise NotSignable(otherwise)
    return tn


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
