"""The certificates of signers that were fetched: whether there are any, whether their hosts answer, which end soon.

Enters: a configuration, the status of the running sipguard, the folder of copies. Leaves: diagnoses. Must not: fetch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sipguard.net.disk import Disk
from sipguard.service.doctor.diagnosis import OK, UNKNOWN, WARNING, Case, Diagnosis
from sipguard.service.inventory import row, summary

SUBJECT: Final = "fetched certificates"
HOSTS: Final = "certificate hosts"
NAMED: Final = 5
_ADVICE: Final = {
    "x5u_dns": "see whether this machine resolves their names",
    "x5u_connect": "see whether a firewall lets this machine out to ports 443 and 8443",
    "x5u_timeout": "see whether a firewall lets this machine out to ports 443 and 8443",
    "x5u_tls": "see whether the roots of TLS on this machine are up to date",
    "x5u_address_refused": "their names lead to addresses inside; identity.fetch.allow_networks admits some",
}
_ASK: Final = "ask who runs them; `sipguard certs list` shows all"


def examine(case: Case) -> Iterator[Diagnosis]:
    """The cache as a whole, then hosts in trouble."""
    if case.service is None or not case.service.fetch.directory:
        return
    directory, now = Path(case.service.fetch.directory), time.time()
    try:
        rows = [row(copy, now) for copy in Disk(directory).copies(now)] if directory.is_dir() else []
    except OSError as error:
        yield Diagnosis(SUBJECT, UNKNOWN, f"{directory}: {error.strerror}")
        return
    found = summary(rows, case.status, case.service.run_directory, now)
    if not rows:
        yield Diagnosis(
            SUBJECT, WARNING, "there is none yet: the first call of each signer waits for its certificate, or goes on"
            " unverified", "`sipguard certs warm --from FILE` fetches a list of URLs beforehand",
        )  # fmt: skip
    else:
        yield Diagnosis(SUBJECT, OK, f"{len(rows)} copies, {found['expiring_7d']} end within 7 days")
    yield from _hosts([at for at in found["hosts"] if at["failures"]])


def _hosts(troubled: list[dict[str, Any]]) -> Iterator[Diagnosis]:
    """One line for all hosts whose last request failed: those that have served certificates count, others may be lies.

    Callers choose URLs, so a host that never served a certificate is no sign of anything here being wrong.
    """
    known = [at for at in troubled if at["certificates"]]
    if not known:
        return
    names = ", ".join(f"{at['host']} ({at['last_error']})" for at in known[:NAMED])
    more = f" and {len(known) - NAMED} more" if len(known) > NAMED else ""
    reasons = {at["last_error"] for at in known}
    advice = _ADVICE.get(reasons.pop(), _ASK) if len(reasons) == 1 else _ASK
    yield Diagnosis(HOSTS, WARNING, f"{len(known)} that served certificates fail now: {names}{more}", advice)
