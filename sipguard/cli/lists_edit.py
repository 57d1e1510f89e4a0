"""The commands lists add, lists remove, lists undo.

Enters: a list of the configuration, entries. Leaves: a change in lists.db, which a running sipguard takes up by itself.
Must not: touch the file of a list, or need a running sipguard.
"""

from __future__ import annotations

import getpass
import os
import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, print_json, stop, zone_of
from sipguard.cli.escaping import say
from sipguard.numbers.errors import NumberSetError
from sipguard.records.errors import BadFilter
from sipguard.records.filter import instant
from sipguard.screening.overlay import Edits
from sipguard.screening.policy.errors import meant
from sipguard.service.list_answers import is_on
from sipguard.settings.entries import read_entries, shown
from sipguard.settings.load import Loaded, load
from sipguard.settings.service import Service
from sipguard.settings.sources import BUILT, SKIP
from sipguard.store.edits import ADD, NAME, REMOVE, EditStore
from sipguard.store.errors import StoreError

F = TypeVar("F", bound=Callable[..., Any])
_FEW = 5  # entries that a line shows
OF_EDITS: Final = "this is about edits; an import is taken back by importing the whole file of before"
_SPANS = tuple("smhdw")  # what `instant` takes for a span ends in one of them; other letters are a zone


def _options(function: F) -> F:
    for option in (
        json_option,
        config_option,
        click.option("--by", default="", metavar="NAME", help="Who wants it; your login name if left out."),
        click.option(
            "--until",
            default="",
            metavar="TIME",
            help="When it ends: 30d, 12h, 2027-01-31T18:00, 2027-01-31T18:00Z; of a day, 2027-01-31, it is the end, as "
            "in files. Without a zone in records.zone.",
        ),
        click.option("--reason", default="", metavar="TEXT", help="Why, in words: a complaint, an order."),
        click.argument("entries", nargs=-1, required=True, metavar="ENTRY..."),
        click.argument("name", metavar="LIST"),
    ):
        function = option(function)
    return function


@click.command(name="add")
@_options
def add_command(
    name: str, entries: tuple[str, ...], reason: str, until: str, by: str, config: Path, as_json: bool
) -> None:
    """Put entries on a list: numbers, prefixes with a trailing *, ranges first-last, pairs caller,callee, networks,
    texts, trunks.

    An entry that is on it already is told; the change holds all the same, with its end and reason.
    In force within 2 seconds where sipguard runs, from its start on where it does not. The file of the list stays as it
    is. The last change of an entry holds, and one of a number goes before one of a range or prefix over it, of which
    the narrowest counts.

    \b
    Examples:
      sipguard lists add blocked +12025550111 --reason "complaint 4711" --until 30d
      sipguard lists add blocked "+1202555*" +12025550100-+12025550199
      sipguard lists add consent +12025550111,+12125550123
    """
    _edit(ADD, name, entries, reason, until, by, config, as_json)


@click.command(name="remove")
@_options
def remove_command(
    name: str, entries: tuple[str, ...], reason: str, until: str, by: str, config: Path, as_json: bool
) -> None:
    """Take entries off a list, whether they were added or stand in its file; a prefix takes off all below it.

    Entries that were added one by one stay, whatever prefix is removed. With --until the file counts again afterwards.
    An entry that is not on the list is told; it is kept off it all the same, whatever its file says later.

    \b
    Example:
      sipguard lists remove dno +12025550111 --reason "the number is in use again" --by dana
    """
    _edit(REMOVE, name, entries, reason, until, by, config, as_json)


@click.command(name="undo")
@click.argument("change", type=click.IntRange(1))
@click.option("--reason", default="", metavar="TEXT", help="Why it is taken back, in words.")
@click.option("--by", default="", metavar="NAME", help="Who wants it; your login name if left out.")
@config_option
@json_option
def undo_command(change: int, reason: str, by: str, config: Path, as_json: bool) -> None:
    """Take one change back; its number stands in `sipguard lists history`.

    What was changed later stays. Both changes are kept in the history. This is about edits: an import has no number,
    and is taken back by importing the whole file of before.

    \b
    Examples:
      sipguard lists undo 17
      sipguard lists import dnc the-file-of-before.zip
    """
    _, service = named(config)
    try:
        with EditStore.writing(service.state_directory / NAME) as store:
            if store.get(change) is None:
                stop(f"there is no change {change}; sipguard lists history shows all; {OF_EDITS}", FAILED)
            sequence = store.undo(change, who=_text(by or login()), why=_text(reason), at=time.time())
            entries = store.entries(sequence)
            made = store.get(sequence)
    except StoreError as error:
        stop(str(error), FAILED)
    assert made is not None
    if as_json:
        print_json({"change": sequence, "undoes": change, "list": made.list, "entries": entries, "by": made.who})
    else:
        say(f"change {sequence}: change {change} of {made.list} is undone, {some(entries)}")


