"""What is usual on trunks, kept from one start to the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sipguard.screening.counters import TRUNKS
from sipguard.service.usuals import NAME, Usuals


def test_it_outlives_a_restart(tmp_path: Path) -> None:
    usuals = Usuals(tmp_path)
    assert (usuals.at_start(), usuals.problem) == ((), "")
    usuals.write()
    assert not (tmp_path / NAME).exists(), "nothing to keep"
    usuals.take([("one", b"1"), ("other", b"2")])
    usuals.take([("one", b"3")])
    usuals.write()
    assert Usuals(tmp_path).at_start() == (("other", b"2"), ("one", b"3"))
    assert (tmp_path / NAME).stat().st_mode & 0o077 == 0


def test_of_too_many_trunks_those_go_that_learned_longest_ago(tmp_path: Path) -> None:
    usuals = Usuals(tmp_path)
    usuals.take((str(n), b"") for n in range(TRUNKS))
    usuals.take([("0", b""), ("new", b"")])
    names = [name for name, _ in usuals.at_start()]
    assert (len(names), names[0], names[-2:]) == (TRUNKS, "2", ["0", "new"])


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"format": 1}', '{"format": 1, "trunks": {"a": "?"}}', '{"format": 1, "trunks": []}']
)
def test_what_cannot_be_read_is_told_and_learned_again(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    usuals = Usuals(tmp_path)
    assert usuals.at_start() == () and NAME in usuals.problem
    usuals.take([("one", b"1")])
    usuals.write()
    assert Usuals(tmp_path).at_start() == (("one", b"1"),)


def test_what_a_later_version_wrote_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(json.dumps({"format": 2, "trunks": {"a": "AAAA"}}))
    usuals = Usuals(tmp_path)
    assert (usuals.at_start(), usuals.problem) == ((), "")
