"""The command certs status: trust list and CRL of the running sipguard, one by one.

Enters: the answer of the running sipguard. Leaves: text or JSON, an exit status. Must not: judge; the service does.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from sipguard.cli.common import FAILED, ask, config_option, json_option, print_json

_NAMES: Final = {"trust_list": "trust list", "crl": "CRL"}
_ENTRIES: Final = {"trust_list": "authorities", "crl": "revoked"}


@click.command(name="status")
@config_option
@json_option
def status_command(config: Path, as_json: bool) -> None:
    """Show trust list and CRL: version, age, where from, next issue, last error, what to do.

    \b
    Exit status:
      0  what is configured is in force and up to date
      1  something is stale or was never had
      3  no sipguard runs
    """
    answer = ask(config, "certs")
    if as_json:
        print_json(answer)
    else:
        for each in answer["sources"]:
            for line in _lines(each):
                click.echo(line)
        if not answer["sources"]:
            click.echo(
                "neither identity.trust_list nor identity.crl is configured: anchors are files, nothing is revoked"
            )
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
        lines.append(f"  odd     {', '.join(each['remarks'])}")
    if each["error"]:
        lines.append(f"  error   {each['error']}, at {_instant(each['tried_at'])}")
    if each["advice"]:
        lines.append(f"  do      {each['advice']}")
    return lines


def _instant(unix_at: float | None) -> str:
    return datetime.fromtimestamp(unix_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if unix_at else "not planned yet"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"
