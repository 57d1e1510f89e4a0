"""The SQL of the embedded database: schema, migrations, statements.

Enters: filters. Leaves: text of SQL with its parameters.
Must not: connect to anything.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from sipguard.records.filter import UP, Filter
from sipguard.records.record import ANSWER_COLUMNS, COLUMNS, END_COLUMNS, STORED

Query = tuple[str, list[object]]

PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = NORMAL",
    "PRAGMA busy_timeout = 2000",
    "PRAGMA cache_size = -16000",
    "PRAGMA wal_autocheckpoint = 4000",
)


class Migration(NamedTuple):
    """One step of the schema. A step that was released is never changed: its SQL is written out, not derived.

    `additive`: what a program without this step does still works, so it may use the database: new tables and indexes,
    new columns with a default.
    """

    what: str
    additive: bool
    statements: tuple[str, ...]


MIGRATIONS: Final = (
    Migration(
        "calls, notes, positions of the journals",
        False,
        (
            "CREATE TABLE call ("
            " id INTEGER PRIMARY KEY,"
            " decision_id TEXT NOT NULL, at REAL NOT NULL, site TEXT NOT NULL, node TEXT NOT NULL,"
            " journal TEXT NOT NULL, trunk TEXT NOT NULL, route TEXT NOT NULL, shown TEXT NOT NULL,"
            " caller TEXT NOT NULL, callee TEXT NOT NULL, action TEXT NOT NULL, rule TEXT NOT NULL,"
            " basis TEXT NOT NULL, status INTEGER NOT NULL, mode TEXT NOT NULL, emergency TEXT NOT NULL,"
            " revision TEXT NOT NULL, attest TEXT NOT NULL, identity TEXT NOT NULL, screen_us INTEGER NOT NULL,"
            " verdict_place INTEGER NOT NULL, disposition TEXT NOT NULL, final_status INTEGER NOT NULL,"
            " peer TEXT NOT NULL, ring_at REAL NOT NULL, answer_at REAL NOT NULL, end_at REAL NOT NULL,"
            " forward_us INTEGER NOT NULL, answer_place INTEGER NOT NULL, end_place INTEGER NOT NULL)",
            "CREATE UNIQUE INDEX call_decision ON call (decision_id)",
            "CREATE INDEX call_at ON call (at)",
            "CREATE INDEX call_caller ON call (caller, at)",
            "CREATE INDEX call_callee ON call (callee, at)",
            "CREATE INDEX call_shown ON call (shown, at) WHERE shown <> caller",
            "CREATE TABLE note (id INTEGER PRIMARY KEY, at REAL NOT NULL, journal TEXT NOT NULL,"
            " kind TEXT NOT NULL, text TEXT NOT NULL, revision TEXT NOT NULL)",
            "CREATE TABLE journal_position (journal TEXT PRIMARY KEY, segment INTEGER NOT NULL,"
            " offset INTEGER NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        "Call-IDs of both legs",
        True,
        (
            "ALTER TABLE call ADD COLUMN call_id_a TEXT NOT NULL DEFAULT ''",
            "ALTER TABLE call ADD COLUMN call_id_b TEXT NOT NULL DEFAULT ''",
        ),
    ),
)
# The lowest schema version that a program must know to use the database: that of the last step that is not additive.
NEEDED_VERSION: Final = "PRAGMA user_version"
HAS_CALLS: Final = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'call'"
CREATE_MIGRATION: Final = (
    "CREATE TABLE IF NOT EXISTS migration (version INTEGER PRIMARY KEY, applied_at REAL NOT NULL, what TEXT NOT NULL)"
)
MIGRATION_VERSION: Final = "SELECT coalesce(max(version), 0) FROM migration"
INSERT_MIGRATION: Final = "INSERT INTO migration (version, applied_at, what) VALUES (?, ?, ?)"

INSERT_CALL: Final = (
    f"INSERT INTO call ({', '.join(STORED)}) VALUES ({', '.join('?' * len(STORED))})"
    " ON CONFLICT (decision_id) DO NOTHING"
)
UPDATE_ANSWER: Final = f"UPDATE call SET {' = ?, '.join(ANSWER_COLUMNS)} = ? WHERE decision_id = ?"
_KEPT: Final = {"route": "route = coalesce(nullif(?, ''), route)"}  # frames of before do not know it
UPDATE_END: Final = (
    f"UPDATE call SET {', '.join(_KEPT.get(name, f'{name} = ?') for name in END_COLUMNS)} WHERE decision_id = ?"
)
INSERT_NOTE: Final = "INSERT INTO note (at, journal, kind, text, revision) VALUES (?, ?, ?, ?, ?)"
POSITIONS: Final = "SELECT journal, segment, offset FROM journal_position"
STORE_POSITION: Final = (
    "INSERT INTO journal_position (journal, segment, offset) VALUES (?, ?, ?)"
    " ON CONFLICT (journal) DO UPDATE SET segment = excluded.segment, offset = excluded.offset"
)
FORGET_CALLS: Final = "DELETE FROM call WHERE id IN (SELECT id FROM call WHERE at < ? ORDER BY at LIMIT ?)"

_SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM call"
GET: Final = f"{_SELECT} WHERE decision_id = ?"
BY_PREFIX: Final = f"{_SELECT} WHERE decision_id >= ? AND decision_id < ? ORDER BY at DESC LIMIT ?"
HAS_CALL_IDS: Final = "SELECT 1 FROM pragma_table_info('call') WHERE name = 'call_id_b'"
HAS_TRUNK: Final = "SELECT 1 FROM call WHERE trunk = ? OR route = ? LIMIT 1"
HAS_RULE: Final = "SELECT 1 FROM call WHERE rule = ? LIMIT 1"
NOTES: Final = "SELECT at, journal, kind, text, revision FROM note WHERE at >= ? ORDER BY at DESC, id DESC LIMIT ?"


def many(decision_ids: list[str]) -> Query:
    """The calls with these decision ids."""
    return f"{_SELECT} WHERE decision_id IN ({', '.join('?' * len(decision_ids))})", list(decision_ids)


def find(wanted: Filter) -> Query:
    """The calls of a filter, newest first."""
    where, values = _conditions(wanted)
    return f"{_SELECT}{where} ORDER BY at DESC LIMIT ?", [*values, wanted.limit]


def page(wanted: Filter, after: tuple[float, int] | None, rows: int) -> Query:
    """The id and the columns of the next `rows` calls of a filter, newest first, behind the one with (at, id)."""
    where, values = _conditions(wanted)
    if after is not None:
        where = f"{where} AND " if where else " WHERE "
        where += "(at, id) < (?, ?)"
        values += after
    return f"SELECT id, {', '.join(COLUMNS)} FROM call{where} ORDER BY at DESC, id DESC LIMIT ?", [*values, rows]


def counts(wanted: Filter) -> Query:
    """How often each (action, basis, disposition) occurs among the calls of a filter."""
    where, values = _conditions(wanted)
    return (
        f"SELECT action, basis, disposition, count(*) FROM call{where}"
        " GROUP BY action, basis, disposition ORDER BY count(*) DESC",
        values,
    )


def _conditions(wanted: Filter) -> Query:
    """The WHERE clause of a filter, "" for none, and its values."""
    clauses: list[str] = []
    values: list[object] = []
    for column in ("caller", "callee", "action", "rule", "basis", "trunk", "disposition"):
        value = getattr(wanted, column)
        if value:
            clauses.append(f"{column} = ?")
            values.append("" if (column, value) == ("disposition", UP) else value)
    if wanted.number:
        clauses.append(
            "id IN (SELECT id FROM call WHERE caller = ? UNION SELECT id FROM call WHERE callee = ?"
            " UNION SELECT id FROM call WHERE shown = ? AND shown <> caller)"
        )
        values += [wanted.number] * 3
    if wanted.call_id:
        clauses.append("? IN (call_id_a, call_id_b)")
        values.append(wanted.call_id)
    if wanted.after is not None:
        clauses.append("at >= ?")
        values.append(wanted.after)
    if wanted.before is not None:
        clauses.append("at < ?")
        values.append(wanted.before)
    if wanted.emergency:
        clauses.append("emergency <> ''")
    return (f" WHERE {' AND '.join(clauses)}" if clauses else ""), values
