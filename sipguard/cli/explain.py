"""The command explain: one decision, step by step, or in plain English.

Enters: what names a call. Leaves: the steps, sentences, or the calls that are meant. Must not: write anything.
"""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import click

from sipguard.b2bua.frames import VerdictFrame
from sipguard.cli.calls import CALL_ID_WITHIN_S, found_by, show_calls
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
from sipguard.records.explain import explain as explain_call
from sipguard.records.filter import Filter, instant, number
from sipguard.records.judged_by import JudgedBy
from sipguard.records.listed import ListedBy
from sipguard.records.plainly import in_plain
from sipguard.records.record import Record
from sipguard.service.listed_calls import told_of
from sipguard.service.policies import Policies
from sipguard.settings.judged_by import read
from sipguard.settings.load import load
from sipguard.settings.service import Service
from sipguard.settings.sources import SKIP
from sipguard.store.errors import StoreDamaged, StoreError, StoreUnavailable
from sipguard.store.lookup import frames_of
from sipguard.store.sqlite import SqliteReading

CANDIDATES: Final = 10
_NONE: Final = (
    "no call has the decision id {}, and none of the last 24 hours the Call-ID or the number; a call is found a second"
    " after its verdict, an older one with --since 7d"
)


@click.command()
@click.argument("call", metavar="[CALL]", default="")
@click.option("--caller", metavar="NUMBER", help="The caller that counted, in any form.")
@click.option("--callee", metavar="NUMBER", help="The called number, in any form.")
@click.option(
    "--since",
    metavar="TIME",
    help="Since then: 15m, 2h, 7d, 2026-11-23, 2026-11-23T14:00, @1795000000; 24 hours before --until if left out.",
)
@click.option("--until", metavar="TIME", help="Until then, written as --since.")
@click.option("--plain", is_flag=True, help="Say it in plain English, for the person at the phone.")
@utc_option
@config_option
@json_option
def explain(
    call: str,
    caller: str | None,
    callee: str | None,
    since: str | None,
    until: str | None,
    plain: bool,
    utc: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Show every step of one decision: checks, rules, verdict, the SIP that went out.

    CALL is a decision id, as it stands in `sipguard calls` and in the Reason of a 603+, or as much of one as no other
    call has; a Call-ID of either leg; or a number of the call. Where several calls are meant they are listed.

    \b
    Examples:
      sipguard explain 1a216ad809e0
      sipguard explain "(202) 555-0121" --since 2h --plain

    \b
    Exit status:
      0  it is explained
      1  there is no such call, or there are several
      2  the command line or the configuration is wrong
    """
    service = service_of(config)
    zone, now_at = zone_of(service, utc), time.time()
    try:
        before = instant(until, now_at, zone, late=True) if until else None
        wanted = Filter(
            caller=number(caller) if caller else "",
            callee=number(callee) if callee else "",
            after=instant(since, now_at, zone) if since else (now_at if before is None else before) - CALL_ID_WITHIN_S,
            before=before,
            limit=CANDIDATES + 1,
        )
    except BadFilter as error:
        stop(str(error), WRONG)
    if not call and not (caller or callee):
        stop("which call? write an id, a Call-ID or a number, or --caller or --callee", WRONG)
    try:
        with SqliteReading(service.database) as store:
            meant = _meant(call, wanted, store, service.journal_directory)
    except StoreDamaged as error:
        stop(str(error), FAILED)
    except StoreUnavailable as error:
        stop(f"{error}; has sipguard run with this configuration?", FAILED)
    except StoreError as error:
        stop(str(error), FAILED)
    if not meant:
        stop(_NONE.format(call) if call else "no such call; an older one is found with --since 7d", FAILED)
    if len(meant) > 1:
        if as_json:
            print_json({"calls": [asdict(record) for record in meant[:CANDIDATES]]})
        else:
            show_calls(meant[:CANDIDATES], zone)
        click.echo(
            f"{'more than ' if len(meant) > CANDIDATES else ''}{len(meant[:CANDIDATES])} calls are meant", err=True
        )
        sys.exit(FAILED)
    record = meant[0]
    kept = frames_of(service.journal_directory, record)
    by, listed = _judged_by(record.revision, config, service), _listed_by(service, kept.verdict)
    if plain:
        click.echo(escaped(in_plain(record, kept.verdict, kept.end, by, listed, zone)))
        return
    explanation = explain_call(record, kept.verdict, kept.answer, kept.end, by, listed, kept.lacks)
    if as_json:
        print_json(explanation.as_json())
    else:
        for line in explanation.lines(zone):
            click.echo(escaped(line))


def _judged_by(revision: str, config: Path, service: Service) -> JudgedBy | None:
    """The rules that a Ruleset had; those of the configuration as it is now where they are not kept."""
    try:
        octets = Policies(service.state_directory).of(revision)
    except OSError as error:
        click.echo(f"the rules of Ruleset {escaped(revision)} cannot be read: {error}", err=True)
        octets = None
    found = read(octets) if octets is not None else None
    return found or load(config, SKIP).judged_by


def _listed_by(service: Service, verdict: VerdictFrame | None) -> tuple[ListedBy, ...]:
    """What put a call on lists; where these cannot be read that is told, and the rest is explained."""
    try:
        return told_of(service.state_directory, verdict) if verdict is not None else ()
    except (StoreError, OSError) as error:
        click.echo(f"who put it on its lists cannot be told: {error}", err=True)
        return ()


def _meant(call: str, wanted: Filter, store: SqliteReading, journal: Path) -> list[Record]:
    """The calls that are meant: by an id, else by its beginning, else by a Call-ID, else by a number; newest first."""
    if not call:
        return store.find(wanted)
    record = store.get(call)
    if record is not None:
        return [record]
    begin = call.rstrip("….")
    found = store.begins(begin, CANDIDATES + 1) if begin else []
    if not found and store.has_call_ids():
        found = found_by(store, journal, replace(wanted, call_id=call))
    if not found:
        try:
            found = store.find(replace(wanted, number=number(call)))
        except BadFilter:
            return []
    return found
