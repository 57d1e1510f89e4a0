"""Which calls nothing may stop: emergency calls, and calls back from those who answer them.

Enters: an attempt as read. Leaves: why it must pass, or "". Must not: raise, ask a list or a policy.
It stands before all checks (85 FR 56530: 911 is never blocked, PSAP calls not within reasonable effort).

A number counts by its canonical form, whole: 911, 9-1-1, tel:911;phone-context=+1 and +911 are 911 (no
E.164 number has three digits, so +911 can mean nothing else). What merely begins so is not: +91 1...,
+1 911..., 9115550100. +1911 is none either: "+1-911" is not a number (RFC 3966 §5.1.5); an operator
whose PBXs write it lists 1911 under `numbers`. Only the Request-URI tells where a call goes: a To of 911
admits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sipguard.numbers.canonical import URN
from sipguard.screening.attempt import CallAttempt

SIGNED: Final = "signed_priority"  # an rph token that holds: sipguard/screening/signed.py
REASONS: Final = (
    "dialled_911",
    "dialled_112",
    "dialled_988",
    "dialled_configured",
    "sos_urn",
    "psap_caller",
    "priority_mark",
    SIGNED,
)

_DIALLED: Final = {
    "911": "dialled_911",
    "112": "dialled_112",
    "988": "dialled_988",
    "18002738255": "dialled_988",  # 1-800-273-TALK, what 988 is routed to
}
_MARKS: Final = frozenset({"emergency", "psap-callback"})  # RFC 3261 §20.26, RFC 7090 §5
_SOS: Final = "urn:service:sos"


@dataclass(frozen=True)
class Settings:
    """What an operator adds: further numbers that always pass (933, the 911 test), numbers of PSAPs.

    All are canonical TNs. `priority_namespaces` are those of Resource-Priority whose signed values lift a call,
    `priority_signers` the service provider codes of who may sign them, none for any that is trusted.
    """

    numbers: frozenset[str] = frozenset()
    psap_callers: frozenset[str] = frozenset()
    priority_namespaces: frozenset[str] = frozenset({"ets", "wps", "esnet"})
    priority_signers: frozenset[str] = frozenset()


def admit(attempt: CallAttempt, settings: Settings) -> str:
    """Why the call must pass, one of REASONS, or "" where the usual screening applies."""
    callee = attempt.callee
    tn = callee.tn
    if tn:
        reason = _DIALLED.get(tn)
        if reason is not None:
            return reason
        if tn in settings.numbers:
            return "dialled_configured"
    elif callee.form == URN and _is_sos(attempt.request_uri):
        return "sos_urn"
    if attempt.caller.tn in settings.psap_callers and attempt.caller.tn:
        return "psap_caller"
    if attempt.priority in _MARKS and attempt.trunk.emergency_marks_trusted:
        return "priority_mark"
    return ""


def plainly(uri: str, settings: Settings) -> str:
    """As `admit`, by the plainest reading of a Request-URI: for a call that could not be read otherwise.

    The digits of its user part, whatever stands between them, or the URN.
    """
    if _is_sos(uri):
        return "sos_urn"
    user = uri.partition(":")[2].partition("@")[0].partition(";")[0]
    digits = "".join([char for char in user if char in "0123456789"])
    if not digits or any(char.isalpha() for char in user):
        return ""
    return _DIALLED.get(digits) or ("dialled_configured" if digits in settings.numbers else "")


def _is_sos(uri: str) -> bool:
    """Whether a URN is the emergency service or one below it (RFC 5031 §4.2); case does not matter."""
    uri = uri.strip().lower()
    return uri.startswith(_SOS) and uri[len(_SOS) :][:1] in ("", ".", ";", "?", "#")
