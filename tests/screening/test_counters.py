"""Calls counted by caller, called number, called prefix, trunk and signer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.screening.counters import (
    AGAIN,
    ASKED,
    AWAITED,
    BY_US,
    ENDED,
    GAVE_UP,
    KEY_LONGEST,
    TRUNKS,
    Counters,
    Keys,
    Wanted,
    turn,
)
from sipguard.screening.shape import LASTING, TALKING, Shape, Tally
from sipguard.screening.shapes import asked_of, shape_of, tell
from sipguard.screening.shapesasked import KINDS

KEY = "12025550100"
CALLEE = "12125550123"
PREFIX = "1212555"
EVERYTHING = asked_of((), ("dnc",), everything=True)


def everything(keys: int = 100) -> Counters:
    counters = Counters()
    counters.use(EVERYTHING.wanted, keys)
    return counters


def facts(counters: Counters, tally: Tally, at: float) -> dict[str, object]:
    """All facts of a call at an instant, their names without `rate.`."""
    found: dict[str, object] = {}
    for kind in KINDS:
        shape: Shape | None = getattr(tally, kind)
        if shape is not None:
            turn(shape, int(at * 1000))
            found[f"rate.{kind}.attempts_1m"] = shape.attempts_1m(int(at * 1000))
            found[f"rate.{kind}.attempts_1h"] = shape.attempts_1h(int(at * 1000))
            tell(found, getattr(EVERYTHING, kind), shape, tally, int(at * 1000))  # type: ignore[arg-type]
    return {name.removeprefix("rate."): value for name, value in found.items()}


@pytest.mark.parametrize(
    ("counted_at", "asked_at", "minute", "hour"),
    [
        ([], 0.0, 0, 0),
        ([0.0, 1.0, 59.0], 59.0, 3, 3),
        ([0.0] * 60, 60.0, 60, 60),
        ([0.0] * 60, 90.0, 30, 60),
        ([0.0] * 60, 119.0, 1, 60),
        ([0.0] * 60, 120.0, 0, 60),
        ([0.0] * 60 + [60.0], 90.0, 31, 61),
        ([0.0] * 60 + [120.0], 120.0, 1, 61),
        ([0.0] * 60, 3600.0, 0, 60),
        ([0.0] * 60, 5400.0, 0, 30),
        ([0.0] * 60, 7200.0, 0, 0),
        ([0.0] * 60 + [3600.0], 5400.0, 0, 31),
        ([0.0] * 60 + [7200.0], 7200.0, 1, 1),
    ],
)
def test_windows(counted_at: list[float], asked_at: float, minute: int, hour: int) -> None:
    counters = Counters()
    for at in counted_at:
        counters.count("carrier", KEY, at)
    at_ms = int(asked_at * 1000)
    shape = shape_of(None, counters.callers, KEY, at_ms)
    assert shape.attempts_1m(at_ms) == minute
    assert shape.attempts_1h(at_ms) == hour


def test_a_steady_rate_is_estimated_as_it_is() -> None:
    counters = Counters()
    for second in range(2 * 3600 + 1234):
        counters.count("carrier", KEY, float(second))
    shape, at_ms = counters.callers.of(KEY), (2 * 3600 + 1233) * 1000
    assert shape is not None
    assert abs(shape.attempts_1m(at_ms) - 60) <= 1
    assert abs(shape.attempts_1h(at_ms) - 3600) <= 1


def test_of_too_many_keys_the_quiet_ones_go() -> None:
    keys = Keys(3)
    for key in "abc":
        keys.attempted(key, 0)
    keys.attempted("a", 1)
    keys.attempted("d", 1)
    keys.attempted("e", 1)
    assert (len(keys), keys.evicted) == (3, 2)
    assert [keys.of(key) is not None for key in "abcde"] == [True, False, False, True, True]
    keys.limit_to(1)
    assert [keys.of(key) is not None for key in "abcde"] == [False, False, False, False, True]


def test_who_rotates_callers_does_not_push_out_who_calls_all_the_time() -> None:
    """Also where ends of calls have brought its windows to the minute before its next attempt."""
    counters = everything(keys=1000)
    busy = counters.begin("carrier", "busy", CALLEE, 0.0)
    for second in range(1, 600):
        for n in range(10):
            counters.begin("carrier", f"1202{second:03}{n:04}", CALLEE, float(second))
        if second % 20 == 0:
            assert busy is not None
            counters.ended(busy, ENDED, float(second))
            busy = counters.begin("carrier", "busy", CALLEE, second + 0.5)
    assert len(counters.callers) == 1000
    shape = counters.callers.of("busy")
    assert shape is not None and shape.attempts_1h(600_000) == 30
    held, evicted = counters.keys()
    assert (held, evicted) == (1002, 5991 - 1000)


def test_names_that_begin_alike_have_keys_of_their_own() -> None:
    counters = everything()
    long = "Example Telephone and Telegraph Company of "
    for name in (f"{long}Columbia", f"{long}Colorado"):
        tally = counters.begin(name, KEY, CALLEE, 0.0)
        assert tally is not None
        counters.signed(tally, f"={name}")
    assert (len(counters.trunks), len(counters.signers)) == (2, 2)
    found = [counters.trunks.of(f"{long}Columbia"), counters.signers.of(f"={long}Colorado")]
    assert [shape is not None and shape.attempts_1m(0) for shape in found] == [1, 1]
    assert counters.signers.of(f"={long}Dakota") is None


def test_keys_are_as_long_as_numbers_whatever_was_written() -> None:
    counters = everything()
    tally = counters.begin("t" * 1000, "1" * 60_000, "2" * 60_000, 0.0)
    assert tally is not None and tally.callee_number == 0
    assert all(len(key) == KEY_LONGEST for keys in (counters.callers, counters.trunks) for key in keys._shapes)


def test_a_clock_that_steps_back_loses_counts_and_nothing_else() -> None:
    counters = everything()
    tally = counters.begin("carrier", KEY, CALLEE, 7200.0)
    assert tally is not None
    counters.answered(tally, 7100.0)
    counters.ended(tally, ENDED, 0.0)
    again = counters.begin("carrier", KEY, CALLEE, 0.0)
    assert again is not None
    found = facts(counters, again, 0.0)
    assert (found["caller.attempts_1m"], found["caller.attempts_1h"], found["caller.concurrent"]) == (1, 1, 1)


def test_one_count_is_for_caller_and_trunk() -> None:
    counters = Counters()
    assert counters.begin("carrier", KEY, CALLEE, 10.0) is None
    counters.count("carrier", "", 11.0)
    assert counters.at_ms == 11_000
    assert [len(keys) for keys in (counters.callers, counters.trunks, counters.callees)] == [1, 1, 0]
    shape = counters.trunks.of("carrier")
    assert shape is not None and shape.attempts_1m(11_000) == 2


# ---------------------------------------------------------------------- what calls come to


def test_how_calls_end() -> None:
    """Ten answered ones, of which five are short; two given up, one of them after one ring; two that failed."""
    counters = everything()
    for n in range(10):
        tally = counters.begin("carrier", KEY, CALLEE, 100.0 * n, prefix=PREFIX)
        assert tally is not None
        counters.signed(tally, "709J")
        counters.answered(tally, 100.0 * n + 5)
        counters.ended(tally, ENDED, 100.0 * n + 5 + (6 if n % 2 else 60))
    for after, how in ((5.0, GAVE_UP), (5.5, GAVE_UP), (1.0, ENDED), (30.0, ENDED), (1.0, BY_US), (1.0, BY_US)):
        tally = counters.begin("carrier", KEY, CALLEE, 1500.0, prefix=PREFIX)
        assert tally is not None
        counters.signed(tally, "709J")
        counters.ended(tally, how, 1500.0 + after)
    last = counters.begin("carrier", KEY, CALLEE, 2000.0, prefix=PREFIX)
    assert last is not None
    counters.signed(last, "709J")
    found = facts(counters, last, 2000.0)
    for kind in KINDS:
        assert found[f"{kind}.attempts_1h"] == 17
        assert found[f"{kind}.concurrent"] == 1
        assert found[f"{kind}.answer_ratio_1h"] == round(10 / 14, 3)
        assert found[f"{kind}.one_ring_ratio_1h"] == round(1 / 14, 3)
        assert found[f"{kind}.mean_duration_1h"] == 33.0
        assert found[f"{kind}.short_ratio_1h"] == 0.5
        assert found[f"{kind}.minutes_1h"] == 5.5


HOUR = 3600.0


@pytest.mark.parametrize(
    ("talks", "asked_at", "minutes"),
    [
        ([(0.0, 600.0)], 600.0, 10.0),
        ([(0.0, None)], 600.0, 10.0),  # while they still talk
        ([(0.0, None), (300.0, None), (300.0, 360.0)], 600.0, 16.0),
        ([(0.0, None)], HOUR + 600.0, 60.0),  # no more than the hour itself
        ([(0.0, None)], 10 * HOUR + 600.0, 60.0),
        ([(0.0, None), (0.0, None)], 10 * HOUR + 600.0, 120.0),
        ([(0.0, HOUR)], 1.5 * HOUR, 30.0),  # of the hour before half is left
        ([(0.0, HOUR)], 2 * HOUR, 0.0),
        ([(HOUR - 60.0, HOUR + 60.0)], HOUR + 60.0, 2.0),
        ([(HOUR - 60.0, 3 * HOUR + 60.0)], 3 * HOUR + 60.0, 60.0),
        ([(0.0, 60.0), (9 * HOUR, None)], 9 * HOUR + 60.0, 1.0),
        ([(HOUR, 0.0)], HOUR, 0.0),  # a clock that steps back
    ],
)
def test_minutes_are_those_within_the_hour(
    talks: list[tuple[float, float | None]], asked_at: float, minutes: float
) -> None:
    counters = everything()
    happens = sorted(((at, n, to) for n, (at, to) in enumerate(talks)), key=lambda each: each[0])
    tallies: list[tuple[float, Tally]] = []
    for at, _, to in happens:
        for due, tally in [each for each in tallies if each[0] <= at]:
            counters.ended(tally, ENDED, due)
        tally = counters.begin("carrier", KEY, CALLEE, at, prefix=PREFIX)
        assert tally is not None
        counters.answered(tally, at)
        tallies.append((to if to is not None else 1e9, tally))
    for due, tally in tallies:
        if due < 1e9:
            counters.ended(tally, BY_US, due)  # by whom they ended does not matter
    at_ms = int(asked_at * 1000)
    shape = shape_of(None, counters.prefixes, PREFIX, at_ms)
    assert shape.minutes(at_ms) == minutes
    assert shape.talking == sum(to is None for _, to in talks)


def test_minutes_are_kept_only_where_they_are_asked() -> None:
    counters = Counters()
    counters.use(Wanted(caller=LASTING), 100)
    unasked = counters.begin("carrier", KEY, CALLEE, 0.0, prefix=PREFIX)
    assert unasked is not None and unasked.prefix is None
    counters.answered(unasked, 0.0)
    counters.use(EVERYTHING.wanted, 100)
    asked = counters.begin("carrier", KEY, CALLEE, 60.0, prefix=PREFIX)
    assert asked is not None and asked.caller is not None
    counters.answered(asked, 60.0)
    counters.ended(unasked, ENDED, 120.0)
    assert (asked.caller.talking, asked.caller.minutes(120_000)) == (1, 1.0)
    counters.use(Wanted(caller=LASTING), 100)
    counters.ended(asked, ENDED, 180.0)
    assert (asked.caller.talking, asked.caller.minutes(180_000)) == (0, 2.0)
    only = Counters()
    only.use(Wanted(caller=LASTING, prefix=TALKING), 100)
    tally = only.begin("carrier", KEY, CALLEE, 60.0, prefix=PREFIX)
    assert tally is not None and tally.prefix is not None and tally.caller is not None
    only.answered(tally, 60.0)
    assert (tally.prefix.talking, tally.caller.talking) == (1, 0)


def test_short_calls_do_not_tell_more_because_they_end_first() -> None:
    counters = everything()
    for n in range(30):
        tally = counters.begin("carrier", KEY, CALLEE, 100.0)
        assert tally is not None
        counters.answered(tally, 101.0)
        if n < 12:
            counters.ended(tally, ENDED, 104.0)
    last = counters.begin("carrier", KEY, CALLEE, 105.0)
    assert last is not None
    assert facts(counters, last, 105.0)["caller.short_ratio_1h"] == 0.4


def test_a_share_is_one_at_most_where_calls_go_over_the_hour() -> None:
    counters = everything()
    tallies = [tally for _ in range(60) if (tally := counters.begin("carrier", KEY, CALLEE, 3598.0)) is not None]
    for tally in tallies:
        counters.answered(tally, 3599.0)
    for tally in tallies:
        counters.ended(tally, ENDED, 3601.0)
    last = counters.begin("carrier", KEY, CALLEE, 6000.0)
    assert last is not None
    assert facts(counters, last, 6000.0)["caller.short_ratio_1h"] == 1.0


def test_the_hour_before_counts_with_the_share_that_the_window_covers() -> None:
    counters = everything()
    for n in range(40):  # 20 answered in the first hour, none of 20 in the second
        tally = counters.begin("carrier", KEY, CALLEE, 90.0 + 180.0 * n)
        assert tally is not None
        if n < 20:
            counters.answered(tally, 91.0 + 180.0 * n)
        counters.ended(tally, ENDED, 92.0 + 180.0 * n)
    shape = counters.callers.of(KEY)
    assert shape is not None
    tally = Tally(0, lasting=True)
    tally.caller = shape
    assert facts(counters, tally, 7200.0 - 1)["caller.answer_ratio_1h"] == 0.0
    assert "caller.answer_ratio_1h" not in facts(counters, tally, 7200.0 + 1801), "fewer than ten are left"


def test_what_the_window_leaves_behind_fades() -> None:
    """Twenty answered ones in an hour, then as many that are not, all at once: half an hour on they are two to one."""
    counters = everything()
    for n in range(20):
        tally = counters.begin("carrier", KEY, CALLEE, 90.0 * n)
        assert tally is not None
        counters.answered(tally, 90.0 * n)
    for _ in range(20):
        tally = counters.begin("carrier", KEY, CALLEE, 3600.0)
        assert tally is not None
        counters.ended(tally, ENDED, 3600.0)
    assert facts(counters, tally, 3600.0)["caller.answer_ratio_1h"] == 0.5
    assert facts(counters, tally, 5400.0)["caller.answer_ratio_1h"] == 0.333
    assert facts(counters, tally, 7199.9)["caller.answer_ratio_1h"] == 0.0


def test_less_than_ten_say_nothing() -> None:
    counters = everything()
    for n in range(10):
        tally = counters.begin("carrier", KEY, f"1212555{n:04}", 1.0, listed=True)
        assert tally is not None
        found = facts(counters, tally, 1.0)
        assert ("trunk.dnc_ratio_1h" in found) == ("caller.sequential_ratio_1h" in found) == (n == 9)
        assert "caller.answer_ratio_1h" not in found
        counters.ended(tally, ENDED, 2.0)
    assert found["caller.sequential_ratio_1h"] == 0.9
    assert found["trunk.dnc_ratio_1h"] == 1.0
    assert found["caller.callees_1h"] == 10
    assert found["trunk.callers_per_call_1h"] == 0.1


SHAPES = {
    "neighbours": ([(f"1212555{n:04}", CALLEE, "") for n in range(20)], {"trunk.neighbour_ratio_1h": 1.0}),
    "neighbours shown": ([(KEY, CALLEE, "12125559999")] * 20, {"trunk.neighbour_ratio_1h": 1.0}),
    "no neighbours": ([(KEY, CALLEE, "")] * 20, {"trunk.neighbour_ratio_1h": 0.0, "trunk.callers_1h": 1}),
    "abroad": ([("4420712345678", "4420712345679", "")] * 20, {"trunk.neighbour_ratio_1h": 0.0}),
    "snowshoe": ([(f"1202555{n:04}", CALLEE, "") for n in range(20)], {"trunk.callers_per_call_1h": 1.0}),
    "withheld": ([("", CALLEE, "")] * 20, {"trunk.callers_per_call_1h": 0.0, "callee.callers_1h": 0}),
    "a flood": ([(f"1202555{n:04}", CALLEE, "") for n in range(16)], {"callee.callers_1h": 16}),
    "in threes": (
        [(KEY, f"{at + n}", "") for n in range(0, 200, 10) for at in (12125550000, 13125550000, 14155550000)],
        {"trunk.sequential_ratio_1h": round(57 / 60, 3)},
    ),
    "steps of 11": ([(KEY, f"{12125550000 + 11 * n}", "") for n in range(20)], {"caller.sequential_ratio_1h": 0.0}),
    "downwards": ([(KEY, f"{12125559999 - 10 * n}", "") for n in range(20)], {"caller.sequential_ratio_1h": 0.95}),
    "the same again": ([(KEY, CALLEE, "")] * 20, {"caller.sequential_ratio_1h": 0.0}),
    "no number": ([(KEY, "", "")] * 20, {"caller.sequential_ratio_1h": 0.0, "caller.callees_1h": 0}),
    "codes": ([(KEY, f"*{n}", "") for n in range(20)], {"caller.sequential_ratio_1h": 0.0}),
}


@pytest.mark.parametrize(("calls", "wanted"), SHAPES.values(), ids=SHAPES)
def test_shapes_of_numbers(calls: list[tuple[str, str, str]], wanted: dict[str, object]) -> None:
    counters = everything()
    for n, (caller, callee, shown) in enumerate(calls):
        tally = counters.begin("carrier", caller, callee, float(n), shown)
        assert tally is not None
    found = facts(counters, tally, float(n))
    assert {name: found[name] for name in wanted} == wanted


def test_nothing_is_told_of_ends_that_nobody_will_see() -> None:
    counters = everything()
    for _ in range(20):
        tally = counters.begin("carrier", KEY, CALLEE, 1.0, lasting=False)
        assert tally is not None
        counters.answered(tally, 1.0)
        counters.ended(tally, ENDED, 1.0)
    ends = (LASTING, TALKING)
    lasting = {fact.name for kind in KINDS for fact in getattr(EVERYTHING, kind) if fact.asks in ends}
    assert not lasting & {f"rate.{name}" for name in facts(counters, tally, 1.0)}
    other = counters.begin("carrier", KEY, CALLEE, 1.0)
    assert other is not None
    found = facts(counters, other, 1.0)
    assert (found["caller.concurrent"], "caller.answer_ratio_1h" in found) == (1, False)


def test_what_is_asked_from_now_on_is_not_a_share_of_what_was_not_looked_at() -> None:
    counters = Counters()
    for _ in range(30):
        assert counters.begin("carrier", KEY, CALLEE, 1.0) is None
    counters.use(EVERYTHING.wanted, 100)
    for n in range(10):
        tally = counters.begin("carrier", KEY, f"1212555{n:04}", 1.0, listed=True)
        assert tally is not None
    found = facts(counters, tally, 1.0)
    assert (found["caller.attempts_1h"], found["caller.dnc_ratio_1h"]) == (40, 1.0)
    counters.use(Wanted(caller=EVERYTHING.wanted.caller & ~32), 100)
    counters.begin("carrier", KEY, CALLEE, 2.0)
    counters.use(EVERYTHING.wanted, 100)
    tally = counters.begin("carrier", KEY, CALLEE, 2.0)
    assert tally is not None
    assert "caller.dnc_ratio_1h" not in facts(counters, tally, 2.0)


# ---------------------------------------------------------------------- in any order

CALLERS = st.sampled_from(["", "12025550100", "12025550101", "12025550102"])
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["begin", "sign", "answer", "end"]),
        st.integers(0, 5),  # which call
        CALLERS,
        st.sampled_from(["", "12125550123", "12125550124", "12125550199"]),
        st.sampled_from([ENDED, GAVE_UP, BY_US, ASKED]),
        st.sampled_from(["", "one", "other"]),  # dialog, and who sent it first
        st.sampled_from([-4000.0, -1.0, 0.0, 0.5, 3.0, 70.0, 3600.0, 9000.0]),
    ),
    max_size=60,
)


@given(EVENTS, st.sampled_from([1, 2, 100]))
@settings(max_examples=300, deadline=None)
def test_what_has_ended_is_not_concurrent(events: list[tuple[str, int, str, str, int, str, float]], keys: int) -> None:
    """Whatever comes in whatever order, also twice or late, and whoever made room for others."""
    counters = everything(keys)
    now = 1_000_000.0
    calls: dict[int, Tally] = {}
    seen: dict[int, Shape] = {}
    begun: list[Tally] = []
    for what, which, caller, callee, how, dialog, later in events:
        now += later
        tally = calls.pop(which, None) if what == "begin" else calls.get(which)
        if what == "begin":
            if tally is not None:
                counters.ended(tally, how, now)
            tally = counters.begin("carrier", caller, callee, now, dialog=dialog, prefix=callee[:7], via=dialog)
        if tally is None:
            continue
        if what == "begin":
            calls[which] = tally
            begun.append(tally)
        elif what == "sign":
            counters.signed(tally, "709J" if which % 2 else "=Example")
        elif what == "answer":
            counters.answered(tally, now)
        else:
            counters.ended(tally, how, now)
        seen |= {id(shape): shape for shape in tally.shapes()}
        for shape in seen.values():
            assert shape.concurrent == sum(1 for one in begun if not one.over and shape in one.shapes())
            talking = [one for one in begun if not one.over and shape in one.talking]
            assert shape.talking == len(talking)
        for name, value in facts(counters, tally, now).items():
            assert isinstance(value, int | float) and value >= 0
            assert "ratio" not in name or value <= 1
    for tally in calls.values():
        counters.ended(tally, BY_US, now)
    assert {shape.concurrent for shape in seen.values()} | {shape.talking for shape in seen.values()} <= {0}
    assert not counters._open
    assert all(len(held) <= keys for held in (counters.callers, counters.callees, counters.signers))


def test_dialogs_that_wait_for_credentials_are_bounded() -> None:
    counters = everything()
    for n in range(AWAITED + 100):
        tally = counters.begin("carrier", KEY, CALLEE, 1.0, dialog=f"dialog {n}")
        assert tally is not None
        counters.ended(tally, ASKED, 1.0)
    shape = counters.callers.of(KEY)
    assert shape is not None and (len(counters._asked), shape.concurrent) == (AWAITED, 0)
    before = shape.attempts_1h(1000)
    for n, more in ((0, 1), (AWAITED, 0), (AWAITED, 1)):  # forgotten; waited for; a second time
        tally = counters.begin("carrier", KEY, CALLEE, 1.0, dialog=f"dialog {n}")
        assert tally is not None and shape.attempts_1h(1000) - before == more
        counters.ended(tally, BY_US, 1.0)
        before = shape.attempts_1h(1000)


def test_who_repeats_his_dialog_is_counted_all_the_same() -> None:
    """Some branches of a fork are borne; no more, not to others, not from others, and none after an answer. Each is an
    attempt to the called number."""
    counters = everything()

    def is_counted(dialog: str, via: str, callee: str = CALLEE) -> bool:
        return counters.begin("carrier", KEY, callee, 1.0, dialog=dialog, via=via) is not None

    counted = [is_counted("one", "first") for _ in range(AGAIN + 3)]
    assert counted == [True, *[False] * AGAIN, True, False]
    shape = counters.callees.of(CALLEE)
    assert shape is not None and shape.attempts_1m(1000) == AGAIN + 3
    assert is_counted("one", "first", "12125550199")
    assert is_counted("two", "") and is_counted("two", ""), "nobody has passed it on, so nobody has forked it"
    assert is_counted("three", "first") and is_counted("three", "other")
    other = counters.begin("carrier", KEY, CALLEE, 1.0, dialog="other", via="first")
    assert other is not None
    counters.answered(other, 2.0)
    assert is_counted("other", "first")


def test_who_is_asked_for_credentials_again_and_again_is_counted() -> None:
    counters = Counters()
    counters.use(Wanted(trunk=LASTING), 10)
    for _ in range(2 * (AGAIN + 1)):
        tally = counters.begin("carrier", KEY, CALLEE, 1.0, dialog="one")
        assert tally is not None
        counters.ended(tally, ASKED, 1.0)
    shape = counters.trunks.of("carrier")
    assert shape is not None and shape.attempts_1m(1000) == 2


def test_what_was_told_of_a_later_instant_is_not_lost_when_a_call_is_asked_again() -> None:
    counters = Counters()
    counters.use(Wanted(trunk=LASTING), 10)
    first, *others = [counters.begin("carrier", KEY, "", 3590.0) for _ in range(12)]
    assert first is not None and others[0] is not None
    counters.answered(first, 3599.0)
    counters.ended(first, ENDED, 3601.0)  # in the next hour, while another waits for its certificate
    shape_of(others[0].trunk, counters.trunks, "carrier", counters.at_ms)
    found = counters.trunks.of("carrier")
    assert found is not None and found.attempts_1h(3_601_000) == 12


def test_what_is_usual_is_learned_while_somebody_asks_it() -> None:
    counters = Counters()
    asked = asked_of(["rate.trunk.attempts_over_usual_1h"], ()).wanted
    hour = 500_000

    def attempts(trunk: str, hours: range) -> None:
        for each in hours:
            assert counters.begin(trunk, KEY, CALLEE, each * 3600.0, hour=each) is not None

    counters.use(asked, 10)
    attempts("carrier", range(hour, hour + 3))
    attempts("other", range(hour, hour + 1))
    (first, second) = counters.learned(1), counters.learned(5)
    assert sorted(name for name, _ in (*first, *second)) == ["carrier", "other"]
    assert counters.learned(5) == []
    kept = dict((*first, *second))
    counters.use(Wanted(trunk=LASTING), 10)
    attempts("carrier", range(hour + 3, hour + 5))
    counters.use(asked, 10)
    attempts("carrier", range(hour + 5, hour + 6))
    assert dict(counters.learned(5)) == {"carrier": kept["carrier"]}, "not the hours that were not looked at"
    again = Counters()
    again.use(asked, 10)
    again.recall("carrier", kept["carrier"])
    tally = again.begin("carrier", KEY, CALLEE, 0.0, hour=hour + 168)
    assert tally is not None and tally.trunk is not None and tally.trunk.usual is not None
    assert tally.trunk.usual.kept() == kept["carrier"]


def test_trunks_of_which_is_learned_what_is_usual_are_bounded() -> None:
    counters = Counters()
    counters.use(asked_of(["rate.trunk.attempts_over_usual_1h"], ()).wanted, 10)
    for n in range(TRUNKS + 5):
        assert counters.begin(f"trunk {n}", KEY, CALLEE, 1.0, hour=1) is not None
    names = {name for name, _ in counters.learned(2 * TRUNKS)}
    assert len(names) == TRUNKS and "trunk 4" not in names and "trunk 5" in names


def test_who_comes_again_to_another_number_is_another_attempt() -> None:
    counters = Counters()
    counters.use(Wanted(trunk=LASTING), 10)
    for callee in ("12125550123", "12125550124", "12125550124"):
        tally = counters.begin("carrier", KEY, callee, 1.0, dialog="same")
        assert tally is not None
        counters.ended(tally, ASKED, 1.0)
    found = counters.trunks.of("carrier")
    assert found is not None and found.attempts_1m(1000) == 2
