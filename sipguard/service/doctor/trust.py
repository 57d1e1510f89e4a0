"""Trust list and CRL: whether they are there and up to date, and whether who signs them goes on to be valid.

Enters: a configuration, the status of the running sipguard, the certificates of signers. Leaves: diagnoses. Must not:
download.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from sipguard.service.doctor.diagnosis import OK, PROBLEM, WARNING, Case, Diagnosis
from sipguard.service.doctor.files import expiries
from sipguard.service.trust import at_start
from sipguard.service.trusted import row


def examine(case: Case) -> Iterator[Diagnosis]:
    """Each source as the running sipguard has it, or as one would begin with it now."""
    if case.service is None:
        return
    yield from _priority(case)
    settings = case.service.trust
    for each in settings.sources:
        for file in each.signers:
            yield from expiries(Path(file), f"signer of {each.name}", time.time())
    rows = case.status.get("trust") if case.status else None
    if rows is None:
        rows = [row(source.state, time.time()) for source in at_start(settings, time.time(), keep=False)]
    for each in rows:
        yield _source(each)


def _priority(case: Case) -> Iterator[Diagnosis]:
    """Whether anyone who is trusted may lift calls above everything."""
    if case.config is None:
        return
    emergency, identity = case.config.emergency, case.config.identity
    trusted = bool(identity.anchors) or identity.trust_list is not None
    if trusted and emergency.signed_priority and not emergency.priority_signers:
        what = "any trusted signer with a service provider code may lift calls above every rule and limit"
        advice = "name in emergency.priority_signers who signs priority for you, or set emergency.signed_priority: []"
        yield Diagnosis("signed priority", WARNING, what, advice)


def _source(each: dict[str, object]) -> Diagnosis:
    subject = str(each["source"])
    if each["fetched_at"] is None:
        what = f"there is none from {each['place']}: {each['error'] or 'it was not fetched yet'}"
        return Diagnosis(subject, PROBLEM, what, str(each["advice"]))
    if each["stale"]:
        what = f"version {each['version']} is out of date: {each['error'] or 'no new one was had'}"
        return Diagnosis(subject, PROBLEM if each["when_stale"] == "refuse" else WARNING, what, str(each["advice"]))
    if each["error"]:
        return Diagnosis(
            subject, WARNING, f"version {each['version']} is in force, but {each['error']}", str(each["advice"])
        )
    return Diagnosis(subject, OK, f"version {each['version']}, {each['entries']} entries")
