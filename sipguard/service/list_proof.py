"""What can be shown of lists for one day: which state of each was in force when, how old it was, what it did to calls.

Enters: the file of states, edits, counts of a day. Leaves: a Proof. Must not: take for known what nobody kept.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from sipguard.records.list_tally import OUTCOMES, Counted
from sipguard.screening.overlay import ADDED
from sipguard.service.list_tally import begin_of, day_of, of_day
from sipguard.store.edits import Change, EditStore
from sipguard.store.in_force import ListState, Term, terms


@dataclass(frozen=True, slots=True)
class Done:
    """What a rule did to calls of a trunk that were on a list; `rule` "" for calls that none touched."""

    trunk: str
    rule: str
    basis: str
    calls: dict[str, int]  # one of OUTCOMES -> how many


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the day in which one state of a list was in force. Instants are Unix seconds.

    `cut`: the process was killed some time before `to_at`. `age_s` at the beginning, None where nobody knows it;
    `stale_at`: when it became older than it may be, within the part or before it. `added` and `removed`: entries of
    edits in force at the beginning; `changes` were made within it.
    """

    state: ListState
    from_at: float
    to_at: float
    cut: bool
    age_s: float | None
    stale_at: float | None
    added: int
    removed: int
    changes: tuple[Change, ...]
    done: tuple[Done, ...]


@dataclass
class Proof:
    """One day in a time zone: `from_at` <= at < `to_at`, which is now where the day is not over."""

    day: date
    from_at: float
    to_at: float
    calls: int = 0
    lists: dict[str, list[Stretch]] = field(default_factory=dict)
    unknown: dict[str, tuple[Done, ...]] = field(default_factory=dict)  # list -> calls under a state that nobody kept
    untold: list[str] = field(default_factory=list)  # what cannot be told, a sentence each

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "day": self.day.isoformat(),
            "from_at": self.from_at,
            "to_at": self.to_at,
            "calls": self.calls,
            "lists": [
                {
                    **asdict(each.state),
                    "given": [{"file": file, "sha256": digest} for file, digest in each.state.given],
                    "from_at": each.from_at,
                    "to_at": each.to_at,
                    "end_not_known": each.cut,
                    "age_s": each.age_s,
                    "stale_at": each.stale_at,
                    "edits": {
                        "added": each.added,
                        "removed": each.removed,
                        "changes": [change._asdict() for change in each.changes],
                    },
                    "calls": [asdict(done) for done in each.done],
                }
                for stretches in self.lists.values()
                for each in stretches
            ],
            "calls_under_unknown_states": {
                name: [asdict(each) for each in done] for name, done in self.unknown.items()
            },
            "untold": self.untold,
        }


def proof(
    day: date, zone: tzinfo, journal_dir: Path, lists_dir: Path, edits: EditStore | None, wanted: str = ""
) -> Proof:
    """The proof of a day in `zone`; of one list where `wanted` names it. Raises StoreError, JournalError, OSError."""
    now_at = time.time()
    from_at = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    after = day + timedelta(days=1)
    end_at = datetime(after.year, after.month, after.day, tzinfo=zone).timestamp()
    found = Proof(day, from_at, min(end_at, now_at))
    if end_at > now_at:
        found.untold.append("the day is not over: this is what there is up to now")
    counted = _counted(found, journal_dir, lists_dir, zone)
    history = [term for term in terms(lists_dir) if not wanted or term.state.list == wanted]
    changes = _changes(edits, found)
    for term in history:
        to_at = min(term.to_at if term.to_at is not None else found.to_at, found.to_at)
        if term.from_at < found.to_at and to_at > found.from_at:
            stretch = _stretch(term, max(term.from_at, found.from_at), to_at, counted, edits, changes)
            found.lists.setdefault(term.state.list, []).append(stretch)
    first = min((term.from_at for term in history), default=found.to_at)
    if first > found.from_at:
        found.untold.append(f"which lists were in force before {_instant(first, zone)} was not kept")
    for name in sorted({key.list for key in counted if not key.since and (not wanted or key.list == wanted)}):
        found.unknown[name] = _done(counted, name, 0.0)
    return found


