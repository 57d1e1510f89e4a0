"""What an operator does with the running product: commands and their exit codes, modes, drain, metrics, records."""

from __future__ import annotations

import copy
import os
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, STRANGER_HOST, Product, wait_for
from tests.standin import Caller, NextHop, Outcome, header, reply

pytestmark = pytest.mark.e2e

CALLER: Final = "+12025550101"
BLOCKED: Final = "+12025550121"
CALLEE: Final = "+12025550131"


class Calls:
    """Places calls to a product and hangs up."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.caller = Caller(product.address(), CALLER_HOST)

    def place(self, caller: str = CALLER, callee: str = CALLEE, **how: Any) -> Outcome:
        """One call."""
        return self.caller.call(self.caller.invite(caller, callee), **how)

    def status(self, caller: str = CALLER, callee: str = CALLEE) -> int:
        """The final status of one call."""
        return self.place(caller, callee).status


@pytest.fixture
def own(make_product: MakeProduct) -> Product:
    """A product of the test's own."""
    return make_product()


@pytest.fixture
def calls(own: Product) -> Iterator[Calls]:
    """Calls to it."""
    found = Calls(own)
    yield found
    found.caller.close()


# ------------------------------------------------------------------ configuration


def test_check_and_its_exit_codes(make_product: MakeProduct) -> None:
    product = make_product(start=False)
    good = product.command("check")
    assert (good.returncode, good.stderr) == (0, "")
    trunks = copy.deepcopy(product.config["trunks"])
    trunks["carrier"] |= {"rout": "hop", "kind": "interconect"}
    product.write(trunks=trunks)
    bad = product.command("check")
    assert bad.returncode == 2
    for wanted in (f"{product.path}:", "trunks.carrier.rout", "did you mean route?", "interconect"):
        assert wanted in bad.stdout
    assert product.command("run").returncode == 2


def test_commands_without_a_running_product(make_product: MakeProduct) -> None:
    product = make_product(start=False)
    for command in (("status",), ("reload",), ("rollback",), ("mode", "report"), ("drain",)):
        done = product.command(*command)
        assert done.returncode == 3, command
        assert done.stderr
    assert product.command("calls").returncode == 1
    assert product.command("mode", "sometimes").returncode == 2


def test_a_second_one_does_not_start(own: Product) -> None:
    done = own.command("run")
    assert done.returncode == 1
    assert "cannot_start" in done.stdout
    assert own.healthy()


def test_reload_and_rollback(own: Product, calls: Calls) -> None:
    first = own.answer("status")["revision"]
    assert calls.status() == 200
    before = own.config["policy"]
    own.write(policy={**before, "rules": [_blocks_all(), *before["rules"]]})
    swapped = own.answer("reload")
    assert (swapped["before"], swapped["ok"]) == (first, True)
    assert swapped["revision"] == own.answer("status")["revision"] != first
    assert calls.status() == 403
    back = own.answer("rollback")
    assert back["revision"] == first
    assert calls.status() == 200
    rows = own_rows(own, 3)
    assert [row["revision"] for row in rows] == [first, swapped["revision"], first]


def test_a_broken_reload_changes_nothing(own: Product, calls: Calls) -> None:
    first = own.answer("status")["revision"]
    before = own.config["policy"]
    own.write(policy={"rules": [{"name": "odd", "when": {"lists.calle": "dno"}, "reject": "dno"}], "default": "allow"})
    done = own.command("reload")
    assert done.returncode == 1
    assert "lists.calle" in done.stderr
    assert first in done.stderr
    own.path.write_text("{")
    assert own.command("reload").returncode == 2, "it does not even say where sipguard runs"
    own.write()
    assert own.answer("status")["revision"] == first
    assert calls.status(BLOCKED) == 607
    own.write(policy=before)
    assert own.command("reload").returncode == 0


def test_sighup_reloads(own: Product, calls: Calls) -> None:
    before = own.config["policy"]
    own.write(policy={**before, "rules": [_blocks_all(), *before["rules"]]})
    assert own.process is not None
    own.process.send_signal(signal.SIGHUP)
    wait_for(lambda: b'"event": "reload"' in own.log.read_bytes(), "the reload")
    assert calls.status() == 403


