"""The command calls: calls that were.

Enters: filters as people write them. Leaves: rows. Must not: write anything.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.status import Status
from rich.table import Column, Table
from rich.text import Text

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
from sipguard.cli.escaping import escaped
from sipguard.records.errors import BadFilter
from sipguard.records.filter import UP, Filter, instant, number
from sipguard.records.record import Record
from sipguard.records.step import moment, tn
from sipguard.screening.policy.errors import meant
from sipguard.screening.verdict import ALLOW, LABEL, REDIRECT, REJECT, RESERVED_RULES
from sipguard.settings.load import load
from sipguard.settings.sources import SKIP
from sipguard.store.errors import StoreDamaged, StoreError, StoreUnavailable
from sipguard.store.lookup import frames_of
from sipguard.store.search import Search
from sipguard.store.sqlite import PORTION, SqliteReading

_ALWAYS: Final = (0, 1)  # columns of `calls`: time and id
_NEEDED: Final = (0, 1, 3, 5, 9, 4, 6, 8, 2, 7, 10)  # columns, those first that are missed most
_NO: Final = "no {} {!r} in the configuration, nor in any call that is kept"
CALL_ID_WITHIN_S: Final = 86_400.0  # how far back is looked for what has no index: Call-ID, origid, rules in report


@click.command()
@click.option("--number", "any_number", metavar="NUMBER", help="Caller, callee or shown number, in any form.")
@click.option("--caller", metavar="NUMBER", help="The caller that counted, in any form.")
@click.option("--callee", metavar="NUMBER", help="The called number, in any form.")
@click.option(
    "--since", metavar="TIME", help="Since then: 15m, 2h, 7d (ago), 2026-11-23, 2026-11-23T14:00, @1795000000."
)
@click.option("--until", metavar="TIME", help="Until then, written as --since.")
@click.option("--verdict", type=click.Choice([ALLOW, LABEL, REJECT, REDIRECT]), help="What was decided.")
@click.option("--rule", default="", metavar="RULE", help="Name of the rule that decided.")
@click.option("--would", default="", metavar="RULE", help="Name of a rule in mode report that would have acted.")
@click.option("--basis", default="", metavar="BASIS", help="Basis of a rejection, such as dno or contract.")
@click.option("--trunk", default="", metavar="NAME", help="Name of the trunk that the call came from.")
@click.option(
    "--disposition",
    default="",
    metavar="WORD",
    help="How the call ended: answered, rejected, busy ...; up: it has not.",
)
@click.option("--call-id", default="", metavar="ID", help="Call-ID of either leg.")
@click.option(
    "--origid", default="", metavar="UUID", help="Origination identifier, of the token that passed or of our signature."
)
@click.option("--emergency", is_flag=True, help="Only emergency calls, which nothing may stop.")
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
    would: str,
    basis: str,
    trunk: str,
    disposition: str,
    call_id: str,
    origid: str,
    emergency: bool,
    limit: int,
    utc: bool,
    config: Path,
    as_json: bool,
) -> None:
    """List calls, newest first.

    Each with its verdict, the rule that decided, what became of its Identity header and its attestation, the SIP status
    the caller got, how it ended, and for how many seconds it was up. `sipguard explain ID` tells more of one.

    \b
    Examples:
      sipguard calls --since 24h --verdict reject
      sipguard calls --number "(202) 555-0121" --limit 20
    """
    now_at = time.time()
    service = service_of(config)
    zone = zone_of(service, utc)
    try:
        before = instant(until, now_at, zone, late=True) if until else None
        wanted = Filter(
            number=number(any_number) if any_number else "",
            caller=number(caller) if caller else "",
            callee=number(callee) if callee else "",
            after=instant(since, now_at, zone)
            if since
            else (now_at if before is None else before) - CALL_ID_WITHIN_S
            if call_id or origid or would
            else None,
            before=before,
            action=verdict or "",
            rule=rule,
            basis=basis,
            trunk=trunk,
            disposition=disposition,
            emergency=emergency,
            call_id=call_id,
            limit=limit,
        )
    except BadFilter as error:
        stop(str(error), WRONG)
    try:
        with SqliteReading(service.database) as store:
            journal = service.journal_directory
            if origid or would:
                with Search(journal, would, origid) as search:
                    found = _by_frames(store, wanted, search, zone)
            else:
                found = found_by(store, journal, wanted)
            unknown = [] if found else list(_unknown_names(config, store, wanted, would))
    except StoreDamaged as error:
        stop(str(error), FAILED)
    except StoreUnavailable as error:
        stop(f"{error}; has sipguard run with this configuration?", FAILED)
    except StoreError as error:
        stop(str(error), FAILED)
    for what in unknown:
        click.echo(what, err=True)
    if as_json:
        print_json([with_frame(record, service.journal_directory) for record in found])
    else:
        show_calls(found, zone)


def found_by(store: SqliteReading, journal_directory: Path, wanted: Filter) -> list[Record]:
    """The calls of a filter; by the Call-ID of a B leg those too that are up, which only the journal knows."""
    if not wanted.call_id:
        return store.find(wanted)
    if not store.has_call_ids():
        stop("this database has no Call-IDs yet: a sipguard of this version must run with it first", FAILED)
    if found := store.find(wanted):
        return found
    if wanted.disposition not in ("", UP):
        return []
    with Search(journal_directory, call_id_b=wanted.call_id) as search:
        up = store.each(replace(wanted, call_id="", disposition=UP))
        return list(islice(search.found(call for call in up if call.answer_place), wanted.limit))


def _by_frames(store: SqliteReading, wanted: Filter, search: Search, zone: tzinfo) -> list[Record]:
    """Those calls of a filter whose frames say what is looked for; what was looked at is told on standard error."""
    console = Console(stderr=True)
    found: list[Record] = []
    looking = found_by(store, search.directory, wanted) if wanted.call_id else store.each(wanted)
    with console.status("") as status:
        for call in search.found(_shown_on(looking, status, zone) if console.is_terminal else looking):
            found.append(call)
            if len(found) == wanted.limit:
                break
    click.echo(_looked_at(search, wanted, len(found), zone), err=True)
    return found


def _shown_on(calls: Iterable[Record], status: Status, zone: tzinfo) -> Iterator[Record]:
    """The same calls; a line on the terminal says how far they are."""
    for n, call in enumerate(calls):
        if n % PORTION == 0:
            status.update(f"{n:,} calls looked at, back to {_shown_at(call.at, zone)}")
        yield call


def _looked_at(search: Search, wanted: Filter, found: int, zone: tzinfo) -> str:
    """What was looked through."""
    since = f"since {_shown_at(wanted.after, zone)}" if wanted.after is not None else "that are kept"
    until = f" until {_shown_at(wanted.before, zone)}" if wanted.before is not None else ""
    calls = f"{search.looked_at:,} call{'' if search.looked_at == 1 else 's'}"
    told = f"looked at all {calls} {since}{until}"
    if found == wanted.limit:
        told = f"looked at {calls}, back to {_shown_at(search.oldest_at, zone)}, where --limit {found} was reached"
    if search.unread:
        told += (
            f"; of {search.unread:,} the journal cannot be read (any more), and they may be some that are looked for"
        )
    return told


def with_frame(record: Record, journal_directory: Path) -> dict[str, Any]:
    """A record for programs, with the rules in mode report that would have acted, and what was signed of the call, null
    where nothing was to be; both null where the journal is gone."""
    verdict = frames_of(journal_directory, record).verdict
    signed = verdict.signed if verdict is not None else None
    return {
        **asdict(record),
        "reported": list(verdict.reported) if verdict is not None else None,
        "signed": msgspec.structs.asdict(signed) if signed is not None else None,
    }


def _unknown_names(config: Path, store: SqliteReading, wanted: Filter, would: str) -> Iterator[str]:
    """A line for each name of the filter that neither the configuration nor any call has."""
    named = load(config, SKIP)
    trunk, rule = wanted.trunk, wanted.rule
    if trunk and trunk not in named.trunks and not store.has_trunk(trunk):
        yield f"{_NO.format('trunk', trunk)}; {meant(trunk, named.trunks)}".rstrip("; ")
    rules = [each.name for each in named.policy.rules]
    if rule and rule not in (*rules, *RESERVED_RULES) and not store.has_rule(rule):
        yield f"{_NO.format('rule', rule)}; {meant(rule, rules)}".rstrip("; ")
    if would and would not in rules:
        yield f"{_NO.format('rule', would)}; {meant(would, rules)}".rstrip("; ")
    elif would and would not in named.policy.reporting():
        yield f"rule {would} is not in mode report now: --rule {would} finds the calls that it decides"


def show_calls(found: list[Record], zone: tzinfo) -> None:
    """A table on a terminal, tab-separated lines elsewhere."""
    columns = (
        f"time ({zone})",
        "id",
        "trunk",
        "caller",
        "callee",
        "verdict",
        "rule",
        "identity",
        "status",
        "end",
        "seconds",
    )
    rows = [_cells(record, zone) for record in found]
    console = Console()
    if not console.is_terminal:
        click.echo("\t".join(columns))
        for row in rows:
            click.echo("\t".join(row))
        return
    shown, left_out = _fitting(columns, rows, console.width)
    table = Table(
        *(Column(columns[n], no_wrap=True) for n in shown), box=None, header_style="bold", padding=(0, 1, 0, 0)
    )
    for row in rows:
        table.add_row(*(Text(row[n]) for n in shown))
    console.width = max(console.width, sum(1 + max(len(row[n]) for row in (columns, *rows)) for n in shown))
    console.print(table)
    if left_out:
        names = ", ".join(columns[n] for n in left_out)
        click.echo(f"no room for {names}: make the terminal wider, or use --json", err=True)


def _cells(record: Record, zone: tzinfo) -> tuple[str, ...]:
    """A call as a row."""
    cells = (
        _shown_at(record.at, zone),
        record.decision_id,
        record.trunk,
        tn(record.caller) if record.caller else "-",
        tn(record.callee) if record.callee else "-",
        record.action if record.mode == "enforce" else f"{record.action} ({record.mode})",
        record.rule or "default",
        f"{record.identity or '-'} {record.attest}".strip(),
        str(record.final_status or record.status or "-"),
        record.disposition or "up",
        f"{record.duration_s:.1f}" if record.duration_s else "-",
    )
    return tuple(map(escaped, cells))


def _fitting(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> tuple[list[int], list[int]]:
    """The columns that a terminal has room for, whole and in their order, and those left out. Nothing is cut: an id
    that is not whole is of no use, and half a number is another number."""
    room, shown = width, []
    for n in _NEEDED:
        needs = 1 + max(len(row[n]) for row in (columns, *rows))
        if n in _ALWAYS or needs <= room:
            shown.append(n)
            room -= needs
    return sorted(shown), [n for n in range(len(columns)) if n not in shown]


def _shown_at(at: float, zone: tzinfo) -> str:
    """An instant with milliseconds; outside of UTC with its offset, since an hour may come twice."""
    then = moment(at, zone)
    return f"{then:%Y-%m-%d %H:%M:%S}.{then.microsecond // 1000:03}{'' if zone is UTC else f'{then:%z}'}"
