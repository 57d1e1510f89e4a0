"""The command lists import: makes the base of a list from files.

Enters: files. Leaves: a base that is in force, a manifest and a report beside it. Must not: read a line itself.
"""

from __future__ import annotations

import getpass
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, loaded_as_check, print_json, stop
from sipguard.cli.escaping import say
from sipguard.numbers.bulk import WHY
from sipguard.numbers.errors import NumbersError
from sipguard.service.errors import ImportRefused
from sipguard.service.importing import FORMS, LIST, Asked, Import, Interrupted, form_of
from sipguard.store.errors import ListFileError
from sipguard.store.manifest import Manifest

INTERRUPTED: Final = 130
SHOWN: Final = 20  # refused lines that are printed
NICENESS: Final = 15
DAY_S: Final = 86_400.0  # that a date may lie ahead: it is tomorrow already east of here


@click.command(name="import")
@click.argument("name", metavar="LIST")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(("auto", *FORMS)), default="auto", show_default=True,
    help="What the files are; auto looks at the first line of the first.",
)  # fmt: skip
@click.option("--column", default="", metavar="NAME", help="The column with the numbers: its name, or its position.")
@click.option("--replace", "way", flag_value="replace", default=True, help="The files are the whole list (default).")
@click.option(
    "--update", "way", flag_value="update",
    help="The files add to the list; a change file also takes off; a full file of the registry replaces area codes.",
)  # fmt: skip
@click.option("--accept-loss", is_flag=True, help="Do it even where more than half of the list would be gone.")
@click.option(
    "--version", "version", default="", metavar="NAME", help="What the version is called; date and digest if left out."
)
@click.option(
    "--dated", type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S")), metavar="TIME",
    help="Of when the data is, in UTC: 2026-11-26, 2026-11-26T06:00:00; the time of the files if left out.",
)  # fmt: skip
@config_option
@json_option
def import_command(
    name: str,
    files: tuple[Path, ...],
    form: str,
    column: str,
    way: str,
    accept_loss: bool,
    version: str,
    dated: datetime | None,
    config: Path,
    as_json: bool,
) -> None:
    """Make a list of numbers or pairs, which has no file and no members in the configuration, from files.

    Files may be .gz or .zip. What is made is in force in a running sipguard within two seconds. Ctrl-C ends it, and the
    same command goes on where it was. A file that is broken, cut off or no list of numbers changes nothing.

    \b
    Examples:
      sipguard lists import dnc national.zip
      sipguard lists import dnc changes.txt --update
      sipguard lists import spam calls.csv --column phone

    \b
    Formats:
      plain       a number, prefix* or range in each line
      csv         a header, and the numbers in a column of it
      list        as the file of a list: pairs, ends, reasons
      dno         a number, prefix or range in the first column
      ftc         202,5550131: the Do-Not-Call registry; ftc-xml is the same in XML
      ftc-change  a number, A or D, and a date: what was added and deleted
      complaints  the FTC's daily complaints
      reassigned  number, date, and yes, no or no data

    \b
    Exit status:
      0    it is in force; lines that were refused are told of
      1    nothing was changed; the reason is on standard error
      2    the command line or the configuration is wrong
      130  Ctrl-C; the same command goes on from there
    """
    directory, kind = _whose(config, name)
    if kind != "numbers" and form not in ("auto", LIST):
        stop(
            f"{name} is a list of {kind}: its files are as those of a list in the configuration, --format {LIST}", WRONG
        )
    os.nice(NICENESS)
    try:
        if form == "auto":
            form = form_of(files[0]) if kind == "numbers" else LIST
        update = way == "update" or form == "ftc-change"
        dated_at = _dated_at(dated) if dated is not None else None
        asked = Asked(directory, name, files, form, column, update, accept_loss, version, dated_at, _whoever(), kind)
        run = Import(asked)
        made = _under_a_bar(run)
    except Interrupted:
        stop(f"{name}: interrupted; nothing was changed, the same command goes on from there", INTERRUPTED)
    except (ImportRefused, ListFileError, NumbersError) as error:
        stop(str(error), FAILED)
    except OSError as error:
        stop(f"{error.filename or directory}: {error.strerror}; nothing was changed", FAILED)
    if as_json:
        print_json(
            {
                **asdict(made),
                "column": run.column or None,
                "odd": dict(run.tally.odd),
                "refusals": [asdict(each) for each in run.tally.told],
                "went_on_at": run.went_on_at,
                "base_unread": run.unread or None,
            }
        )
        return
    _print(made, run, directory)


