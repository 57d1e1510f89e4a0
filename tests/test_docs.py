"""The documents agree with the code: facts, commands, the language, metrics, files, links, examples."""

from __future__ import annotations

import ast
import itertools
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from sipguard.b2bua.crossing import EXPOSED
from sipguard.b2bua.extensions import END_TO_END, NOT_END_TO_END
from sipguard.b2bua.frames import DISPOSITIONS
from sipguard.cli.main import main
from sipguard.numbers.canonical import CLASSES
from sipguard.numbers.formats import FORMATS
from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.finding import FactSpec
from sipguard.screening.listspec import KINDS, WHICH
from sipguard.screening.policy.labels import LABEL_KEYS
from sipguard.screening.policy.model import BASES, COMPARISONS, DEFAULT_RESPONSES, Redress, Vocabulary
from sipguard.screening.policy.read import POLICY_KEYS, RULE_KEYS, read_policy
from sipguard.screening.verdict import MODES
from sipguard.service.metrics import render
from sipguard.settings.model import Config
from sipguard.settings.zones import MachineZones
from sipguard.stir.profile import DEVIATIONS as OF_CERTIFICATES
from sipguard.stir.reasons import DEVIATIONS, REASONS
from sipguard.stir.revocation import REMARKS
from tests.playbook import Playbook
from tests.screening.build import attempt

ROOT = Path(__file__).parent.parent
DOCUMENTS = (
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "docs/policy.md",
    "docs/fraud.md",
    "docs/sip.md",
    "docs/stir.md",
    "docs/insert-and-bypass.md",
    "docs/interop.md",
    "docs/explain.md",
)


CONTEXT = click.Context(main)


def command_of(name: str) -> click.Command:
    """The command of this name."""
    found = main.get_command(CONTEXT, name)
    assert found is not None
    return found


@cache
def text(document: str) -> str:
    """What stands in a document."""
    return (ROOT / document).read_text()


def cells(line: str) -> list[str]:
    """The cells of a line of a table, without backquotes."""
    return [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]


def table(document: str, first: str) -> list[list[str]]:
    """The rows of the first table whose head begins with `first`."""
    lines = iter(text(document).splitlines())
    for line in lines:
        if line.startswith("|") and cells(line)[0] == first:
            next(lines)
            return [cells(row) for row in _while_table(lines)]
    raise AssertionError(f"{document} has no table of {first}")


def _while_table(lines: Iterator[str]) -> list[str]:
    """The lines up to the end of a table."""
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(line)
    return rows