def _counted(found: Proof, journal_dir: Path, lists_dir: Path, zone: tzinfo) -> Counter[Counted]:
    """The counts of all hours of the day; says what is missing."""
    counted: Counter[Counted] = Counter()
    day = day_of(found.from_at)
    while begin_of(day) < found.to_at:
        tally = of_day(journal_dir, lists_dir, day)
        counted.update({key: n for key, n in tally.counted if found.from_at <= key.hour_at < found.to_at})
        found.calls += tally.calls if begin_of(day) == found.from_at else 0
        if tally.from_at > found.from_at and tally.from_at > begin_of(day):
            until = _instant(min(tally.from_at, found.to_at), zone)
            found.untold.append(
                f"calls before {until} are not in the journal any more: what was done to them is not known"
            )
        if tally.unread:
            found.untold.append(f"{tally.unread} frames of the journal of {day} (UTC) are damaged, and not counted")
        day += timedelta(days=1)
    if found.from_at % 3600:
        found.untold.append("calls are counted by the hour of UTC: the first and last hour are those of UTC")
    return counted


def _stretch(
    term: Term,
    from_at: float,
    to_at: float,
    counted: Counter[Counted],
    edits: EditStore | None,
    changes: Iterable[Change],
) -> Stretch:
    """One part of the day."""
    state = term.state
    added = removed = 0
    if edits is not None:
        for held in edits.state(edits.last_before(from_at), state.list):
            if not held.expires_at or from_at < held.expires_at:
                added += held.said == ADDED
                removed += held.said != ADDED
    stale_at = state.dated_at + state.max_age_s if state.dated_at and state.max_age_s else None
    return Stretch(
        state=state,
        from_at=from_at,
        to_at=to_at,
        cut=term.cut and to_at == term.to_at,
        age_s=max(0.0, from_at - state.dated_at) if state.dated_at else None,
        stale_at=stale_at if stale_at is not None and stale_at < to_at else None,
        added=added,
        removed=removed,
        changes=tuple(each for each in changes if each.list == state.list and from_at <= each.at < to_at),
        done=_done(counted, state.list, term.from_at),
    )


def _done(counted: Counter[Counted], name: str, since: float) -> tuple[Done, ...]:
    """What was done to calls under the state of a list that came into force at `since`."""
    by_rule: dict[tuple[str, str, str], dict[str, int]] = {}
    for key, n in counted.items():
        if key.list == name and key.since == since:
            of = by_rule.setdefault((key.trunk, key.rule, key.basis), dict.fromkeys(OUTCOMES, 0))
            of[key.outcome] += n
    return tuple(Done(*key, calls) for key, calls in sorted(by_rule.items()))


def _changes(edits: EditStore | None, found: Proof) -> list[Change]:
    """The changes of lists on the day, in order."""
    if edits is None:
        return []
    rows = edits.history(since_at=found.from_at, limit=1_000_000)
    return [each for each in reversed(rows) if each.at < found.to_at]


def _instant(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M:%S%z}".replace("+0000", "Z")


def csv_rows(found: Proof) -> Iterator[tuple[object, ...]]:
    """A row for each state, trunk and rule, below a header; of a state that did nothing one all the same."""
    yield (
        "day", "list", "from", "to", "version", "data_of", "age_days", "max_age_days", "stale_from", "files", "sha256",
        "entries", "edits_added", "edits_removed", "changes", "imported_at", "imported_by", "trunk", "rule", "basis",
        *OUTCOMES,
    )  # fmt: skip
    for stretches in found.lists.values():
        for each in stretches:
            head = _head(found, each)
            for done in each.done or (Done("", "", "", dict.fromkeys(OUTCOMES, 0)),):
                yield (*head, done.trunk, done.rule, done.basis, *(done.calls[outcome] for outcome in OUTCOMES))
    for name, of in found.unknown.items():
        for done in of:
            head = (found.day.isoformat(), name, *[""] * 15)
            yield (*head, done.trunk, done.rule, done.basis, *(done.calls[outcome] for outcome in OUTCOMES))


def _head(found: Proof, each: Stretch) -> tuple[object, ...]:
    state = each.state
    return (
        found.day.isoformat(), state.list, _utc(each.from_at), _utc(each.to_at), state.version, _utc(state.dated_at),
        "" if each.age_s is None else round(each.age_s / 86_400, 2), round(state.max_age_s / 86_400, 2) or "",
        _utc(each.stale_at or 0.0), " ".join(file for file, _ in state.given),
        " ".join(digest for _, digest in state.given), "" if state.entries is None else state.entries, each.added,
        each.removed, " ".join(str(change.sequence) for change in each.changes), _utc(state.imported_at),
        state.imported_by,
    )  # fmt: skip


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}" if at else ""
