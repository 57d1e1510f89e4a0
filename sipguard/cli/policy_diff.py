"""The command policy diff: what changes from one policy or configuration to another, with calls judged otherwise.

Enters: two policies or configurations, the configuration that policies are for. Leaves: text or JSON, an exit status.
Must not: decide.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, loaded_as_check, print_json, stop
from sipguard.cli.escaping import say
from sipguard.cli.trial_text import verdict_document, verdict_line
from sipguard.numbers.canonical import show
from sipguard.screening.checks import ALL_FACTS, CHECKS
from sipguard.screening.finding import FactValue
from sipguard.screening.policy.diff import Change, Sample, differences
from sipguard.screening.policy.model import Policy
from sipguard.screening.policy.plain import seen
from sipguard.screening.policy.read import errors_of, read_policy
from sipguard.screening.policy.times import AT, day_of
from sipguard.screening.trunk import Trunk
from sipguard.screening.verdict import Verdict
from sipguard.settings.changed import changes, is_configuration
from sipguard.settings.document import Document
from sipguard.settings.load import Loaded
from sipguard.settings.policytext import PolicyText

_COSTS: Final = {name: check.COST for name, check in CHECKS.items()}


@click.command(name="diff")
@click.argument("old", type=click.Path(dir_okay=False, path_type=Path), metavar="OLD")
@click.argument("new", type=click.Path(dir_okay=False, path_type=Path), required=False, metavar="[NEW]")
@config_option
@json_option
def diff_command(old: Path, new: Path | None, config: Path, as_json: bool) -> None:
    """Say in words what changes from the policy in OLD to that in NEW, or to the one of the configuration.

    Each may be a policy or a whole configuration. Of two configurations all settings are compared; a policy is read by
    the words of the configuration beside it, or of -c.

    For each change of the policy calls are looked for that the two judge otherwise, and both are run on them. That none
    was found does not prove that there is none.

    \b
    Examples:
      sipguard policy diff policy.yaml policy-new.yaml
      sipguard policy diff /etc/sipguard/sipguard.yaml new/sipguard.yaml

    \b
    Exit status:
      0  they are the same
      1  they differ
      2  one of them, or the configuration, has errors
    """
    before, after = _whole(old), _whole(new or config)
    settings: list[Change] = []
    if before is not None and after is not None:
        settings = [Change(path, (what,)) for path, what in changes(*map(_tree, (before, after)))]
    words = after or before or loaded_as_check(config)
    old_policy = before.policy if before is not None else _policy(old, words)
    new_policy = after.policy if after is not None else _policy(new or config, words)
    found = differences(
        old_policy, new_policy, _trunks(before or words, after or words), ALL_FACTS, _COSTS, day_of(time.time())
    )
    judged = {change.about for change in found}
    found += [change for change in settings if judged.isdisjoint((change.about, change.about.partition(".")[0]))]
    if as_json:
        print_json([_document(change) for change in found])
    else:
        for change in found:
            _print(change, sampled=change not in settings)
        say(f"{len(found)} change(s)")
    sys.exit(FAILED if found else 0)


def _whole(file: Path) -> Loaded | None:
    """The configuration in a file, None where that is a policy; ends where it has errors."""
    return loaded_as_check(file) if is_configuration(Document(file).plain) else None


def _tree(found: Loaded) -> dict[Any, Any]:
    """A configuration as it was written, with the files of `conf.d`."""
    assert found.document is not None
    plain: dict[Any, Any] = found.document.plain
    return plain


def _trunks(before: Loaded, after: Loaded) -> list[tuple[Trunk, Trunk]]:
    """The trunks that calls come by before and after."""
    assert before.ruleset is not None and after.ruleset is not None
    old = before.ruleset.trunks
    pairs = [(old[name], trunk) for name, trunk in after.ruleset.trunks.items() if name in old]
    return [(was, now) for was, now in pairs if was.sources and now.sources]


def _policy(file: Path, found: Loaded) -> Policy:
    """The policy in a file, read by the words of a configuration; ends where it has errors."""
    assert found.vocabulary is not None
    text = PolicyText.of_file(file)
    policy, problems = read_policy(text.plain, found.vocabulary) if not text.problems else (Policy(), [])
    for problem in (*text.problems, *(text.placed(each) for each in errors_of(problems))):
        say(str(problem), err=True)
    if text.problems or errors_of(problems):
        stop(f"{file}: cannot be compared", WRONG)
    return policy


def _print(change: Change, sampled: bool) -> None:
    say(f"{change.about}: {change.what[0]}")
    for what in change.what[1:]:
        say(f"  {what}")
    if sampled and not change.samples:
        say("  no call was found that is judged otherwise")
    for sample in change.samples:
        say(f"  a call from {show(sample.caller)} by {sample.trunk}, {_facts(sample)}")
        say(f"    before: {_judged(sample.before)}")
        say(f"    after:  {_judged(sample.after)}")


def _facts(sample: Sample) -> str:
    told = [f"{name}: {_seen(name, value)}" for name, value in sample.facts.items() if not name.startswith("trunk.")]
    return ", ".join(told) or "whatever else it is"


def _seen(name: str, value: FactValue) -> str:
    """A fact of a sample; an instant with its date."""
    if name == AT and isinstance(value, int | float):
        return f"{seen(value)} ({datetime.fromtimestamp(value, UTC):%a %F %R} UTC)"
    return seen(value)


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
