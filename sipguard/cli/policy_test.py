"""The command policy test: cases beside a policy, and whether it does with each what is expected.

Enters: a configuration, files of cases. Leaves: a report, an exit status. Must not: decide.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, loaded_as_check, print_json, stop
from sipguard.cli.escaping import say
from sipguard.cli.trial_text import rule_lines, verdict_document, verdict_line
from sipguard.numbers.errors import NumberSetError
from sipguard.screening.policy.model import Policy
from sipguard.screening.policy.plain import seen
from sipguard.service.policy_cases import Case, Words, read_cases
from sipguard.service.policy_runs import Ran, coverage, run
from sipguard.service.trials import opened
from sipguard.settings.load import Loaded
from sipguard.stir.errors import StirError
from sipguard.store.errors import StoreError

BESIDE: Final = "policy_tests.yaml"  # beside the policy
OF_INCLUDED: Final = "{}_tests.yaml"  # beside a file that it includes, where there is one


@click.command(name="test")
@click.argument("files", nargs=-1, type=click.Path(dir_okay=False, path_type=Path), metavar="[FILE...]")
@click.option("--covered", is_flag=True, help="Fail where a rule is matched by no case.")
@config_option
@json_option
def test_command(files: tuple[Path, ...], covered: bool, config: Path, as_json: bool) -> None:
    """Run the cases beside the policy, and say what came out otherwise than they expect, and why.

    FILE holds cases; policy_tests.yaml beside the policy if left out, and NAME_tests.yaml beside each NAME.yaml that it
    includes. Where a case does not say what lists hold, those
    of the configuration are asked; counters stand at 0.

    \b
    A case:
      call: {trunk: carrier-a, to: "+12125550123"}    # of every case that does not say otherwise
      tests:
        - name: a number that never calls
          call: {from: "+12025550111"}
          facts: {lists.shown: dno}
          expect: {verdict: reject, rule: dno, status: 403}

    \b
    Exit status:
      0  every case came out as expected
      1  one did not, or with --covered a rule was matched by none
      2  the command line, the configuration or a case is wrong
    """
    found = loaded_as_check(config)
    assert found.ruleset is not None and found.service is not None
    cases = _cases(files or _beside(found, config), found)
    try:
        with opened(found.ruleset, found.service.state_directory, time.time()) as ruleset:
            ran = list(run(cases, ruleset, found.service, time.time()))
    except (OSError, NumberSetError, StirError, StoreError) as error:
        stop(str(error), WRONG)
    policy = found.ruleset.policy
    counts = coverage([rule.name for rule in policy.rules], ran)
    if as_json:
        print_json(_document(ran, counts))
    else:
        _print(ran, counts, policy)
    failed = any(each.differs for each in ran) or (covered and not all(counts.values()))
    sys.exit(FAILED if failed else 0)


def _beside(found: Loaded, config: Path) -> tuple[Path, ...]:
    """The file of cases beside the policy, and those beside the files that it includes."""
    assert found.text is not None
    own = (found.text.document.file if found.text.has_file else config).parent / BESIDE
    further = (file.with_name(OF_INCLUDED.format(file.stem)) for file in found.text.files)
    return own, *(each for each in further if each.is_file())


def _cases(files: Sequence[Path], found: Loaded) -> list[Case]:
    """All cases; ends where one is wrong, with all problems."""
    assert found.ruleset is not None and found.text is not None
    sending = tuple(name for name, trunk in found.ruleset.trunks.items() if trunk.sources)
    words = Words(
        sending,
        tuple(rule.name for rule in found.ruleset.policy.rules),
        {spec.name: spec.bind for spec in found.ruleset.lists},
        tuple(name for name in found.ruleset.trunks if name not in sending),
    )
    included = {each.with_name(OF_INCLUDED.format(each.stem)) for each in found.text.files}
    cases: list[Case] = []
    wrong = 0
    for file in files:
        read, problems = read_cases(file, replace(words, lists=None) if file in included else words, time.time())
        cases += read
        wrong += len(problems)
        for problem in problems:
            say(str(problem), err=True)
    if wrong:
        stop(f"{wrong} error(s); no case was run", WRONG)
    return cases


def _print(ran: Sequence[Ran], counts: dict[str, int], policy: Policy) -> None:
    """What failed, which rules no case matched, how many passed."""
    failed = [each for each in ran if each.differs]
    for each in failed:
        say(f"FAILED  {each.case.name}  ({each.case.place})")
        for one in each.differs:
            say(f"  {one.key}: expected {seen(one.expected)}, got {seen(one.got) or 'none'}")
        say(f"  {verdict_line(each.found.verdict)}")
        for line in rule_lines(each.found, policy):
            say(f"  {line}")
    missed = [name for name, count in counts.items() if not count]
    for name in missed:
        say(f"not covered: {name}")
    passed, rules = len(ran) - len(failed), len(counts)
    say(f"{passed} of {len(ran)} cases passed; {rules - len(missed)} of {rules} rules covered")


def _document(ran: Sequence[Ran], counts: dict[str, int]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "ok": not any(each.differs for each in ran),
        "cases": [
            {
                "name": each.case.name,
                "place": each.case.place,
                "ok": not each.differs,
                "differs": {one.key: {"expected": one.expected, "got": one.got} for one in each.differs},
                "verdict": verdict_document(each.found.verdict),
                "rules": {one.rule: one.outcome for one in each.found.rules},
            }
            for each in ran
        ],
        "coverage": counts,
    }
