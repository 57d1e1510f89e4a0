"""conf.d: files beside the configuration are one with it, none overrides another, each problem is in its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.settings.load import Loaded, load
from tests.pki import Pki

MAIN = """\
site: dc1
node: n1
identity: {anchors: [root.pem]}
state: {directory: state}
policy: {rules: [], default: allow}
"""
SOCKETS = """\
listeners:
  main: {address: 127.0.0.1}
"""
CORE = """\
trunks:
  core: {kind: interconnect, peers: ["127.0.0.1:5070"]}
"""
CARRIER = """\
trunks:
  carrier-a: {kind: interconnect, sources: [192.0.2.0/28], route: core}
screening: {checks: {identity: {freshness: 90s}}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A configuration in five files."""
    (tmp_path / "root.pem").write_bytes(Pki().root.pem)
    (tmp_path / "sipguard.yaml").write_text(MAIN)
    (tmp_path / "conf.d").mkdir()
    for name, text in (("10-sockets", SOCKETS), ("20-core", CORE), ("30-carrier", CARRIER), ("40-empty", "# none\n")):
        (tmp_path / "conf.d" / f"{name}.yaml").write_text(text)
    return tmp_path


def loaded(place: Path) -> Loaded:
    """What it comes to."""
    return load(place / "sipguard.yaml")


def said(place: Path) -> list[str]:
    """The problems without the directory."""
    return [str(problem).replace(f"{place}/", "") for problem in loaded(place).problems]


def test_all_files_are_one_configuration(place: Path) -> None:
    assert said(place) == []
    ruleset = loaded(place).ruleset
    assert ruleset is not None
    assert set(ruleset.trunks) == {"core", "carrier-a"}
    assert ruleset.settings["identity"].freshness_s == 90.0  # type: ignore[attr-defined]


def test_what_is_no_yaml_file_is_not_read(place: Path) -> None:
    for name in ("50-old.yaml.bak", ".50-hidden.yaml", "README"):
        (place / "conf.d" / name).write_text("site: other\n")
    assert said(place) == []


def test_each_file_is_part_of_the_revision(place: Path) -> None:
    before = loaded(place).ruleset
    (place / "conf.d" / "20-core.yaml").write_text(CORE + "# more\n")
    after = loaded(place).ruleset
    assert before is not None and after is not None
    assert before.revision != after.revision


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("node: n2\n", "conf.d/60-more.yaml:1:1: node: is set in sipguard.yaml:2:1 already; write it in one of them"),
        (
            "screening:\n  checks:\n    identity: {freshness: 60s}\n",
            "conf.d/60-more.yaml:3:16: screening.checks.identity.freshness: is set in conf.d/30-carrier.yaml:3:33 "
            "already; write it in one of them",
        ),
        (
            "trunks:\n  core: {verify: false}\n",
            "conf.d/60-more.yaml:2:3: trunks.core: is set in conf.d/20-core.yaml:2:3 already; write it in one of them",
        ),
        (
            "policy:\n  rules: []\n",
            "conf.d/60-more.yaml:1:1: policy: is set in sipguard.yaml:5:1 already; write it in one of them",
        ),
        ("- a\n", "conf.d/60-more.yaml:1:1: a configuration is a map; of site, node, listeners, trunks ..."),
        (
            "drain: {dedline: 5s}\n",
            "conf.d/60-more.yaml:1:9: drain.dedline: unknown key dedline; did you mean deadline?",
        ),
        (
            "trunks:\n  b: {kind: interconnect, sources: [192.0.2.0/28], route: cor}\n",
            "conf.d/60-more.yaml:2:52: trunks.b.route: cor is no trunk; did you mean core?",
        ),
        (
            "drain: {deadline: 5s\n",
            "conf.d/60-more.yaml:2:1: the { in line 1, column 8 is not closed before this, or a comma is missing; "
            "write , or } before this place",
        ),
        (
            "site: a\nsite: b\n",
            "conf.d/60-more.yaml:2:1: site stands here again; first in line 1, column 1; take one of them out",
        ),
    ],
    ids=["scalar", "deep", "trunk", "policy", "no map", "unknown key", "misfit", "no yaml", "twice in one"],
)
def test_each_problem_is_in_its_file(place: Path, more: str, problem: str) -> None:
    (place / "conf.d" / "60-more.yaml").write_text(more)
    assert problem in said(place)
    assert loaded(place).ruleset is None


def test_problems_of_all_files_come_at_once(place: Path) -> None:
    (place / "sipguard.yaml").write_text(MAIN + "moode: report\n")
    (place / "conf.d" / "20-core.yaml").write_text(CORE.replace("interconnect", "interconect"))
    (place / "conf.d" / "60-more.yaml").write_text("node: n2\n")
    assert [line.partition(": ")[0] for line in said(place)] == [
        "sipguard.yaml:6:1",
        "conf.d/20-core.yaml:2:10",
        "conf.d/60-more.yaml:1:1",
    ]
