"""The command policy diff: what changes from one policy to another, with a call for each change of verdict.

Enters: two policies, the configuration that they are for. Leaves: text or JSON, an exit status. Must not: decide.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, loaded_as_check, print_json, stop
from sipguard.cli.trial_text import verdict_document, verdict_line
from sipguard.numbers.canonical import show
from sipguard.screening.checks import ALL_FACTS, CHECKS
from sipguard.screening.policy.diff import Change, Sample, differences
from sipguard.screening.policy.model import Policy
from sipguard.screening.policy.plain import seen
from sipguard.screening.policy.read import errors_of, read_policy
from sipguard.screening.policy.times import day_of
from sipguard.screening.verdict import Verdict
from sipguard.settings.load import Loaded
from sipguard.settings.policytext import PolicyText


@click.command(name="diff")
@click.argument("old", type=click.Path(dir_okay=False, path_type=Path), metavar="OLD")
@click.argument("new", type=click.Path(dir_okay=False, path_type=Path), required=False, metavar="[NEW]")
@config_option
@json_option
def diff_command(old: Path, new: Path | None, config: Path, as_json: bool) -> None:
    """Say in words what changes from the policy in OLD to that in NEW, or to the one of the configuration.

    For each change calls are looked for that the two judge otherwise, and both are run on them. That none was found
    does not prove that there is none.

    \b
    Exit status:
      0  they are the same
      1  they differ
      2  one of them, or the configuration, has errors
    """
    found = loaded_as_check(config)
    assert found.ruleset is not None
    before = _policy(old, found)
    after = _policy(new, found) if new is not None else found.ruleset.policy
    trunks = [trunk for trunk in found.ruleset.trunks.values() if trunk.sources]
    costs = {name: check.COST for name, check in CHECKS.items()}
    changes = differences(before, after, trunks, ALL_FACTS, costs, day_of(time.time()))
    if as_json:
        print_json([_document(change) for change in changes])
    else:
        for change in changes:
            _print(change)
        click.echo(f"{len(changes)} change(s)")
    sys.exit(FAILED if changes else 0)


def _policy(file: Path, found: Loaded) -> Policy:
    """The policy in a file, read by the words of the configuration; ends where it has errors."""
    assert found.vocabulary is not None
    text = PolicyText.of_file(file)
    policy, problems = read_policy(text.plain, found.vocabulary) if not text.problems else (Policy(), [])
    for problem in (*text.problems, *(text.placed(each) for each in errors_of(problems))):
        click.echo(str(problem), err=True)
    if text.problems or errors_of(problems):
        stop(f"{file}: cannot be compared", WRONG)
    return policy


def _print(change: Change) -> None:
    click.echo(f"{change.about}: {change.what[0]}")
    for what in change.what[1:]:
        click.echo(f"  {what}")
    if not change.samples:
        click.echo("  no call was found that is judged otherwise")
    for sample in change.samples:
        click.echo(f"  a call from {show(sample.caller)} by {sample.trunk}, {_facts(sample)}")
        click.echo(f"    before: {_judged(sample.before)}")
        click.echo(f"    after:  {_judged(sample.after)}")


def _facts(sample: Sample) -> str:
    told = [f"{name}: {seen(value)}" for name, value in sample.facts.items() if not name.startswith("trunk.")]
    return ", ".join(told) or "whatever else it is"


def _judged(verdict: Verdict) -> str:
    line = verdict_line(verdict)
    line += f', label "{verdict.label.prefix}"' if verdict.label is not None else ""
    line += f", tags {', '.join(verdict.tags)}" if verdict.tags else ""
    return line + (f", reported {', '.join(verdict.reported)}" if verdict.reported else "")


def _document(change: Change) -> dict[str, Any]:
    return {
        "about": change.about,
        "what": change.what,
        "samples": [
            {
                "trunk": sample.trunk,
                "caller": sample.caller,
                "facts": sample.facts,
                "before": verdict_document(sample.before),
                "after": verdict_document(sample.after),
            }
            for sample in change.samples
        ],
    }
