"""The shipped configuration: it runs as it stands, and it names every setting."""

from __future__ import annotations

import re
import shutil
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from sipguard.screening.question import Question
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trial import tried
from sipguard.service.in_force import states
from sipguard.service.list_ages import dated
from sipguard.service.trials import context_for
from sipguard.settings.load import Loaded, load
from sipguard.settings.model import Config

SHIPPED = Path(__file__).parent.parent / "config"


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The shipped configuration, loaded from a copy."""
    directory = tmp_path_factory.mktemp("shipped") / "config"
    shutil.copytree(SHIPPED, directory)
    return load(directory / "sipguard.yaml")


def test_it_loads_and_warns_of_nothing_but_anchors(loaded: Loaded) -> None:
    assert loaded.errors == ()
    assert [problem.path for problem in loaded.problems] == [("identity", "anchors")]
    assert loaded.ruleset is not None
    assert loaded.service is not None


def test_another_listener_breaks_no_trunk(tmp_path: Path) -> None:
    directory = tmp_path / "config"
    shutil.copytree(SHIPPED, directory)
    path = directory / "sipguard.yaml"
    second = "\n  second: {address: 127.0.0.1, port: 5064}\n\ntrunks:\n"
    path.write_text(path.read_text().replace("\ntrunks:\n", second, 1))
    assert load(path).errors == ()


def test_a_file_of_consent_that_is_gone_rejects_no_call_of_a_telemarketer(tmp_path: Path) -> None:
    """A start goes on without it, since nothing else runs that could; a reload has something that works."""
    directory = tmp_path / "config"
    shutil.copytree(SHIPPED, directory)
    at_noon = 1_780_329_600.0  # 2026-06-01, 12:00 in New York
    asked = Question("+12025550199", "+12025550131", (), at_noon)

    def rule_of(loaded: Loaded) -> str:
        assert loaded.ruleset is not None
        ruleset = Ruleset.open(loaded.ruleset)
        trunk = ruleset.trunks["dialer-c"]
        context = context_for(asked, trunk, ruleset, None, at_noon)
        return tried(asked, trunk, ruleset.compiled(trunk.name), ruleset, context).verdict.rule

    assert rule_of(load(directory / "sipguard.yaml")) == "telemarketing-dnc"
    (directory / "lists" / "consent.txt").unlink()
    assert len(load(directory / "sipguard.yaml").errors) == 1
    loaded = load(directory / "sipguard.yaml", at_start=True)
    assert loaded.errors == ()
    assert ("lists", "consent", "file") in [problem.path for problem in loaded.problems]
    assert rule_of(loaded) == "default"
    (consent,) = [spec for spec in loaded.ruleset.lists if spec.name == "consent"] if loaded.ruleset else []
    (said,) = states([consent])
    assert (said.missing, said.given, said.entries) == (True, (), None), "and proof does not take it for empty"
    (aged,) = dated([consent])
    assert aged.age_s(at_noon) is None


def test_it_is_closed_to_strangers(loaded: Loaded) -> None:
    assert loaded.ruleset is not None
    assert {listener.host for listener in loaded.ruleset.listeners.values()} == {"127.0.0.1"}
    documentation = re.compile(r"127\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.")
    for trunk in loaded.ruleset.trunks.values():
        assert all(documentation.match(str(network)) for network in trunk.sources), trunk.name
        assert all(documentation.match(peer.host) for peer in trunk.peers), trunk.name


def test_its_policy_has_the_rules_of_a_provider(loaded: Loaded) -> None:
    assert loaded.ruleset is not None
    rules = [rule.name for rule in loaded.ruleset.policy.rules]
    assert len(rules) >= 20
    assert {
        "ordered-stop",
        "dno",
        "dno-asserted",
        "impossible-caller",
        "subscriber-block",
        "blocked-caller",
        "telemarketing-dnc",
        "not-their-number",
        "verified-callers-only",
    } <= set(rules)
    analytics = [rule for rule in loaded.ruleset.policy.rules if rule.basis == "analytics"]
    assert analytics and all(rule.report for rule in analytics), "what is enforced, the operator decides"


def test_every_list_is_asked_by_a_rule(loaded: Loaded) -> None:
    assert loaded.ruleset is not None
    conditions = repr([rule.when for rule in loaded.ruleset.policy.rules])
    for spec in loaded.ruleset.lists:
        assert f"'{spec.name}'" in conditions, spec.name


def test_it_opens_in_a_worker(loaded: Loaded) -> None:
    assert loaded.ruleset is not None
    ruleset = Ruleset.open(loaded.ruleset)
    assert ruleset.lists.of("shown", "12025550111") == ("dno",)
    assert ruleset.lists.of("callee", "12025550131") == ("dnc",)
    for name in ruleset.trunks:
        assert ruleset.compiled(name).steps


# ------------------------------------------------------------------------------------------ completeness


def uncommented() -> Any:
    """The shipped file with its `#key: value` lines taken in."""
    lines = []
    for line in (SHIPPED / "sipguard.yaml").read_text().splitlines():
        lines.append(re.sub(r'^(\s*)#(?=(?:  +)?[a-z0-9_-]+:( |$)|- ["{])', r"\1", line))
    return YAML(typ="safe").load("\n".join(lines))


def keys_of(shape: Any, values: Any, path: str = "") -> Iterator[tuple[str, bool]]:
    """(path, whether it is written) of every key that a model has; entries of a map count together."""
    if typing.get_origin(shape) is Annotated:
        shape = typing.get_args(shape)[0]
    arguments = [each for each in typing.get_args(shape) if each is not type(None)]
    if isinstance(shape, type) and issubclass(shape, BaseModel):
        for name, field in shape.model_fields.items():
            below = [value[name] for value in values if name in value]
            yield f"{path}{name}", bool(below)
            yield from keys_of(field.annotation, below, f"{path}{name}.")
    elif typing.get_origin(shape) is dict:
        yield from keys_of(arguments[1], [each for value in values for each in value.values()], f"{path}*.")
    elif typing.get_origin(shape) is not list and len(arguments) == 1:
        yield from keys_of(arguments[0], values, path)


KEYS = dict(keys_of(Config, [uncommented()]))


@pytest.mark.parametrize("key", KEYS)
def test_every_setting_is_shown(key: str) -> None:
    assert KEYS[key], f"{key} is not in config/sipguard.yaml"


def test_the_keys_are_those_of_all_models() -> None:
    assert {"trunks.*.limits.cps", "identity.fetch.ports", "screening.checks.identity.strict"} <= KEYS.keys()
    assert {"listeners.*.advertise.port", "lists.*.members"} <= KEYS.keys()


def test_what_is_commented_out_is_right_as_well() -> None:
    Config.model_validate(uncommented())


def test_every_setting_has_a_comment() -> None:
    """A comment stands on the line, or on one above within the same block."""
    lines = (SHIPPED / "sipguard.yaml").read_text().splitlines()
    bare = [
        line
        for at, line in enumerate(lines)
        if re.match(r"[a-z]+:", line) and "#" not in line and not lines[at - 1].startswith("#")
    ]
    allowed = {"listeners:", "screening:", "drain:", "run:", "state:", "identity:"}
    assert {line.strip() for line in bare} <= allowed


@pytest.mark.parametrize("file", sorted(SHIPPED.rglob("*.*")), ids=lambda file: file.name)
def test_only_fictional_numbers(file: Path) -> None:
    numbers = re.findall(r"\+?1?[ -]?([2-9][0-9]{2})[ ,-]?([0-9]{3})[ -]?([0-9]{4})\b", file.read_text())
    assert [number for number in numbers if number[1:] and not (number[1] == "555" and number[2][:2] == "01")] == []
