"""What all commands share: -c, --json, loading the configuration with its problems shown.

Enters: options. Leaves: a loaded configuration, or an exit. Must not: know a single command.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

import click

from sipguard.cli.escaping import say
from sipguard.cli.exits import FAILED, NOT_RUNNING, WRONG, stop
from sipguard.service import control
from sipguard.service.errors import NotRunning
from sipguard.settings.load import Loaded, load
from sipguard.settings.service import Service
from sipguard.settings.sources import BUILD, READ, SKIP

__all__ = [
    "FAILED",
    "NOT_RUNNING",
    "WRONG",
    "ask",
    "config_option",
    "json_option",
    "loaded",
    "loaded_as_check",
    "print_json",
    "service_of",
    "stop",
    "utc_option",
    "zone_of",
]

DEFAULT_CONFIG: Final = "/etc/sipguard/sipguard.yaml"

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """The option -c FILE."""
    return click.option(
        "-c",
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        default=DEFAULT_CONFIG,
        envvar="SIPGUARD_CONFIG",
        show_default=True,
        show_envvar=True,
        help="The configuration file.",
    )(function)


def json_option(function: F) -> F:
    """The flag --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(function)


def loaded(path: Path, lists: str = BUILD, at_start: bool = False) -> Loaded:
    """The configuration, its problems shown; ends where it has errors. `lists` and `at_start` as `load` takes them."""
    result = load(path, lists, at_start)
    for problem in result.problems:
        say(str(problem), err=True)
    if result.errors or result.ruleset is None or result.service is None:
        stop(f"{path}: {len(result.errors)} error(s); nothing was done", WRONG)
    return result


def loaded_as_check(path: Path) -> Loaded:
    """The configuration as `check` reads it, only its errors shown; nothing is written. Ends where there are any."""
    result = load(path, READ)
    for problem in result.errors:
        say(str(problem), err=True)
    if result.errors:
        stop(f"{path}: {len(result.errors)} error(s); nothing was done", WRONG)
    return result


def service_of(path: Path) -> Service:
    """The settings of the service; problems elsewhere in the configuration do not matter here."""
    result = load(path, SKIP)
    if result.service is None:
        for problem in result.problems:
            say(str(problem), err=True)
        stop(f"{path}: cannot be read", WRONG)
    return result.service


def utc_option(function: F) -> F:
    """The flag --utc."""
    return click.option("--utc", is_flag=True, help="Show and read times in UTC instead of records.zone.")(function)


def zone_of(service: Service, utc: bool) -> tzinfo:
    """The zone in which times are shown and read."""
    return UTC if utc or service.records_zone == "UTC" else ZoneInfo(service.records_zone)


def ask(path: Path, what: str, **arguments: object) -> dict[str, Any]:
    """The answer of the running sipguard; ends where there is none.

    An error in the configuration is told where it may be why the socket is not found.
    """
    result = load(path, SKIP)
    stays = f"{path}: {len(result.errors)} error(s); a sipguard that runs goes on with what is in force"
    if result.service is None:
        for problem in result.problems:
            say(str(problem), err=True)
        stop(stays, WRONG)
    try:
        return asyncio.run(control.ask(result.service.run_directory / "control.sock", what, **arguments))
    except NotRunning as error:
        for problem in result.errors:
            say(str(problem), err=True)
        if result.errors:
            say(stays, err=True)
        stop(str(error), NOT_RUNNING)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    say(json.dumps(value, indent=2, ensure_ascii=False))
