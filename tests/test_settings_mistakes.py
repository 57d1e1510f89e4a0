"""Mistakes of newcomers in a policy: each message of settings_mistakes.txt word for word, with a place and a cure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.policy.model import Redress, Vocabulary
from sipguard.screening.policy.read import read_policy
from sipguard.settings.policytext import PolicyText
from sipguard.settings.zones import MachineZones

TABLE = Path(__file__).with_name("settings_mistakes.txt")
WORDS = Vocabulary(
    facts=ALL_FACTS,
    lists={"dno": ("shown", "asserted"), "blocked": ("caller",), "consent": ("pair",), "ebr": ("pair",)},
    trunks=("carrier-a", "core"),
    routes=("core",),
    redress=Redress(url="https://provider.example"),
    zones=MachineZones(),
)


def mistakes() -> dict[str, tuple[str, list[str]]]:
    """Name of a mistake -> (policy, messages)."""
    found = {}
    for block in re.split(r"^=== ", TABLE.read_text(), flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("\n")
        policy, _, said = f"\n{rest}".partition("\n---\n")
        found[name] = (policy[1:] + "\n" if policy else "", said.strip("\n").split("\n"))
    return found


MISTAKES = mistakes()


@pytest.mark.parametrize(("policy", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_place_and_its_cure(policy: str, said: list[str], tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    text = PolicyText.of_file(file)
    problems = list(text.problems)
    if not text.document.problems:
        problems += [text.placed(each) for each in read_policy(text.plain, WORDS)[1]]
    assert [str(each).replace(f"{file}:", "") for each in problems] == said
    assert problems and all(each.hint and each.line for each in problems)


_WRITTEN = re.compile(r"; write (\{.*\}|(?:not|is|any|all|[a-z]+\.[a-z_.0-9]+): [^;]*[^;])$")
CURES = [
    (policy, cure[1])
    for policy, messages in MISTAKES.values()
    for message in messages
    if ("when" in message or "is no comparison" in message) and "time" not in message
    if (cure := _WRITTEN.search(message)) is not None and "..." not in cure[1] and "VALUE" not in cure[1]
    if not re.search(r" or |with a space|: A,", cure[1])
]


@pytest.mark.parametrize(("policy", "cure"), CURES, ids=[cure for _, cure in CURES])
def test_a_condition_that_is_written_as_the_cure_says_can_be_used(policy: str, cure: str) -> None:
    define = next((line for line in policy.splitlines() if line.startswith("define: {")), "define: {outside: {is: o}}")
    define = define.replace("{is: o}", "{trunk.kind: gateway}")
    when = cure if cure.startswith("{") else f"{{{cure}}}"
    if re.match(r"\{(?:over|under|at_least|at_most)", when):
        when = f"{{rate.caller.attempts_1m: {when}}}"
    text = f"{define}\nrules:\n  - {{name: n, when: {when}, reject: dno}}\n"
    assert read_policy(YAML(typ="safe").load(text), WORDS)[1] == []


def test_the_cures_that_are_tried_are_many() -> None:
    assert len(CURES) > 30


def test_there_are_many() -> None:
    assert len(MISTAKES) > 90
