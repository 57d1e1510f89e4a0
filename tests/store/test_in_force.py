"""Which state of each list was in force when."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sipguard.store.in_force import NAME, InForce, ListState, Term, terms

DNC = ListState("dnc", "numbers", ("callee",), "ann", "", "1", 0.0, (("full.txt", "ab" * 32),), 5.0, 3)
DNO = replace(DNC, list="dno", version="7", given=())
NEXT = replace(DNC, version="2")


def test_only_what_changes_is_written_and_told_again(tmp_path: Path) -> None:
    writer = InForce(tmp_path)
    writer.note(10.0, [DNC, DNO])
    writer.note(20.0, [DNC, DNO])
    writer.note(30.0, [NEXT, DNO])
    writer.note(40.0, [NEXT])
    writer.ended(50.0)
    writer.ended(60.0)
    assert len((tmp_path / NAME).read_text().splitlines()) == 4
    assert terms(tmp_path) == [Term(DNC, 10.0, 30.0), Term(DNO, 10.0, 40.0), Term(NEXT, 30.0, 50.0)]


def test_the_end_of_a_process_that_was_killed_is_not_known(tmp_path: Path) -> None:
    InForce(tmp_path).note(10.0, [DNC])
    InForce(tmp_path).note(30.0, [DNC])
    assert terms(tmp_path) == [Term(DNC, 10.0, 30.0, cut=True), Term(DNC, 30.0, None)]


def test_lines_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    assert terms(tmp_path) == []
    InForce(tmp_path).note(10.0, [DNC])
    with (tmp_path / NAME).open("a") as file:
        file.write('[]\n{"at": 3}\n{"at": 20.0, "what": "changed", "lists": [{"list": "dnc"}]}\n{"at": 20.0, "wh')
    assert terms(tmp_path) == [Term(DNC, 10.0, None)]
