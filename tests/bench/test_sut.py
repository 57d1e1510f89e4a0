"""What the bench runs is the shipped configuration: only addresses, paths, anchors, lists and refusal codes differ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sipguard.screening.checks import CHECKS
from sipguard.screening.ruleset import Ruleset
from sipguard.settings.load import Loaded, load
from sipguard.settings.policytext import PolicyText
from tests.bench import heavy
from tests.pki import Pki

BENCH = Path(__file__).parent
SHIPPED = BENCH.parent.parent / "config"
SUT: dict[str, Any] = json.loads((BENCH / "sipguard.json").read_text())
ADDRESSES = {"listeners.main.port", "trunks.core.peers.0", "metrics.port"}
PATHS = {
    "policy", "emergency.psap_callers", "journal.directory", "records.database", "run.directory",
    "state.directory",
}  # fmt: skip
ANCHORS = {"identity.anchors.0"} | {
    f"identity.fetch.{key}" for key in ("allow_networks.0", "ports.0", "ports.1", "ca_file")
}
CODES = {"responses.invalid", "responses.subscriber"}
# The bench draws good callers from all exchanges; those that end in 11 cannot exist.
BENCH_CALLERS = {
    "rules.impossible-caller.when.number.shown.class.2",
    "rules.impossible-asserted.when.number.asserted.class.2",
}


def render(sut: dict[str, Any], directory: Path) -> Path:
    """The configuration of a SUT, rendered as the bench does it; answers its main file."""
    conf = directory / "sipguard"
    root, blocked = directory / "root.pem", directory / "blocked.txt"
    root.write_bytes(Pki().root.pem)
    blocked.write_text("+19005550042\n")
    values = {"SUT_PORT": 15060, "UAS_PORT": 15080, "CONF": conf, "CA": root, "BLOCKLIST": blocked}
    targets = {"../sipguard.cfg": sut["template"], **sut["files"]}
    for target, template in targets.items():
        text = (BENCH / template).read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        file = (conf / target).resolve()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return directory / "sipguard.cfg"


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bench's configuration."""
    return render(SUT, tmp_path_factory.mktemp("sut"))


@pytest.fixture(scope="module")
def loaded(rendered: Path) -> Loaded:
    """It, loaded."""
    return load(rendered)


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """(path, value) of every leaf; rules go by their names."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from flat(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for n, below in enumerate(value):
            yield from flat(below, f"{path}.{below['name'] if isinstance(below, dict) and 'name' in below else n}")
    else:
        yield path, value


def written(file: Path) -> Any:
    """What stands in a YAML file, of a policy with what it includes."""
    return PolicyText.of_file(file).plain if file.name == "policy.yaml" else YAML(typ="safe").load(file)


def differences(one: Path, other: Path) -> set[str]:
    """Paths of the leaves that differ between two YAML files."""
    left, right = dict(flat(written(one))), dict(flat(written(other)))
    return {path for path in left.keys() | right.keys() if left.get(path, ...) != right.get(path, ...)}


def test_only_addresses_paths_anchors_and_files_of_lists_differ(rendered: Path) -> None:
    found = differences(SHIPPED / "sipguard.yaml", rendered)
    files = {path for path in found if path.startswith("lists.") and path.endswith(".file")}
    assert found - files == ADDRESSES | PATHS | ANCHORS | {"identity.fetch.allow_networks"}


def test_only_refusal_codes_and_the_class_of_the_bench_callers_differ_in_the_policy(rendered: Path) -> None:
    found = differences(SHIPPED / "policy.yaml", rendered.parent / "sipguard" / "policy.yaml")
    assert found == CODES | BENCH_CALLERS


def test_the_rules_stand_in_the_shipped_order(rendered: Path) -> None:
    policies = [written(file) for file in (SHIPPED / "policy.yaml", rendered.parent / "sipguard" / "policy.yaml")]
    names = [[rule["name"] for rule in policy["rules"]] for policy in policies]
    assert names[0] == names[1]
    assert len(names[0]) >= 20


def test_the_shapes_of_fraud_are_asked(loaded: Loaded) -> None:
    assert loaded.ruleset is not None
    assert {"fraud-campaign", "fraud-snowshoe", "fraud-pumping"} <= {rule.name for rule in loaded.ruleset.policy.rules}


def test_it_loads_without_a_problem_and_opens(loaded: Loaded) -> None:
    assert loaded.problems == ()
    assert loaded.ruleset is not None
    ruleset = Ruleset.open(loaded.ruleset)
    assert ruleset.lists.of("callee", "13035550122") == ("verified_only",)
    assert ruleset.lists.of("caller", "19005550042") == ("blocked",)
    assert ruleset.lists.of("shown", "12025550111") == (), "the bench's own caller"


def test_all_checks_the_loader_and_the_metrics_are_on(loaded: Loaded) -> None:
    assert loaded.ruleset is not None and loaded.service is not None
    assert set(loaded.ruleset.settings) == set(CHECKS)
    assert loaded.ruleset.trunks["carrier-a"].verify
    assert loaded.service.records_interval_s <= 1.0
    assert loaded.service.metrics_port
    assert SUT["drain"] >= 2 * loaded.service.records_interval_s, "its CPU must be counted"


def test_every_list_of_the_shipped_configuration_is_there(rendered: Path) -> None:
    files = {Path(target).name for target in SUT["files"] if target.startswith("lists/")} | {"blocked.txt"}
    assert files == {file.name for file in (SHIPPED / "lists").iterdir()}


def test_the_heavy_one_loads_without_a_problem_and_asks_every_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heavy, "BLOCKED", 10)
    sut = json.loads(heavy.write(tmp_path / "heavy", tmp_path / "state").read_text())
    loaded = load(render(sut, tmp_path))
    assert [problem.path for problem in loaded.problems] == [("lists", "dnc")], "which is imported first"
    assert loaded.ruleset is not None
    assert len(loaded.ruleset.policy.rules) == heavy.RULES
    asked = str(loaded.ruleset.policy)
    assert [spec.name for spec in CHECKS["rate"].FACTS if spec.name not in asked] == []
