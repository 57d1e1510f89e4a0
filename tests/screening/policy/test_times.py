"""Time windows: what is read, and when they hold, in every zone that a number may be in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipguard.screening.finding import FactSpec, FactValue
from sipguard.screening.policy.compile import CompiledPolicy, compile_policy
from sipguard.screening.policy.decide import Pending, decide, trace
from sipguard.screening.policy.errors import Problem
from sipguard.screening.policy.model import Time, Vocabulary
from sipguard.screening.policy.predicates import FAILED, FALSE, PENDING, TRUE, truth_of
from sipguard.screening.policy.read import read_policy
from sipguard.screening.policy.times import holds_in, local_time, offset_s
from sipguard.screening.policy.wording import written
from sipguard.screening.trunk import Trunk
from sipguard.settings.zones import MachineZones
from tests.screening.policy.words import FACTS, plain

ZONES = MachineZones()
WORDS = Vocabulary(
    facts=(*FACTS, FactSpec("plan.callee.zones", "set", "zones"), FactSpec("time.at", "number", "instant")),
    zones=ZONES,
)
TELEMARKETING = Trunk("dialler", "telemarketing")
COSTS = {"time": 0, "plan": 2}


def at(text: str) -> float:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def read(time: str) -> tuple[Any, list[Problem]]:
    """The condition of a rule with this time, and what is wrong with it."""
    policy, problems = read_policy(plain(f"rules: [{{name: r, when: {{time: {time}}}, reject: contract}}]"), WORDS)
    return policy.rules[0].when, problems


def window(time: str) -> Time:
    """A time without problems."""
    found, problems = read(time)
    assert problems == []
    assert isinstance(found, Time)
    return found


def truth(time: Time, zones: tuple[str, ...], instant: str) -> int:
    """Of a time at an instant, the callee being in these zones."""
    facts: dict[str, FactValue] = {"time.at": at(instant), "plan.callee.zones": zones}
    return truth_of(time, COSTS).truth(facts, {"time": FALSE, "plan": FALSE})


HOURS = '{zone: callee, outside: "08:00-21:00"}'
CASES = [
    # zones of the callee, instant UTC, truth, id
    (("America/New_York",), "2027-01-15T12:59:59", TRUE, "winter, a second before eight"),
    (("America/New_York",), "2027-01-15T13:00:00", FALSE, "winter, eight"),
    (("America/New_York",), "2027-01-16T01:59:59", FALSE, "winter, a second before nine in the evening"),
    (("America/New_York",), "2027-01-16T02:00:00", TRUE, "winter, nine in the evening is outside"),
    (("America/New_York",), "2027-07-15T12:00:00", FALSE, "summer, eight"),
    (("America/New_York",), "2027-03-14T11:59:59", TRUE, "the day clocks go forward"),
    (("America/New_York",), "2027-03-14T12:00:00", FALSE, "the day clocks go forward, eight"),
    (("America/New_York",), "2027-11-07T12:59:59", TRUE, "the day clocks go back"),
    (("America/New_York",), "2027-11-07T13:00:00", FALSE, "the day clocks go back, eight"),
    (("America/Phoenix",), "2027-07-15T14:59:59", TRUE, "Arizona has no summer time"),
    (("America/Phoenix",), "2027-07-15T15:00:00", FALSE, "Arizona, eight"),
    (("America/Denver", "America/Phoenix"), "2027-07-15T14:30:00", FAILED, "928: eight past in Navajo Nation only"),
    (("America/Denver", "America/Phoenix"), "2027-07-15T13:30:00", TRUE, "928: before eight in both"),
    (("America/Denver", "America/Phoenix"), "2027-01-15T14:30:00", TRUE, "928: in winter both are one"),
    (("America/Chicago", "America/New_York"), "2027-01-15T13:30:00", FAILED, "812: eight in some counties only"),
    (("America/Chicago", "America/New_York"), "2027-01-15T12:30:00", TRUE, "812: before eight in all counties"),
    (("America/Chicago", "America/New_York"), "2027-01-15T14:00:00", FALSE, "812: after eight in all"),
    (("Pacific/Honolulu",), "2027-07-15T17:59:59", TRUE, "Hawaii before eight"),
    (("Pacific/Honolulu",), "2027-07-15T18:00:00", FALSE, "Hawaii, eight"),
    (("Asia/Katmandu",), "2027-07-15T02:14:59", TRUE, "a zone of quarter hours"),
    (("Asia/Katmandu",), "2027-07-15T02:15:00", FALSE, "a zone of quarter hours, eight"),
    ((), "2027-07-15T02:15:00", FAILED, "a zone that is not known"),
    (("Mars/Olympus",), "2027-07-15T02:15:00", FAILED, "a zone that this machine does not know"),
]


@pytest.mark.parametrize(
    ("zones", "instant", "expected"), [case[:3] for case in CASES], ids=[case[3] for case in CASES]
)
def test_outside_matches_where_it_is_so_in_every_zone(zones: tuple[str, ...], instant: str, expected: int) -> None:
    assert truth(window(HOURS), zones, instant) == expected
    opposite = {TRUE: FALSE, FALSE: TRUE}.get(expected, expected)
    assert truth(window('{zone: callee, inside: "08:00-21:00"}'), zones, instant) == opposite


@pytest.mark.parametrize(
    ("time", "instant", "expected"),
    [
        ('{zone: utc, inside: "22:00-06:00"}', "2027-01-15T21:59:59", FALSE),
        ('{zone: utc, inside: "22:00-06:00"}', "2027-01-15T22:00:00", TRUE),
        ('{zone: UTC, inside: "22:00-06:00"}', "2027-01-15T05:59:59", TRUE),
        ('{zone: utc, inside: "22:00-06:00"}', "2027-01-15T06:00:00", FALSE),
        ('{zone: utc, inside: "22:00-06:00", days: fri}', "2027-01-16T05:00:00", TRUE),  # the night of Friday
        ('{zone: utc, inside: "22:00-06:00", days: fri}', "2027-01-15T05:00:00", FALSE),  # that of Thursday
        ('{zone: utc, inside: "20:00-24:00"}', "2027-01-15T23:59:59", TRUE),
        ('{zone: utc, outside: "08:00-21:00", days: [mon-fri]}', "2027-01-16T05:00:00", FALSE),
        ("{zone: utc, days: [sat, sun]}", "2027-01-16T05:00:00", TRUE),
        ("{zone: utc, days: fri-mon}", "2027-01-17T05:00:00", TRUE),
        ("{zone: utc, days: fri-mon}", "2027-01-19T05:00:00", FALSE),
        ('{zone: utc, dates: [2027-01-15, "12-25"]}', "2027-01-15T05:00:00", TRUE),
        ('{zone: utc, dates: [2027-01-15, "12-25"]}', "2031-12-25T23:59:59", TRUE),
        ('{zone: utc, dates: "02-29"}', "2028-02-29T01:00:00", TRUE),
        ('{zone: utc, dates: "02-29"}', "2027-03-01T01:00:00", FALSE),
        ('{zone: America/New_York, dates: "12-25"}', "2027-12-26T04:59:59", TRUE),
        ('{zone: America/New_York, dates: "12-25"}', "2027-12-26T05:00:00", FALSE),
        ('{zone: America/New_York, inside: "02:00-03:00"}', "2027-03-14T07:30:00", FALSE),  # an hour that there is not
        ('{zone: America/New_York, inside: "01:00-02:00"}', "2027-11-07T05:30:00", TRUE),  # an hour that comes twice
        ('{zone: America/New_York, inside: "01:00-02:00"}', "2027-11-07T06:30:00", TRUE),
    ],
)
def test_windows_days_and_dates(time: str, instant: str, expected: int) -> None:
    assert truth(window(time), (), instant) == expected


@pytest.mark.parametrize(
    "time",
    [
        '{zone: callee, outside: "08:00-21:00"}',
        '{zone: America/New_York, inside: "21:00-08:30", days: [mon, fri], dates: [2027-01-31, 2027-12-25]}',
        "{zone: utc, days: [sat, sun]}",
        '{zone: utc, inside: "20:00-24:00"}',
    ],
)
def test_a_time_is_written_as_it_is_read(time: str) -> None:
    assert written(window(time)) == f"{{time: {time}}}"


@pytest.mark.parametrize(
    ("time", "path", "what"),
    [
        ("night", (), "a time is a map"),
        ("{inside: '08:00-21:00'}", (), "a time without zone"),
        ("{zone: callee}", (), "a time without inside or outside"),
        ("{zone: calee, inside: '08:00-21:00'}", ("zone",), "calee is no time zone"),
        ("{zone: America/NewYork, inside: '08:00-21:00'}", ("zone",), "America/NewYork is no time zone"),
        ("{zone: ../etc/passwd, inside: '08:00-21:00'}", ("zone",), "is no time zone"),
        ("{zone: 5, inside: '08:00-21:00'}", ("zone",), "5 is no time zone"),
        ("{zone: utc, inside: '08:00'}", ("inside",), "is no window"),
        ("{zone: utc, inside: '08:00-25:00'}", ("inside",), "is no window"),
        ("{zone: utc, inside: '8-9'}", ("inside",), "is no window"),
        ("{zone: utc, inside: 800}", ("inside",), "is no window"),
        ("{zone: utc, inside: '08:00-08:00'}", ("inside",), "nothing is inside"),
        ("{zone: utc, outside: '00:00-24:00'}", ("outside",), "nothing is outside"),
        ("{zone: utc, inside: '08:00-21:00', outside: '08:00-21:00'}", ("outside",), "inside and outside"),
        ("{zone: utc, inside: '08:00-21:00', day: mon}", ("day",), "unknown key day"),
        ("{zone: utc, days: [mon, funday]}", ("days", 1), "funday is no day of the week"),
        ("{zone: utc, days: []}", ("days",), "an empty list of days"),
        ("{zone: utc, dates: ['13-01']}", ("dates", 0), "13-01 is no date"),
    ],
)
def test_what_is_wrong_is_told(time: str, path: tuple[str | int, ...], what: str) -> None:
    _, problems = read(time)
    assert problems[0].path == ("rules", 0, "when", "time", *path)
    assert what in problems[0].what


def test_what_was_meant_is_told() -> None:
    assert "callee" in read("{zone: calee, inside: '08:00-21:00'}")[1][0].hint
    assert "America/New_York" in read("{zone: America/NewYork, inside: '08:00-21:00'}")[1][0].hint


# ------------------------------------------------------------------------------------------ on a call


def compiled(when: str) -> CompiledPolicy:
    policy, problems = read_policy(plain(f"rules: [{{name: hours, when: {when}, reject: contract}}]"), WORDS)
    assert problems == []
    return compile_policy(policy, TELEMARKETING, COSTS)


RULE = f"{{trunk.kind: telemarketing, time: {HOURS}}}"
NIGHT: dict[str, FactValue] = {"trunk.kind": "telemarketing", "time.at": at("2027-01-15T08:00:00")}


def test_the_cheaper_check_is_asked_first_and_then_the_plan() -> None:
    policy = compiled(RULE)
    first = decide({"trunk.kind": "telemarketing"}, {}, policy, "", 0)
    assert isinstance(first, Pending)
    assert first.check == "time"
    second = decide(NIGHT, {"time": FALSE}, policy, "", 0, first)
    assert isinstance(second, Pending)
    assert second.check == "plan"
    verdict = decide(
        NIGHT | {"plan.callee.zones": ("America/New_York",)}, {"time": 0, "plan": 0}, policy, "", 0, second
    )
    assert not isinstance(verdict, Pending)
    assert verdict.rule == "hours"


@pytest.mark.parametrize("when", [RULE, '{not: {time: {zone: callee, inside: "08:00-21:00"}}}'])
@pytest.mark.parametrize("asked", [{"time": FALSE, "plan": FALSE}, {"time": FALSE, "plan": FAILED}])
def test_a_zone_that_is_not_known_rejects_nothing(when: str, asked: dict[str, int]) -> None:
    verdict = decide(NIGHT, asked, compiled(when), "", 0)
    assert not isinstance(verdict, Pending)
    assert verdict.rule == "default"


def test_pending_stays_pending_under_not() -> None:
    test = truth_of(window(HOURS), COSTS)
    assert test.truth(NIGHT, {"time": FALSE}) == PENDING
    assert test.truth({}, {"plan": FALSE}) == PENDING
    assert test.truth({}, {"time": FAILED, "plan": FALSE}) == FAILED


def test_the_local_time_that_was_compared_is_shown() -> None:
    facts = NIGHT | {"plan.callee.zones": ("America/Chicago", "America/New_York")}
    outcome = trace(facts, {"time": FALSE, "plan": FALSE}, compiled(RULE), "", 0)[0]
    assert outcome.outcome == "matched"
    shown = "Fri 2027-01-15 02:00:00 America/Chicago, Fri 2027-01-15 03:00:00 America/New_York"
    assert outcome.facts["time.callee"] == shown


# ------------------------------------------------------------------------------------------ beside zoneinfo

NAMES = ("America/New_York", "America/Phoenix", "Pacific/Honolulu", "Africa/Casablanca", "Australia/Lord_Howe",
         "Asia/Kathmandu", "Europe/Dublin", "America/St_Johns", "Pacific/Apia", "America/Havana")  # fmt: skip
YEAR = datetime.now(UTC).year
INSTANTS = st.integers(int(at(f"{YEAR - 3}-01-01")), int(at(f"{YEAR + 13}-01-01")) - 1)


@given(st.sampled_from(NAMES), INSTANTS)
def test_local_time_is_that_of_zoneinfo(name: str, instant: int) -> None:
    offsets = ZONES.named(name)
    assert offsets is not None
    local = datetime.fromtimestamp(instant, ZoneInfo(name))
    assert local_time(offsets, instant) == local.strftime("%a %Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize("name", NAMES)
def test_offsets_change_where_zoneinfo_does(name: str) -> None:
    offsets = ZONES.named(name)
    assert offsets is not None
    for since in offsets.since:
        for instant in (since - 1, since):
            ahead = datetime.fromtimestamp(instant, ZoneInfo(name)).utcoffset()
            assert ahead == timedelta(seconds=offset_s(offsets, instant))


@given(st.sampled_from(NAMES), INSTANTS, st.integers(0, 1439), st.integers(0, 1440), st.booleans(),
       st.frozensets(st.integers(0, 6)))  # fmt: skip
def test_a_window_is_what_its_words_say(
    name: str, instant: int, begin: int, end: int, outside: bool, days: frozenset[int]
) -> None:
    if begin == end:
        return
    offsets = ZONES.named(name)
    assert offsets is not None
    local = datetime.fromtimestamp(instant, ZoneInfo(name))
    minute = local.hour * 60 + local.minute
    before = begin > end and minute < end  # of a window that began the day before
    inside = begin <= minute < end if begin < end else minute >= begin or before
    day = local - timedelta(days=1) if before and not outside else local
    expected = inside is not outside and (not days or day.weekday() in days)
    assert holds_in(Time(name, outside, begin * 60, end * 60, days), offsets, instant) is expected
