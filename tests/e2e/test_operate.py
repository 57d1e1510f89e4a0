"""What an operator does with the running product: check, run, reload, rollback, mode; with their exit codes."""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import tarfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from sipguard import __version__
from sipguard.service.door import CONNECTIONS
from tests.e2e.calls import BLOCKED, CALLEE, CALLER, Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import ROOT, Product, wait_for
from tests.standin import NextHop, header

pytestmark = pytest.mark.e2e


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
    for command in (("status",), ("reload",), ("rollback",), ("mode", "report"), ("drain",), ("hangup", "x")):
        done = product.command(*command)
        assert done.returncode == 3, command
        assert done.stderr
    assert product.command("calls").returncode == 1
    assert product.command("mode", "sometimes").returncode == 2


def test_status_says_what_runs(own: Product) -> None:
    host, port = own.address()
    answer = own.answer("status")
    assert (answer["version"], answer["calls"]) == (__version__, 0)
    assert {each["port"] for each in answer["listeners"]} == {own.address(name)[1] for name in ("outer", "inner")}
    wait_for(lambda: bool(own.answer("status")["peers"]), "the worker has told of its peers")
    text = own.command("status").stdout
    for wanted in (f"version   {__version__}", f"listener  outer: udp {host}:{port}", "calls     0 up",
                   "priority 0, weight 0: up"):  # fmt: skip
        assert wanted in text, text


def test_a_stop_leaves_no_traceback(make_product: MakeProduct) -> None:
    product = make_product()
    assert product.stop() == 0
    said = product.log.read_text()
    assert "never retrieved" not in said
    assert "Traceback" not in said


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


def test_the_port_is_taken(make_product: MakeProduct) -> None:
    product = make_product(start=False)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(product.address())
        done = product.command("run")
    assert done.returncode == 1
    assert "cannot_start" in done.stdout
    assert str(product.address()[1]) in done.stdout


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


def test_a_rule_in_mode_report_is_counted_and_found(own: Product, calls: Calls) -> None:
    before = own.config["policy"]
    own.write(policy={**before, "rules": [{**_blocks_all(), "mode": "report"}, *before["rules"]]})
    assert own.command("reload").returncode == 0
    assert calls.status() == 200
    wait_for(lambda: "sipguard_reported_rules_total{" in own.get("/metrics")[1], "the rule is counted")
    assert own.metric("sipguard_reported_rules_total", rule="closed", verdict="reject") == 1
    (row,) = own_rows(own, 1)
    assert (row["action"], row["reported"]) == ("allow", ["closed"])
    assert [each["decision_id"] for each in own.answer("calls", "--would", "closed")] == [row["decision_id"]]


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
    assert "no call comes from it" in own.command("mode", "report", "--trunk", "hop").stderr
    own.answer("mode", "report", "--trunk", "carrier")
    assert calls.status(BLOCKED) == 200
    own.answer("mode", "enforce")
    assert calls.status(BLOCKED) == 607, "a mode for all trunks ends that of one"


def test_a_mode_is_in_force_when_the_command_answers(own: Product, calls: Calls) -> None:
    for mode, status in [("report", 200), ("enforce", 607)] * 10:
        own.answer("mode", mode)
        assert calls.status(BLOCKED) == status, mode


def test_a_mode_and_a_ruleset_reach_a_worker_that_died_meanwhile(own: Product, calls: Calls) -> None:
    before = own.config["policy"]
    os.kill(own.worker_pid(), signal.SIGKILL)
    own.answer("mode", "report")
    assert calls.status(BLOCKED) == 200
    os.kill(own.worker_pid(), signal.SIGKILL)
    own.write(policy={**before, "rules": [_blocks_all(), *before["rules"]]})
    revision = own.answer("reload")["revision"]
    own.answer("mode", "enforce")
    assert calls.status() == 403
    assert own_rows(own, 2)[-1]["revision"] == revision


def test_a_rollback_to_a_list_that_is_gone_is_refused(own: Product, calls: Calls) -> None:
    lists = own.config["lists"]
    source = own.directory / "many.txt"
    source.write_text("".join(f"+1202555{n:04}\n" for n in range(5000, 9000)))
    own.write(lists={**lists, "many": {"file": "many.txt", "bind": ["caller"]}})
    with_file = own.answer("reload")["revision"]
    own.write(lists=lists)
    without = own.answer("reload")["revision"]
    built = [path for path in own.directory.rglob("*many*") if path.is_file()]
    assert len(built) > 1, "the source and what was built from it"
    for path in built:
        path.unlink()
    refused = own.command("rollback")
    assert refused.returncode == 1
    assert "many" in refused.stderr
    assert own.answer("status")["revision"] == without != with_file
    own.answer("mode", "report")
    assert calls.status(BLOCKED) == 200, "the worker still listens"


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


