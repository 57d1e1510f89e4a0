"""What holds for every check in the folder."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest

from sipguard.screening import checks
from sipguard.screening.checks import ALL_FACTS, CHECKS
from sipguard.screening.facts import BASE_FACTS
from sipguard.screening.shapes import specs

HERE = Path(__file__).parent
TYPES = {"text", "number", "flag", "set", "choice"}


def test_every_module_of_the_folder_is_a_check() -> None:
    folder = Path(str(checks.__file__)).parent
    assert set(CHECKS) == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    assert {"number", "lists", "rate", "identity"} <= set(CHECKS)


def test_the_cheap_ones_run_first() -> None:
    costs = [module.COST for module in CHECKS.values()]
    assert costs == sorted(costs)


@pytest.mark.parametrize("name", list(CHECKS))
def test_a_check_fills_the_subtree_of_its_name_and_has_its_tests(name: str) -> None:
    module = CHECKS[name]
    assert module.FACTS
    signers = {"lists.signer", "lists.brand", *(spec.name for spec in specs("signer"))}
    others = signers if name == "identity" else set()  # which alone knows who signed for what
    assert {spec.name for spec in module.FACTS if spec.name.split(".")[0] != name} == others
    assert (HERE / f"test_{name}.py").exists()


@pytest.mark.parametrize("name", list(CHECKS))
def test_settings_are_frozen_and_stand_alone(name: str) -> None:
    settings = CHECKS[name].Settings()
    assert is_dataclass(settings)
    assert hash(settings) == hash(CHECKS[name].Settings())
    assert all(field.type for field in fields(settings))


def test_facts_are_documented_once_each() -> None:
    names = [spec.name for spec in ALL_FACTS]
    assert len(names) == len(set(names))
    assert ALL_FACTS[: len(BASE_FACTS)] == BASE_FACTS
    for spec in ALL_FACTS:
        assert spec.type in TYPES and spec.what
        assert spec.choices or spec.type != "choice", spec.name
        assert not spec.choices or spec.type in ("choice", "set", "number"), spec.name  # a text or a flag is open
        assert len(set(spec.choices)) == len(spec.choices), spec.name
