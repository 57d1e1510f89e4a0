"""A killed process: calls that are up go on after the next start, those that were not answered get their end."""

from __future__ import annotations

import json
import os
import resource
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.calls import CALLEE, CALLER, Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, HOP_HOST, Product, free_port, wait_for
from tests.e2e.sipp import Sipp
from tests.e2e.test_reload import outcome
from tests.wanted import reason

pytestmark = pytest.mark.e2e

CALLS: Final = 50
LASTS_S: Final = 5.0  # as the scenario says


def kill_worker(product: Product) -> None:
    """Of the running sipguard; its supervisor starts another one."""
    os.kill(product.worker_pid(), signal.SIGKILL)
    wait_for(lambda: product.answer("status")["processes"]["worker"]["starts"] == 2, "a new worker")


def kill_all(product: Product) -> None:
    """Supervisor, worker, fetcher and desk at once; then sipguard is started anew."""
    process = product.process
    assert process is not None
    pids = [each["pid"] for each in product.answer("status")["processes"].values()]
    for pid in (process.pid, *pids):
        os.kill(pid, signal.SIGKILL)
    process.wait(10)
    for pid in pids:
        wait_for(lambda pid=pid: not Path(f"/proc/{pid}/cmdline").exists() or _is_gone(pid), "it is gone")  # type: ignore[misc]
    product.start()


def _is_gone(pid: int) -> bool:
    """Whether a process has ended, even where nobody has asked for its status yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there")
@pytest.mark.parametrize("kill", [kill_worker, kill_all])
def test_calls_go_on_after_a_crash(make_product: MakeProduct, tmp_path: Path, kill: Callable[[Product], None]) -> None:
    hop_port = free_port(HOP_HOST)
    product = make_product(start=False)
    product.config["trunks"]["hop"]["peers"] = [f"{HOP_HOST}:{hop_port}"]
    product.write()
    product.start()
    uas = Sipp("070_call_over_a_crash_uas", tmp_path, (HOP_HOST, hop_port), None, calls=CALLS).start()
    place = (CALLER_HOST, free_port(CALLER_HOST))
    uac = Sipp("070_call_over_a_crash_uac", tmp_path, place, product.address(), "-r", str(CALLS), calls=CALLS)
    try:
        uac.start()
        wait_for(lambda: product.metric("sipguard_answered_calls_total") == CALLS, "all calls are up")
        kill(product)
        wait_for(lambda: b'"event": "calls_recovered"' in product.log.read_bytes(), "they are taken up")
        assert uac.wait() == 0, uac.complaint()
        assert uas.wait() == 0, uas.complaint()
    finally:
        uac.stop()
        uas.stop()
    (told,) = [json.loads(line) for line in product.log.read_text().splitlines() if "calls_recovered" in line]
    assert (told["calls"], told["of"]) == (CALLS, CALLS)
    rows = own_rows(product, CALLS)
    assert {row["disposition"] for row in rows} == {"answered"}
    assert {row["final_status"] for row in rows} == {200}
    lasted = [row["end_at"] - row["answer_at"] for row in rows]
    assert [each for each in lasted if not LASTS_S - 0.5 <= each <= LASTS_S + 35.0] == [], (
        "from the answer before the crash to the BYE after it"
    )
    assert product.metric("sipguard_recovered_calls_total") == CALLS
    assert product.metric("sipguard_lost_calls_total") == 0
    wait_for(lambda: product.metric("sipguard_calls_active") == 0, "the tables are empty")
    assert product.metric("sipguard_troubles_total") == 0


def test_a_worker_that_starts_on_a_full_disk_serves_calls(own: Product, calls: Calls) -> None:
    """Their records are lost, and counted; commands work, and say what they could not keep."""
    assert calls.status() == 200
    assert own.process is not None
    prepared = own.directory / "journal" / "0" / "prepared"
    wait_for(prepared.exists, "a segment for the next turn")
    no_more = (1 << 16, 1 << 16)  # octets of a file: what is made from now on finds no room, as on a full disk
    for pid in own.pids():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, no_more)
    prepared.unlink()
    before = own.worker_pid()
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: own.worker_pid() not in (0, before), "another worker")
    assert calls.status() == 200
    assert calls.status(callee="911") == 200
    assert own.command("mode", "report").returncode == 0
    troubles = [each["what"] for each in own.answer("status")["troubles"]]
    assert len([what for what in troubles if "File too large" in what]) == 2, "the journal and the file of live calls"
    wait_for(lambda: own.metric("sipguard_journal_lost_frames_total") >= 6, "frames are counted as lost")


def test_a_call_that_rang_is_lost(own: Product, calls: Calls) -> None:
    """Every record says how its call ended."""
    ringing = calls.place(CALLER, CALLEE[:-2] + "51", hang_up=False, wait_s=1.0)
    assert ringing.provisional
    kill_worker(own)
    (row,) = own_rows(own, 1)
    assert (row["disposition"], row["answer_at"]) == ("lost", 0.0)
    assert row["end_at"] >= row["at"]
    wait_for(lambda: own.healthy(), "the worker publishes its levels")
    assert own.metric("sipguard_lost_calls_total") == 1
    assert calls.status() == 200


@pytest.mark.load
@pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there")
def test_crashes_under_load(make_product: MakeProduct, tmp_path: Path) -> None:
    """Two crashes at 100 calls a second: calls that are up go on, INVITEs wait in the kernel or are repeated."""
    rate, count = 100, 800
    hop_port = free_port(HOP_HOST)
    product = make_product(start=False)
    product.config["trunks"]["hop"]["peers"] = [f"{HOP_HOST}:{hop_port}"]
    product.write()
    product.start()
    uas = Sipp("070_call_over_a_crash_uas", tmp_path, (HOP_HOST, hop_port), None, calls=2 * count).start()
    statistics = tmp_path / "uac.csv"
    uac = Sipp(
        "070_call_over_a_crash_uac", tmp_path, (CALLER_HOST, free_port(CALLER_HOST)), product.address(),
        "-r", str(rate), "-l", str(count), "-trace_stat", "-stf", str(statistics), calls=count,
    )  # fmt: skip
    try:
        uac.start()
        for starts in (2, 3):
            wait_for(lambda: product.healthy() and product.metric("sipguard_answered_calls_total") > rate, "load")
            os.kill(product.worker_pid(), signal.SIGKILL)
            wait_for(
                lambda n=starts: product.answer("status")["processes"]["worker"]["starts"] == n,  # type: ignore[misc]
                "a new worker",
            )
        uac.wait()
    finally:
        uac.stop()
        uas.stop()
    assert outcome(statistics)["FailedCall"] <= count / 100, uac.complaint()
    wait_for(lambda: product.healthy() and product.metric("sipguard_calls_active") == 0, "the tables are empty", 40)
    wait_for(lambda: all(row["disposition"] for row in product.calls()), "every record has an end")
    ends = Counter(row["disposition"] for row in product.calls())
    assert ends["answered"] >= count - count / 100, ends
    assert set(ends) <= {"answered", "lost", "dead"}, ends
    assert product.metric("sipguard_troubles_total") == 0
