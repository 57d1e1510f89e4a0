"""What is on a list, as rows; and that these are the file of the same list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipguard.numbers.formats import compile_list
from sipguard.numbers.rules import READ_AS_NANP
from sipguard.screening.lists import Lists
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, Overlay
from sipguard.service.list_rows import header, rows, written
from sipguard.store.edits import Change, Held

NOW = 1_800_000_000.0  # 2027-01-15
TRUNKS = frozenset(("a", "b"))


def built(path: Path, kind: str, text: str, per_trunk: bool = False) -> ListSpec:
    """A list of this text."""
    source = path.with_suffix(".txt")
    source.write_text(text)
    _, reader = compile_list(source, path, kind, "plain", READ_AS_NANP, per_trunk, TRUNKS)
    assert reader.problems == []
    bind = {"numbers": ("caller",), "pairs": ("pair",)}.get(kind, ("upstream",))
    return ListSpec("l", kind, bind, str(path), str(source), per_trunk=per_trunk)


def exported(spec: ListSpec, edited: dict[str, tuple[Held, Change | None]]) -> str:
    return ",".join(header(spec)) + "\n" + "".join(written(spec, row) for row in rows(spec, edited, NOW))


def edits(*made: tuple[str, int]) -> dict[str, tuple[Held, Change | None]]:
    change = Change(1, NOW - 5, "ann", "add", "l", 'said "no",\ntwice', 0.0, 1, 0, 0)
    return {entry: (Held("l", entry, said, 0.0, 1), change) for entry, said in made}


def answers(spec: ListSpec, edited: Iterable[str], said: Any, asked: Iterable[str], at: float) -> list[bool]:
    overlay = Overlay()
    overlay.take(1, [("l", entry, said[entry][0].said, 0.0) for entry in edited])
    lists = Lists.open([spec], overlay)
    if spec.per_trunk:
        return [bool(lists.of_trunk("caller", *each.split(","), at)) for each in asked]
    return [bool(lists.of("caller", tn, at)) for tn in asked]


_LAST = st.integers(100, 139)
_NUMBER = _LAST.map(lambda n: f"12025550{n}")
_RANGE = st.tuples(_LAST, _LAST).filter(lambda e: e[0] < e[1]).map(lambda e: f"12025550{e[0]}-12025550{e[1]}")
_PREFIX = st.sampled_from(("120255501*", "1202555011*"))
_END = st.sampled_from(("", "2026-01-01", "2027-02-01", "2027-01-15T08:00:01Z"))
_LINES = st.lists(st.tuples(_NUMBER | _RANGE | _PREFIX, _END, st.sampled_from(("", 'why, "so"'))), max_size=8)
_MADE = st.lists(st.tuples(_NUMBER | _RANGE, st.sampled_from((ADDED, REMOVED))), max_size=6)


def in_csv(lines: Iterable[tuple[str, str, str]], trunk: str = "") -> str:
    found = ["trunk,number,until,note" if trunk else "number,until,note"]
    for entry, end, why in lines:
        shown = "-".join(f"+{each}" for each in entry.split("-"))
        quoted = why.replace('"', '""')
        found.append(f'{trunk}{"," if trunk else ""}{shown},{end},"{quoted}"')
    return "\n".join(found) + "\n"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_LINES, _MADE, st.booleans())
def test_what_is_exported_is_the_same_list(tmp_path: Path, lines: Any, made: Any, by_trunk: bool) -> None:
    trunk = "a" if by_trunk else ""
    spec = built(tmp_path / "first", "numbers", in_csv(lines, trunk), by_trunk)
    head = "a," if by_trunk else ""
    changed = edits(*((head + entry, said) for entry, said in made))
    if any(said == REMOVED for _, said in made):  # what is removed of a prefix no file can say
        spec = built(tmp_path / "first", "numbers", in_csv([e for e in lines if e[0][-1] != "*"], trunk), by_trunk)
    again = built(tmp_path / "second", "numbers", exported(spec, changed), by_trunk)
    asked = [f"{head}12025550{n}" for n in range(99, 141)]
    for at in (NOW, NOW + 1, NOW + 30 * 86_400):
        assert answers(again, (), {}, asked, at) == answers(spec, changed, changed, asked, at)
    assert exported(again, {}) == exported(again, {})


@pytest.mark.parametrize(
    ("kind", "text", "made", "expected"),
    [
        (
            "pairs",
            "caller,brand,callee,until,note\n+12025550100,,+12125550123,2027-02-01,asked\n,Acme,+12125550124,,\n"
            "+12025550101,,+12125550123,2026-02-01,over\n",
            (("12025550102,12125550123", ADDED), ("acme,12125550124", REMOVED)),
            [
                "+12025550100,,+12125550123,asked,,,2027-02-02T00:00:00Z",
                '+12025550102,,+12125550123,"said ""no"", twice",ann,2027-01-15T07:59:55Z,',
            ],
        ),
        (
            "networks",
            "192.0.2.0/24\n198.51.100.7\n",
            (("198.51.100.7/32", REMOVED),),
            ["192.0.2.0/24,,,,"],
        ),
        ("texts", "Friendly*\n", (), ["friendly*,,,,"]),
        (
            "numbers",
            "number,note,added_by\n+12025550100-+12025550109,first,ann\n+12025550105-+12025550119,second,bob\n",
            (("12025550108-12025550111", REMOVED),),
            [
                "+12025550100-+12025550104,first,ann,,",
                "+12025550105-+12025550107,first,ann,,",
                "+12025550105-+12025550107,second,bob,,",
                "+12025550112-+12025550119,second,bob,,",
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isalpha() else "",
)
def test_ends_and_reasons_are_kept(tmp_path: Path, kind: str, text: str, made: Any, expected: list[str]) -> None:
    spec = built(tmp_path / "first", kind, text)
    lines = exported(spec, edits(*made))
    assert lines.splitlines()[1:] == expected
    again = built(tmp_path / "second", kind, lines)
    assert exported(again, {}) == lines