def test_an_operator_hangs_up_one_call(own: Product, calls: Calls) -> None:
    assert calls.place(hang_up=False).status == 200
    other = calls.place(hang_up=False)
    assert other.status == 200
    wait_for(lambda: len(own.calls()) == 2, "both calls are loaded")
    second, first = (row["decision_id"] for row in own.calls())
    done = own.command("hangup", first)
    assert (done.returncode, done.stdout) == (0, f"{first} was up; hung up\n")
    while not (message := calls.caller.receive(5.0)[0]).startswith("BYE "):
        pass
    assert header(message, "Call-ID") != other.call_id
    wait_for(lambda: own.calls()[1]["disposition"] == "admin", "its end is loaded")
    assert own.calls()[0]["disposition"] == "", "the other call goes on"
    for decision_id in (first, second[:-1], "nosuch"):
        again = own.command("hangup", decision_id)
        assert again.returncode == 1
        assert again.stderr == f"no call with the decision id {decision_id} is up\n"
    assert "an operator hung it up" in own.command("explain", first).stdout
    assert own.answer("hangup", second) == {"ok": True, "decision_id": second}


# ------------------------------------------------------------------ doctor


def test_the_doctor_knows_the_running_product(own: Product, calls: Calls, tmp_path: Path) -> None:
    calls.status()
    own_rows(own, 1)
    bundle = tmp_path / "support.tar.gz"
    done = own.command("doctor", "--bundle", str(bundle), "--log", str(own.log))
    assert done.returncode == 0, done.stdout
    for name in (*own.config["listeners"], "metrics"):
        (line,) = [line for line in done.stdout.splitlines() if f"{name}:" in line.split(" port")[0]]
        assert line.startswith("ok ") and "is bound by the running sipguard" in line
    assert "sipguard: runs for" in done.stdout
    with tarfile.open(bundle) as archive:
        parts = {
            member.name.rpartition("/")[2]: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }
    assert "sipguard_invites_total" in parts["metrics.txt"]
    assert json.loads(parts["status.json"])["processes"]["worker"]["pid"] == own.worker_pid()
    assert '"event": "ready"' in parts["log.txt"]
    assert not any(CALLER.lstrip("+") in text for text in parts.values())


# ------------------------------------------------------------------ top


def test_top_shows_what_goes_on(own: Product, calls: Calls) -> None:
    for caller in (CALLER, BLOCKED):
        calls.status(caller=caller)
    own_rows(own, 2)
    wait_for(lambda: own.metric("sipguard_peer_tries_total", outcome="answered") == 1, "the try is counted")
    frame = own.answer("top", "--interval", "100ms")
    assert (frame["verdicts"]["allow"][0], frame["verdicts"]["reject"][0]) == (1, 1)
    assert frame["refusals"] == {"subscriber": 1}
    (peer,) = frame["peers"]
    assert (peer["trunk"], peer["passed_over"], peer["tries"]) == ("hop", "", {"answered": 1})
    assert frame["latency_ms"]["50"] > 0
    assert frame["processes"][0]["memory_bytes"] > 10 * 2**20
    assert frame["alerts"] == []
    once = own.command("top", "--once", "--interval", "100ms")
    assert once.returncode == 0
    for wanted in ("verdicts", "subscriber", "p99", "processes", peer["peer"]):
        assert wanted in once.stdout


def test_top_in_a_terminal_ends_by_an_interrupt(own: Product) -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "sipguard.cli.main", "top", "--interval", "100ms", "-c", str(own.path)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=ROOT, start_new_session=True)
    os.close(theirs)
    text = b""
    while b"processes" not in text:
        text += os.read(ours, 65_536)
    process.send_signal(signal.SIGINT)
    with suppress(OSError):  # EIO, once it has ended; a terminal that nobody reads would hold it up
        while os.read(ours, 65_536):
            pass
    assert process.wait(10) == 0
    os.close(ours)


def test_the_port_of_the_metrics_has_so_many_connections(own: Product) -> None:
    address = ("127.0.0.1", int(own.config["metrics"]["port"]))
    with ExitStack() as held:
        for _ in range(CONNECTIONS):
            held.enter_context(socket.create_connection(address, 5.0))
        one_more = held.enter_context(socket.create_connection(address, 5.0))
        try:
            assert one_more.recv(1) == b"", "closed at once"
        except ConnectionResetError:
            pass
    wait_for(lambda: _is_healthy(own), "there is room again")


def _is_healthy(product: Product) -> bool:
    try:
        return product.get("/healthz")[0] == 200
    except OSError:  # no room for this connection
        return False
