"""What version 0.1.0 wrote and read, written out. Never changed: it is the past.

Frames of the journal, the header of a segment, the SQL of the database, the keys of the configuration, the modes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import msgspec

Value = str | int | float | bool | tuple[str, ...] | None

# ------------------------------------------------------------------------------------------ the journal

SEGMENT_HEADER: Final = struct.Struct("=8sIIQd")  # magic, version, page of zeros, segment number, created_at
SEGMENT_MAGIC: Final = b"SIPGJRNL"
SEGMENT_VERSION: Final = 1
SEGMENT_HEADER_BYTES: Final = 64


class VerdictRow(msgspec.Struct, array_like=True, tag="verdict", gc=False):
    decision_id: str
    at: float
    site: str = ""
    node: str = ""
    worker: int = 0
    trunk: str = ""
    route: str = ""
    shown: str = ""
    asserted: str = ""
    caller: str = ""
    callee: str = ""
    action: str = ""
    rule: str = ""
    basis: str = ""
    status: int = 0
    mode: str = "enforce"
    emergency: str = ""
    revision: str = ""
    attest: str = ""
    identity: str = ""
    screen_us: int = 0
    call_id_a: str = ""


class VerdictFrame(VerdictRow, array_like=True, tag="verdict", gc=False):
    from_tag_a: str = ""
    source: str = ""
    transport: str = "udp"
    listener: str = ""
    verstat: str = ""
    facts: dict[str, Value] = {}
    findings: Sequence[tuple[str, str, str]] = ()
    not_asked: Sequence[str] = ()
    unscreened: Sequence[str] = ()
    tags: Sequence[str] = ()
    matched: Sequence[str] = ()
    reported: Sequence[str] = ()
    head: bytes = b""


class LegState(msgspec.Struct, array_like=True, gc=False):
    call_id: str
    local_tag: str
    remote_tag: str
    local_cseq: int
    remote_cseq: int
    route_set: Sequence[str]
    remote_target: str
    local_uri: str
    remote_uri: str
    address: str
    listener: str


class AnswerRow(msgspec.Struct, array_like=True, tag="answer", gc=False):
    decision_id: str
    at: float
    peer: str


class AnswerFrame(AnswerRow, array_like=True, tag="answer", gc=False):
    legs: tuple[LegState, LegState]


class TargetFrame(msgspec.Struct, array_like=True, tag="target", gc=False):
    decision_id: str
    at: float
    leg: str
    remote_target: str


class EndFrame(msgspec.Struct, array_like=True, tag="end", gc=False):
    decision_id: str
    at: float
    disposition: str
    final_status: int = 0
    final_phrase: str = ""
    reason: str = ""
    call_id_b: str = ""
    peer: str = ""
    ring_at: float = 0.0
    answer_at: float = 0.0
    bye_by: str = ""
    tries: Sequence[tuple[str, int]] = ()
    forward_us: int = 0


class NoteFrame(msgspec.Struct, array_like=True, tag="note", gc=False):
    at: float
    kind: str
    text: str = ""
    revision: str = ""


Frame = VerdictFrame | AnswerFrame | TargetFrame | EndFrame | NoteFrame

# ------------------------------------------------------------------------------------------ the database

SCHEMA_VERSION: Final = 1
SCHEMA: Final = (
    "CREATE TABLE migration (version INTEGER PRIMARY KEY, applied_at REAL NOT NULL, what TEXT NOT NULL)",
    """CREATE TABLE call (
  id INTEGER PRIMARY KEY,
  decision_id TEXT NOT NULL, at REAL NOT NULL, site TEXT NOT NULL, node TEXT NOT NULL, journal TEXT NOT NULL,
  trunk TEXT NOT NULL, route TEXT NOT NULL, shown TEXT NOT NULL, caller TEXT NOT NULL, callee TEXT NOT NULL,
  action TEXT NOT NULL, rule TEXT NOT NULL, basis TEXT NOT NULL, status INTEGER NOT NULL, mode TEXT NOT NULL,
  emergency TEXT NOT NULL, revision TEXT NOT NULL, attest TEXT NOT NULL, identity TEXT NOT NULL,
  screen_us INTEGER NOT NULL, verdict_place INTEGER NOT NULL, disposition TEXT NOT NULL,
  final_status INTEGER NOT NULL, peer TEXT NOT NULL, ring_at REAL NOT NULL, answer_at REAL NOT NULL,
  end_at REAL NOT NULL, forward_us INTEGER NOT NULL, answer_place INTEGER NOT NULL, end_place INTEGER NOT NULL
)""",
    "CREATE UNIQUE INDEX call_decision ON call (decision_id)",
    "CREATE INDEX call_at ON call (at)",
    "CREATE INDEX call_caller ON call (caller, at)",
    "CREATE INDEX call_callee ON call (callee, at)",
    "CREATE INDEX call_shown ON call (shown, at) WHERE shown <> caller",
    "CREATE TABLE note (id INTEGER PRIMARY KEY, at REAL NOT NULL, journal TEXT NOT NULL, kind TEXT NOT NULL,"
    " text TEXT NOT NULL, revision TEXT NOT NULL)",
    "CREATE TABLE journal_position (journal TEXT PRIMARY KEY, segment INTEGER NOT NULL, offset INTEGER NOT NULL)"
    " WITHOUT ROWID",
    "INSERT INTO migration VALUES (1, 1767225600.0, 'calls, notes, positions of the journals')",
)
COLUMNS: Final = (
    "decision_id", "at", "site", "node", "journal", "trunk", "route", "shown", "caller", "callee", "action", "rule",
    "basis", "status", "mode", "emergency", "revision", "attest", "identity", "screen_us", "verdict_place",
    "disposition", "final_status", "peer", "ring_at", "answer_at", "end_at", "forward_us", "answer_place",
    "end_place",
)  # fmt: skip
ROW: Final[dict[str, object]] = {
    "decision_id": "old-1", "at": 1767225600.0, "site": "east", "node": "n1", "journal": "0", "trunk": "carrier-a",
    "route": "core", "shown": "12025550101", "caller": "12025550101", "callee": "12025550102", "action": "allow",
    "rule": "default", "basis": "", "status": 0, "mode": "enforce", "emergency": "", "revision": "r7", "attest": "A",
    "identity": "passed", "screen_us": 250, "verdict_place": (1 << 32) + 64, "disposition": "answered",
    "final_status": 200, "peer": "192.0.2.9:5060", "ring_at": 1767225601.0, "answer_at": 1767225603.0,
    "end_at": 1767225663.0, "forward_us": 420, "answer_place": (1 << 32) + 640, "end_place": (1 << 32) + 1280,
}  # fmt: skip
NEEDED_VERSION: Final = "PRAGMA user_version"  # must not be above SCHEMA_VERSION
INSERT_CALL: Final = f"INSERT INTO call ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
UPDATE_END: Final = (
    "UPDATE call SET disposition = ?, final_status = ?, peer = ?, ring_at = ?, answer_at = ?, end_at = ?,"
    " forward_us = ?, end_place = ? WHERE decision_id = ?"
)
INSERT_NOTE: Final = "INSERT INTO note (at, journal, kind, text, revision) VALUES (?, ?, ?, ?, ?)"
STORE_POSITION: Final = (
    "INSERT INTO journal_position (journal, segment, offset) VALUES (?, ?, ?)"
    " ON CONFLICT (journal) DO UPDATE SET segment = excluded.segment, offset = excluded.offset"
)
SELECT: Final = f"SELECT {', '.join(COLUMNS)} FROM call ORDER BY at DESC"

# ------------------------------------------------------------------------------------------ the state

MODES: Final = '{"": "report", "carrier-a": "bypass"}'  # mode.json

# ------------------------------------------------------------------------------------------ the configuration

SMALLEST: Final = """\
site: dc1
node: n1
listeners:
  main: {address: 127.0.0.1}
