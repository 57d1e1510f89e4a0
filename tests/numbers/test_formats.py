"""Text lists: what is read, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.numbers.formats import KEPT_PROBLEMS, ListReader, Problem, compile_list
from sipguard.numbers.networkset import NetworkSet
from sipguard.numbers.notes import Note
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet
from sipguard.numbers.textset import TextSet
from sipguard.numbers.wide import NEVER

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
    assert list(reader.prefixes) == prefixes
    assert reader.problems == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("  alice", Problem(1, 3, "alice is no telephone number", "write digits alone, such as +12025550111")),
        (
            "442079460000",
            Problem(1, 1, "442079460000 has 12 digits, a number without + has 10, or 11 with a 1", "+442079460000"),
        ),
        (
            "123",
            Problem(
                1,
                1,
                "123 has 3 digits, a number without + has 10, or 11 with a 1",
                "write + and the country code before it",
            ),
        ),
        ("201,5550123", Problem(1, 1, "201,5550123 has a comma", "format: ftc, or kind: pairs")),
        ("44*", Problem(1, 1, "44* may begin a country code or an area code", "+44*")),
        ("*", Problem(1, 1, "* is no number of 1 to 18 digits", "write digits alone, such as +12025550111")),
        ("ab*", Problem(1, 1, "ab* is no prefix: digits and a trailing * are", "write such as +1202555*")),
        ("+**", Problem(1, 1, "+** is no prefix: digits and a trailing * are", "write such as +1202555*")),
        ("2\x000\x00", Problem(1, 1, "not UTF-8 text", "a file saved as UTF-8")),
        (
            "+" + "1" * 30,
            Problem(
                1, 1, "+" + "1" * 30 + " is no number of 1 to 18 digits", "write digits alone, such as +12025550111"
            ),
        ),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_problems_say_what_and_where(line: str, problem: Problem) -> None:
    reader = ListReader()
    assert list(reader.numbers([line])) == []
    assert reader.problems == [problem]
    assert reader.prefixes == {}


def test_all_problems_come_at_once_and_good_lines_are_read() -> None:
    reader = ListReader()
    assert list(reader.numbers(["x", TN, "y", "44*"])) == [TN]
    assert [(problem.line, problem.column) for problem in reader.problems] == [(1, 1), (3, 1), (4, 1)]
    assert str(reader.problems[2]) == "4:1: 44* may begin a country code or an area code; did you mean +44*?"


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
    reader = ListReader(kind="pairs")
    lines = [f"{TN}, +1 202 555 0101", "# none", "911,2025550101", TN, f"{TN},x", " y,911", f"{TN},911,3", f"{TN},"]
    assert list(reader.pairs(lines)) == [(TN, "12025550101"), ("911", "12025550101")]
    assert [(problem.line, problem.column, problem.what) for problem in reader.problems] == [
        (4, 1, "1 fields instead of caller,callee or caller,callee,last day"),
        (5, 13, "x is no telephone number"),
        (6, 2, "y is no telephone number"),
        (7, 17, "3 is no date and no time"),
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


# ------------------------------------------------------------------------------------------ ranges, CSV, other kinds


@pytest.mark.parametrize(
    ("line", "first", "last"),
    [
        ("+12025550100-+12025550199", TN, "12025550199"),
        ("+1 202-555-0100 -+1 202-555-0199", TN, "12025550199"),
        ("2025550100-2025550199", TN, "12025550199"),
        ("+442079460000 - +442079469999", "442079460000", "442079469999"),
    ],
)
def test_ranges(line: str, first: str, last: str) -> None:
    reader = ListReader()
    assert list(reader.numbers([line.replace(" - ", "-")])) == []
    assert reader.ranges == [(int("1" + first), int("1" + last), NEVER)]
    assert reader.problems == []


@pytest.mark.parametrize("line", ["+12025550199-+12025550100", "+442079460000-+12025550100", "+12025550100-+x"])
def test_what_is_no_range_is_told(line: str) -> None:
    reader = ListReader()
    assert list(reader.numbers([line])) == [] and reader.ranges == []
    assert reader.problem_count == 1


def test_a_number_with_hyphens_is_no_range() -> None:
    assert list(ListReader().numbers(["202-555-0100", "+1-202-555-0101"])) == [TN, "12025550101"]


def test_csv_says_why_and_until_when() -> None:
    reader = ListReader()
    lines = [
        "\ufeff# ours\n",
        "Number,Reason,Added_by,added_at,expires\r\n",
        '+12025550100,"three complaints, one day",dana,2026-11-02,\r\n',
        "+12025550101,,,,2027-01-31\n",
        "# a comment\n",
        "+1202556*,ours,,,2027-01-31T12:00:00Z\n",
        "+12025550110-+12025550119,,,,\n",
        "12025550102\n",
    ]
    assert list(reader.numbers(lines)) == [TN, "12025550102"]
    assert reader.ending == {"12025550101": 1_801_440_000}
    assert reader.prefixes == {"1202556": 1_801_396_800}
    assert len(reader.ranges) == 1
    assert reader.notes == [
        Note(TN, 3, "three complaints, one day", "dana", "2026-11-02"),
        Note("1202556*", 6, "ours", "", ""),
    ]
    assert reader.problems == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["number,expire", "+12025550100,2027-01-31"], "1:1: unknown column expire; known are"),
        (["reason,expires", "x,2027-01-31"], "1:1: the column number or entry is missing"),
        (["number,expires", "+12025550100,31.1.2027"], "2:14: 31.1.2027 is no date and no time; write 2027-01-31 or"),
        (["number,added_at", "+12025550100,soon"], "2:1: added_at soon is no date"),
        (["number,reason", "+12025550100,a,b"], "2:1: 3 fields under 2 columns"),
        (
            ["number,reason", '+12025550100,"a'],
            "2:14: a quote that begins here has no end; write the same quote behind it",
        ),
        (["number,reason", "alice,a"], "2:1: alice is no telephone number"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_problems_of_csv(lines: list[str], problem: str) -> None:
    reader = ListReader()
    list(reader.numbers(lines))
    assert str(reader.problems[0]).startswith(problem)


def test_pairs_with_names_and_last_days() -> None:
    reader = ListReader(kind="pairs")
    lines = ["brand:Example Pharmacy,+12025550100", f"{TN},911,2027-01-31", "alice,911", "brand:12025550100,911"]
    assert list(reader.pairs(lines)) == [("example pharmacy", TN)]
    assert reader.ending_pairs == [(TN, "911", 1_801_440_000)]
    assert [str(problem) for problem in reader.problems] == [
        "3:1: alice is no telephone number; did you mean brand:alice?",
        "4:1: brand:12025550100 is no name: letters, without comma and *",
    ]
    reader = ListReader(kind="pairs")
    assert list(reader.pairs(["brand,callee,reason", "Example Bank,911,asked"])) == [("example bank", "911")]
    assert reader.notes == [Note("example bank,911", 2, "asked", "", "")]


def test_texts_and_networks() -> None:
    reader = ListReader(kind="texts")
    assert reader.texts(["Friendly-Scanner*", "Example Telecom, Inc."]) == {
        "friendly-scanner*": NEVER,
        "example telecom, inc.": NEVER,
    }
    reader = ListReader(kind="networks")
    assert set(map(str, reader.networks(["192.0.2.0/24", "192.0.2.1/24", "2001:db8::1"]))) == {
        "192.0.2.0/24",
        "2001:db8::1/128",
    }
    assert str(reader.problems[0]) == "2:1: 192.0.2.1/24 is no IP address and no network; did you mean 192.0.2.0/24?"


def test_patterns_that_are_tried_one_by_one_have_a_bound() -> None:
    reader = ListReader(kind="texts")
    reader.texts(f"*{n}*" for n in range(300))
    assert "300 texts have a * elsewhere than at their end" in str(reader.problems[0])
    reader = ListReader(kind="texts")
    assert len(reader.texts(f"{n}*" for n in range(300))) == 300
    assert reader.problems == []


def test_numbers_of_trunks() -> None:
    reader = ListReader(per_trunk=True, trunks=("customer-a", "customer-b"))
    found = reader.by_trunk(
        [f"customer-a,{TN}", "customer-b,+12025550110-+12025550119", "custmer-b,911", TN, "customer-a,+44*"]
    )
    assert {trunk: list(content.numbers) for trunk, content in found.items()} == {"customer-a": [TN], "customer-b": []}
    assert found["customer-a"].prefixes == {"44": NEVER} and len(found["customer-b"].ranges) == 1
    assert [str(problem) for problem in reader.problems] == [
        "3:1: custmer-b is no trunk; did you mean customer-b?",
        "4:1: 1 fields instead of trunk,number; write the trunk, a comma, the number",
    ]


@pytest.mark.parametrize(
    ("kind", "lines", "members"),
    [
        ("numbers", ["number,reason", "+12025550100,x"], [TN]),
        ("pairs", [f"{TN},911", f"{TN},112,2027-01-01"], [(TN, "112"), (TN, "911")]),
        ("networks", ["192.0.2.0/24"], ["192.0.2.0/24"]),
        ("texts", ["A*", "b"], ["a*", "b"]),
    ],
)
def test_a_list_of_each_kind_is_compiled(tmp_path: Path, kind: str, lines: list[str], members: list[object]) -> None:
    (tmp_path / "list.txt").write_text("\n".join(lines))
    target = tmp_path / "list.set"
    assert compile_list(tmp_path / "list.txt", target, kind)[0] == len(members)
    opened = {"numbers": NumberSet, "pairs": PairSet, "networks": NetworkSet, "texts": TextSet}[kind].open(target)
    assert sorted(opened) == members
    assert (tmp_path / "list.notes").exists() is (kind == "numbers")


OTHERWISE = {  # a line of a list -> how it is mended
    "tel,name": "write number,reason",
    "+12025550111,spam": "write a header such as number,reason above",
    "number;reason": "write commas, below a header such as number,reason",
    "+12025550111\tspam": "write commas, below a header such as number,reason",
    "0012025550111": "did you mean +12025550111?",
    "02025550111": "write + and the country code before it",
    "sip:+12025550111@example.com": "did you mean +12025550111?",
    "tel:+12025550111": "did you mean +12025550111?",
    '="12025550111"': "did you mean 12025550111?",
    '["+12025550111"]': "did you mean +12025550111?",
    "1.20256E+10": "write the column as text",
    "1-800-FLOWERS": "write digits alone, such as +12025550111",
    "202555XXXX": "write 202555* for all that begin so",
    "202*0111": "write ranges, such as 2025550100-2025550199",
    "2025550100-99": "write 2025550100-2025550199",
    "2025550100..2025550199": "write 2025550100-2025550199",
    "2025550100 to 2025550199": "write 2025550100-2025550199",
    "2025550199-2025550100": "write 2025550100-2025550199",
    "+12025550111 +12025550112": "write one in each line",
    "// numbers": "write # before a comment",
    "<html>": "write a file of numbers here; this is a web page or XML",
}


@pytest.mark.parametrize(("line", "hint"), OTHERWISE.items(), ids=OTHERWISE)
def test_a_number_that_was_written_otherwise_is_told_with_its_cure(line: str, hint: str) -> None:
    reader = ListReader()
    assert list(reader.numbers([line])) == []
    assert [problem.hint for problem in reader.problems] == [hint]


def test_a_file_of_another_kind_is_one_problem() -> None:
    reader = ListReader()
    assert list(reader.numbers(["tel,name", "+12025550111,a", "+12025550112,b"])) == []
    assert reader.problem_count == 1
