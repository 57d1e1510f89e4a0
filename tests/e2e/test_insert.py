"""sipguard in the path and out of it: a dead one is routed around, an upgrade under load fails no call.

With Kamailio in front, as config/recipes/kamailio has it, and SIPp on both sides.
"""

from __future__ import annotations

import csv
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.conftest import MakeProduct
from tests.e2e.front import EDGE_HOST, Front
from tests.e2e.product import HOP_HOST, ROOT, Product, free_port, wait_for
from tests.e2e.sipp import Sipp
from tests.standin import Caller, NextHop, header
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    *(
        pytest.mark.skipif(bool(reason(program)), reason=reason(program) or f"{program} is there")
        for program in ("sipp", "kamailio")
    ),
]

SCENARIO: Final = "190_routed_around"
NOTICED_WITHIN_S: Final = 2.0


class Load:
    """Short calls through a front at a steady rate, and what was logged of each."""

    def __init__(self, directory: Path, front: Front, hop: tuple[str, int], rate: int, count: int) -> None:
        self._directory = directory
        logs = ("-trace_logs", "-log_file")
        self._uas = Sipp(f"{SCENARIO}_uas", directory, hop, None, *logs, "uas.log", calls=10 * count)
        self._uac = Sipp(
            f"{SCENARIO}_uac", directory, (EDGE_HOST, free_port(EDGE_HOST)), front.place, *logs, "uac.log",
            "-timeout", "120s", "-r", str(rate), "-s", "+12025550131", "-trace_stat", "-stf", "uac.csv", calls=count,
        )  # fmt: skip

    def __enter__(self) -> Load:
        self._uas.start()
        self._uac.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._uac.stop()
        self._uas.stop()

    def end(self) -> int:
        """Waits for the last call; the exit status of the caller's side."""
        return self._uac.wait()

    def finish(self) -> int:
        """Begins no more calls and waits for the last; the exit status is 97 then."""
        self._uac.quit()
        return self._uac.wait()

    def complaint(self) -> str:
        """What the caller's side found wrong."""
        return self._uac.complaint()[:4000]

    def logged(self, what: str, side: str = "uac") -> dict[int, float]:
        """Number of a call -> Unix seconds at which it `began`, was `answered`, `ended` (or `came` to the hop)."""
        found = {}
        for line in (self._directory / f"{side}.log").read_text().splitlines():
            words = line.split()
            if words and words[0] == what:
                found[int(words[1])] = float(words[-1])
        return found

    def failed(self) -> int:
        """How many calls failed for any reason."""
        rows = list(csv.DictReader((self._directory / "uac.csv").read_text().splitlines(), delimiter=";"))
        return int(rows[-1]["FailedCall(C)"])


@contextmanager
def sampled(front: Front, every_s: float = 0.2) -> Iterator[list[tuple[float, dict[str, int]]]]:
    """(Unix seconds, counts) of the front, again and again."""
    found: list[tuple[float, dict[str, int]]] = []
    over = threading.Event()

    def sample() -> None:
        while not over.wait(every_s):
            found.append((time.time(), front.counts()))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def rows(product: Product) -> int:
    """How many calls the product has recorded, once its journal is loaded."""
    wait_for(lambda: product.metric("sipguard_loader_lag_seconds") == 0, "the journal is loaded", 20)
    return len(product.calls())


@pytest.mark.load
def test_a_dead_sipguard_is_routed_around_and_comes_back(make_product: MakeProduct, tmp_path: Path) -> None:
    hop = (HOP_HOST, free_port(HOP_HOST))
    product = make_product(trunks=_trunks(hop))
    with ExitStack() as over:
        front = Front(tmp_path / "front", [product.address()], [hop]).start()
        over.callback(front.stop)
        samples = over.enter_context(sampled(front))
        load = over.enter_context(Load(tmp_path, front, hop, rate=100, count=1500))
        time.sleep(3)
        product.kill()
        killed_at = time.time()
        time.sleep(3)
        restarted_at = time.time()
        product.start()
        load.end()
    began, answered, ended = (load.logged(what) for what in ("began", "answered", "ended"))
    assert len(began) == 1500
    lost = [at - killed_at for call, at in began.items() if call not in answered]
    assert not [at for at in lost if at > NOTICED_WITHIN_S], "a new call was lost after the first seconds"
    assert all(at < 0.1 for at in lost), "only calls that rang when it died; those that came later were tried elsewhere"
    cut = [began[call] - killed_at for call in answered if call not in ended]
    assert all(at < NOTICED_WITHIN_S for at in cut), "only calls that were up when it died may miss their BYE"
    assert len(cut) < 60, "100 calls a second that last 0.2 s"
    tried = [counts["silent"] for at, counts in samples if at > killed_at + NOTICED_WITHIN_S + 0.5]
    if tried[0] == tried[-1] or not _is_crowded():
        _assert_no_flapping(samples, killed_at, restarted_at)
    counts = front.counts_at_end
    came = len(load.logged("came", "uas"))
    assert counts["past"] > 300
    assert counts["sipguard"] > 600
    assert len(began) <= rows(product) + counts["past"] <= came + 20, "each call is counted on the way it took"


def _is_crowded() -> bool:
    """Whether others use this machine so much that processes wait for their turn."""
    return os.getloadavg()[0] > (os.cpu_count() or 1)


