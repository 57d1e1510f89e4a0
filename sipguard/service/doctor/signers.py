"""Signers: whether they can sign now, and whether the CRL in force names them.

Enters: a configuration, the status of the running sipguard, files of keys. Leaves: diagnoses. Must not: show a key.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from sipguard.service.doctor.diagnosis import OK, PROBLEM, WARNING, Case, Diagnosis
from sipguard.service.signers import Signers, line
from sipguard.service.trusted import trusted_on_disk
from sipguard.settings.signing import files_of


def examine(case: Case) -> Iterator[Diagnosis]:
    """Each signer as the running sipguard has it, or as one would begin with it now."""
    rows: list[dict[str, Any]] | None = case.status.get("signers")
    if rows is None:
        rows = _rows(case)
    for each in rows:
        if each["why"]:
            level, advice = PROBLEM, "correct its files: they are read again as soon as they change"
        elif each["revoked_by"]:
            level, advice = PROBLEM, "get a new certificate, or take `sign` off the trunks"
        elif each["refused"]:
            level, advice = WARNING, "correct its files before the next start: it would begin unsigned"
        else:
            level, advice = OK, ""
        yield Diagnosis("signer", level, line(each), advice)


def _rows(case: Case) -> list[dict[str, Any]]:
    if case.config is None:
        return []
    signers = Signers()
    signers.take(files_of(case.config, case.base))
    crl = trusted_on_disk(case.service.trust).crl if case.service is not None else None
    return signers.rows(crl, time.time())
