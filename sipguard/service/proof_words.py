"""A proof in words: each counterexample as a call, with the place of what did it; and what was gone through.

Enters: a Proof, the configuration as loaded. Leaves: lines, and the same as plain values for JSON. Must not: prove.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sipguard.proof.emergency import Counterexample
from sipguard.proof.prove import Proof
from sipguard.proof.unknown import Rejection
from sipguard.screening.policy.errors import dotted
from sipguard.service.proving import Harm

if TYPE_CHECKING:
    from sipguard.service.places import Places


def counterexamples(proof: Proof, places: Places) -> Iterator[str]:
    """Each counterexample as a text of some lines."""
    for found in proof.emergencies.counterexamples:
        yield "\n".join(_call(found, places))
    for rejection in proof.rules.rejections:
        yield "\n".join(_rule(rejection, places))


def in_short(proof: Proof) -> Iterator[Harm]:
    """Each counterexample in one line, as problems of a configuration are told."""
    for found in proof.emergencies.counterexamples:
        yield Harm(found.path, f"{dotted(found.path)}: harms emergency calls: {_told(found)}; {found.mend}")
    for each in proof.rules.rejections:
        told = f"rule {each.rule} rejects on a fact that is unknown ({', '.join(each.checks)} failed)"
        yield Harm(("policy", "rules", each.position), told)


def _told(found: Counterexample) -> str:
    return f"{found.form} from trunk {found.trunk}, where {found.what}: {found.happened}"


def _call(found: Counterexample, places: Places) -> Iterator[str]:
    where, written = places.of(found.path)
    others = f", and {found.like - 1} more calls like it" if found.like > 1 else ""
    alike = f" (so do {', '.join(found.trunks[1:])})" if len(found.trunks) > 1 else ""
    yield f"An emergency call is harmed{others}."
    yield f"  trunk     {found.trunk}{alike}"
    yield f"  call      {found.form}"
    yield f"  state     {found.state}: {found.what}"
    yield f"  happened  {found.happened}"
    yield f"  by        {where}: {written}"
    yield f"  mend      {found.mend}"
    for line in found.invite.split("\r\n"):
        yield f"    | {line}"


def _rule(found: Rejection, places: Places) -> Iterator[str]:
    where, _ = places.of(("policy", "rules", found.position))
    yield f"Rule {found.rule} rejects on a fact that is unknown."
    yield f"  trunk     {found.trunk}"
    yield f"  failed    {', '.join(found.checks)}"
    yield f"  known     {_facts(found.known)}"
    yield f"  unknown   {_facts(found.unknown)} would not be rejected"
    yield f"  by        {where}"


def _facts(given: tuple[tuple[str, object], ...]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in given) or "nothing else"


def summary(proof: Proof) -> Iterator[str]:
    """What was gone through, and what was not."""
    calls, rules = proof.emergencies, proof.rules
    placed = sum(count for _, count in calls.states.values())
    trunks = f"{calls.called_from} {'trunk' if calls.called_from == 1 else 'trunks'}"
    if calls.called_from < calls.trunks:
        trunks += f", which stand for all {calls.trunks} that calls come in by, since the others are set up alike"
    yield f"{placed:,} emergency calls were placed by {trunks}, in {len(calls.states)} states of sipguard."
    yield "Each must reach a peer that sees the digits dialled. Ordinary calls show that the states are real:"
    yield from _states(proof)
    yield (
        f"{rules.rules} rules that reject or redirect were asked about {rules.combinations:,} combinations of facts, "
        "with checks that fail among them. None may act because a fact is unknown."
    )
    for each in (*calls.left_out, *rules.sampled):
        yield f"not covered: {each}"
    for name in (*calls.not_done, *rules.not_done):
        yield f"no time was left for {name}"


def _states(proof: Proof) -> Iterator[str]:
    """The states as a table."""
    calls = proof.emergencies
    rows = [("state", "emergency calls", "ordinary calls refused", "what it is")]
    for name, (what, count) in calls.states.items():
        refused, of = calls.refused.get(name, (0, 0))
        rows.append((name, f"{count:,}", f"{refused} of {of}", what))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, placed, refused_of, what in rows:
        yield f"  {name:{widths[0]}}  {placed:>{widths[1]}}  {refused_of:>{widths[2]}}  {what}"


def plainly(proof: Proof, places: Places) -> dict[str, Any]:
    """The whole proof as plain values."""
    calls, rules = proof.emergencies, proof.rules
    return {
        "holds": proof.holds,
        "whole": proof.whole,
        "revision": proof.revision,
        "calls": calls.calls,
        "stands_for": calls.stands_for,
        "trunks": calls.trunks,
        "called_from": calls.called_from,
        "states": {state: {"what": what, "emergency_calls": count} for state, (what, count) in calls.states.items()},
        "usual_calls_refused": {state: {"refused": n, "of": of} for state, (n, of) in calls.refused.items()},
        "rules": rules.rules,
        "combinations": rules.combinations,
        "not_covered": [*calls.left_out, *rules.sampled],
        "not_done": [*calls.not_done, *rules.not_done],
        "counterexamples": [_call_as_json(each, places) for each in calls.counterexamples]
        + [_rule_as_json(each, places) for each in rules.rejections],
    }


def _call_as_json(found: Counterexample, places: Places) -> dict[str, Any]:
    where, written = places.of(found.path)
    return {
        "kind": found.kind,
        "trunk": found.trunk,
        "trunks": list(found.trunks),
        "call": found.form,
        "state": found.state,
        "where": found.what,
        "invite": found.invite.split("\r\n"),
        "happened": found.happened,
        "at": where,
        "path": written,
        "mend": found.mend,
        "like": found.like,
    }


def _rule_as_json(found: Rejection, places: Places) -> dict[str, Any]:
    where, written = places.of(("policy", "rules", found.position))
    return {
        "kind": "unknown_fact",
        "trunk": found.trunk,
        "rule": found.rule,
        "failed": list(found.checks),
        "known": dict(found.known),
        "unknown": dict(found.unknown),
        "at": where,
        "path": written,
    }
