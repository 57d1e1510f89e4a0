"""Lists are edited while calls run: by a command, in force 2 s later, whatever happens to the processes meanwhile."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.calls import CALLER, Calls
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, free_port, wait_for
from tests.e2e.sipp import Sipp
from tests.wanted import reason

pytestmark = pytest.mark.e2e

IN_FORCE_S: Final = 2.0
REJECTED: Final = 607


class Sides:
    """SIPp on both sides of a product of its own; the caller is +12025550101, on no list to begin with."""

    def __init__(self, make_product: MakeProduct, directory: Path) -> None:
        self.directory = directory
        self.hop = (HOP_HOST, free_port(HOP_HOST))
        self.product = make_product(start=False)
        self.product.config["trunks"]["hop"]["peers"] = [f"{HOP_HOST}:{self.hop[1]}"]
        self.product.write()
        self.product.start()

    def passes(self) -> None:
        """A call is answered."""
        uas = Sipp("001_answered_call_uas", self.directory, self.hop, None).start()
        try:
            self._calls("001_answered_call_uac")
        finally:
            uas.stop()

    def is_rejected(self) -> None:
        """A call is answered 607."""
        self._calls("185_blocked_by_an_edit_uac")

    def _calls(self, scenario: str) -> None:
        uac = Sipp(scenario, self.directory, (CALLER_HOST, free_port(CALLER_HOST)), self.product.address()).start()
        try:
            assert uac.wait() == 0, uac.complaint()
        finally:
            uac.stop()

    def edits(self, *arguments: str) -> None:
        """`sipguard lists ARGUMENTS`, and the time until it is in force."""
        done = self.product.command("lists", *arguments)
        assert done.returncode == 0, done.stderr
        time.sleep(IN_FORCE_S)


@pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there")
def test_a_number_is_blocked_and_free_again_without_a_restart(make_product: MakeProduct, tmp_path: Path) -> None:
    sides = Sides(make_product, tmp_path)
    pids = sides.product.pids()
    sides.passes()
    sides.edits("add", "blocked", CALLER, "--reason", "complaint 4711", "--by", "ann")
    sides.is_rejected()
    sides.edits("remove", "blocked", "+1202555*")
    sides.is_rejected()
    sides.edits("remove", "blocked", CALLER)
    sides.passes()
    sides.edits("undo", "3")
    sides.is_rejected()
    sides.edits("undo", "1")
    sides.passes()
    sides.edits("add", "blocked", "2025550100-2025550109")
    sides.is_rejected()
    sides.edits("undo", "6")
    sides.passes()
    assert sides.product.pids() == pids
    assert sides.product.answer("status")["edits"]["change"] == 7


@pytest.fixture
def status(own: Product, calls: Calls) -> Iterator[Calls]:
    """Calls to a product that has blocked a number by an edit."""
    own.answer("lists", "add", "blocked", CALLER, "--reason", "complaint 4711", "--by", "ann")
    wait_for(lambda: calls.status() == REJECTED, "the edit is in force", IN_FORCE_S)
    yield calls


def test_edits_outlive_reload_rollback_and_a_killed_worker(own: Product, status: Calls) -> None:
    wait_for(lambda: any(each["status"] == REJECTED for each in own.calls()), "its record")
    row = next(each for each in own.calls() if each["status"] == REJECTED)
    (step,) = [each for each in own.answer("explain", row["decision_id"])["steps"] if each["kind"] == "listed"]
    assert (step["facts"]["change"], step["facts"]["by"], step["facts"]["reason"]) == (1, "ann", "complaint 4711")
    own.write(site="elsewhere")
    assert own.answer("reload")["ok"]
    assert status.status() == REJECTED
    assert own.answer("rollback")["ok"]
    assert status.status() == REJECTED
    pid = own.worker_pid()
    os.kill(pid, 9)
    wait_for(lambda: own.worker_pid() not in (0, pid) and own.healthy(), "another worker", 15)
    assert status.status() == REJECTED
    own.answer("lists", "undo", "1")
    wait_for(lambda: status.status() == 200, "it is taken back", IN_FORCE_S)


def test_edits_come_through_while_sipguard_reloads(own: Product, calls: Calls) -> None:
    own.write(site="elsewhere")
    with ThreadPoolExecutor() as beside:
        reloaded = beside.submit(own.command, "reload")
        while not reloaded.done():
            own.answer("lists", "add", "blocked", CALLER)
            own.answer("lists", "undo", str(own.answer("lists", "history")[0]["change"]))
        assert reloaded.result().returncode == 0
    last = own.answer("lists", "add", "blocked", CALLER)["change"]
    wait_for(lambda: own.answer("status")["edits"]["change"] == last, "the last edit is in force", IN_FORCE_S)
    assert own.answer("status")["edits"]["lists"] == {"blocked": {"added": 1, "removed": 0}}
    assert calls.status() == REJECTED


def test_lists_are_edited_while_sipguard_is_down(own: Product, status: Calls) -> None:
    own.stop()
    own.answer("lists", "add", "blocked", "+12025550102", "--until", "12s")
    own.start()
    assert (status.status(), status.status("+12025550102")) == (REJECTED, REJECTED)
    wait_for(lambda: status.status("+12025550102") == 200, "it has expired", 20.0)
    assert status.status() == REJECTED