def _dated_at(dated: datetime) -> float:
    """Unix seconds of --dated; ends where that is yet to come: data of then would never be stale."""
    at = dated.replace(tzinfo=UTC).timestamp()
    if at > time.time() + DAY_S:
        stop(
            f"--dated {dated:%Y-%m-%dT%H:%M:%S} has not come yet: say of when the data is, or leave --dated out", WRONG
        )
    return at


def _whose(config: Path, name: str) -> tuple[Path, str]:
    """Where bases lie, and the kind of the list. Ends where it is none that is imported."""
    found = loaded_as_check(config)  # that nothing was imported yet is about to change
    assert found.ruleset is not None and found.service is not None
    spec = next((spec for spec in found.ruleset.lists if spec.name == name), None)
    if spec is None:
        known = ", ".join(sorted(each.name for each in found.ruleset.lists))
        stop(f"{config}: there is no list {name}, only {known}; declare it under lists:", WRONG)
    if not spec.imported:
        key = "file" if spec.file else "members"
        what = f"{name} has `{key}:`, and a list that is imported has neither file nor members"
        cure = f"take `{key}:` out of lists.{name} in {config}, import again, and then `sipguard reload`"
        stop(f"{config}: {what}; {cure}", WRONG)
    return found.service.state_directory / "lists", spec.kind


def _whoever() -> str:
    """Who runs this: also behind sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):
        return str(os.getuid())


def _under_a_bar(run: Import) -> Manifest:
    """Runs it under a progress bar; Ctrl-C and SIGTERM end it at the next place that it can go on from."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked.append(number))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(run.asked.name, total=run.octets)
        moved: Callable[[int], None] = lambda octets: progress.advance(task, octets)  # noqa: E731
        return run.run(moved, lambda: bool(asked))


def _print(made: Manifest, run: Import, directory: Path) -> None:
    counts: dict[str, Any] = made.counts
    if run.went_on_at:
        say(f"went on at line {run.went_on_at:,} of an interrupted import")
    elif run.was_other:
        say("began anew: an interrupted import was of other files")
    if run.unread:
        say(f"began without the base of before, so all is new: {run.unread}")
    say(
        f"{made.list}: {counts['members']:,} {made.kind}, {counts['prefixes']:,} prefixes, {counts['ranges']:,} "
        f"ranges; {counts['added']:,} new, {counts['removed']:,} gone; version {made.version}"
    )
    say(f"read as {made.form}" + (f", column {run.column}" if run.column else ""))
    say(
        f"lines: {counts['accepted']:,} taken, {counts['deleted']:,} deletions, {counts['empty']:,} empty, "
        f"{counts['passed_over']:,} passed over, {counts['refused']:,} refused"
    )
    for reason, count in sorted(made.refused.items()):
        say(f"  {count:10,} {reason}")
    for each in run.tally.told[:SHOWN]:
        say(f"{each.file}:{each.line}:{each.column}: {each.what}")
    if len(run.tally.told) > SHOWN:
        say(f"... the first {len(run.tally.told):,} are in {directory / f'{made.list}.refused.json'}")
    if counts["odd"]:
        say(f"{counts['odd']:,} of the lines that were taken hold what is nobody's number, repeats counted:")
        for found, count in sorted(run.tally.odd.items()):
            say(f"  {count:10,} {found}: {WHY[found]}")
        say("lists of impossible callers hold such; of a registry, say its --format, and they are refused")
