"""What a trunk may carry."""

from __future__ import annotations

from sipguard.b2bua.trunk_load import TrunkLoad
from sipguard.screening.trunk import Limits


def test_rate_grows_back() -> None:
    load, limits = TrunkLoad(), Limits(cps=10)
    assert [load.admit(limits, 0.0) for _ in range(11)] == [""] * 10 + ["cps"]
    assert [load.admit(limits, 0.25) for _ in range(3)] == ["", "", "cps"]
    assert [load.admit(limits, 60.0) for _ in range(11)] == [""] * 10 + ["cps"]


def test_rate_below_one_a_second() -> None:
    load, limits = TrunkLoad(), Limits(cps=0.5)
    assert [load.admit(limits, at) for at in (0.0, 1.0, 2.0)] == ["", "cps", ""]


def test_no_limits() -> None:
    load = TrunkLoad()
    load.calls = 10**6
    assert load.admit(Limits(), 0.0) == ""


def test_number_of_calls() -> None:
    load = TrunkLoad()
    load.calls = 3
    assert (load.admit(Limits(calls=4), 0.0), load.admit(Limits(calls=3), 0.0)) == ("", "calls")
