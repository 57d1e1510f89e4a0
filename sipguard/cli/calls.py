"""Commands about calls that were: calls, explain.

Enters: filters as people write them. Leaves: rows, or the steps of one decision. Must not: write anything.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from sipguard.cli.common import (
    FAILED,
    WRONG,
    config_option,
    json_option,
    print_json,
    service_of,
    stop,
    utc_option,
    zone_of,
)
from sipguard.records.errors import BadFilter
from sipguard.records.explain import explain as explain_call
from sipguard.records.filter import Filter, instant, number
from sipguard.records.record import Record
from sipguard.screening.verdict import ALLOW, LABEL, REDIRECT, REJECT
from sipguard.store.errors import StoreUnavailable
from sipguard.store.lookup import frames_of
from sipguard.store.sqlite import SqliteReading


@click.command()
@click.option("--number", "any_number", help="As caller, callee or shown number, in any form.")
@click.option("--caller", help="The caller that counted, in any form.")
@click.option("--callee", help="The called number, in any form.")
@click.option("--since", help="15m, 2h, 7d, 2026-11-23, 2026-11-23T14:00, @1795000000.")
@click.option("--until", help="As --since.")
@click.option("--verdict", type=click.Choice([ALLOW, LABEL, REJECT, REDIRECT]))
@click.option("--rule", default="", help="Name of the rule that decided.")
@click.option("--basis", default="", help="Basis of a rejection.")
@click.option("--trunk", default="", help="Name of the trunk that the call came from.")
@click.option("--disposition", default="", help="How the call ended: answered, rejected, busy, cancelled ...")
@click.option("--emergency", is_flag=True, help="Only calls that the guard admitted.")
@click.option("--limit", default=50, show_default=True, help="How many, newest first.")
@utc_option
@config_option
@json_option
def calls(
    any_number: str | None,
    caller: str | None,
    callee: str | None,
    since: str | None,
    until: str | None,
    verdict: str | None,
    rule: str,
    basis: str,
    trunk: str,
    disposition: str,
    emergency: bool,
    limit: int,
    utc: bool,
    config: Path,
    as_json: bool,
) -> None:
    """List calls, newest first."""
    now_at = time.time()
    service = service_of(config)
    zone = zone_of(service, utc)
    try:
        wanted = Filter(
            number=number(any_number) if any_number else "",
            caller=number(caller) if caller else "",
            callee=number(callee) if callee else "",
            after=instant(since, now_at, zone) if since else None,
            before=instant(until, now_at, zone, late=True) if until else None,
            action=verdict or "",
            rule=rule,
            basis=basis,
            trunk=trunk,
            disposition=disposition,
            emergency=emergency,
            limit=limit,
        )
    except BadFilter as error:
        stop(str(error), WRONG)
    try:
        with SqliteReading(service.database) as store:
            found = store.find(wanted)
    except StoreUnavailable as error:
        stop(f"{error}; has sipguard run with this configuration?", FAILED)
    if as_json:
        print_json([asdict(record) for record in found])
    else:
        _show(found, zone)


def _show(found: list[Record], zone: tzinfo) -> None:
    """A table on a terminal, tab-separated lines elsewhere."""
    columns = (f"time ({zone})", "id", "trunk", "caller", "callee", "verdict", "rule", "identity", "status", "end", "s")
    rows = [
        (
            _shown_at(record.at, zone),
            record.decision_id,
            record.trunk,
            record.caller or "-",
            record.callee or "-",
            record.action if record.mode == "enforce" else f"{record.action} ({record.mode})",
            record.rule or "default",
            f"{record.identity or '-'} {record.attest}".strip(),
            str(record.final_status or record.status or "-"),
            record.disposition or "up",
            f"{record.duration_s:.1f}" if record.duration_s else "-",
        )
        for record in found
    ]
    console = Console()
    if not console.is_terminal:
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(row))
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _shown_at(at: float, zone: tzinfo) -> str:
    """An instant with milliseconds; outside of UTC with its offset, since an hour may come twice."""
    moment = datetime.fromtimestamp(at, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03}{'' if zone is UTC else f'{moment:%z}'}"


@click.command()
@click.argument("decision_id")
@utc_option
@config_option
@json_option
def explain(decision_id: str, utc: bool, config: Path, as_json: bool) -> None:
    """Show every step of one decision; the id stands in `sipguard calls` and in the Reason of a 603+."""
    service = service_of(config)
    try:
        with SqliteReading(service.database) as store:
            record = store.get(decision_id)
    except StoreUnavailable as error:
        stop(f"{error}; has sipguard run with this configuration?", FAILED)
    if record is None:
        stop(f"no call has the decision id {decision_id}; a call is found a second after its verdict", FAILED)
    kept = frames_of(service.journal_directory, record)
    explanation = explain_call(record, kept.verdict, kept.answer, kept.end)
    if as_json:
        print_json(explanation.as_json())
    else:
        for line in explanation.lines(zone_of(service, utc)):
            click.echo(line)


COMMANDS = (calls, explain)
