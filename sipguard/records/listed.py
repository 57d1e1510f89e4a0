"""Which entries of a list may have put a call on it, and by whose word they stood there.

Enters: a verdict frame. Leaves: what lists were asked for it, and entries that cover that. Must not: know where edits
or bases are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from sipguard.b2bua.frames import VerdictFrame
from sipguard.numbers.textset import folded
from sipguard.screening.attempt import CallAttempt, read_attempt
from sipguard.screening.checks.lists import names_of
from sipguard.screening.listspec import UNKNOWN as NOT_KNOWN
from sipguard.screening.overlay import width_of
from sipguard.screening.trunk import Trunk
from sipguard.sip.errors import SipError
from sipguard.sip.message import Request
from sipguard.sip.parse import parse

PREFIX: Final = "lists."
EDIT: Final = "edit"
FILE: Final = "file"
IMPORT: Final = "import"
CONFIGURATION: Final = "configuration"
UNKNOWN: Final = ""  # the entry cannot be told
MISSING: Final = "missing"  # the list was: nobody knows whether the call was on it
_OF_BODY: Final = (b"content-length", b"l")  # the body is not kept
ASSUMED: Final = "interconnect"  # kind of a trunk of which nothing is known any more; no list asks for it


class Base(NamedTuple):
    """The state of a list that was in force when a call was judged, as `lists proof` has it. Instants are Unix seconds,
    0.0 where nobody knows."""

    from_at: float  # it was in force from then
    to_at: float  # to then, 0.0 while it is
    version: str
    dated_at: float  # of when its data is; of a file when it was changed
    imported_at: float
    imported_by: str
    files: tuple[str, ...]
    as_then: bool = False  # the entry was looked for in this very state, not in what came after it


class ListedBy(NamedTuple):
    """What put a call on a list: an edit as it was at the time, or an entry of the base as it is now. Instants are Unix
    seconds, or texts where a file has them."""

    which: str  # shown | asserted | caller | diverting | callee | pair | brand | upstream | signer
    name: str  # of the list
    entry: str  # in canonical form; a prefix ends with *
    change: int  # 0 for none
    who: str
    at: float | str
    why: str
    expires_at: float  # 0.0 for never
    undone_by: int  # change that took it back since, 0 for none
    by: str = EDIT  # EDIT | FILE | IMPORT | CONFIGURATION | UNKNOWN | MISSING
    line: int = 0  # of the file, 0 where that is not known
    base: Base | None = None  # None for an edit, and where nobody noted what was in force


class Asked(NamedTuple):
    """A list that a call was found on, and what it may have been asked for it, the first first; of a list that was
    missing nothing, since it was not asked."""

    which: str
    name: str
    values: tuple[str, ...]
    missing: bool = False


def asked_of(verdict: VerdictFrame, trunk: Trunk | None = None) -> Iterator[Asked]:
    """What lists were asked that the call was found on, or that were missing. `trunk`: that which it came by, as it was
    configured."""
    trunk = trunk or Trunk(verdict.trunk, ASSUMED)
    values = _values(verdict, trunk)
    for fact, names in verdict.facts.items():
        which = fact.removeprefix(PREFIX)
        if fact.startswith(PREFIX) and isinstance(names, list | tuple):
            asked = tuple(filter(None, values.get(which, ())))
            for name in names:
                missing = name[:1] == NOT_KNOWN
                yield Asked(which, name.removeprefix(NOT_KNOWN), () if missing else asked, missing)


def _values(verdict: VerdictFrame, trunk: Trunk) -> dict[str, list[str]]:
    """What was asked by what lists are bound to."""
    attempt, user_agent = _read_again(verdict, trunk)
    also = [one.tn for one in attempt.asserted_also] if attempt is not None else []
    diverting = attempt.diverting.tn if attempt is not None and attempt.diverting is not None else ""
    facts, callers = verdict.facts, (verdict.caller, *names_of(trunk))
    codes, brand = facts.get("identity.spc"), facts.get("identity.rcd_name")
    signer = [facts.get("identity.origid"), facts.get("identity.signer")]
    signer += codes if isinstance(codes, list | tuple) else ()
    return {
        "shown": [verdict.shown],
        "asserted": [verdict.asserted, *also],
        "caller": [verdict.caller],
        "diverting": [diverting],
        "callee": [verdict.callee],
        "pair": [f"{caller},{verdict.callee}" for caller in callers if caller],
        "brand": [f"{folded(str(brand))},{verdict.callee}"] if brand else [],
        "upstream": [verdict.trunk, folded(verdict.trunk), folded(user_agent), address_of(verdict.source)],
        "signer": [folded(str(each)) for each in signer if each],
    }


def _read_again(verdict: VerdictFrame, trunk: Trunk) -> tuple[CallAttempt | None, str]:
    """The attempt and the User-Agent that the INVITE had, None and "" where its head is not kept."""
    lines = verdict.head.split(b"\r\n")
    kept = [line for line in lines if line and line.partition(b":")[0].strip().lower() not in _OF_BODY]
    try:
        request = parse(b"\r\n".join([*kept, b"", b""]))
    except SipError:
        return None, ""
    if not isinstance(request, Request):
        return None, ""
    attempt = read_attempt(
        trunk,
        verdict.at,
        request.uri,
        request.from_value,
        request.to_value,
        request.values("p-asserted-identity"),
        request.values("diversion"),
        (),
        "",
        "",
        request.call_id,
    )
    return attempt, request.value("user-agent") if "user-agent" in request.at else ""


def address_of(source: str) -> str:
    """The IP address in `ip:port`."""
    return source.rpartition(":")[0].strip("[]")


def speaking(entries: Iterable[str], asked: str) -> list[str]:
    """Those entries of edits that cover a number, the most specific first, as `overlay` asks them."""
    widths = ((width_of(entry, asked), entry[-1:] == "*", entry) for entry in entries)
    return [entry for width, _, entry in sorted(widths) if width]


def covering(entry: str) -> Iterator[str]:
    """The entries that cover one, the most specific first: itself, then prefixes."""
    yield entry
    if entry.isdecimal():
        yield from (f"{entry[:length]}*" for length in range(len(entry), 0, -1))


def covering_of(asked: Asked, value: str, trunk_name: str) -> Iterator[str]:
    """The entries that cover one value that was asked, on a list of any kind."""
    yield from covering(value)
    if value.isdecimal():
        yield from (f"{trunk_name},{entry}" for entry in covering(value))  # a list by trunk has no others
    elif asked.which in ("upstream", "signer"):
        yield from _networks(value)
        yield from (f"{value[:length]}*" for length in range(len(value), 0, -1))


def _networks(address: str) -> Iterator[str]:
    """The networks that an IP address is in, narrowest first; none for what is no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return
    for length in range(found.max_prefixlen, -1, -1):
        yield str(ip_network((found.packed, length), strict=False))
