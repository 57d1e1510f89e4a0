"""Identity values in words, for somebody who investigates a call.

Enters: results, what stands in values. Leaves: text. Must not: find anything out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from sipguard.numbers.canonical import show
from sipguard.screening.question import Question, attempt_of
from sipguard.screening.verification.diversion import UNCHECKED
from sipguard.screening.verification.offline import WAITING_MEANS, claimed, described, instant, revocation, verdict
from sipguard.screening.verification.result import PASSED, WAITING, Result
from sipguard.screening.verification.settings import Settings
from sipguard.stir.certificate import CertificateStore
from sipguard.stir.passport import Passport

_VERDICTS: Final = {
    "passed": "PASSED: one value holds for this call",
    "failed": "FAILED: no value holds for this call",
    "unsupported": "UNSUPPORTED: no value is of a type that is verified here",
    "waiting": "NOT DECIDED: a certificate is missing",
    "none": "NONE: there is no Identity value",
}
_SOURCES: Final = {
    "from": "in From", "pai": "in P-Asserted-Identity", "both": "in From and P-Asserted-Identity",
}  # fmt: skip
_PLACES: Final = {
    "to": "in To only: the call was sent on", "request_uri": "in the Request-URI only", "both": "in To and Request-URI",
}  # fmt: skip


def verified_text(results: Sequence[Result], question: Question, settings: Settings, store: CertificateStore) -> str:
    """The verdict, then each value with a line for each step."""
    lines = [
        _VERDICTS[verdict(results)],
        f"judged as of {instant(question.at)}, {len(store.anchors)} trusted certificates",
        revocation_text(store, question.at),
    ]
    for number, result in enumerate(results, 1):
        lines += ["", f"Identity {number} of {len(results)}: {_headline(result)}"]
        lines += [f"  {name:<12} {text}" for name, text in _steps(result, question, settings) if text]
    return "\n".join(lines)


def revocation_text(store: CertificateStore, at: float) -> str:
    """Which CRL was asked, or in so many words that none was."""
    asked = revocation(store, at)
    if not asked["checked"]:
        return f"revocation was NOT checked: {asked['why']}"
    stale = "; STALE, a newer one was due" if asked["stale"] else ""
    return f"revocation checked: CRL of {asked['issued_at_utc']} with {asked['entries']} entries{stale}"


def _headline(result: Result) -> str:
    if result.outcome == WAITING:
        return f"not decided, {WAITING_MEANS}"
    if result.outcome == PASSED:
        return PASSED
    status = f" ({result.status})" if result.status else ""
    return f"{result.outcome}, {result.reason}{status}: {described(result, 0.0)['meaning']}"


def _steps(result: Result, question: Question, settings: Settings) -> list[tuple[str, str]]:
    """(name, text) of each line, "" for what was not looked at."""
    advice = ("what to do", str(described(result, question.at)["advice"]))
    passport = result.passport
    if passport is None:
        value = result.value[:60] + ("..." if len(result.value) > 60 else "")
        return [("value", value), ("deviations", ", ".join(result.deviations)), advice]
    return [
        ("token", _token(passport)),
        ("signed", f"{instant(passport.iat)}, {_age(question.at - passport.iat)}"),
        ("certificate", passport.x5u),
        ("caller", _caller(result, passport, question)),
        ("called", _called(result, passport, question)),
        ("diverted", _diverted(result)),
        ("priority", _priority(passport)),
        ("named", _named(passport)),
        ("fresh", _fresh(result, passport, question, settings)),
        ("date", "Date is another time than `iat`" if result.date_differs else ""),
        ("chain", _chain(result)),
        ("signature", _held(result.signature_ok, "it holds", "it does not hold over the octets received")),
        ("deviations", ", ".join(result.deviations)),
        advice,
    ]


def _token(passport: Passport) -> str:
    parts = [passport.ppt or "base PASSporT"]
    if passport.attest:
        parts.append(f"attestation {passport.attest}")
    if passport.origid:
        parts.append(f"origid {passport.origid}")
    return ", ".join(parts)


def _age(age_s: float) -> str:
    return f"{abs(age_s):.0f} s {'before' if age_s >= 0 else 'after'} the call"


def _held(ok: bool | None, yes: str, no: str) -> str:
    if ok is None:
        return "not looked at"
    return f"yes: {yes}" if ok else f"NO: {no}"


def _caller(result: Result, passport: Passport, question: Question) -> str:
    attempt = attempt_of(question)
    said = passport.orig_uri or show(passport.orig_tn.lstrip("+"))
    here = [f"From {show(attempt.shown.tn) or attempt.shown.form}"]
    here += [
        f"P-Asserted-Identity {show(one.tn)}" for one in (attempt.asserted, *attempt.asserted_also) if one is not None
    ]
    return _held(result.orig_ok, f"{said} {_SOURCES.get(result.source, '')}", f"token says {said}; {', '.join(here)}")


def _called(result: Result, passport: Passport, question: Question) -> str:
    attempt = attempt_of(question)
    said = ", ".join([*(show(tn.lstrip("+")) for tn in passport.dest_tns), *passport.dest_uris])
    here = f"To {show(attempt.to.tn) or attempt.to.form}, Request-URI {show(attempt.callee.tn) or attempt.callee.form}"
    return _held(result.dest_ok, f"{said} {_PLACES.get(result.dest_source, '')}", f"token says {said}; {here}")


def _diverted(result: Result) -> str:
    """By whom the call came here, the last who diverted first, and who signed for them."""
    diversion = described(result, 0.0)["diversion"]
    if not isinstance(diversion, dict):
        return ""
    numbers, signers = diversion["numbers"], diversion["signers"]
    assert isinstance(numbers, list) and isinstance(signers, list)
    hops = ", ".join(f"{number} (signed by {signer or '?'})" for number, signer in zip(numbers, signers, strict=True))
    held = None if diversion["reason"] == UNCHECKED or result.outcome == WAITING else bool(diversion["holds"])
    return _held(held, f"by {hops}", f"{diversion['reason']}{f'; by {hops}' if hops else ''}")


def _priority(passport: Passport) -> str:
    """What a token signs of Resource-Priority and Priority."""
    says = claimed(passport, 0.0)
    values = says["rph"]
    assert isinstance(values, list)
    return ", ".join([*map(str, values), *([f"Priority: {says['sph']}"] if says["sph"] else [])])


def _named(passport: Passport) -> str:
    """What a token calls the caller, and why they call."""
    says = claimed(passport, 0.0)
    parts = [says["rcd_name"], f"reason: {says['rcd_reason']}" if says["rcd_reason"] else None]
    parts.append(f"its digests are {says['rcd_integrity']}" if says["rcd_integrity"] else None)
    return ", ".join(str(part) for part in parts if part)


def _fresh(result: Result, passport: Passport, question: Question, settings: Settings) -> str:
    window = f"{settings.freshness_s:.0f} s are allowed, {settings.future_s:.0f} s ahead"
    return _held(result.fresh, window, f"{_age(question.at - passport.iat)}; {window}")


def _chain(result: Result) -> str:
    credential = result.credential
    if credential is None:
        return _held(result.chain_ok, "it leads to a trusted certificate", "it is not trusted")
    spc = f", SPC {' '.join(credential.spc)}" if credential.spc else ""
    text = f"{credential.subject}{spc}, valid {instant(credential.not_before_at)} to {instant(credential.not_after_at)}"
    if credential.delegate:
        text += f", a delegate of {credential.provider or '?'}"
        text += f", SPC {' '.join(credential.provider_spc)}" if credential.provider_spc else ""
    return _held(result.chain_ok, f"{text}, issued by {credential.issuer}", text)


def decoded_text(value: dict[str, object]) -> str:
    """One value as `decode` shows it."""
    lines = [f"{value['file']}, value {value['number']}"]
    if value["problem"]:
        detail = f" ({value['detail']})" if value["detail"] else ""
        lines.append(f"  problem      {value['problem']}: {value['meaning']}{detail}")
    for name in ("parameters", "header", "claims"):
        if value[name] is not None:
            shown = json.dumps(value[name], indent=2, ensure_ascii=False).replace("\n", f"\n{'':15}")
            lines.append(f"  {name:<12} {shown}")
    lines.append(f"  signature    {value['signature_octets']} octets")
    deviations = value["deviations"]
    if isinstance(deviations, list) and deviations:
        lines.append(f"  deviations   {', '.join(deviations)}")
    return "\n".join(lines)
