"""The numbering plan: compiled out of the library `phonenumbers` once for each of its versions; reports of NANPA.

Enters: the library's metadata, which is its version's; a report of area codes. Leaves: the file that `numbers.plan`
opens; the area codes in service. Must not: stay in the memory of sipguard: the library's tables are large, so that
a process of its own compiles them.
"""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from sipguard.numbers.canonical import NON_GEOGRAPHIC
from sipguard.numbers.plan import FORMAT
from sipguard.settings.digits import Pattern, prefixes_of

_HEAD: Final = 400  # characters of a compiled plan that say of when it is
_DATED_AT: Final = re.compile(r'"dated_at": ?([0-9.]+)')
_NANP: Final = "1"
_NANP_DIGITS: Final = 3
_DIGITS_ELSEWHERE: Final = 4
_KINDS: Final = {  # of the library -> of numbers.plan.LINES
    "fixed_line": "fixed",
    "mobile": "mobile",
    "toll_free": "tollfree",
    "premium_rate": "premium",
    "shared_cost": "shared_cost",
    "personal_number": "personal",
    "voip": "voip",
    "pager": "pager",
    "uan": "uan",
    "voicemail": "voicemail",
}
_IN_A_PLACE: Final = frozenset({"fixed", "mobile", "fixed_or_mobile"})
_MORE_ZONES: Final = {"1928": ("America/Denver",)}  # the Navajo Nation, which sets its clocks forward
_REGIONS: Final = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO",
    "Connecticut": "CT", "Delaware": "DE", "Washington D.C.": "DC", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI",
    "Idaho": "ID", "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS", "Kentucky": "KY",
    "Louisiana": "LA", "Maine": "ME", "Maryland": "MD", "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN",
    "Mississippi": "MS", "Missouri": "MO", "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH",
    "New Jersey": "NJ", "New Mexico": "NM", "New York": "NY", "North Carolina": "NC", "North Dakota": "ND",
    "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR", "Pennsylvania": "PA", "Rhode Island": "RI",
    "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN", "Texas": "TX", "Utah": "UT", "Vermont": "VT",
    "Virginia": "VA", "Washington State": "WA", "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
    "Alberta": "AB", "British Columbia": "BC", "British Colombia": "BC", "Manitoba": "MB", "New Brunswick": "NB",
    "Newfoundland and Labrador": "NL", "Nova Scotia": "NS", "Ontario": "ON", "Quebec": "QC", "Saskatchewan": "SK",
}  # fmt: skip

Told = tuple[str, str]  # country and line, "" where there are several


def library_version() -> str:
    """The version of the library, which stands for the date of its numbers."""
    return version("phonenumbers")


def _file(directory: Path) -> Path:
    return directory / f"plan-{FORMAT}-{library_version()}.json"


def is_there(directory: Path) -> bool:
    """Whether the plan of this version was compiled into it."""
    return _file(directory).is_file()


def kept_in(state_directory: Path) -> Path:
    """The directory that the plan is kept in."""
    return state_directory / "numbering"


def installed_at() -> float:
    """When the library was put on this machine, Unix seconds: it does not say of when its numbers are."""
    found = find_spec("phonenumbers")
    return Path(found.origin).stat().st_mtime if found is not None and found.origin else 0.0


def dated_at(file: Path) -> float:
    """Of when a compiled plan is, Unix seconds, by the file itself where it does not say. Raises OSError."""
    with file.open(encoding="utf-8", errors="replace") as text:
        said = _DATED_AT.search(text.read(_HEAD))
    return float(said[1]) if said is not None else file.stat().st_mtime


def compiled(directory: Path) -> Path:
    """The file of the plan in `directory`, compiled if that of this version is not there. Raises OSError."""
    file = _file(directory)
    if not file.is_file():
        directory.mkdir(parents=True, exist_ok=True)
        compile_into(file)
        for old in directory.glob("plan-*.json"):
            if old != file:
                old.unlink(missing_ok=True)
    return file