def _blocks_all() -> dict[str, Any]:
    return {"name": "closed", "when": {"trunk.kind": "interconnect"}, "reject": "contract"}


def own_rows(product: Product, count: int) -> list[dict[str, Any]]:
    """The records of the product, oldest first, once there are `count` of them and all have ended."""
    found: list[dict[str, Any]] = []

    def there() -> bool:
        found[:] = product.calls()
        return len(found) >= count and all(row["disposition"] for row in found)

    wait_for(there, f"{count} records", 15)
    assert len(found) == count
    return found[::-1]


# ------------------------------------------------------------------ modes


def test_report_decides_and_lets_pass(own: Product, calls: Calls) -> None:
    assert calls.status(BLOCKED) == 607
    began_at = time.monotonic()
    assert own.answer("mode", "report")["modes"][""] == "report"
    assert calls.status(BLOCKED) == 200
    assert time.monotonic() - began_at < 2.0
    refused, passed = own_rows(own, 2)
    assert (refused["mode"], refused["action"], refused["final_status"]) == ("enforce", "reject", 607)
    assert (passed["mode"], passed["action"], passed["rule"]) == ("report", "reject", "blocked-caller")
    assert (passed["disposition"], passed["final_status"]) == ("answered", 200)
    assert own.metric("sipguard_reported_calls_total") == 1


def test_bypass_forwards_untouched(own: Product, calls: Calls, hop: NextHop) -> None:
    labelled = "+12025550171"
    own.answer("mode", "bypass")
    assert calls.status(labelled) == 200
    arrived = hop.invite_for(CALLEE)
    assert arrived is not None
    assert header(arrived[0], "From").startswith(f"<sip:{labelled}@"), "neither label nor verstat"
    assert calls.status(BLOCKED) == 200
    assert [row["rule"] for row in own_rows(own, 2)] == ["bypass", "bypass"]


def test_a_mode_of_one_trunk(own: Product, calls: Calls) -> None:
    done = own.command("mode", "report", "--trunk", "carier")
    assert done.returncode == 1
    assert "carrier" in done.stderr
    own.answer("mode", "report", "--trunk", "carrier")
    assert calls.status(BLOCKED) == 200
    own.answer("mode", "enforce")
    assert calls.status(BLOCKED) == 607, "a mode for all trunks ends that of one"


def test_a_mode_survives_a_restart_and_alarms(own: Product, calls: Calls) -> None:
    own.answer("mode", "report")
    assert own.stop() == 0
    own.start()
    assert calls.status(BLOCKED) == 200
    assert '"mode": "report"' in own.log.read_text().rpartition('"event": "listening"')[2]
    assert own.metric("sipguard_mode", mode="report") == 1
    assert own.metric("sipguard_mode", mode="enforce") == 0


def test_a_killed_worker_is_started_again(own: Product, calls: Calls) -> None:
    own.answer("mode", "report")
    pid = own.worker_pid()
    assert calls.status() == 200
    os.kill(pid, signal.SIGKILL)
    invite = calls.caller.invite(BLOCKED, CALLEE)
    wait_for(lambda: own.answer("status")["processes"]["worker"]["starts"] == 2, "a new worker")
    wait_for(own.healthy, "the worker publishes its levels")
    assert own.worker_pid() != pid
    assert calls.caller.call(invite).status == 200, "the mode and the sockets stayed"
    assert len(own_rows(own, 2)) == 2, "what was in the journal is loaded"


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
    place.unlink()
    place.mkdir()
    wait_for(lambda: (place / "records.sqlite").exists(), "the database", 30)
    rows = own_rows(product, 10)
    assert {row["disposition"] for row in rows} == {"answered"}
    calls.caller.close()


def test_rows_equal_calls_after_a_stop(own: Product, calls: Calls) -> None:
    for _ in range(20):
        assert calls.status() == 200
    assert own.stop() == 0
    assert len(own_rows(own, 20)) == 20


def test_the_port_is_taken(make_product: MakeProduct) -> None:
    product = make_product(start=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(product.address())
        done = product.command("run")
    assert done.returncode == 1
    assert "cannot_start" in done.stdout
    assert str(product.address()[1]) in done.stdout
