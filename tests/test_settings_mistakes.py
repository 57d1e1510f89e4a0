"""Mistakes of newcomers in a policy: each message of settings_mistakes.txt word for word, with a place and a cure."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


def test_there_are_many() -> None:
    assert len(MISTAKES) > 90
