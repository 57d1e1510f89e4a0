"""A numbering plan: what the first digits of a number tell of it, without asking anyone.

Enters: the file that `settings/numbering` compiled, and the area codes in service. Leaves: the Place of a TN: country,
region, line type, time zones. Must not: judge a number, or guess what the plan does not tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from sipguard.numbers.errors import PlanError

FORMAT: Final = 1
LINES: Final = (
    "fixed",
    "mobile",
    "fixed_or_mobile",
    "tollfree",
    "premium",
    "shared_cost",
    "personal",
    "voip",
    "pager",
    "uan",
    "voicemail",
)


class Place:
    """What the plan tells of a number, each "" or () where it does not."""

    __slots__ = ("country", "line", "region", "zones")

    def __init__(self, country: str, region: str, line: str, zones: tuple[str, ...]) -> None:
        self.country = country  # ISO 3166-1
        self.region = region  # state or province, as ISO 3166-2 has it behind the country
        self.line = line  # one of LINES
        self.zones = zones  # names of the IANA database, in order


class PlanDate(NamedTuple):
    """Of when something is that is known of numbers; it is stale when it is older than `max_age_s`."""

    source: str  # plan | npa_report
    dated_at: float  # Unix seconds
    max_age_s: float


NOWHERE: Final = Place("", "", "", ())


class Plan:
    """`places` by the first digits of TNs; `npas` the area codes in service, empty where that is not known."""

    __slots__ = ("_lengths", "_places", "npas", "version")

    def __init__(self, version: str, places: Mapping[str, Place], npas: frozenset[str]) -> None:
        self.version = version  # "" where there is no plan
        self.npas = npas
        self._places = dict(places)
        lengths: dict[str, set[int]] = {}
        for prefix in places:
            lengths.setdefault(prefix[0], set()).add(len(prefix))
        self._lengths = {first: tuple(sorted(of, reverse=True)) for first, of in lengths.items()}

    @classmethod
    def open(cls, path: str, npas: frozenset[str] = frozenset()) -> Plan:
        """The plan in a compiled file; `npas` in place of those in service by that file. Raises PlanError, OSError."""
        if not path:
            return cls("", {}, npas)
        try:
            written = json.loads(Path(path).read_text(encoding="utf-8"))
            if written["format"] != FORMAT:
                raise PlanError(f"{path}: format {written['format']}, not {FORMAT}")
            places = [Place(country, region, line, tuple(zones)) for country, region, line, zones in written["places"]]
            found = {prefix: places[at] for prefix, at in written["prefixes"].items()}
            return cls(str(written["version"]), found, npas or frozenset(written["npas"]))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise PlanError(f"{path}: no numbering plan: {error!r}") from error

    def place(self, tn: str) -> Place:
        """What the longest known prefix of a TN tells."""
        for length in self._lengths.get(tn[:1], ()):
            found = self._places.get(tn[:length])
            if found is not None:
                return found
        return NOWHERE

    def is_unassigned(self, npa: str) -> bool:
        """Whether no number with this area code is in service; false where that is not known."""
        return bool(self.npas) and npa not in self.npas


NO_PLAN: Final = Plan("", {}, frozenset())
