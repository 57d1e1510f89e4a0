"""The command numbers: what the numbering plan says of numbers.

Enters: numbers in any usual writing. Leaves: class, country, region, line, time zones with the time there now.
Must not: look a number up anywhere but in local files.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import click

from sipguard.cli.common import config_option, json_option, print_json
from sipguard.cli.escaping import say
from sipguard.cli.exits import FAILED, WRONG, stop
from sipguard.numbers.canonical import E164, classify, npa_of, read, show
from sipguard.numbers.errors import PlanError
from sipguard.numbers.plan import NOWHERE, Plan
from sipguard.screening.policy.times import local_time
from sipguard.settings.load import load
from sipguard.settings.numbering import compile_into, compiled, dated_at, kept_in
from sipguard.settings.sources import SKIP
from sipguard.settings.zones import MachineZones


@click.command(name="numbers")
@click.argument("numbers", nargs=-1)
@click.option(
    "--compile", "target", type=click.Path(path_type=Path), metavar="FILE",
    help="Write the plan of the installed library to FILE, for numbering.plan of other machines.",
)  # fmt: skip
@config_option
@json_option
def numbers_command(numbers: tuple[str, ...], target: Path | None, config: Path, as_json: bool) -> None:
    """Show what the numbering plan says of NUMBERS, which are read as dialled in North America."""
    if target is not None:
        try:
            compile_into(target)
        except OSError as error:
            stop(str(error.strerror), FAILED)
        say(f"plan: phonenumbers {Plan.open(str(target)).version}, plan of {_day(target)}, in {target}")
    if not numbers:
        if target is None:
            stop("which numbers? name some, or --compile FILE", WRONG)
        return
    loaded = load(config, SKIP)
    if loaded.service is None:
        for problem in loaded.problems:
            say(str(problem), err=True)
        stop(f"{config}: cannot be read", FAILED)
    try:
        file = Path(loaded.plan_file) if loaded.plan_file else compiled(kept_in(loaded.service.state_directory))
        plan, day = Plan.open(str(file), loaded.npas), _day(file)
    except (OSError, PlanError) as error:
        stop(str(error), FAILED)
    found = [_shown(plan, number) for number in numbers]
    if as_json:
        print_json({"plan": plan.version, "plan_of": day, "numbers": found})
        return
    say(f"plan: phonenumbers {plan.version}, plan of {day}")
    for each in found:
        say(f"{each.pop('number')}")
        for name, value in each.items():
            for line in value if isinstance(value, list) else [value]:
                say(f"  {name:8} {line}")


def _day(file: Path) -> str:
    """Of when a plan is, as metric and alert count its age, as a day in UTC. Raises OSError."""
    return f"{datetime.fromtimestamp(dated_at(file), UTC):%Y-%m-%d}"


def _shown(plan: Plan, written: str) -> dict[str, str | list[str]]:
    """What is known of one number, "" and empty where the plan does not tell."""
    number = read(written)
    place = plan.place(number.tn) if number.form == E164 else NOWHERE
    class_ = classify(number)
    if class_ == "ok" and plan.is_unassigned(npa_of(number)):
        class_ = "unassigned_npa"
    zones, now_at = MachineZones(), time.time()
    offsets = {name: zones.named(name) for name in place.zones}
    return {
        "number": show(number.tn, number.form) or written,
        "class": class_,
        "country": place.country,
        "region": place.region,
        "line": place.line,
        "zones": [f"{name}, now {local_time(of, now_at)}" if of else name for name, of in offsets.items()],
    }
