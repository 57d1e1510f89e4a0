"""The command certs status: trust list and CRL of the running sipguard, and the certificates that it has fetched.

Enters: the answer of the running sipguard, its counters, the folder of copies. Leaves: text or JSON, an exit status.
Must not: judge; the service does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from sipguard.cli.certs_cache import cache_summary, in_words, trouble_of
from sipguard.cli.common import FAILED, ask, config_option, json_option, print_json, service_of
from sipguard.cli.escaping import say
from sipguard.net.disk import Disk
from sipguard.service.inventory import row
from sipguard.stir.revocation import REMARKS

SHOWN: Final = 10  # lines of a kind
_NAMES: Final = {"trust_list": "trust list", "crl": "CRL"}
_ENTRIES: Final = {"trust_list": "authorities", "crl": "revoked"}


@click.command(name="status")
@config_option
@json_option
def status_command(config: Path, as_json: bool) -> None:
    """Show trust list and CRL: version, age, where from, next issue, last error, what to do; and the certificates.

    Of those that were fetched: how many, from how many hosts, which hosts are in trouble, errors by reason, which end
    within 7 days, and how often a call found its certificate in memory.

    \b
    Exit status:
      0  trust list and CRL are in force and up to date, if they are configured
      1  one of them is stale or was never had
      3  no sipguard runs
    """
    answer = ask(config, "certs")
    service, now = service_of(config), time.time()
    copies = Disk(Path(service.fetch.directory)).copies(now)
    answer["cache"] = cache_summary(service, [row(copy, now) for copy in copies], now)
    if as_json:
        print_json(answer)
    else:
        for each in answer["sources"]:
            for line in _lines(each):
                say(line)
        if not answer["sources"]:
            say("neither identity.trust_list nor identity.crl is configured: anchors are files, nothing is revoked")
        for line in _cache_lines(answer["cache"]):
            say(line)
    sys.exit(FAILED if any(each["stale"] for each in answer["sources"]) else 0)


def _lines(each: dict[str, Any]) -> list[str]:
    """One source."""
    name = _NAMES[each["source"]]
    if each["fetched_at"] is None:
        lines = [f"{name}: MISSING, none was ever had"]
    else:
        state = "STALE since" if each["stale"] else "good until"
        signed = "signature checked" if each["signed"] else "not signed"
        lines = [
            f"{name}: version {each['version']}, {each['entries']} {_ENTRIES[each['source']]}, {signed}, "
            f"{_span(each['age_s'])} old, {state} {_instant(each['stale_at'])}"
        ]
    lines.append(f"  from    {each['place']}")
    if each["stale"] and each["when_stale"] == "refuse":
        lines.append("  effect  nobody is trusted by it (when_stale: refuse)")
    lines.append(f"  next    {_instant(each['next_at'])}, {each['failures']} failure(s) since the start")
    if each["remarks"]:
        lines.append(f"  odd     {', '.join(_odd(remark) for remark in each['remarks'])}")
    if each["error"]:
        lines.append(f"  error   {each['error']}, at {_instant(each['tried_at'])}")
    if each["advice"]:
        lines.append(f"  do      {each['advice']}")
    return lines


def _odd(remark: str) -> str:
    return f"{remark} ({REMARKS[remark]})" if remark in REMARKS else remark


def _cache_lines(found: dict[str, Any]) -> Iterator[str]:
    """The certificates that were fetched: all together, then what an operator has to look at."""
    first, *more = in_words(found)
    hosts = sum(1 for at in found["hosts"] if at["certificates"])
    yield f"certificates: {first}, from {hosts} host(s)"
    yield from (f"  {line}" for line in more)
    troubled = [at for at in found["hosts"] if at["failures"]]
    for at in troubled[:SHOWN]:
        yield f"  trouble {at['host']}: {trouble_of(at)}, {at['failures']} failure(s) in a row"
    for each in found["expiring"][:SHOWN]:
        yield f"  ends    {_instant(each['not_after_at'])}  {each['url']}  {each['subject']}"
    if max(len(troubled), len(found["expiring"])) > SHOWN:
        yield "  all of them: sipguard certs list, and sipguard certs list --expiring 7d"


def _instant(unix_at: float | None) -> str:
    return datetime.fromtimestamp(unix_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if unix_at else "not planned yet"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
