"""The list of reasons is closed: no source gives one that is not in it, or with another status."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from sipguard.screening.verification import diversion
from sipguard.stir import errors
from sipguard.stir.reasons import REASONS

ROOT = Path(__file__).parents[2] / "sipguard"
STATUS = {
    name: kind.status
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.StirError)
}
STATUS["FetchError"] = errors.BadIdentityInfo.status  # net/fetch; call control makes a BadIdentityInfo of it
STATUS["NoAnswer"] = STATUS["FetchError"]  # net/answer; net/fetch makes a FetchError of it
# not raised: set by the check, by `evaluate` and by `diversion`
ELSEWHERE = {"passed", "identity_missing", "not_verified", *diversion.REASONS}

pytestmark = pytest.mark.skipif(
    not (ROOT / "screening" / "checks" / "identity.py").is_file(), reason="no sources beside the compiled core"
)


def given(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(class, reason) of every error that is made with a literal reason, and ("", reason) of every reason assigned."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in STATUS and node.args:
                yield from ((name, reason) for reason in literals(node.args[0]))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield from (("", reason) for reason in assigned(target, node.value))


def assigned(target: ast.expr, value: ast.expr) -> Iterator[str]:
    """Literal reasons that an assignment gives to `.reason` or `._why`, of tuples too."""
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, its in zip(target.elts, value.elts, strict=False):
            yield from assigned(one, its)
    elif isinstance(target, ast.Attribute) and target.attr in ("reason", "_why"):
        yield from literals(value)


def literals(value: ast.expr) -> Iterator[str]:
    """Texts that `value` may be, as far as they stand there."""
    if isinstance(value, ast.IfExp):
        yield from literals(value.body)
        yield from literals(value.orelse)
    elif isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value:
        yield value.value


def sources() -> Iterator[tuple[Path, str, str]]:
    """(file, class, reason) of all modules that verification is made of."""
    for folder in ("stir", "screening/verification", "net", "cli", "service", "settings"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for kind, reason in given(ast.parse(file.read_text())):
                if kind == "NoAnswer":
                    yield file, kind, f"x5u_{reason}"
                elif kind or folder in ("stir", "screening/verification"):
                    yield file, kind, reason
    check = ROOT / "screening" / "checks" / "identity.py"
    yield from ((check, kind, reason) for kind, reason in given(ast.parse(check.read_text())))


def test_no_source_gives_a_reason_that_is_not_in_the_list() -> None:
    found = list(sources())
    assert len(found) > 60
    unknown = [f"{file.name}: {reason}" for file, _, reason in found if reason not in REASONS]
    assert not unknown, "add them to sipguard/stir/reasons.py and docs/stir.md"


def test_each_reason_is_given_with_the_status_of_the_list() -> None:
    wrong = [
        f"{file.name}: {kind}({reason!r})"
        for file, kind, reason in sources()
        if kind and kind != "StirError" and reason in REASONS and REASONS[reason][0] != STATUS[kind]
    ]
    assert not wrong


def test_no_reason_is_listed_that_nothing_gives() -> None:
    assert set(REASONS) - {reason for _, _, reason in sources()} - ELSEWHERE == set()


@pytest.mark.parametrize("reason", REASONS)
def test_a_reason_is_a_slug_with_a_status_and_a_meaning(reason: str) -> None:
    status, what = REASONS[reason]
    assert reason.replace("_", "").isalnum() and reason.islower()
    assert status in {0, *(kind.status for kind in (errors.StirError, *errors.StirError.__subclasses__()))}
    assert what and not what.endswith(".")