def blocks(document: str, language: str) -> list[str]:
    """The fenced examples of a document in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text(document), re.MULTILINE | re.DOTALL)


# ------------------------------------------------------------------------------------------ the policy


def test_every_rule_of_fraud_is_documented_with_its_bounds() -> None:
    files = [ROOT / "config" / f"{name}.yaml" for name in ("fraud", "fraud_upstream", "fraud_customers")]
    rules = [rule for file in files for rule in YAML(typ="safe").load(file.read_text())["rules"]]
    rows = table("docs/fraud.md", "shape")
    named = [name for row in rows for name in re.findall(r"fraud-[a-z-]+", row[1])]
    assert sorted(named) == sorted(rule["name"] for rule in rules)
    for rule in rules:
        (row,) = [row for row in rows if rule["name"] in re.findall(r"fraud-[a-z-]+", row[1])]
        counted = ((".attempts_1", "attempts"), (".minutes_1", "minutes"))
        bounds = [(each["over"], what) for fact, each in rule["when"].items() for part, what in counted if part in fact]
        assert [f"over {each} {what}" in row[2] for each, what in bounds] == [True], rule["name"]
        assert row[4].replace("`", "") == (f"reject {rule['reject']}" if "reject" in rule else "label")
        assert rule["mode"] == "report"


def fact_rows() -> dict[str, list[str]]:
    """Name of a fact -> its row, of all tables of facts."""
    names = {spec.name.partition(".")[0] for spec in ALL_FACTS}
    rows = [cells(line) for line in text("docs/policy.md").splitlines() if line.startswith("| `")]
    return {row[0]: row for row in rows if row[0].partition(".")[0] in names and "." in row[0]}


@pytest.mark.parametrize("spec", ALL_FACTS, ids=lambda spec: spec.name)
def test_every_fact_is_documented(spec: FactSpec) -> None:
    row = fact_rows().get(spec.name)
    assert row is not None, "add it to docs/policy.md"
    wanted = f"{spec.type}, {spec.unit}" if spec.unit else spec.type
    assert row[1] == wanted
    assert row[2].startswith(spec.what)
    if spec.name.endswith(".class"):  # the classes have a table of their own
        return
    link = re.search(r"\[[a-z]+\]\(stir\.md#(reason|deviation)s(-of-certificates)?\)$", row[2])
    if link:  # to a table that is tested against the code
        name = f"{link[1]} of a certificate" if link[2] else link[1]
        assert set(spec.choices) <= {each[0] for each in table("docs/stir.md", name)}
        assert len(spec.choices) > 8, "few values stand in the row"
    else:
        assert all(choice in re.split(r"[`, ]+", row[2]) for choice in spec.choices)


def test_no_fact_is_documented_that_does_not_exist() -> None:
    assert set(fact_rows()) == {spec.name for spec in ALL_FACTS}


@pytest.mark.parametrize(
    ("first", "names"),
    [
        ("key", POLICY_KEYS),
        ("basis", tuple(BASES)),
        ("class", CLASSES),
        ("disposition", tuple(DISPOSITIONS)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tables_are_complete(first: str, names: tuple[str, ...]) -> None:
    document = "README.md" if first == "disposition" else "docs/policy.md"
    assert sorted(row[0] for row in table(document, first)) == sorted(names)


@pytest.mark.parametrize("key", (*RULE_KEYS, *LABEL_KEYS))
def test_every_key_of_rules_and_labels_has_a_row(key: str) -> None:
    assert re.search(rf"^\| `{key}` \|", text("docs/policy.md"), re.MULTILINE)


@pytest.mark.parametrize("word", (*COMPARISONS, *WHICH))
def test_words_of_conditions_are_documented(word: str) -> None:
    assert f"`{word}`" in text("docs/policy.md") or f"lists.{word}`" in text("docs/policy.md")


def test_the_answers_of_bases_are_those_of_the_code() -> None:
    for basis, _, answer in table("docs/policy.md", "basis"):
        response = DEFAULT_RESPONSES[basis]
        assert answer == (f"{response.status}{'+' * response.plus}" if response.status else "auto")


@cache
def vocabulary() -> Vocabulary:
    """The words of the shipped configuration."""
    config = Config.model_validate(YAML(typ="safe").load((ROOT / "config/sipguard.yaml").read_text()))
    trunks = config.trunks
    return Vocabulary(
        facts=ALL_FACTS,
        lists={name: tuple(shape.bind) for name, shape in config.lists.items()},
        trunks=tuple(trunks),
        routes=tuple(name for name, trunk in trunks.items() if trunk.peers),
        redress=Redress(url=config.redress.url),
        zones=MachineZones(),
    )


EXAMPLES = [  # the other blocks are parts of a configuration
    (document, n)
    for document in DOCUMENTS
    for n, block in enumerate(blocks(document, "yaml"))
    if re.search("^rules:", block, re.MULTILINE)
]


@pytest.mark.parametrize(("document", "n"), EXAMPLES)
def test_policies_in_documents_are_right(document: str, n: int) -> None:
    policy, problems = read_policy(YAML(typ="safe").load(blocks(document, "yaml")[n]), vocabulary())
    assert problems == []
    assert policy.rules


def test_every_reason_of_verification_is_documented_as_it_stands_in_the_code() -> None:
    rows = [f"| `{reason}` | {status or 'none'} | {what} |" for reason, (status, what) in REASONS.items()]
    told = text("docs/stir.md").split("| reason | status | what it means |\n")[1].splitlines()[1:]
    assert _while_table(iter(told)) == rows


def test_every_deviation_is_documented_as_it_stands_in_the_code() -> None:
    assert table("docs/stir.md", "deviation") == [[name, what.strip("`")] for name, what in DEVIATIONS.items()]


def test_deviations_of_certificates_are_documented() -> None:
    told = {row[0]: row[1].replace("`", "") for row in table("docs/stir.md", "deviation of a certificate")}
    assert told == {slug: meaning.replace("`", "") for slug, meaning in OF_CERTIFICATES.items()}


# ------------------------------------------------------------------------------------------ SIP


def written_answers() -> set[tuple[int, str]]:
    """(status, phrase) of every final answer that call control and the parser hold, found in their source."""
    found = set()
    for file in [*(ROOT / "sipguard/b2bua").glob("*.py"), *(ROOT / "sipguard/sip").glob("*.py")]:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Dict):
                found |= {_answer(key, value) for key, value in zip(node.keys, node.values, strict=True)}
            values = node.args + [k.value for k in node.keywords] if isinstance(node, ast.Call) else []
            values = node.elts if isinstance(node, ast.Tuple) else values
            values = node.args.defaults if isinstance(node, ast.FunctionDef) else values
            found |= {_answer(one, other) for one, other in itertools.pairwise(values)}
    return {answer for answer in found if answer is not None}


def _answer(one: ast.expr | None, other: ast.expr) -> tuple[int, str] | None:
    """The answer of two neighbouring constants, None where they are none."""
    if not isinstance(one, ast.Constant) or not isinstance(other, ast.Constant) or type(one.value) is not int:
        return None
    fits = 200 <= one.value < 700 and isinstance(other.value, str) and other.value[:1].isupper()
    return (one.value, str(other.value)) if fits else None


def test_our_answers_are_documented_and_exist() -> None:
    told = [(int(row[0][:3]), row[0][4:]) for row in table("docs/sip.md", "answer")]
    assert told == sorted(set(told))
    assert set(told) == written_answers() | {(503, "Draining"), (503, "Overloaded")}


@pytest.mark.parametrize(("first", "tags"), [("option tag", END_TO_END), ("option tag refused", NOT_END_TO_END)])
def test_option_tags_are_documented(first: str, tags: dict[str, str]) -> None:
    assert {row[0]: row[1] for row in table("docs/sip.md", first)} == tags


# ------------------------------------------------------------------------------------------ commands


@pytest.mark.parametrize("name", main.list_commands(CONTEXT))
def test_every_command_is_documented(name: str) -> None:
    assert f"sipguard {name}" in text("README.md")


@pytest.mark.parametrize(
    "option",
    sorted(
        {
            option
            for name in main.list_commands(CONTEXT)
            for parameter in command_of(name).params
            if isinstance(parameter, click.Option)
            for option in parameter.opts
            if option.startswith("--") and option != "--config"
        }
    ),
)
def test_every_option_is_documented(option: str) -> None:
    assert option in text("README.md")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_command_is_documented_that_does_not_exist(document: str) -> None:
    told = re.findall(r"`sipguard ([a-z]+)[^`]*`|^    sipguard ([a-z]+)\b", text(document), re.MULTILINE)
    assert {one or other for one, other in told} <= set(main.list_commands(CONTEXT))


def test_exit_codes_are_documented() -> None:
    for line in (main.epilog or "").splitlines():
        if line[:3].strip().isdigit():
            code, what = line.split(None, 1)
            assert f"{code} {what.partition(';')[0]}" in re.sub(r"\s+", " ", text("README.md"))


@pytest.mark.parametrize("word", (*MODES, *KINDS, *FORMATS[1:]))
def test_words_of_operators_are_documented(word: str) -> None:
    assert f"`{word}`" in text("README.md")


def test_targets_of_make_are_documented_and_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    assert targets
    for target in targets:
        assert re.search(rf"\bmake {target}\b", text("README.md")), target
    for document in DOCUMENTS:
        told = set(re.findall(r"(?:`|^    )make ([a-z]+)", text(document), re.MULTILINE))
        assert told <= targets, document


def test_reasons_of_trust_list_and_crl_are_documented() -> None:
    sources = [
        ROOT / "sipguard/stir/trustlist.py",
        ROOT / "sipguard/stir/revocation.py",
        ROOT / "sipguard/service/trust.py",
    ]
    raised = {slug for source in sources for slug in re.findall(r'TrustError\(\s*"(\w+)"', source.read_text())}
    section = (ROOT / "docs/stir.md").read_text().partition("## Trust list and CRL")[2].partition("\n## ")[0]
    reasons, _, remarks = section.partition("What it calls odd")
    assert set(re.findall(r"^\| `(\w+)` \|", reasons, re.M)) == raised
    assert set(re.findall(r"^\| `(\w+)` \|", remarks, re.M)) == {*REMARKS, "number_fell"}


def test_metrics_that_are_named_exist() -> None:
    known = set(re.findall(r"^# TYPE (\S+)", render((), {}).decode(), re.MULTILINE))
    for document in DOCUMENTS:
        told = set(re.findall(r"`(sipguard_[a-z0-9_]+)`", text(document)))
        assert told <= known, document


# ------------------------------------------------------------------------------------------ files, links


LINKS = [
    (document, target)
    for document in DOCUMENTS
    for target in re.findall(r"\]\(([^)\s]+)\)", text(document))
    if not target.startswith("https://")
]


def anchors(document: Path) -> set[str]:
    """What the headings of a document can be linked as."""
    heads = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(("document", "target"), LINKS)
def test_links_resolve(document: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = (ROOT / document).parent / path if path else ROOT / document
    assert file.exists()
    if anchor:
        assert anchor in anchors(file)


FILES = sorted(
    {
        (document, path)
        for document in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
        for path in re.findall(r"`((?:sipguard|config|tests)/[\w/.]+)`", text(document))
        if "tollfree" not in path and "NAME" not in path
    }
)


@pytest.mark.parametrize(("document", "path"), FILES)
def test_files_that_are_named_exist(document: str, path: str) -> None:
    assert (ROOT / path).exists()


def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Dotted names of the settings of a model, maps of names left out."""
    found = set()
    for name, field in model.model_fields.items():
        found.add(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= keys_of(field.annotation, f"{prefix}{name}.")
    return found


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_that_are_named_exist(document: str) -> None:
    known = keys_of(Config)
    tops = {key for key in known if "." not in key} - {"lists"}
    told = set(re.findall(r"`([a-z_]+\.[a-z_.]+)`", text(document))) - {spec.name for spec in ALL_FACTS}
    asked = {key for key in told if key.partition(".")[0] in tops and not key.endswith((".py", ".yaml"))}
    assert asked <= known


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    told = text("ARCHITECTURE.md").split("## Dependencies")[1].split("## Measured")[0]
    for dependency in wanted:
        name = re.split(r"[<>=;]", dependency)[0]
        assert re.search(rf"\| .*\b{re.escape(name)}\b.* \|", told), name


def test_headers_that_show_the_other_side_are_listed() -> None:
    told = text("ARCHITECTURE.md").split("(`EXPOSED`)")[1].split("\n\n")[1]
    assert set(re.findall(r"`([a-z-]+)`", told)) == EXPOSED


# ------------------------------------------------------------------------------------------ code in documents


def test_the_check_of_the_guide_is_a_check() -> None:
    module = ModuleType("sipguard.screening.checks.tollfree")
    exec(compile(blocks("CONTRIBUTING.md", "python")[0], "CONTRIBUTING.md", "exec"), module.__dict__)
    found = module.check(attempt(shown="<sip:+18005550112@example.com>;tag=1"), module.Settings(), None)
    assert found.facts == {"tollfree.shown": True}
    assert {spec.name for spec in module.FACTS} == set(found.facts)
    assert module.COST


def test_the_race_of_the_guide_runs() -> None:
    names: dict[str, Any] = {}
    exec(compile(blocks("CONTRIBUTING.md", "python")[2], "CONTRIBUTING.md", "exec"), names)
    book = Playbook()
    names["test_a_cancel_waits_for_the_first_provisional"](book)
    book.over()
