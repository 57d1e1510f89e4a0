"""The command lists test: what every list says of a number.

Enters: a number, what else a call would say; a configuration, its built lists, edits. Leaves: text or JSON. Must not:
build a list, or ask the running sipguard: it answers while that is down.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click

from sipguard.cli.common import (
    FAILED,
    WRONG,
    config_option,
    json_option,
    loaded,
    print_json,
    stop,
    utc_option,
    zone_of,
)
from sipguard.cli.escaping import say
from sipguard.numbers.errors import NumberSetError
from sipguard.records.listed import EDIT
from sipguard.records.step import tn
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.errors import meant
from sipguard.service.list_answers import Answer, Origin, Question, Standing, answers, edited_in, number_in
from sipguard.settings.entries import shown
from sipguard.settings.sources import READ
from sipguard.store.edits import NAME, EditStore
from sipguard.store.errors import StoreError


@click.command(name="test")
@click.argument("number")
@click.option(
    "--callee", default="", metavar="NUMBER", help="The called number, for lists of pairs and those bound to callee."
)
@click.option(
    "--trunk",
    default="",
    metavar="NAME",
    help="The trunk of the call: its own numbers, its names, how it writes numbers.",
)
@click.option("--address", default="", metavar="ADDRESS", help="The IP address that the call comes from.")
@click.option("--user-agent", default="", metavar="TEXT", help="The User-Agent of the call.")
@click.option(
    "--signer",
    multiple=True,
    metavar="TEXT",
    help="Who signed: origid, service provider code or organisation; repeatable.",
)
@click.option("--all", "show_all", is_flag=True, help="Show lists too that say nothing of it.")
@config_option
@json_option
@utc_option
def test_command(
    number: str,
    callee: str,
    trunk: str,
    address: str,
    user_agent: str,
    signer: tuple[str, ...],
    show_all: bool,
    config: Path,
    as_json: bool,
    utc: bool,
) -> None:
    """Show which lists a number is on: by which entry, since when, why, and until when.

    Lists are asked as they stand in files and edits now; one whose file has changed since it was built says so.

    \b
    Examples:
      sipguard lists test +12025550111
      sipguard lists test +12025550111 --callee +12125550123 --trunk carrier-a
    """
    found = loaded(config, READ)
    assert found.ruleset is not None and found.service is not None
    of_trunk = found.ruleset.trunks.get(trunk)
    if trunk and of_trunk is None:
        stop(f"{trunk} is no trunk; {meant(trunk, found.ruleset.trunks)}".rstrip("; "), WRONG)
    caller, called = number_in(number, of_trunk), number_in(callee, of_trunk)
    for written, read in ((number, caller), (callee, called)):
        if written and not read:
            stop(f"{written} is no telephone number", WRONG)
    question = Question(caller, called, of_trunk, address, user_agent, signer)
    now_at = time.time()
    said: list[Answer] = []
    try:
        store = EditStore.reading(found.service.state_directory / NAME)
        for spec in found.ruleset.lists:
            said += answers(spec, question, edited_in(store, spec.name, now_at), now_at)
    except (StoreError, NumberSetError, OSError) as error:
        stop(str(error), FAILED)
    if as_json:
        print_json([each.as_json() for each in said])
        return
    zone, specs = zone_of(found.service, utc), {spec.name: spec for spec in found.ruleset.lists}
    for answer in said:
        if show_all or answer.on is not False or answer.standing:
            say(_line(answer, specs[answer.list]))
            for standing in answer.standing:
                say(f"  {_words(standing, zone, now_at)}")
            for origin in dict.fromkeys(each.origin for each in answer.standing if each.origin is not None):
                say(f"  {_of(origin, zone)}")
    if not any(answer.on for answer in said):
        unasked = len({answer.list for answer in said if answer.on is None})
        rest = f"; {unasked} could not be asked" if unasked else ""
        say(f"{tn(caller)} is on none of {len(specs) - unasked} lists{rest}")


def _line(answer: Answer, spec: ListSpec) -> str:
    named = f"{answer.list} ({answer.kind}, bound to {' '.join(answer.bind) or 'nothing'})"
    if answer.on is not None:
        return f"{shown(answer.asked)} {'ON' if answer.on else 'not on'} {named}"
    if spec.damaged:
        return f"NOT KNOWN: the base of {named} is damaged; sipguard lists import {spec.name} FILE makes it again"
    if spec.imported:
        return f"NOT KNOWN: nothing was imported as {named} yet; sipguard lists import {spec.name} FILE does it"
    return f"NOT KNOWN: {named} was not built yet; a start or a reload of sipguard builds it"


def _words(standing: Standing, zone: tzinfo, now_at: float) -> str:
    """Entry, who, since when, until when, why."""
    where = f"change {standing.change}" if standing.by == EDIT else standing.by
    parts = [f"{shown(standing.entry)}, by {where}" + (f" line {standing.line}" if standing.line else "")]
    if standing.added_by or standing.added_at:
        parts.append(f"added by {standing.added_by or 'somebody'}")
    if standing.added_at:
        parts.append(f"since {_instant(standing.added_at, zone)}")
    if standing.until:
        parts.append(f"{'until' if standing.until > now_at else 'ENDED'} {_instant(standing.until, zone)}")
    return ", ".join(parts) + (f": {standing.reason}" if standing.reason else "")


def _of(origin: Origin, zone: tzinfo) -> str:
    """Of what the list was made, when and by whom."""
    if origin.imported_at is None:
        changed = f", changed {_instant(origin.changed_at, zone)}" if origin.changed_at is not None else ""
        return f"file: {origin.files[0]}{changed}"
    files = ", ".join(Path(file).name for file in origin.files)
    return f"import: version {origin.version}, {_instant(origin.imported_at, zone)} by {origin.imported_by} ({files})"


def _instant(at: str | float, zone: tzinfo) -> str:
    if isinstance(at, str):
        return at
    form = "%Y-%m-%d %H:%M:%SZ" if zone is UTC else "%Y-%m-%d %H:%M:%S%z"
    return datetime.fromtimestamp(at, zone).strftime(form)
