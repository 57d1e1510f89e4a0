"""Sets of texts with and without *, in memory and in files."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.numbers import textset
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.textset import TextSet, build_texts, folded
from sipguard.numbers.wide import NEVER

TEXTS = st.text("ab*", min_size=1, max_size=4)
ENDS = st.sampled_from([1, 50, NEVER])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("texts") / "list.set"


@pytest.mark.parametrize("held", [0, textset.HELD], ids=["mapped", "held"])
@settings(max_examples=80, deadline=None)
@given(members=st.dictionaries(TEXTS, ENDS, max_size=10), asked=st.lists(st.text("ab", max_size=5), max_size=10))
def test_it_holds_what_fits_any_of_its_texts(file: Path, held: int, members: dict[str, int], asked: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(textset, "HELD", held)
        assert build_texts(file, members) == len(members)
        mapped = TextSet.open(file)
    plain = TextSet.of(members)
    for text in asked:
        fitting = {entry for entry in members if fnmatchcase(text, entry)}
        assert set(mapped.entries_of(text)) == set(plain.entries_of(text)) == fitting
        assert (text in mapped) is (text in plain) is bool(fitting)
        assert mapped.until(text) == max((members[entry] for entry in fitting), default=0)
    assert sorted(mapped) == sorted(plain) == sorted(members)
    assert len(mapped) == len(members)


def test_large_and_small_letters_are_the_same() -> None:
    assert folded(" Example STRASSE ") in TextSet.of(["EXAMPLE strasse"])


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(NumberSetError):
        TextSet.open(tmp_path / "a")
