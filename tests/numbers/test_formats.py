"""Text lists: what is read, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.numbers.formats import KEPT_PROBLEMS, ListReader, Problem, compile_list
from sipguard.numbers.numberset import NumberSet, PairSet

TN = "12025550100"


@pytest.mark.parametrize(
    ("line", "numbers", "prefixes"),
    [
        ("+12025550100", [TN], []),
        ("2025550100\r\n", [TN], []),
        ("\ufeff2025550100", [TN], []),
        ("  (202) 555-0100  # reported", [TN], []),
        ("# comment", [], []),
        ("", [], []),
        ("911", ["911"], []),
        ("9115550100", ["9115550100"], []),
        ("011442079460000", ["442079460000"], []),
        ("+1202555*", [], ["1202555"]),
        ("1202*", [], ["1202"]),
        ("202555*", [], ["1202555"]),
        ("202-555*", [], ["1202555"]),
        ("+44*", [], ["44"]),
        ("01144*", [], ["44"]),
        ("+44 20*", [], ["4420"]),
    ],
    ids=repr,
)
def test_plain_entries(line: str, numbers: list[str], prefixes: list[str]) -> None:
    reader = ListReader()
    assert list(reader.numbers([line])) == numbers
    assert reader.prefixes == prefixes
    assert reader.problems == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  alice", Problem(1, 3, "alice is no telephone number")),
        (
            "442079460000",
            Problem(1, 1, "442079460000 has 12 digits, a number without + has 10, or 11 with a 1", "+442079460000"),
        ),
        ("123", Problem(1, 1, "123 has 3 digits, a number without + has 10, or 11 with a 1")),
        ("201,5550123", Problem(1, 1, "201,5550123 has a comma", "format: ftc, or kind: pairs")),
        ("44*", Problem(1, 1, "44* may begin a country code or an area code", "+44*")),
        ("*", Problem(1, 1, "* is no number of 1 to 18 digits")),
        ("ab*", Problem(1, 1, "ab* is no prefix: digits and a trailing * are")),
        ("+**", Problem(1, 1, "+** is no prefix: digits and a trailing * are")),
        ("2\x000\x00", Problem(1, 1, "not UTF-8 text", "a file saved as UTF-8")),
        ("+" + "1" * 30, Problem(1, 1, "+" + "1" * 30 + " is no number of 1 to 18 digits")),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_problems_say_what_and_where(line: str, problem: Problem) -> None:
    reader = ListReader()
    assert list(reader.numbers([line])) == []
    assert reader.problems == [problem]
    assert reader.prefixes == []


def test_all_problems_come_at_once_and_good_lines_are_read() -> None:
    reader = ListReader()
    assert list(reader.numbers(["x", TN, "y", "44*"])) == [TN]
    assert [(problem.line, problem.column) for problem in reader.problems] == [(1, 1), (3, 1), (4, 1)]
    assert str(reader.problems[2]) == "4:1: 44* may begin a country code or an area code; did you mean +44*"


def test_problems_are_counted_but_not_kept_without_end() -> None:
    reader = ListReader()
    assert list(reader.numbers("x" for _ in range(KEPT_PROBLEMS + 5))) == []
    assert len(reader.problems) == KEPT_PROBLEMS
    assert reader.problem_count == KEPT_PROBLEMS + 5


def test_the_registry_file_and_plain_lines_beside_it() -> None:
    reader = ListReader("ftc")
    assert list(reader.numbers(["202,5550100\r\n", "+1 202 555 0101", "20,25550102", "202,55501x3"])) == [
        TN,
        "12025550101",
    ]
    assert [problem.line for problem in reader.problems] == [3, 4]


def test_pairs_and_their_problems() -> None:
    reader = ListReader()
    lines = [f"{TN}, +1 202 555 0101", "# none", "911,2025550101", TN, f"{TN},x", " y,911", "1,2,3", f"{TN},"]
    assert list(reader.pairs(lines)) == [(TN, "12025550101"), ("911", "12025550101")]
    assert [(problem.line, problem.column, problem.what) for problem in reader.problems] == [
        (4, 1, "1 fields instead of caller,callee"),
        (5, 13, "x is no telephone number"),
        (6, 2, "y is no telephone number"),
        (7, 1, "3 fields instead of caller,callee"),
        (8, 13, "a number is missing"),
    ]


def test_a_list_is_compiled_to_a_set(tmp_path: Path) -> None:
    (tmp_path / "dno.txt").write_bytes(b"\xef\xbb\xbf202-555-0100\r\n+44*\r\n")
    count, reader = compile_list(tmp_path / "dno.txt", tmp_path / "dno.set")
    assert (count, reader.problem_count) == (1, 0)
    mapped = NumberSet.open(tmp_path / "dno.set")
    assert TN in mapped and "442079460000" in mapped
    (tmp_path / "pairs.txt").write_text(f"{TN},911\n")
    assert compile_list(tmp_path / "pairs.txt", tmp_path / "pairs.set", "pairs")[0] == 1
    assert (TN, "911") in PairSet.open(tmp_path / "pairs.set")


def test_a_list_with_problems_leaves_the_old_set(tmp_path: Path) -> None:
    source, target = tmp_path / "dno.txt", tmp_path / "dno.set"
    source.write_text(TN)
    compile_list(source, target)
    source.write_bytes(b"12025550101\n\xff\xff\n")
    count, reader = compile_list(source, target)
    assert (count, [problem.line for problem in reader.problems]) == (1, [2])
    assert list(NumberSet.open(target)) == [TN]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dno.set", "dno.txt"]