def compile_into(file: Path) -> None:
    """Has a process of its own compile the plan of the library into `file`. Raises OSError."""
    command = [sys.executable, "-m", "sipguard.settings.numbering", str(file)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise OSError(done.returncode, f"the numbering plan cannot be compiled: {last}")


def write(file: Path) -> None:
    """Compiles the plan into `file`, put there at once."""
    beside = file.with_suffix(f".{os.getpid()}")
    beside.write_text(json.dumps(plan_of_library(), separators=(",", ":")), encoding="utf-8")
    beside.replace(file)


def zone_names() -> tuple[str, ...]:
    """Names of all time zones that numbers may be in."""
    from phonenumbers.tzdata import TIMEZONE_DATA

    found = {name for names in (*TIMEZONE_DATA.values(), *_MORE_ZONES.values()) for name in names}
    return tuple(sorted(found))


# ------------------------------------------------------------------------------------------ compiling


def plan_of_library() -> dict[str, object]:
    """What the file holds: version, area codes in service, places, and which place each prefix has."""
    told = dict(_told())
    zones = dict(_zones())
    regions = dict(_nanp_regions())
    places: dict[tuple[str, str, str, tuple[str, ...]], int] = {}
    prefixes: dict[str, int] = {}
    for prefix in sorted(told.keys() | zones.keys()):
        country, line = _longest(told, prefix) or ("", "")
        here = () if prefix[0] == _NANP and line not in _IN_A_PLACE else _longest(zones, prefix) or ()
        place = (country, regions.get(prefix, ""), line, here)
        if (at := places.setdefault(place, len(places))) != _longest(prefixes, prefix):
            prefixes[prefix] = at
    npas = sorted({prefix[1:] for prefix in told if prefix[0] == _NANP and len(prefix) == 4} | NON_GEOGRAPHIC)
    return {
        "format": FORMAT,
        "version": library_version(),
        "dated_at": installed_at(),
        "npas": npas,
        "places": list(places),
        "prefixes": prefixes,
    }


def _longest(table: Mapping[str, Any], digits: str) -> Any:
    """What the longest prefix of `digits` has in a table, None where there is none."""
    return next((table[digits[:n]] for n in range(len(digits), 0, -1) if digits[:n] in table), None)


def _told() -> Iterator[tuple[str, Told]]:
    """(prefix, country and line) by the patterns of the library."""
    from phonenumbers import COUNTRY_CODE_TO_REGION_CODE

    for code, countries in COUNTRY_CODE_TO_REGION_CODE.items():
        patterns = {}
        for country in countries:
            for kind, written in _patterns(code, country):
                patterns["" if country == "001" else country, _KINDS[kind]] = Pattern(written)
        yield str(code), (countries[0] if len(countries) == 1 and countries[0] != "001" else "", "")
        for digits, found in prefixes_of(patterns, _NANP_DIGITS if code == 1 else _DIGITS_ELSEWHERE).items():
            if digits and found:
                yield f"{code}{digits}", _one(found)


def _patterns(code: int, country: str) -> Iterator[tuple[str, str]]:
    """(kind, pattern) of a country."""
    from phonenumbers import PhoneMetadata

    of_country = PhoneMetadata.metadata_for_region(country)
    metadata = PhoneMetadata.metadata_for_nongeo_region(code) if country == "001" else of_country
    for kind in _KINDS:
        found = getattr(metadata, kind, None)
        if found is not None and found.national_number_pattern not in (None, "NA"):
            yield kind, found.national_number_pattern


def _one(found: Iterable[Told]) -> Told:
    """Country and line where all that a number may be agree."""
    countries, lines = {country for country, _ in found}, {line for _, line in found}
    line = "fixed_or_mobile" if lines == {"fixed", "mobile"} else lines.pop() if len(lines) == 1 else ""
    return countries.pop() if len(countries) == 1 else "", line


def _zones() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(prefix, zones); of an area code all that any of its exchanges is in, since exchanges move between counties."""
    from phonenumbers.tzdata import TIMEZONE_DATA

    nanp: dict[str, set[str]] = {}
    for prefix, names in TIMEZONE_DATA.items():
        if prefix[0] == _NANP and len(prefix) > 4:
            nanp.setdefault(prefix[:4], set()).update(names)
        elif prefix[0] == _NANP and len(prefix) == 4:
            nanp.setdefault(prefix, set()).update((*names, *_MORE_ZONES.get(prefix, ())))
        else:
            yield prefix, tuple(sorted(names))
    for prefix, found in nanp.items():
        yield prefix, tuple(sorted(found))


def _nanp_regions() -> Iterator[tuple[str, str]]:
    """(prefix, state or province) of area codes; the library writes `Ohio` and `New York, NY`."""
    from phonenumbers.geodata import GEOCODE_DATA

    for prefix, names in GEOCODE_DATA.items():
        if prefix[0] == _NANP and len(prefix) == 4:
            name = names.get("en", "")
            region = name.rpartition(", ")[2] if ", " in name else _REGIONS.get(name, "")
            if region in _REGIONS.values():
                yield prefix, region


# ------------------------------------------------------------------------------------------ reports of NANPA


@dataclass(frozen=True)
class NpaReport:
    """Area codes in service, and the day that this was so."""

    npas: frozenset[str]
    day: date


def read_report(file: Path) -> NpaReport:
    """The report that NANPA publishes as CSV: `File Date,MM/DD/YYYY`, then columns NPA_ID and IN_SERVICE.

    Raises ValueError that says what is wrong, OSError.
    """
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as text:
        rows = csv.reader(text)
        first = next(rows, [])
        if len(first) < 2 or first[0].strip().lower() != "file date":
            raise ValueError("does not begin with File Date,MM/DD/YYYY")
        day = datetime.strptime(first[1].strip(), "%m/%d/%Y").date()
        header = [name.strip().upper().rstrip("?") for name in next(rows, [])]
        if "NPA_ID" not in header or "IN_SERVICE" not in header:
            raise ValueError("has no columns NPA_ID and IN_SERVICE")
        npa, in_service = header.index("NPA_ID"), header.index("IN_SERVICE")
        wide = [row for row in rows if len(row) > max(npa, in_service)]
    found = frozenset(row[npa].strip() for row in wide if row[in_service].strip().upper() in ("Y", "YES"))
    if len(found) < _FEWEST_NPAS or not all(len(each) == 3 and each.isdigit() for each in found):
        raise ValueError(f"names {len(found)} area codes in service, which cannot be all")
    return NpaReport(found, day)


_FEWEST_NPAS: Final = 300  # there were more in 2000


if __name__ == "__main__":
    write(Path(sys.argv[1]))
