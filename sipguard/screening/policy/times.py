"""Time windows of rules: `time: {zone: callee, outside: "08:00-21:00", days: [mon-fri]}`.

Enters: the map as it is written, and the offsets of the zones it may name. Leaves: a Time; whether an instant is in it
in one zone. Must not: read a clock or the zone files: the offsets were looked up when the policy was read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import date
from typing import Final

from sipguard.screening.policy.errors import Path, meant, shown
from sipguard.screening.policy.mistaken import NO_SUMMER, ZONES
from sipguard.screening.policy.model import Offsets, Time, Zones

OF_NUMBERS: Final = ("callee", "caller")  # zones that are those of a number of the call
KEYS: Final = ("zone", "inside", "outside", "days", "dates")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AT: Final = "time.at"

SECONDS_OF_DAY: Final = 86_400
_EPOCH: Final = date(1970, 1, 1)
_YEARS: Final = range(2020, 2061)  # of dates that come every year
_KEYS_ELSEWHERE: Final = dict.fromkeys(
    ("from", "to", "start", "end", "after", "before"), 'write inside: "08:00-21:00", or outside:'
)
_EXAMPLE: Final = 'such as {zone: callee, outside: "08:00-21:00"}'

Tell = Callable[[Path, str, str], None]


def day_of(unix_at: float) -> int:
    """The day of an instant in UTC, in days since 1970-01-01, as `until` of a rule counts them."""
    return int(unix_at // SECONDS_OF_DAY)


def zones_fact(which: str) -> str:
    """The fact with the zones of a number of the call."""
    return f"plan.{which}.zones"


def offset_s(offsets: Offsets, at: float) -> int:
    """Seconds that local time is ahead of UTC at an instant in Unix seconds."""
    return offsets.seconds[bisect_right(offsets.since, at)]


def holds_in(time: Time, offsets: Offsets, at: float) -> bool:
    """Whether the window holds at an instant, in one zone."""
    day, second = divmod(int(at // 1) + offset_s(offsets, at), SECONDS_OF_DAY)
    return holds_at(time, day, second)


def holds_at(time: Time, day: int, second: int) -> bool:
    """Whether the window holds at a local time: days since 1970-01-01, seconds of that day.

    A window is half-open. One across midnight belongs to the day on which it begins; `outside` counts by the day it is.
    """
    begin, end = time.begin_s, time.end_s
    began = day
    if begin < end:
        inside = begin <= second < end
    else:
        inside = second >= begin or second < end
        if second < end:
            began = day - 1
    if inside is time.outside:
        return False
    counts = day if time.outside else began
    if time.days and (counts + 3) % 7 not in time.days:  # 1970-01-01 was a Thursday
        return False
    return not time.dates or counts in time.dates


def local_time(offsets: Offsets, at: float) -> str:
    """Local date and time for people: `Mon 2027-03-01 20:59:30`."""
    day, second = divmod(int(at // 1) + offset_s(offsets, at), SECONDS_OF_DAY)
    when = date.fromordinal(_EPOCH.toordinal() + day)
    return f"{DAYS[when.weekday()].title()} {when} {second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"


def written_time(time: Time) -> str:
    """A window as a policy writes it."""
    keys = [f"zone: {time.zone}"]
    begin, end = (f"{each // 3600:02d}:{each // 60 % 60:02d}" for each in (time.begin_s, time.end_s))
    if time.outside or (time.begin_s, time.end_s) != (0, SECONDS_OF_DAY):
        keys.append(f'{"outside" if time.outside else "inside"}: "{begin}-{end}"')
    if time.days:
        keys.append(f"days: [{', '.join(DAYS[day] for day in sorted(time.days))}]")
    if time.dates:
        first = _EPOCH.toordinal()
        keys.append(f"dates: [{', '.join(str(date.fromordinal(first + day)) for day in sorted(time.dates))}]")
    return f"{{{', '.join(keys)}}}"


# ------------------------------------------------------------------------------------------ reading


def read_time(value: object, path: Path, zones: Zones | None, tell: Tell) -> Time | None:
    """The window in the map `value`; None where it cannot be read, which `tell` was told."""
    if not isinstance(value, dict):
        tell(path, f"a time is a map, not {shown(value)}", _EXAMPLE)
        return None
    wrong = False
    for key in value:
        if key not in KEYS:
            tell((*path, str(key)), f"unknown key {key}", _KEYS_ELSEWHERE.get(str(key)) or meant(str(key), KEYS))
            wrong = True
    days = _days(value.get("days"), (*path, "days"), tell)
    dates = _dates(value.get("dates"), (*path, "dates"), tell)
    window = _window(value, path, tell, whole_days=wrong or bool(value.get("days") or value.get("dates")))
    known = _zone(value.get("zone"), path, zones, tell)
    if wrong or days is None or dates is None or window is None or known is None:
        return None
    return Time(str(value["zone"]), "outside" in value, *window, days, dates, known)


def _zone(zone: object, path: Path, zones: Zones | None, tell: Tell) -> tuple[tuple[str, Offsets], ...] | None:
    """(name, offsets) of the zones that the window may be asked in."""
    if zone is None:
        tell(path, "a time without zone", "write zone: callee, caller, utc or a zone such as America/New_York")
        return None
    at = (*path, "zone")
    if zone in OF_NUMBERS:
        return () if zones is None else zones.of_numbers()
    if isinstance(zone, str) and zone.lower() == "utc":
        return ((zone, Offsets((), (0,))),)
    if str(zone).upper() in NO_SUMMER:
        tell(at, f"{zone} says nothing of summer time", f"write {NO_SUMMER[str(zone).upper()]}")
        return None
    found = zones.named(zone) if zones is not None and isinstance(zone, str) else None
    if found is None:
        names = () if zones is None else zones.names()
        known = ZONES.get(str(zone).lower())
        city = str(zone).replace(" ", "_").lower()
        places = [name for name in names if name.lower().endswith(f"/{city}")]
        hint = f"did you mean {known}?" if known else meant(str(zone), (*OF_NUMBERS, "utc", *names))
        if places:
            hint = f"write {' or '.join(places[:2])}"
        elif city == "local":
            hint = "write callee for where the called number is, or a name such as America/New_York"
        tell(
            at, f"{shown(zone)} is no time zone", hint or "write callee, caller, utc or a name such as America/New_York"
        )
        return None
    return ((str(zone), found),)


def _window(value: dict[object, object], path: Path, tell: Tell, whole_days: bool) -> tuple[int, int] | None:
    """Begin and end in seconds of the day."""
    if "inside" in value and "outside" in value:
        tell((*path, "outside"), "inside and outside in one time", "write one of them, or two times under all:")
        return None
    key = "outside" if "outside" in value else "inside"
    if key not in value:
        if whole_days:
            return 0, SECONDS_OF_DAY
        tell(path, "a time without inside or outside", _EXAMPLE)
        return None
    at, written = (*path, key), value[key]
    first, dash, last = written.partition("-") if isinstance(written, str) else ("", "", "")
    begin, end = _of_day(first), _of_day(last)
    if not dash or begin is None or end is None or begin == SECONDS_OF_DAY:
        tell(at, f"{shown(written)} is no window", 'write "08:00-21:00" in quotes, with hours from 00:00 to 24:00')
        return None
    if begin == end or (key == "outside" and (begin, end) == (0, SECONDS_OF_DAY)):
        tell(at, f"nothing is {key} {written}", "leave inside and outside away for whole days")
        return None
    return begin, end


def _of_day(text: str) -> int | None:
    """Seconds of the day that `08:00` is, None for no time."""
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        return None
    if len(hours) > 2 or len(minutes) != 2 or int(minutes) > 59:
        return None
    seconds = int(hours) * 3600 + int(minutes) * 60
    return seconds if seconds <= SECONDS_OF_DAY else None


def _days(value: object, path: Path, tell: Tell) -> frozenset[int] | None:
    """Days of the week, Monday 0; empty for all."""
    found: set[int] = set()
    if value is None:
        return frozenset()
    for at, word in enumerate(value if isinstance(value, list) else [value]):
        where = (*path, at) if isinstance(value, list) else path
        first, dash, last = str(word).lower().partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            tell(where, f"{word} is no day of the week", _day_meant(str(word)))
            return None
        n, end = DAYS.index(first), DAYS.index(last if dash else first)
        found.add(n)
        while n != end:
            n = (n + 1) % 7
            found.add(n)
    if not found:
        tell(path, "an empty list of days", "leave days away for all of them")
        return None
    return frozenset(found)


def _day_meant(word: str) -> str:
    """How a day of the week, or several, are written."""
    lower = word.lower()
    if lower in ("weekend", "weekends"):
        return "write [sat, sun]"
    if lower in ("weekday", "weekdays", "workdays"):
        return "write [mon-fri]"
    day = lower[:3]
    rest = lower.removeprefix(day)
    if day in DAYS and rest.isalpha():
        return f"write {day}"
    return "write mon, tue, wed, thu, fri, sat, sun or mon-fri"


def _dates(value: object, path: Path, tell: Tell) -> frozenset[int] | None:
    """Days since 1970-01-01; `12-25` is that day of every year. Empty for all."""
    found: set[int] = set()
    if value is None:
        return frozenset()
    for at, word in enumerate(value if isinstance(value, list) else [value]):
        days = days_named(word)
        if not days:
            where = (*path, at) if isinstance(value, list) else path
            hint = 'write 2027-01-31, or "12-25" for every year, or {file: PATH} with a date in each line'
            tell(where, f"{shown(word)} is no date", hint)
            return None
        found.update(days)
    if not found:
        tell(path, "an empty list of dates", "leave dates away for all of them")
        return None
    return frozenset(found)


def days_named(word: object) -> list[int]:
    """The days that a date names, none where it is no date."""
    if isinstance(word, date):
        return [(date(word.year, word.month, word.day) - _EPOCH).days]
    text = str(word).strip()
    found = []
    for written in [text] if len(text) == 10 else [f"{year}-{text}" for year in _YEARS]:
        try:
            found.append((date.fromisoformat(written) - _EPOCH).days)
        except ValueError:  # no date, or 29 February in another year
            continue
    return found