def _assert_no_flapping(samples: list[tuple[float, dict[str, int]]], killed_at: float, restarted_at: float) -> None:
    """All past it from 2 s after its death until it is back; none past it from then on."""
    ways = []
    for (_, before), (at, now) in pairwise(samples):
        if at > killed_at + NOTICED_WITHIN_S + 0.5:
            grown = {way for way in ("sipguard", "past") if now[way] > before[way]}
            ways.append((at, grown))
    first_back = min(at for at, grown in ways if "sipguard" in grown)
    assert first_back > restarted_at + 1, "it is tried again after three good probes, not at once"
    assert all(grown <= {"past"} for at, grown in ways if at < first_back)
    assert all(grown <= {"sipguard"} for at, grown in ways if at > first_back)


@pytest.mark.load
def test_an_upgrade_under_load_fails_no_call(make_product: MakeProduct, tmp_path: Path) -> None:
    hop = (HOP_HOST, free_port(HOP_HOST))
    drain = {"deadline": "10s", "notice": "3s"}
    nodes = [make_product(trunks=_trunks(hop), listeners=_listeners(), node=name, drain=drain) for name in ("a", "b")]
    with ExitStack() as over:
        front = Front(tmp_path / "front", [node.address() for node in nodes], [hop]).start()
        over.callback(front.stop)
        load = over.enter_context(Load(tmp_path, front, hop, rate=200, count=20_000))
        time.sleep(1)
        for node in nodes:
            _upgrade(node, front)
        load.finish()
    if front.counts_at_end["silent"] and _is_crowded():
        pytest.skip("other work has this machine: a process that waits for a second looks dead")
    assert load.logged("ended").keys() == load.logged("began").keys(), load.complaint()
    assert load.failed() == 0, load.complaint()
    assert front.counts_at_end["past"] == 0, "one of them was always there"
    kept = [rows(node) for node in nodes]
    assert min(kept) > 500, "both took calls"
    assert sum(kept) == len(load.logged("began")) == len(load.logged("came", "uas"))


def _upgrade(node: Product, front: Front) -> None:
    """What docs/insert-and-bypass.md says: drain, start the new version, wait until it takes calls."""
    assert node.command("drain").returncode == 0
    assert node.process is not None
    assert node.process.wait(25) == 0
    node.start()
    wait_for(lambda: node.metric("sipguard_invites_total") > 0, "calls come again", 25)


@pytest.mark.load  # it has a time limit
def test_an_emergency_call_waits_for_a_dead_sipguard_only_once_and_shortly(
    make_product: MakeProduct, tmp_path: Path
) -> None:
    hop = NextHop(HOP_HOST)
    hop_place = (HOP_HOST, hop.port)
    nodes = [make_product(trunks=_trunks(hop_place), listeners=_listeners(), node=name) for name in ("a", "b")]
    front = Front(tmp_path / "front", [node.address() for node in nodes], [hop_place]).start()
    caller = Caller(front.place, EDGE_HOST)
    try:
        assert caller.call(caller.invite("+12025550101", "911"), hang_up=False).status == 200
        assert front.counts() == {"sipguard": 1, "past": 0, "silent": 0}
        for node in nodes:
            node.kill()
        began_at = time.monotonic()
        invite = caller.invite("+12025550101;verstat=TN-Validation-Passed", "911")
        assert caller.call(invite, hang_up=False).status == 200
        assert time.monotonic() - began_at < 0.95, "others would have waited for 1 s, twice"
        assert front.counts() == {"sipguard": 2, "past": 1, "silent": 1}
        arrived = hop.invite_for("911")
        assert arrived is not None
        assert "verstat" not in header(arrived[0], "From"), "nobody verified it here"
    finally:
        caller.close()
        front.stop()
        hop.close()


def test_sipguard_is_taken_out_by_hand_and_in_again(make_product: MakeProduct, tmp_path: Path) -> None:
    document = (ROOT / "docs/insert-and-bypass.md").read_text()
    (written,) = re.findall(r"`kamcmd (dispatcher\.set_state) d 1 sip:ADDRESS:5060`", document)
    hop = NextHop(HOP_HOST)
    node = make_product(trunks=_trunks((HOP_HOST, hop.port)))
    front = Front(tmp_path / "front", [node.address()], [(HOP_HOST, hop.port)]).start()
    caller = Caller(front.place, EDGE_HOST)
    place = f"sip:{node.address()[0]}:{node.address()[1]}"
    try:
        for state, way in (("", "sipguard"), ("d", "past"), ("a", "sipguard")):
            before = front.counts()
            if state:
                front.command(written, state, "1", place)
            assert caller.call(caller.invite("+12025550101", "+12025550100")).status == 200
            assert front.counts() == {**before, way: before[way] + 1}
    finally:
        caller.close()
        front.stop()
        hop.close()


def _trunks(hop: tuple[str, int]) -> dict[str, object]:
    """Trunks whose calls go to this next hop."""
    return {
        "hop": {"kind": "interconnect", "listener": "inner", "peers": [f"{hop[0]}:{hop[1]}"]},
        "carrier": {"kind": "interconnect", "listener": "outer", "sources": ["127.0.11.0/24"], "route": "hop"},
    }


def _listeners() -> dict[str, object]:
    """Ports of its own."""
    return {
        name: {"address": host, "port": free_port(host)}
        for name, host in (("outer", "127.0.20.1"), ("inner", "127.0.30.1"))
    }