trunks:
  core: {kind: interconnect, peers: ["127.0.0.1:5070"]}
  carrier-a: {kind: interconnect, sources: [192.0.2.0/28], route: core}
policy: {rules: [], default: allow}
identity: {anchors: [root.pem]}
"""

COMPLETE: Final = """\
site: dc1
node: n1
mode: report
listeners:
  main: {address: 127.0.0.1, port: 5060, transport: udp, advertise: {address: 192.0.2.1, port: 5061}}
trunks:
  core:
    kind: interconnect
    listener: main
    peers: ["127.0.0.1:5070", "192.0.2.9"]
    try_timeout: 4s
    down_for: 30s
    write: {form: e164, prefix: "9"}
    verstat: suffix_all
    attestation_headers: {attestation: Attestation-Info, origination: Origination-ID}
  carrier-a:
    kind: gateway
    sources: [192.0.2.0/28, 198.51.100.7]
    route: core
    limits: {cps: 5, calls: 50}
    read: {default_country: "1", strip_prefix: "9", tech_prefix: "", local_area: "202"}
    trust_pai: true
    emergency_marks: trusted
    verify: false
    block_location: TN
    upstream: {legal_name: Carrier A, ocn: "000A", rmd_id: RMD0000001, contact: traceback@carrier-a.example}
identity:
  anchors: [root.pem]
  fetch:
    allow_networks: [127.0.0.0/8]
    ports: [443, 8443]
    ca_file: root.pem
    deadline: 2s
    per_host: 4
    cache: certificates
lists:
  dno: {file: dno.txt, kind: numbers, format: plain, bind: [shown, asserted]}
  registry: {file: dnc.txt, format: ftc, bind: [callee]}
  consent: {members: ["+12025550101,+12025550131"], kind: pairs, bind: [pair]}
  orders: {members: [carrier-a], kind: trunks, bind: [upstream]}
emergency: {numbers: ["933"], psap_callers: ["+12025550190"], route: core}
policy:
  rules:
    - {name: dno, when: {lists.shown: dno}, reject: dno}
    - name: tagged
      when: {not: {lists.pair: consent}, rate.caller.attempts_1m: {over: 20}}
      label: {prefix: "SPAM? "}
  default: allow
redress: {url: "https://provider.example/redress", tel: "+12025550100", email: redress@provider.example}
screening:
  complete: 2.5%
  checks:
    number: {on_failure: open}
    lists: {on_failure: open}
    rate: {on_failure: open}
    identity: {on_failure: closed, freshness: 60s, future: 5s, budget: 250ms, max_headers: 10, strict: false}
overload: {skip_verification_after: 100ms, refuse_after: 400ms, max_calls: 20000}
drain: {deadline: 60s}
journal: {directory: journal, segment_size: 64MiB, keep: 7d}
records: {database: records.sqlite, interval: 500ms, keep: 90d}
metrics: {address: 127.0.0.1, port: 9464}
logs: {calls: sampled, sample: 1%, mask: true}
run: {directory: run}
state: {directory: state}
"""
FILES: Final = {"dno.txt": "+12025550111\n", "dnc.txt": "202,5550131\n"}  # that COMPLETE names
