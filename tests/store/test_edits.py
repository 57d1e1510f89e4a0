"""Edits of lists: changes, undo, the state after each, and what goes wrong."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.screening.lists import Lists
from sipguard.screening.overlay import ADDED, REMOVED, SILENT, Overlay
from sipguard.store.edits import ADD, LAST_AT, MIGRATIONS, REMOVE, UNDO, EditStore
from sipguard.store.errors import BadChange, StoreTooNew, StoreUnavailable

A, B, C = "12025550100", "12025550101", "12025550102"
NOW = 1_800_000_000.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "lists.db"


def add(store: EditStore, *entries: str, until: float = 0.0, action: str = ADD) -> int:
    return store.change(action, "blocked", entries, who="ann", why="complaint", expires_at=until, at=NOW)


def test_a_change_keeps_who_when_and_why(path: Path) -> None:
    with EditStore.writing(path) as store:
        assert add(store, B, A, B, until=NOW + 60) == 1
        change = store.get(1)
        assert change is not None
        assert (change.who, change.why, change.at, change.action, change.entries) == ("ann", "complaint", NOW, ADD, 2)
        assert store.entries(1) == [A, B]
        assert store.whole(NOW) == (1, [("blocked", A, ADDED, NOW + 60), ("blocked", B, ADDED, NOW + 60)])
        assert store.whole(NOW + 60) == (1, [])
    assert EditStore.reading(path.with_name("none.db")) is None


def test_what_comes_after_a_change_is_a_delta(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
        add(store, A, action=REMOVE)
        store.undo(2, who="bob", at=NOW)
        assert store.since(1) == (3, [("blocked", A, REMOVED, 0.0), ("blocked", A, ADDED, 0.0)])
        assert store.since(3) == (3, [])
        store.undo(1, who="bob", at=NOW)
        assert store.since(3) == (4, [("blocked", A, SILENT, 0.0)])


def test_undo_leaves_what_was_changed_later(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A, B)
        add(store, A, action=REMOVE)
        by = store.undo(1, who="bob", why="wrong list", at=NOW + 1)
        assert [(held.entry, held.said, held.origin) for held in store.state(by)] == [(A, REMOVED, 2)]
        assert [(held.entry, held.said) for held in store.state(1)] == [(A, ADDED), (B, ADDED)]
        undone = store.get(1)
        assert undone is not None and undone.undone_by == by
        assert [(each.action, each.undoes) for each in store.history(entry=B)] == [(UNDO, 1), (ADD, 0)]
        store.undo(2, who="bob", at=NOW + 2)
        assert store.state(store.sequence()) == []


@pytest.mark.parametrize(
    ("which", "what"), [(9, "no change 9"), (1, "undone before, by change 2"), (2, "undid change")]
)
def test_undo_says_why_not(path: Path, which: int, what: str) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
        store.undo(1, who="bob", at=NOW)
        with pytest.raises(BadChange, match=what):
            store.undo(which, who="bob", at=NOW)
        assert store.sequence() == 2


def test_the_trail_is_found_by_list_entry_and_time(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
        store.change(ADD, "other", [A], who="bob", at=NOW + 10)
        assert [each.sequence for each in store.history()] == [2, 1]
        assert [each.sequence for each in store.history("blocked")] == [1]
        assert [each.sequence for each in store.history(entry=A)] == [2, 1]
        assert [each.sequence for each in store.history(entry=B)] == []
        assert [each.sequence for each in store.history(since_at=NOW + 5)] == [2]
        assert (store.last_before(NOW + 9), store.last_before(NOW - 1)) == (1, 0)


# ------------------------------------------------------------------------------------------ against a plain model

OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from([ADD, REMOVE, UNDO]),
        st.sets(st.sampled_from([A, B, C]), min_size=1),
        st.sampled_from([0.0, NOW - 5.0, NOW + 5.0]),
        st.integers(1, 8),
    ),
    max_size=12,
)


@settings(max_examples=40, deadline=None)
@given(OPERATIONS, st.sets(st.sampled_from([A, B, C])), st.integers(0, 12))
def test_it_is_a_set_with_expiry_and_undo(
    tmp_path_factory: pytest.TempPathFactory,
    operations: list[tuple[str, set[str], float, int]],
    base: set[str],
    handed_at: int,
) -> None:
    """A worker that was given everything at some change, and deltas from there on, asks as the plain model says."""
    done: dict[int, tuple[str, set[str], float] | None] = {}
    overlay = Overlay()
    with EditStore.writing(tmp_path_factory.mktemp("edits") / "lists.db") as store:
        for number, (action, entries, until, which) in enumerate(operations):
            if number == handed_at:
                overlay = Overlay()
                overlay.take(*store.whole(NOW))
            if action == UNDO:
                if done.get(which) is not None:
                    done[store.undo(which, who="ann", at=NOW)] = None
                    done[which] = None
            else:
                done[add(store, *entries, until=until, action=action)] = (action, entries, until)
            last, edits = store.since(overlay.sequence)
            overlay.take(last, edits)
    lists = Lists({"caller": (("blocked", frozenset(base)),)}, (), overlay)
    for entry in (A, B, C):
        standing = [each for _, each in sorted(done.items()) if each is not None and entry in each[1]]
        is_on = entry in base
        if standing and (not standing[-1][2] or standing[-1][2] > NOW):
            is_on = standing[-1][0] == ADD
        assert lists.of("caller", entry, NOW) == (("blocked",) if is_on else ())


# ------------------------------------------------------------------------------------------ what goes wrong


def test_several_write_at_once(path: Path) -> None:
    def write(many: int) -> None:
        with EditStore.writing(path) as store:
            for n in range(many):
                add(store, f"1202555{n:04}")

    writers = [threading.Thread(target=write, args=(10,)) for _ in range(4)]
    for each in writers:
        each.start()
    for each in writers:
        each.join()
    store = EditStore.reading(path)
    assert store is not None
    with store:
        assert sorted(each.sequence for each in store.history()) == list(range(1, 41))


def test_a_writer_that_is_killed_leaves_nothing_behind(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
    script = (
        "import os, sys; from pathlib import Path; from sipguard.store.edits import EditStore\n"
        "store = EditStore.writing(Path(sys.argv[1]))\n"
        "store._db.execute('BEGIN IMMEDIATE')\n"
        "store._db.execute(\"INSERT INTO edit VALUES ('blocked', '12025550101', 2, 1, 0, 2)\")\n"
        "os.kill(os.getpid(), 9)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(path)], check=False)
    assert killed.returncode == -9
    with EditStore.writing(path) as store:
        assert store.since(0) == (1, [("blocked", A, ADDED, 0.0)])
        assert add(store, B) == 2


def test_who_waits_too_long_for_another_writer_is_told(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with EditStore.writing(path, waits_s=0.05) as hurried:
            with pytest.raises(StoreUnavailable, match=r"others have been writing.*nothing was changed"):
                add(hurried, B)
            other.execute("ROLLBACK")
            other.close()
            assert add(hurried, B) == 2


def test_a_full_disk_changes_nothing(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
        pages = store._db.execute("PRAGMA page_count").fetchone()[0]
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreUnavailable, match="no room on the disk"):
            add(store, *[f"1202{n:07}" for n in range(20_000)])
        store._db.execute("PRAGMA max_page_count = 100000")
        assert store.sequence() == 1
        assert add(store, B) == 2


def test_a_damaged_file_is_told_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 100)
    for opening in (EditStore.writing, EditStore.reading):
        with pytest.raises(StoreUnavailable, match=r"damaged.*restore it from a backup"):
            opening(path)
    assert path.read_bytes().startswith(b"no database")


def test_a_file_of_a_newer_program_is_left_alone(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    for opening in (EditStore.writing, EditStore.reading):
        with pytest.raises(StoreTooNew, match="newer sipguard"):
            opening(path)


def test_an_additive_step_of_a_newer_program_changes_nothing_here(path: Path) -> None:
    with EditStore.writing(path) as store:
        add(store, A)
    db = sqlite3.connect(path)
    db.execute("ALTER TABLE change ADD COLUMN ticket TEXT NOT NULL DEFAULT ''")
    db.execute("INSERT INTO migration VALUES (?, 0, 'tickets')", (len(MIGRATIONS) + 1,))
    db.commit()
    db.close()
    with EditStore.writing(path) as store:
        assert add(store, B) == 2
        assert store.undo(1, who="ann", at=NOW) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_root_makes_belongs_to_the_owner_of_the_directory(path: Path) -> None:
    path.parent.mkdir()
    os.chown(path.parent, 4242, 4343)
    with EditStore.writing(path) as store:
        add(store, A)
        owned = [(each.stat().st_uid, each.stat().st_gid) for each in path.parent.iterdir()]
    assert len(owned) == 3 and set(owned) == {(4242, 4343)}


def test_instants_that_no_calendar_has_are_told_as_the_nearest_that_it_has(path: Path) -> None:
    ends = {1e20: LAST_AT, float("inf"): LAST_AT, -1e15: 1.0, -0.5: 1.0, NOW - 60: NOW - 60, 0.0: 0.0}
    with EditStore.writing(path) as store:
        for end in ends:
            add(store, A, until=end)
        store.change(ADD, "blocked", [B], who="ann", at=-1e18)
        store.change(ADD, "blocked", [C], who="ann", at=1e18)
        trail = store.history()
        assert [each.expires_at for each in reversed(trail)][: len(ends)] == list(ends.values())
        assert [each.at for each in trail][:2] == [LAST_AT, 0.0]
        assert [edit[3] for edit in store.since(0)[1]][: len(ends)] == list(ends.values())
        for sequence, end in enumerate(ends.values(), 1):
            held = store.entry("blocked", A, sequence)
            assert held is not None and held.expires_at == end
            assert store.state(sequence)[0].expires_at == end
