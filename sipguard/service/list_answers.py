"""What every list says of a number, a pair, an upstream or a signer: by which entry, since when, why, until when.

Enters: ListSpecs with their built files and notes, the edits over them. Leaves: Answers. Must not: build a list, or
judge: what an answer is for, policy says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

from sipguard.numbers import notes
from sipguard.numbers.canonical import read
from sipguard.numbers.formats import ListReader
from sipguard.numbers.networkset import NetworkSet, address_of
from sipguard.numbers.notes import Note
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet
from sipguard.numbers.rules import READ_AS_NANP
from sipguard.numbers.textset import TextSet, folded
from sipguard.numbers.wide import NEVER
from sipguard.records.listed import CONFIGURATION, EDIT, FILE, IMPORT, speaking
from sipguard.screening.checks.lists import names_of
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, Edits
from sipguard.screening.trunk import Trunk
from sipguard.service.listed import made_by
from sipguard.store.edits import Change, EditStore, Held

Edited = Mapping[str, tuple[Held, Change | None]]  # entry -> the edit in force, and the change it comes from
_NOBODY: Final = Note("", 0, "", "", "")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the lists; texts are "" where nothing is said. Numbers are canonical."""

    number: str
    callee: str = ""
    trunk: Trunk | None = None
    address: str = ""
    user_agent: str = ""
    signer: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Of what the base of a list is: the files; of a file when it was changed, of an import its version, when and by
    whom it was made. Instants are Unix seconds."""

    files: tuple[str, ...]
    changed_at: float | None = None
    version: str = ""
    imported_at: float | None = None
    imported_by: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """By which entry something is on a list, or off it. Instants are Unix seconds, but for `added_at`, as written."""

    entry: str
    by: str  # FILE | IMPORT | CONFIGURATION | EDIT
    reason: str = ""
    added_by: str = ""
    added_at: str | float | None = None
    until: float | None = None
    line: int | None = None  # of the file
    change: int | None = None  # of `lists history`
    origin: Origin | None = None  # of a file or an import


@dataclass(frozen=True, slots=True)
class Answer:
    """What one list says of one thing that was asked: `on` is None where the list was not built yet."""

    list: str
    kind: str
    bind: tuple[str, ...]
    asked: str
    on: bool | None
    standing: tuple[Standing, ...] = ()  # what covers it, what has ended too; of edits the one that speaks

    def as_json(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def edited_in(store: EditStore | None, name: str, now_at: float) -> Edited:
    """The edits of a list that are in force. Raises StoreError."""
    if store is None:
        return {}
    held = (each for each in store.state(store.sequence(), name) if not each.expires_at or now_at < each.expires_at)
    return {each.entry: (each, store.get(each.origin)) for each in held}


def answers(spec: ListSpec, question: Question, edited: Edited, now_at: float) -> Iterator[Answer]:
    """What one list says of all that was asked and that it can be asked about. Raises NumberSetError, OSError."""
    for asked in _asked(spec, question):
        if not Path(spec.path).exists() if spec.path else spec.missing:
            yield Answer(spec.name, spec.kind, spec.bind, asked, None)
            continue
        edit = next((edited[entry] for entry in _entries_that_speak(spec, asked, edited) if entry in edited), None)
        if edit is not None:
            yield Answer(spec.name, spec.kind, spec.bind, asked, edit[0].said == ADDED, (_by_edit(*edit),))
            continue
        found = list(_covering(spec, asked))
        on = any(end > now_at for _, end in found)
        origin = _origin(spec) if found else None
        standing = tuple(each for entry, end in found for each in _of_base(spec, asked, entry, end, origin))
        yield Answer(spec.name, spec.kind, spec.bind, asked, on, standing)


def is_on(spec: ListSpec, entry: str, edits: Edits, now_at: float) -> bool | None:
    """Whether one entry is on a list, by itself or by what covers it. None where that is not known: where the list was
    not built, or the entry is a range, prefix or network that others may be part of. Raises NumberSetError, OSError."""
    edit = edits.entries.get(entry)
    if edit is not None and (not edit[1] or now_at < edit[1]):
        return edit[0] == ADDED
    if not Path(spec.path).exists() if spec.path else spec.missing:
        return None
    if spec.kind == "numbers":
        if not entry.rpartition(",")[2].isdecimal():
            return None
        said = edits.says_number(entry, now_at)
        if said:
            return said == ADDED
    elif spec.kind in ("networks", "texts") and (edits.entries or "*" in entry or "/" in entry):
        return None
    return any(end > now_at for _, end in _covering(spec, entry))


def _asked(spec: ListSpec, question: Question) -> Iterable[str]:
    """What a list is asked, as its entries are written."""
    trunk = question.trunk
    if spec.kind == "pairs":
        callers = [question.number, *(names_of(trunk) if trunk is not None else ())] if question.callee else []
        return [f"{caller},{question.callee}" for caller in callers if caller]
    if spec.kind == "networks":
        return [question.address] if question.address else []
    if spec.kind == "texts":
        found = [*question.signer] if "signer" in spec.bind else []
        if "upstream" in spec.bind:
            found += [each for each in (trunk.name if trunk is not None else "", question.user_agent) if each]
        return [folded(each) for each in found]
    if spec.kind == "trunks":
        return [trunk.name] if trunk is not None else []
    numbers = [question.number] if spec.bind != ("callee",) or not question.callee else []
    numbers += [question.callee] if question.callee and "callee" in spec.bind else []
    if not spec.per_trunk:
        return [tn for tn in numbers if tn]
    return [f"{trunk.name},{tn}" for tn in numbers if tn] if trunk is not None else []


def _entries_that_speak(spec: ListSpec, asked: str, edited: Iterable[str]) -> Iterator[str]:
    """Entries of edits that would decide, the most specific first."""
    if spec.kind == "numbers":
        yield from speaking(edited, asked)
    elif spec.kind == "networks":
        address = address_of(asked)
        for length in range(address.max_prefixlen, -1, -1) if address is not None else ():
            yield str(ip_network(f"{address}/{length}", strict=False))
    else:
        yield asked


def _covering(spec: ListSpec, asked: str) -> Iterator[tuple[str, int]]:
    """(entry, end) of what covers it in the base."""
    path = Path(spec.path)
    if spec.kind == "networks":
        address = address_of(asked)
        networks = NetworkSet.open(path) if spec.path else NetworkSet.of(spec.members)
        if address is not None:
            yield from ((entry, networks.end_of(entry)) for entry in networks.entries_of(address))
    elif spec.kind == "texts":
        texts = TextSet.open(path) if spec.path else TextSet.of(spec.members)
        yield from ((entry, texts.end_of(entry)) for entry in texts.entries_of(asked))
    elif not spec.path:
        yield from ((entry, NEVER) for entry in spec.members if entry == asked)
    elif spec.kind == "pairs":
        caller, _, callee = asked.rpartition(",")
        end = PairSet.open(path).until((caller, callee))
        if end:
            yield asked, end
    elif spec.per_trunk:
        trunk, _, number = asked.rpartition(",")
        own = NumberSet.open_by_trunk(path).get(trunk)
        if own is not None:
            yield from ((f"{trunk},{entry}", end) for entry, end in own.entries_of(number))
    else:
        yield from NumberSet.open(path).entries_of(asked)


def _origin(spec: ListSpec) -> Origin | None:
    """Of what a base is, None for one in the configuration."""
    if spec.file:
        return Origin((spec.file,), Path(spec.file).stat().st_mtime if Path(spec.file).exists() else None)
    made = made_by(spec)
    if made is None:
        return None
    return Origin(tuple(each.name for each in made.files), None, made.version, made.imported_at, made.by)


def _of_base(spec: ListSpec, asked: str, entry: str, end: int, origin: Origin | None) -> Iterator[Standing]:
    """An entry with what is noted of it; of a range all that were merged into it."""
    until = None if end == NEVER else float(end)
    by = IMPORT if spec.imported else FILE if spec.file or spec.path else CONFIGURATION
    for note in _noted(spec, asked, entry) or [_NOBODY]:
        yield Standing(
            note.entry or entry,
            by,
            note.reason,
            note.added_by,
            note.added_at or None,
            until,
            note.line or None,
            origin=origin,
        )


def _noted(spec: ListSpec, asked: str, entry: str) -> list[Note]:
    if spec.kind == "trunks" and spec.file:
        reader = ListReader(kind="trunks", trunks=spec.members)
        with Path(spec.file).open(encoding="utf-8", errors="replace") as lines:
            reader.names(lines)
        return [each for each in reader.notes if each.entry == entry]
    if not spec.path:
        return []
    path = notes.beside(Path(spec.path))
    found = notes.of(path, entry)
    trunk, comma, number = asked.rpartition(",")
    if not found and spec.kind == "numbers" and "-" in entry.rpartition(",")[2]:
        found = [each for each in notes.ranges(path, trunk + comma) if _within(number, each.entry)]
    return found


def _within(number: str, entry: str) -> bool:
    first, _, last = entry.rpartition(",")[2].partition("-")
    return len(first) == len(number) and first <= number <= last


def _by_edit(held: Held, change: Change | None) -> Standing:
    until = held.expires_at or None
    if change is None:
        return Standing(held.entry, EDIT, until=until)
    why = change.why if held.said != REMOVED else f"removed: {change.why}" if change.why else "removed"
    return Standing(held.entry, EDIT, why, change.who, change.at, until, change=change.sequence)


def number_in(written: str, trunk: Trunk | None) -> str:
    """The TN that is meant, read by the rules of a trunk; "" for what is no number."""
    return read(written.strip(), trunk.read if trunk is not None else READ_AS_NANP).tn