def _edit(
    action: str, name: str, written: tuple[str, ...], reason: str, until: str, by: str, config: Path, as_json: bool
) -> None:
    """Makes one change."""
    found, service = named(config, name, BUILT)
    entries, problems = read_entries(found.kinds[name], written, found.trunks)
    if problems:
        for problem in problems:
            say(problem, err=True)
        stop(f"{len(problems)} of {len(written)} entries cannot be read; nothing was changed", WRONG)
    now_at = time.time()
    expires_at = _end(until, now_at, zone_of(service, False)) if until else 0.0
    who, why = _text(by or login()), _text(reason)
    try:
        with EditStore.writing(service.state_directory / NAME) as store:
            idle = _idle(action, name, entries, found, store, now_at)
            change = store.change(action, name, entries, who=who, why=why, expires_at=expires_at, at=now_at)
    except StoreError as error:
        stop(str(error), FAILED)
    if as_json:
        print_json(
            {
                "change": change,
                "action": action,
                "list": name,
                "entries": entries,
                "by": who,
                "at": now_at,
                "reason": why,
                "until": expires_at or None,
                "already" if action == ADD else "not_on_it": idle,
            }
        )
        return
    ends = f" until {at_zone(expires_at, zone_of(service, False))}" if expires_at else ""
    say(f"change {change}: {_told(action, name, entries, idle, ends)}; sipguard lists undo {change} takes it back")


def _idle(action: str, name: str, entries: Sequence[str], found: Loaded, store: EditStore, now_at: float) -> list[str]:
    """The entries that were on the list already, or that are to be removed and are not on it, as far as is known."""
    spec = next((each for each in found.ruleset.lists if each.name == name), None) if found.ruleset else None
    if spec is None:
        return []
    edits = Edits()
    for held in store.state(store.sequence(), name):
        edits.take(held.entry, held.said, held.expires_at)
    try:
        return [entry for entry in entries if is_on(spec, entry, edits, now_at) is (action == ADD)]
    except (NumberSetError, OSError):  # what is edited need not be whole
        return []


def _told(action: str, name: str, entries: Sequence[str], idle: Sequence[str], ends: str) -> str:
    """What became of a change, in words."""
    done, was = (
        (f"added to {name}", f"on {name} already") if action == ADD else (f"removed from {name}", f"not on {name}")
    )
    changed = [entry for entry in entries if entry not in set(idle)]
    parts = [f"{some(changed)} {done}{ends}"] if changed else []
    if idle:
        holds = "" if action == ADD else f" and {'are' if len(idle) > 1 else 'is'} kept off it"
        parts.append(f"{some(idle)} {'were' if len(idle) > 1 else 'was'} {was}{holds and holds + ends}")
    return "; ".join(parts)


def named(config: Path, name: str = "", lists: str = SKIP) -> tuple[Loaded, Service]:
    """The configuration and the settings of its service; ends where it cannot be read, or has no list of this name."""
    found = load(config, lists)
    if found.service is None:
        for problem in found.problems:
            say(str(problem), err=True)
        stop(f"{config}: cannot be read", WRONG)
    if name and name not in found.kinds:
        hint = meant(name, found.kinds) or f"there are {', '.join(found.kinds) or 'none'}"
        stop(f"no list {name} in {config}; {hint}", WRONG)
    return found, found.service


def login() -> str:
    """Who is at the keyboard; behind sudo whoever called it."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def _text(given: str) -> str:
    """What was given on the command line, as UTF-8 can hold it."""
    return given.encode("utf-8", "replace").decode()


def _end(until: str, now_at: float, zone: tzinfo) -> float:
    """Unix seconds of an end; ends where it is none, or past. A day that is written is the last, as in files."""
    word = until.strip()
    try:
        day = _day(word)
        end_at = instant(until, now_at, zone) if day is None else _after(day, zone)
        if word.endswith(_SPANS):
            end_at = 2 * now_at - end_at  # which is read as one back from now
        datetime.fromtimestamp(end_at, zone), datetime.fromtimestamp(end_at, UTC)
    except BadFilter as error:
        stop(str(error), WRONG)
    except (ValueError, OverflowError, OSError):
        stop(f"--until {until}: no calendar has that time", WRONG)
    if end_at <= now_at:
        stop(f"--until {until}: that is past", WRONG)
    return end_at


def _day(word: str) -> date | None:
    """The day that is written without a time, None for anything else."""
    try:
        return date.fromisoformat(word)
    except ValueError:
        return None


def _after(day: date, zone: tzinfo) -> float:
    """The midnight after a day. Raises OverflowError after the last one."""
    return datetime.combine(day + timedelta(days=1), datetime.min.time(), zone).timestamp()


def at_zone(at: float, zone: tzinfo) -> str:
    """An instant as it is shown."""
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S%z}"


def some(entries: Sequence[str]) -> str:
    """The first few of them in words."""
    more = f" and {len(entries) - _FEW} more" if len(entries) > _FEW else ""
    return ", ".join([shown(entry) for entry in entries[:_FEW]]) + more
