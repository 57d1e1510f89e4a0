"""The tables of tests/e2e/identities.py, row by row: SIPp on both sides of one running product, and its records.

A row of REFUSED is called twice: to one who takes verified callers only, and by a trunk whose calls go on and which is
told what failed (RFC 9410).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any, Final

import pytest

from sipguard.stir.errors import PHRASES
from tests.e2e.identities import ABOVE, PASSING, REFUSED, URN, Dated, Row, by
from tests.e2e.product import Product, configuration, free_port, wait_for
from tests.e2e.signers import Signers
from tests.e2e.sipp import IDENTITIES, Message, Sipp, messages
from tests.standin import header, headers
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there"),
]

AT_ONCE: Final = 8
REFUSAL, GOING_ON = "170_identity_refused", "171_identity_goes_on"
SOURCES: Final = {
    "asks": "127.0.12.170",  # wants verified callers
    "told": "127.0.12.171",  # its calls go on, and it is told what failed
    "named": "127.0.12.172",  # shows names that were signed
    "full": "127.0.12.173",  # has had all calls that it may have
}
HOPS: Final = {REFUSAL: "127.0.43.170", GOING_ON: "127.0.43.171"}
AREAS: Final = {  # of the called numbers
    REFUSAL: ("212", "315", "332", "516", "518", "646", "718"),
    GOING_ON: ("217", "224", "309", "312", "618", "773", "872"),
}

POLICY: Final[dict[str, Any]] = {
    "rules": [
        {"name": "dno", "when": {"lists.shown": "dno"}, "reject": "dno"},
        {
            "name": "withheld",
            "on": ["asks"],
            "when": {"lists.callee": "no_withheld", "number.shown.class": "anonymous"},
            "reject": "anonymous",
        },
        {
            "name": "shows-another",
            "on": ["asks"],
            "when": {"call.shown_is_asserted": False, "identity.orig_source": "pai"},
            "reject": "contract",
        },
        {
            "name": "name",
            "on": ["named"],
            "when": {"identity.result": "passed", "identity.attest": "A", "identity.rcd_name": "*"},
            "label": {"prefix": "{identity.rcd_name} "},
            "continue": True,
        },
        {
            "name": "why",
            "on": ["named"],
            "when": {"identity.result": "passed", "identity.attest": "A", "identity.rcd_reason": "*"},
            "label": {"headers": {"Call-Info": '<data:>;purpose=jcard;call-reason="{identity.rcd_reason}"'}},
        },
        {
            "name": "verified-only",
            "on": ["asks"],
            "when": {"identity.result": ["failed", "none", "unsupported"]},
            "reject": "identity",
        },
    ],
    "default": "allow",
}


GOOD: Final = PASSING["as carriers write it"]


@dataclass
class Call:
    """One call of a row, and what came of it."""

    row: Row
    scenario: str
    source: str
    callee: str
    directory: Path
    values: list[str] = field(default_factory=list)
    status: int = -1
    complaints: str = ""
    a: list[Message] = field(default_factory=list)

    @property
    def refused(self) -> bool:
        """Whether it must end with a refusal of ours."""
        return self.scenario == REFUSAL

    def final(self) -> Message:
        """The final response to its INVITE."""
        return next(each for each in self.a if not each.sent and each.kind[0] in "23456" and "INVITE" in each.kind)


class Calls:
    """Calls of all rows through one product, several at a time."""

    def __init__(self, directory: Path, budget: str = "5s") -> None:
        self.directory = directory
        self._budget = budget
        self.signers = Signers(directory)
        self.port = free_port(HOPS[GOING_ON])
        self.product = Product(directory / "product", self._configuration())
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._uas: dict[str, Sipp] = {}
        self._started: dict[tuple[str, str], Future[Call]] = {}
        self._arrived: dict[str, Message] | None = None
        self._rows: dict[str, dict[str, Any]] = {}

    def _configuration(self) -> dict[str, Any]:
        config = configuration(self.port)
        config["identity"] = self.signers.identity()
        config["screening"] = {"checks": {"identity": {"budget": self._budget, "replay_fails": True}}}
        config["policy"] = POLICY
        config["lists"] = {
            "dno": {"members": ["+12025550111", "+12025550190"], "bind": ["shown"]},
            "no_withheld": {"members": ["+12125550199"], "bind": ["callee"]},
        }
        config["emergency"] = {"psap_callers": ["+12025550190"]}
        route = [
            {"prefix": [f"+1{area}" for area in AREAS[REFUSAL]], "to": "refusing"},
            {"to": "going-on"},
        ]
        config["trunks"] = {
            name: {"kind": "interconnect", "listener": "inner", "peers": [f"{HOPS[scenario]}:{self.port}"]}
            for name, scenario in (("refusing", REFUSAL), ("going-on", GOING_ON))
        } | {
            name: {"kind": "interconnect", "listener": "outer", "sources": [source], "route": route}
            for name, source in SOURCES.items()
        }
        config["trunks"]["told"]["reason_stir"] = "compact"
        config["trunks"]["full"]["limits"] = {"cps": 0.001}
        return config

    def start(self, wanted: list[tuple[str, str]]) -> None:
        """Starts the product, the called sides and all these calls."""
        self.product.start()
        for scenario, host in HOPS.items():
            directory = self.directory / scenario
            directory.mkdir()
            log = ("-trace_msg", "-message_file", str(directory / "uas.messages"))
            self._uas[scenario] = Sipp(f"{scenario}_uas", directory, (host, self.port), None, *log, calls=1000).start()
        if wanted:
            assert self.again(902, trunk="full").status == 0, "the one call that its limit lets through"
        for n, (table, name) in enumerate(wanted):
            self._started[table, name] = self._pool.submit(self._call, n, table, name)

    def result(self, table: str, name: str) -> Call:
        """What came of a row."""
        return self._started[table, name].result(60)

    def _call(self, n: int, table: str, name: str) -> Call:
        row, scenario, source = _plan(table, name)
        areas = AREAS[scenario]
        callee = row.callee or f"1{areas[n // 99 % len(areas)]}55501{n % 99:02d}"
        directory = self.directory / f"{n}"
        directory.mkdir()
        call = Call(row, scenario, source, callee, directory)
        self._place(call)
        return call

    def _place(self, call: Call) -> None:
        row, outer = call.row, self.product.address()
        if not call.values and row.make is not None:
            made = row.make(self.signers, call.callee)
            call.values = [made] if isinstance(made, str) else made
        lines = [f"{row.name}: {value}" for value in call.values]
        lines += [_dated(line) for line in row.more]
        lines += [f"Date: {value.date}" for value in call.values if isinstance(value, Dated)]
        numbers = {"callee": call.callee, "callee10": call.callee[1:], "at": f"{outer[0]}:{outer[1]}"}
        uac = Sipp(
            f"{call.scenario}_uac", call.directory, (call.source, free_port(call.source)), outer,
            "-key", "uri", row.uri.format(**numbers), "-key", "who", row.who.format(**numbers),
            "-key", "called", row.called.format(**numbers), "-key", "more", "\r\n".join(lines or ["X-Row: none"]),
            "-mp", str(20000 + 4 * int(call.directory.name)),
        ).start()  # fmt: skip
        call.status = uac.wait()
        call.complaints, call.a = uac.complaint(), uac.messages()

    def again(self, n: int, first: Call | None = None, trunk: str = "asks", row: Row = GOOD) -> Call:
        """A call with a good token, or after `first` another one to the same number with its token."""
        directory = self.directory / f"{n}"
        directory.mkdir()
        scenario, values = (GOING_ON, []) if first is None else (REFUSAL, first.values)
        callee = f"1{AREAS[GOING_ON][0]}5550199"
        call = Call(row, scenario, SOURCES[trunk], callee, directory, values)
        self._place(call)
        return call

    def arrived(self, call: Call) -> Message | None:
        """The INVITE that reached the next hop."""
        if self._arrived is None:
            for each in self._started.values():
                each.result(60)
            self._arrived = {
                _dialled(each.start)[-10:]: each
                for scenario in HOPS
                for each in messages(self.directory / scenario / "uas.messages")
                if each.kind == "INVITE"
            }
        return self._arrived.get(call.callee[-10:])

    def record(self, call: Call) -> dict[str, Any]:
        """Its row."""
        if not self._rows:
            callees = {each.result(60).callee for each in self._started.values()}

            def there() -> bool:
                rows = self.product.calls()
                self._rows = {row["callee"] or URN: row for row in rows if row["disposition"]}
                return callees <= set(self._rows)

            wait_for(there, f"{len(callees)} records", 15)
        return self._rows[call.callee]

    def facts(self, call: Call) -> dict[str, Any]:
        """The facts that its record keeps."""
        told = self.product.answer("explain", self.record(call)["decision_id"])
        return {name: value for step in told["steps"] for name, value in step["facts"].items()}

    def close(self) -> None:
        """Stops everything."""
        self._pool.shutdown(cancel_futures=True)
        for uas in self._uas.values():
            uas.stop()
        self.product.stop()
        self.signers.close()


def _plan(table: str, name: str) -> tuple[Row, str, str]:
    """The row, the scenario, and where the call comes from."""
    row = TABLES[table][name]
    refused = table == "refused" or (table == "above" and row.status != 0)
    trunk = "told" if table == "reported" or (table == "passing" and row.told) else "asks"
    return row, REFUSAL if refused else GOING_ON, SOURCES[row.trunk or trunk]


def _dialled(start: str) -> str:
    """The digits in the Request-URI, or all of a URN."""
    uri = start.split(" ")[1]
    return uri if uri.startswith("urn:") else uri.partition(":")[2].partition("@")[0].partition(";")[0].lstrip("+")


def _dated(line: str) -> str:
    """A line of `more`; date:SECONDS is a Date so far from now."""
    name, _, offset = line.partition(":")
    return f"Date: {formatdate(time.time() + float(offset), usegmt=True)}" if name == "date" else line


TABLES: Final = {"refused": REFUSED, "reported": REFUSED, "passing": PASSING, "above": ABOVE}
ROWS: Final = [(table, name) for table, rows in TABLES.items() for name in rows]


@pytest.fixture(scope="module")
def calls(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """All chosen rows, called at once."""
    found = Calls(tmp_path_factory.mktemp("identities"))
    chosen = {
        (item.callspec.params["table"], item.callspec.params["name"])
        for item in request.session.items
        if getattr(item, "module", None) is request.module and hasattr(item, "callspec")
    }
    try:
        found.start([each for each in ROWS if each in chosen])
        yield found
    finally:
        found.close()


def _rows(table: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("table", "name"), [(table, name) for name in TABLES[table]], ids=TABLES[table])


@_rows("refused")
def test_what_does_not_hold_is_refused(calls: Calls, table: str, name: str) -> None:
    call = calls.result(table, name)
    row = call.row
    assert call.status == 0, call.complaints
    phrase = "Use Supported PASSporT Format" if row.reason == "unsupported_ppt" else PHRASES[row.status]
    assert call.final().start == f"SIP/2.0 {row.status} {phrase}"
    assert call.final().values("Reason") == []
    assert calls.arrived(call) is None
    record = calls.record(call)
    assert (record["action"], record["rule"], record["status"]) == ("reject", "verified-only", row.status)
    _check_facts(calls, call)


@_rows("reported")
def test_it_goes_on_where_no_rule_refuses_it_and_the_signer_is_told(calls: Calls, table: str, name: str) -> None:
    call = calls.result(table, name)
    assert call.status == 0, call.complaints
    _check_told(call, (call.row.status,) if call.row.told is None else call.row.told)
    none = call.row.status == 428
    _check_forwarded(calls, call, "No-TN-Validation" if none else "TN-Validation-Failed")
    record = calls.record(call)
    result = {"identity_missing": "none", "unsupported_ppt": "unsupported"}.get(call.row.reason, "failed")
    assert (record["action"], record["identity"]) == ("allow", result)


@_rows("passing")
def test_what_holds_goes_on_though_only_verified_callers_may(calls: Calls, table: str, name: str) -> None:
    call = calls.result(table, name)
    row = call.row
    assert call.status == 0, call.complaints
    _check_told(call, row.told or ())
    _check_forwarded(calls, call, "TN-Validation-Passed")
    record = calls.record(call)
    assert (record["action"], record["identity"]) == ("allow", "passed")
    facts = _check_facts(calls, call)
    assert facts["identity.orig_source"] == row.source
    assert set(facts.get("identity.deviations") or ()) == set(row.deviations)


@_rows("above")
def test_what_stands_above_verification(calls: Calls, table: str, name: str) -> None:
    call = calls.result(table, name)
    row = call.row
    assert call.status == 0, call.complaints
    if row.status:
        assert call.final().start.startswith(f"SIP/2.0 {row.status} ")
    arrived = calls.arrived(call)
    assert (arrived is None) == bool(row.status)
    for wanted in row.arrives:
        assert arrived is not None and any(line.startswith(wanted) for line in arrived.lines), arrived.lines
    record = calls.record(call)
    assert {key: record[key] for key in row.record} == row.record
    _check_facts(calls, call)


def test_a_token_that_has_served_a_call_is_refused_in_another(calls: Calls) -> None:
    """RFC 8224 §12.1, with `replay_fails`."""
    began_at = time.time()
    first = calls.again(900)
    assert first.status == 0, first.complaints
    assert calls.product.call_of(first.callee, began_at)["identity"] == "passed"
    began_at = time.time()
    second = calls.again(901, first)
    assert second.status == 0, second.complaints
    assert second.final().start == "SIP/2.0 438 Invalid Identity Header"
    record = calls.product.call_of(second.callee, began_at)
    assert (record["rule"], record["identity"]) == ("verified-only", "failed")
    told = calls.product.answer("explain", record["decision_id"])
    assert any(step["facts"].get("identity.reason") == "replayed" for step in told["steps"])


def test_a_certificate_that_comes_too_late_serves_the_next_call(tmp_path: Path) -> None:
    """The call goes on unverified when its budget is over, and the fetch goes on behind it."""
    row = Row(by("late.pem"))
    calls = Calls(tmp_path, budget="100ms")
    try:
        calls.start([])
        for n, (verstat, result) in enumerate((("No-TN-Validation", ""), ("TN-Validation-Passed", "passed"))):
            began_at = time.time()
            call = calls.again(903 + n, trunk="told", row=row)
            assert call.status == 0, call.complaints
            (*_, arrived) = [each for each in messages(tmp_path / GOING_ON / "uas.messages") if each.kind == "INVITE"]
            assert f"verstat={verstat}" in header(arrived.text, "From")
            assert calls.product.call_of(call.callee, began_at)["identity"] == result
            wait_for(lambda: calls.product.metric("sipguard_certificates") >= 1, "the certificate is there")
        assert calls.product.metric("sipguard_unscreened_calls_total", check="identity") == 1
    finally:
        calls.close()


def _check_facts(calls: Calls, call: Call) -> dict[str, Any]:
    """The record says why, and what else the row wants."""
    facts = calls.facts(call)
    row = call.row
    if row.reason:
        assert facts["identity.reason"] == row.reason, facts
    elif row.reason is not None:
        assert "identity.reason" not in facts, facts
    assert {name: facts.get(name) for name in row.facts} == row.facts
    return facts


def _check_told(call: Call, causes: tuple[int, ...]) -> None:
    """The first provisional response has a Reason for each value that failed, no other response has any."""
    responses = [each for each in call.a if not each.sent and each.start.startswith("SIP/2.0 ")]
    told = {each.kind: each.values("Reason") for each in responses if each.values("Reason")}
    assert list(told) == (["180 INVITE"] if causes else [])
    reasons = told.get("180 INVITE", [])
    assert [each.partition(';text="')[0] for each in reasons] == [f"STIR;cause={cause}" for cause in causes]
    for each in reasons:
        signature = each.partition(';ppi="..')[2].rstrip('"')
        assert not signature or any(signature in value for value in call.values), each


def _check_forwarded(calls: Calls, call: Call, verstat: str) -> None:
    """The next hop got every Identity value byte for byte, and what verification came to."""
    arrived = calls.arrived(call)
    assert arrived is not None
    assert headers(arrived.text, "Identity", "y") == [value.strip() for value in call.values]
    shown = header(arrived.text, "P-Asserted-Identity") or header(arrived.text, "From")
    if "anonymous.invalid" in shown:
        return  # there is no number that it could be said of
    assert f"verstat={verstat}" in shown


def test_the_pairs_stand_in_the_readme() -> None:
    assert set(IDENTITIES) == {REFUSAL, GOING_ON}
