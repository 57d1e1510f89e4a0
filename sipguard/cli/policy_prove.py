"""The command policy prove: that a configuration harms no emergency call.

Enters: a configuration. Leaves: what was gone through, a counterexample for each thing that is wrong. Must not: change
anything, or ask a running sipguard.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from sipguard.cli.common import FAILED, WRONG, config_option, json_option, print_json, stop
from sipguard.cli.escaping import say
from sipguard.proof.prove import prove
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.service.places import Places
from sipguard.service.proof_words import counterexamples, plainly, summary
from sipguard.settings.load import load
from sipguard.settings.sources import READ


@click.command(name="prove")
@click.option("--within", "bound_s", default=60.0, show_default=True, metavar="SECONDS", help="How long it may take.")
@config_option
@json_option
def prove_command(bound_s: float, config: Path, as_json: bool) -> None:
    """Prove that this configuration harms no emergency call, and that no rule rejects on what is unknown.

    Emergency calls of every trunk, in every way of writing them, are placed through the engine that takes calls, in
    every state it may be in; each must reach a peer that sees the digits dialled. For each rule that rejects, all
    values of its facts are gone through with those of each check unknown. A counterexample is printed as a call, and
    below it each state with how many emergency calls were placed in it.

    \b
    Exit status:
      0  it holds
      1  there is a counterexample, or no time was left to go through everything
      2  the command line or the configuration is wrong
    """
    result = load(config, READ)
    for problem in result.errors:
        say(str(problem), err=True)
    if result.errors or result.ruleset is None:
        stop(f"{config}: {len(result.errors)} error(s); nothing was proved", WRONG)
    proof = prove(Ruleset.open(_openable(result.ruleset)), time.time(), time.monotonic, bound_s)
    places = Places(result)
    if as_json:
        print_json(plainly(proof, places))
    else:
        for each in counterexamples(proof, places):
            say(f"{each}\n")
        for line in summary(proof):
            say(line)
        say(f"{config}: {_outcome(proof.holds, proof.whole)}")
    sys.exit(0 if proof.holds and proof.whole else FAILED)


def _openable(plain: PlainRuleset) -> PlainRuleset:
    """The Ruleset without the lists that were not built yet: the proof has every number on every list in any case."""
    lists = [spec if not spec.path or Path(spec.path).is_file() else replace(spec, path="") for spec in plain.lists]
    return replace(plain, lists=tuple(lists))


def _outcome(holds: bool, whole: bool) -> str:
    if not holds:
        return "it harms calls"
    if not whole:
        return "nothing was found, but not everything was gone through; --within gives it more time"
    return "proved: no emergency call is harmed, and no rule rejects on what is unknown"
