"""How the supervisor hears of edits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sipguard.screening.overlay import ADDED, REMOVED, SILENT, Edit, Overlay
from sipguard.service.list_edits import PORTION, ListEdits, lines, portions
from sipguard.store.edits import ADD, NAME, REMOVE, EditStore
from sipguard.store.errors import StoreUnavailable

A, B = "12025550100", "12025550101"
LATER = 4_000_000_000.0


def change(directory: Path, action: str, *entries: str, until: float = 0.0) -> int:
    with EditStore.writing(directory / NAME) as store:
        return store.change(action, "blocked", entries, who="ann", at=1.0, expires_at=until)


def aged(directory: Path) -> None:
    """Nothing was written lately."""
    for each in (directory / NAME, directory / f"{NAME}-wal"):
        if each.exists():
            os.utime(each, (1_700_000_000, 1_700_000_000))


def look(edits: ListEdits) -> list[Edit]:
    return edits.take(edits.read())


def test_what_is_new_is_handed_on_once(tmp_path: Path) -> None:
    edits = ListEdits(tmp_path)
    assert look(edits) == [] and not edits.has_news()
    change(tmp_path, ADD, A)
    assert edits.has_news()
    assert look(edits) == [("blocked", A, ADDED, 0.0)]
    aged(tmp_path)
    look(edits)
    assert not edits.has_news(), "two calls of the file system, nothing is opened"
    change(tmp_path, REMOVE, B, until=LATER)
    assert edits.has_news()
    assert look(edits) == [("blocked", B, REMOVED, LATER)]
    assert edits.at_start() == [("blocked", A, ADDED, 0.0), ("blocked", B, REMOVED, LATER)]
    assert edits.as_json() == {"change": 2, "lists": {"blocked": {"added": 1, "removed": 1}}, "problem": ""}
    assert list(lines(edits.as_json())) == ["blocked: 1 added, 1 removed, last change 2"]


def test_looking_is_over_while_a_writer_stays_open(tmp_path: Path) -> None:
    edits = ListEdits(tmp_path)
    with EditStore.writing(tmp_path / NAME) as store:
        store.change(ADD, "blocked", [A], who="ann", at=1.0)
        assert look(edits) == [("blocked", A, ADDED, 0.0)]
        aged(tmp_path)
        look(edits)
        assert not edits.has_news()
        store.change(ADD, "blocked", [B], who="ann", at=1.0)
        assert edits.has_news()
        assert look(edits) == [("blocked", B, ADDED, 0.0)]


def test_what_was_taken_back_is_let_go(tmp_path: Path) -> None:
    edits = ListEdits(tmp_path)
    change(tmp_path, ADD, A, B)
    look(edits)
    with EditStore.writing(tmp_path / NAME) as store:
        store.undo(1, who="ann", at=1.0)
    assert look(edits) == [("blocked", A, SILENT, 0.0), ("blocked", B, SILENT, 0.0)]
    assert edits.at_start() == []


def test_another_file_in_its_place_is_taken_whole(tmp_path: Path) -> None:
    edits = ListEdits(tmp_path)
    change(tmp_path, ADD, A)
    change(tmp_path, ADD, B)
    look(edits)
    change(tmp_path / "restored", ADD, B)
    (tmp_path / "restored" / NAME).replace(tmp_path / NAME)
    assert look(edits) == [("blocked", A, SILENT, 0.0), ("blocked", B, ADDED, 0.0)]
    assert edits.sequence == 1


def test_a_file_that_is_gone_takes_nothing_back(tmp_path: Path) -> None:
    edits = ListEdits(tmp_path)
    change(tmp_path, ADD, A)
    look(edits)
    for each in tmp_path.iterdir():
        each.unlink()
    with pytest.raises(StoreUnavailable, match="stay in force"):
        look(edits)
    assert edits.at_start() == [("blocked", A, ADDED, 0.0)]


def test_many_edits_come_in_portions_and_count_with_the_last_one() -> None:
    many: list[Edit] = [("blocked", f"1202{n:07}", ADDED, 0.0) for n in range(2 * PORTION + 1)]
    overlay = Overlay()
    seen = []
    for portion in portions(3, 9, many):
        overlay.take(*portion)
        seen.append((overlay.sequence, len(portion[1])))
    assert seen == [(3, PORTION), (3, PORTION), (9, 1)]
    assert list(portions(3, 4, [])) == [(4, [])]
