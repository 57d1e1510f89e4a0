"""The running product while nobody steers it: how it stops, whom it answers, what it shows, what it keeps."""

from __future__ import annotations

import sqlite3
import time

import pytest

from tests.e2e.calls import BLOCKED, CALLEE, CALLER, Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import STRANGER_HOST, Product, wait_for
from tests.standin import Caller, NextHop, header, reply

pytestmark = pytest.mark.e2e


# ------------------------------------------------------------------ stopping


def test_sigterm_waits_for_the_last_call(make_product: MakeProduct, hop: NextHop) -> None:
    product = make_product(drain={"deadline": "30s"})
    calls = Calls(product)
    invite = calls.caller.invite(CALLER, CALLEE)
    outcome = calls.caller.call(invite, hang_up=False)
    product.terminate()
    wait_for(lambda: b'"event": "draining"' in product.log.read_bytes(), "it drains")
    assert calls.status() == 503
    assert calls.status(callee="911") == 200, "emergency calls pass while it drains"
    assert product.process is not None
    assert product.process.poll() is None
    assert calls.caller.bye(invite, outcome.final) == 200
    assert product.process.wait(10) == 0
    rows = own_rows(product, 2)
    assert {row["disposition"] for row in rows} == {"answered"}
    calls.caller.close()


def test_the_deadline_of_a_drain_hangs_up(make_product: MakeProduct, hop: NextHop) -> None:
    product = make_product(drain={"deadline": "1s"})
    calls = Calls(product)
    outcome = calls.place(hang_up=False)
    assert outcome.status == 200
    product.terminate()
    bye, source = calls.caller.receive(10)
    assert bye.startswith("BYE ")
    calls.caller.send(reply(bye, "200 OK", ""), source)
    arrived = hop.invite_for(CALLEE)
    assert arrived is not None
    call_id = header(arrived[0], "Call-ID")
    wait_for(
        lambda: any(text.startswith("BYE ") and header(text, "Call-ID") == call_id for text in hop.requests),
        "a BYE at the next hop",
    )
    assert product.stop() == 0
    assert [row["disposition"] for row in own_rows(product, 1)] == ["drained"]
    calls.caller.close()


# ------------------------------------------------------------------ who may send, what can be seen


def test_strangers_get_no_answer(product: Product, hop: NextHop) -> None:
    before = product.metric("sipguard_unknown_source_total")
    reached = len(hop.invites)
    stranger = Caller(product.address(), STRANGER_HOST)
    invite = stranger.invite(CALLER, CALLEE)
    assert stranger.call(invite, wait_s=0.5).status == 0
    for method in ("OPTIONS", "MESSAGE", "CANCEL"):
        assert stranger.ask(invite.replace("INVITE", method), 0.2) == ""
    broken = invite.replace("CSeq: 1 INVITE", "CSeq: one INVITE")
    assert stranger.ask(broken, 0.2) == ""
    assert stranger.got == []
    assert len(hop.invites) == reached
    wait_for(lambda: product.metric("sipguard_unknown_source_total") > before, "they are counted")
    stranger.close()


def test_metrics_and_health(own: Product, calls: Calls) -> None:
    assert calls.status() == 200
    assert calls.status(BLOCKED) == 607
    assert calls.status(callee="911") == 200
    wait_for(lambda: own.metric("sipguard_ended_calls_total", disposition="rejected") == 1, "loaded")
    assert own.metric("sipguard_invites_total") == 3
    assert own.metric("sipguard_calls_total", verdict="allow") == 2
    assert own.metric("sipguard_calls_total", verdict="reject") == 1
    assert own.metric("sipguard_refusals_total", basis="subscriber") == 1
    assert own.metric("sipguard_emergency_calls_total") == 1
    assert own.metric("sipguard_responses_total", status="607") == 1
    assert own.metric("sipguard_troubles_total") == 0
    status, text = own.get("/healthz")
    assert status == 200
    assert own.answer("status")["revision"] in text


def test_calls_and_explain(own: Product, calls: Calls) -> None:
    assert calls.status(BLOCKED) == 607
    row = own.call_of("(202) 555-0121", 0.0)
    assert (row["caller"], row["callee"], row["trunk"]) == ("12025550121", "12025550131", "carrier")
    assert (row["site"], row["node"], row["rule"], row["basis"]) == ("test", "one", "blocked-caller", "subscriber")
    for wanted, number in (
        (("--verdict", "reject"), 1), (("--verdict", "allow"), 0), (("--rule", "blocked-caller"), 1),
        (("--trunk", "hop"), 0), (("--caller", "+1 202-555-0121"), 1), (("--since", "1m"), 1), (("--until", "1m"), 0),
    ):  # fmt: skip
        assert len(own.calls(*wanted)) == number, wanted
    assert own.command("calls", "--since", "yesterday or so").returncode == 2
    steps = own.answer("explain", row["decision_id"])["steps"]
    assert {"arrival", "guard", "check", "not_asked", "verdict"} <= {step["kind"] for step in steps}
    assert "blocked-caller" in own.command("explain", row["decision_id"]).stdout
    assert own.command("explain", "0123456789abcdef").returncode == 1


# ------------------------------------------------------------------ the database is away


def test_a_locked_database_loses_nothing(own: Product, calls: Calls) -> None:
    assert calls.status() == 200
    own_rows(own, 1)
    with sqlite3.connect(own.directory / "records.sqlite", isolation_level=None) as database:
        database.execute("BEGIN EXCLUSIVE")
        for _ in range(20):
            assert calls.status() == 200
        time.sleep(2)
        database.execute("ROLLBACK")
    database.close()
    assert calls.status(BLOCKED) == 607
    assert len(own_rows(own, 22)) == 22


def test_a_missing_database_loses_nothing(make_product: MakeProduct) -> None:
    product = make_product(start=False)
    place = product.directory / "database"
    place.write_text("a file where a directory should be")
    product.write(records={"database": "database/records.sqlite", "interval": "100ms"})
    product.start()
    calls = Calls(product)
    for _ in range(10):
        assert calls.status() == 200
    wait_for(lambda: product.metric("sipguard_store_failures_total") > 0, "it is counted")
    wait_for(lambda: "the database cannot be used" in product.command("status").stdout, "status says so")
    place.unlink()
    place.mkdir()
    wait_for(lambda: product.metric("sipguard_loaded_frames_total") > 0, "the database", 30)
    rows = own_rows(product, 10)
    assert {row["disposition"] for row in rows} == {"answered"}
    assert "the database" not in product.command("status").stdout
    calls.caller.close()


def test_rows_equal_calls_after_a_stop(own: Product, calls: Calls) -> None:
    for _ in range(20):
        assert calls.status() == 200
    assert own.stop() == 0
    assert len(own_rows(own, 20)) == 20
