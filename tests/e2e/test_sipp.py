"""The table of sipp_scenarios/README.md, row by row, with SIPp on both sides of the running product."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from tests.e2e.runs import Runs
from tests.e2e.setups import NOTHING, SETUPS, Run, Setup
from tests.e2e.sipp import IDENTITIES, LOADS, SCENARIOS, TABLE
from tests.e2e.topology import altered, leaks, private
from tests.wanted import reason

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(bool(reason("sipp")), reason=reason("sipp") or "sipp is there"),
]

IN_ORDER: Final = sorted(TABLE, key=lambda name: SETUPS.get(name, Setup()).long)  # those that take long come last


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """The chosen scenarios; the next few are under way while one is judged, those that take long all the time."""
    found = Runs(tmp_path_factory.mktemp("sipp"))
    try:
        found.product.start()
        chosen = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}
        found.choose([name for name in IN_ORDER if name in chosen])
        yield found
    finally:
        found.close()


def test_every_pair_stands_in_the_table() -> None:
    files = {path.stem for path in SCENARIOS.glob("*.xml")}
    assert files == {f"{name}_{side}" for name in (*TABLE, *LOADS, *IDENTITIES) for side in ("uac", "uas")}
    numbers = [int(name[:3]) for name in TABLE]
    assert numbers == sorted(set(numbers))
    assert set(SETUPS) <= set(TABLE)
    assert all(all(cells) for part in (TABLE, LOADS, IDENTITIES) for cells in part.values())


@pytest.mark.parametrize("name", IN_ORDER)
def test_scenario(runs: Runs, name: str) -> None:
    run = runs.result(name)
    assert run.statuses == (0, 0), run.complaints
    arrived = [each for each in run.b if not each.sent]
    if TABLE[name][2] == NOTHING:
        assert not arrived
    else:
        assert arrived
    _check_topology(run)
    _check_crossing(run)
    check = SETUPS.get(name, Setup()).check
    if check is not None:
        check(run)


def _check_topology(run: Run) -> None:
    """Nothing of one leg is seen on the other."""
    a_places, b_places = run.places
    assert leaks(run.b, private(run.a, a_places)) == []
    assert leaks(run.a, private(run.b, b_places)) == []


def _check_crossing(run: Run) -> None:
    """What nobody may change arrives as it was sent."""
    sent = [each for each in run.a if each.sent and each.kind == "INVITE"]
    arrived = [each for each in run.b if not each.sent and each.kind == "INVITE"]
    if sent and arrived:
        assert altered(sent[0], arrived[0]) == []
