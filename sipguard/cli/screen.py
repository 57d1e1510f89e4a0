"""The command screen: what would become of a call, without one.

Enters: who calls whom, in any writing; facts that are said. Leaves: the verdict and what led to it. Must not: decide
(the pipeline does, as for calls), or count.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path

import click

from sipguard.cli.common import WRONG, config_option, json_option, loaded_as_check, print_json, stop
from sipguard.cli.escaping import say
from sipguard.cli.identity import NO_VALUE, octets_of, text_of
from sipguard.cli.instants import instant
from sipguard.cli.trial_text import plain_text, trial_document, trial_lines
from sipguard.numbers.errors import NumberSetError
from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.finding import FactValue
from sipguard.screening.policy.errors import Problem, meant
from sipguard.screening.policy.said import from_text, read_said
from sipguard.screening.question import Question
from sipguard.screening.trial import Tried, tried
from sipguard.service import pasted
from sipguard.service.trials import context_for, opened
from sipguard.settings.load import Loaded
from sipguard.stir.errors import StirError
from sipguard.store.errors import StoreError


@click.command()
@click.option("--from", "caller", metavar="NUMBER", help="The caller: a number, a URI, a From value, or anonymous.")
@click.option("--to", "called", metavar="NUMBER", help="The called party, in the same forms.")
@click.option(
    "--trunk", "trunk_name", metavar="NAME", help="Trunk that the call comes in by; needed unless only one has sources."
)
@click.option("--pai", "asserted", multiple=True, metavar="NUMBER", help="P-Asserted-Identity, in the same forms.")
@click.option(
    "--diversion", "diverting", multiple=True, metavar="NUMBER", help="Diversion, the last who diverted first."
)
@click.option(
    "--identity", "file", metavar="FILE", help="Identity values, header lines or a whole INVITE; - for standard input."
)
@click.option("--certificate", "certificates", multiple=True, metavar="FILE", help="PEM chain of a signer; repeatable.")
@click.option("--at", metavar="TIME", help="When the call comes, as 2026-11-26T12:00:00Z; now if left out.")
@click.option(
    "--fact", "facts", multiple=True, metavar="NAME=VALUE", help="A fact as if it had been found; repeatable."
)
@click.option("--plain", is_flag=True, help="Say it in plain English, for the person at the phone.")
@config_option
@json_option
def screen(
    caller: str | None,
    called: str | None,
    trunk_name: str | None,
    asserted: tuple[str, ...],
    diverting: tuple[str, ...],
    file: str | None,
    certificates: tuple[str, ...],
    at: str | None,
    facts: tuple[str, ...],
    plain: bool,
    config: Path,
    as_json: bool,
) -> None:
    """Say what would become of a call: verdict, SIP answer, and of each rule what it lacked.

    The policy and the lists of the configuration are asked, with their edits, as they would be after a reload. Nothing
    is sent or counted: counters stand at 0 unless --fact says more, such as --fact rate.caller.attempts_1m=80. A check
    of which one fact is said does not run, its other facts are absent. Certificates come from --certificate, or from
    those that sipguard keeps.

    \b
    Examples:
      sipguard screen --from +12025550111 --to +12125550123 --trunk carrier-a
      sipguard screen --from +12025550111 --to +12125550123 --trunk carrier-a --fact lists.shown=dno --plain
    """
    given = pasted.read(text_of(file)) if file is not None else pasted.Pasted()
    caller, called = caller or given.caller, called or given.called or given.request_uri
    if not caller or not called:
        stop("--from and --to are needed, or an INVITE that says them in --identity", WRONG)
    if file is not None and not given.identity and not given.request_uri:
        stop(NO_VALUE.format(file), WRONG)
    question = Question(
        caller,
        called,
        tuple(pasted.with_parameters(each) for each in given.identity),
        instant(at, "@") if at is not None else time.time(),
        asserted or tuple(given.asserted),
        given.request_uri,
        given.date,
        diverting or tuple(given.diverting),
        given.priority,
        tuple(given.resource_priority),
    )
    found = loaded_as_check(config)
    assert found.ruleset is not None
    said = _said(facts, {spec.name: spec.bind for spec in found.ruleset.lists})
    tried_call = _tried(found, question, trunk_name, said, [octets_of(each) for each in certificates])
    policy = found.ruleset.policy
    if as_json:
        print_json(trial_document(tried_call, policy))
    elif plain:
        say(plain_text(tried_call, policy, found.ruleset.mode))
    else:
        say("\n".join(trial_lines(tried_call, policy)))


def _tried(
    found: Loaded, question: Question, trunk_name: str | None, said: dict[str, FactValue], chains: list[bytes]
) -> Tried:
    """What comes of it; ends where the trunk, a list or a certificate is not there."""
    assert found.ruleset is not None and found.service is not None
    trunks = found.ruleset.trunks
    if trunk_name is None:
        sending = [name for name, trunk in trunks.items() if trunk.sources]
        if len(sending) != 1:
            stop(f"--trunk is needed: calls come in by {', '.join(sending) or 'none'}", WRONG)
        trunk_name = sending[0]
    trunk = trunks.get(trunk_name)
    if trunk is None:
        hint = meant(trunk_name, trunks)
        stop(f"--trunk {trunk_name}: there is none" + (f"; {hint}" if hint else ""), WRONG)
    if not trunk.sources:
        others = ", ".join(name for name, each in trunks.items() if each.sources)
        stop(f"--trunk {trunk_name}: no calls come in by it, as it has no sources; calls come in by {others}", WRONG)
    try:
        with opened(found.ruleset, found.service.state_directory, time.time()) as ruleset:
            context = context_for(question, trunk, ruleset, found.service, time.time(), chains)
            policy = ruleset.compiled(trunk_name)
            return tried(question, trunk, policy, ruleset, context, said, stopwatch=time.perf_counter)
    except (OSError, NumberSetError, StirError, StoreError) as error:
        stop(str(error), WRONG)


def _said(written: tuple[str, ...], lists: Mapping[str, Collection[str]]) -> dict[str, FactValue]:
    """The facts in NAME=VALUE; ends where one is wrong."""
    specs = {spec.name: spec for spec in ALL_FACTS}
    values: dict[str, object] = {}
    for each in written:
        name, equals, text = each.partition("=")
        if not equals:
            stop(f"--fact {each}: write NAME=VALUE, such as rate.caller.attempts_1m=80", WRONG)
        values[name] = from_text(specs[name], text) if name in specs else text
    problems: list[Problem] = []
    said = read_said(values, ALL_FACTS, lists, ("--fact",), problems)
    for problem in problems:
        hint = f"; {problem.hint}" if problem.hint else ""
        stop(f"--fact {problem.what}{hint}", WRONG)
    return said
