"""The import of a list: from files as they are given to a base that is in force.

Enters: files, and what the operator says of them. Leaves: a base with its manifest, or nothing changed. Must not: hold
a list in memory, or begin from the start what was interrupted.
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from sipguard.numbers import notes
from sipguard.numbers.bulk import Bulk
from sipguard.numbers.columns import COLUMNS, REGISTRIES, Columns, NoSuchColumn, is_answer
from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.numberset import NumberSet
from sipguard.numbers.pairset import PairSet
from sipguard.numbers.registryxml import NO_AREA, BrokenXml, RegistryXml
from sipguard.numbers.rows import ALSO, BESIDE
from sipguard.numbers.setfile import NUMBERS, write
from sipguard.numbers.tally import Tally
from sipguard.numbers.wide import NEVER
from sipguard.service.errors import ImportRefused
from sipguard.service.import_rows import RowsImport
from sipguard.store import manifest
from sipguard.store.errors import ListFileError
from sipguard.store.listfile import CHUNK, ListFile, without_bom
from sipguard.store.manifest import Given, Manifest
from sipguard.store.staging import BITS, Change, Staging

AREAS: Final = ("ftc", "ftc-xml")  # full files of the registry: with update they replace area codes
LIST: Final = "list"  # the file of a list: pairs, ends, reasons
FORMS: Final = ("plain", *AREAS, *COLUMNS, LIST)
TAB: Final = "\t"
CHECKPOINT_S: Final = 5.0
PACKED: Final = 32  # octets that one of an archive stands for; of text that says something new, there are fewer
CHECKPOINT: Final = ".checkpoint.json"
REFUSED: Final = ".refused"  # what was read was refused, not interrupted; --accept-loss may still take it
_OPEN_QUOTE: Final = (
    "a quote that is opened on this line has no end on it: take it out, or write the same quote behind it; the file "
    "is refused as broken, nothing was changed"
)
ROWS: Final = 4096  # rows between two looks at the clock
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
Moved = Callable[[int], None]


@dataclass(frozen=True)
class Asked:
    """What shall be imported. `dated_at` None: the files say it; `form` one of FORMS; `version` "" for a made one."""

    directory: Path  # state.directory/lists
    name: str
    files: tuple[Path, ...]
    form: str
    column: str = ""
    update: bool = False
    accept_loss: bool = False
    version: str = ""
    dated_at: float | None = None
    by: str = ""
    kind: str = "numbers"  # or pairs, in the form LIST


class Interrupted(Exception):
    """Ended on request; the next run goes on where this one was."""


class Import:
    """One run. `went_on_at` is the line that an earlier run had come to, 0 for none; `was_other` whether there was an
    earlier run of something else, which was thrown away; `unread` why the base so far could not be used, "" where it
    could, or there is none.
    """

    def __init__(self, asked: Asked) -> None:
        """Raises ListFileError, ImportRefused."""
        self.asked = asked
        self.files = [ListFile(path) for path in asked.files]
        self.octets = 2 * sum(file.size for file in self.files)  # each is read twice
        self.tally = Tally()
        self.went_on_at = 0
        self.was_other = False
        self._directory = asked.directory / f".{asked.name}.import"
        self._at = 0  # file that is read
        self._offset = 0  # in its text
        self._area = NO_AREA  # that a file in XML is in there
        self._kept_at = 0.0
        self._raw = ""  # the line of the row that is read
        self.column = ""  # that the numbers were read from: its name, or its position where no header names it
        self.unread = ""
        self._before_path = manifest.base_of(asked.directory, asked.name)

    def run(self, moved: Moved, enough: Callable[[], bool]) -> Manifest:
        """Does it. `moved` is told how many octets were read, of `octets`; `enough` whether to stop.

        Raises ImportRefused, ListFileError, Interrupted, NumberSetError, OSError; nothing has changed then.
        """
        self.asked.directory.mkdir(parents=True, exist_ok=True)
        lock = self._lock()
        try:
            before = self._base_so_far()
            for file in self.files:
                file.identify(moved)
                if enough():
                    raise Interrupted
            make = self._as_list if self.asked.form == LIST else self._staged
            return make(before, moved, enough)
        finally:
            os.close(lock)

    def _base_so_far(self) -> Path | None:
        """The base that is in force, None where there is none that is whole: an import of the whole list needs none.

        Raises ImportRefused where that is to be updated: what is damaged would be copied into the next base.
        """
        asked, path = self.asked, Path(self._before_path)
        if not self._before_path:
            gone = manifest.manifest_path(asked.directory, asked.name).exists()
            self.unread = "it is gone, or its manifest cannot be read" if gone else ""
        else:
            try:
                damage = (PairSet if asked.kind == "pairs" else NumberSet).open(path).damaged()
            except NumberSetError as error:
                damage = [error]
            if not damage:
                return path
            self.unread = str(damage[0])
        if self.unread and asked.update:
            raise ImportRefused(
                f"{asked.name}: its base is gone or damaged: import the whole list, with --replace ({self.unread})"
            )
        return None

    def _staged(self, base: Path | None, moved: Moved, enough: Callable[[], bool]) -> Manifest:
        """Reads the files into the staging, and makes the base of it."""
        before = NumberSet.open(base) if base is not None else None
        has_more = before is not None and base is not None and (before.ends or notes.beside(base).exists())
        if has_more and self.asked.update:
            raise ImportRefused(
                f"{self.asked.name}: its entries have ends or reasons, which --format {LIST} alone keeps"
            )
        kept = self._earlier()
        stage = Staging(self._directory)
        try:
            self._read(stage, before, kept, moved, enough)
            found = self._finish(stage, before)
        except ListFileError:  # nobody goes on with it: once mended, it is another file
            stage.clear()
            raise
        except ImportRefused:
            (self._directory / REFUSED).touch()
            stage.close()
            raise
        except BaseException:
            stage.close()
            raise
        stage.clear()
        return found

    def _as_list(self, before: Path | None, moved: Moved, enough: Callable[[], bool]) -> Manifest:
        """Reads files that say more than numbers, and makes the base of them; begun anew where it was interrupted."""
        moved_to = {file.path: 0 for file in self.files}

        def look(file: ListFile) -> None:
            moved(file.position - moved_to[file.path])
            moved_to[file.path] = file.position
            if enough():
                raise Interrupted

        asked = self.asked
        rows = RowsImport(asked.kind, self.files, before, asked.update, self.tally, look)
        self._must_be_right()
        new = asked.directory / f".{asked.name}.new.base"
        try:
            members = rows.write(new)
            self._must_be_right()
            was, added, removed = rows.compared(new)
            if not asked.accept_loss:
                self._must_not_lose(members + len(rows.prefixes) + len(rows.ranges), was, removed)
            return self._in_force(new, members, (len(rows.prefixes), len(rows.ranges)), Change(was, added, removed))
        finally:
            for left in (new, notes.beside(new)):
                left.unlink(missing_ok=True)

    def _read(
        self, stage: Staging, before: NumberSet | None, kept: dict[str, Any], moved: Moved, enough: Callable[[], bool]
    ) -> None:
        """Reads what was not read yet."""
        asked = self.asked
        if kept:
            self.tally = Tally.of(kept["tally"])
            self._at, self._offset, self.went_on_at = kept["at"], kept["offset"], kept["tally"]["lines"]
            self._area, self.column = kept["area"], kept.get("column", "")  # earlier versions kept none
        elif before is not None and asked.update and asked.form not in AREAS:
            stage.begin_from(before)
        form = "ftc" if asked.form in AREAS else "plain"
        strict = asked.form in REGISTRIES or asked.form in AREAS
        self._bulk = bulk = Bulk(form, stage.bits, stage.add, strict, self.tally)
        columns = Columns(asked.form, asked.column, bulk, stage.delete) if asked.form in COLUMNS else None
        if before is not None and asked.update:
            bulk.prefixes.update(before.prefixes)
            bulk.ranges += [(int("1" + first), int("1" + last), end) for first, last, end in before.wide.ranges()]
        if kept:
            bulk.prefixes.update(kept["prefixes"])
            bulk.ranges = [(first, last, NEVER) for first, last in kept["ranges"]]
            if columns is not None:
                columns.resume(kept["place"], self.column)
        for file in self.files[self._at :]:
            self.tally.file = str(file.path)
            moved_to = 0
            chunk = min(CHUNK, PACKED * file.size)
            stage.require_room(chunk)
            turns = self._lines(file) if columns is None else self._rows(file, columns)
            for _ in turns if asked.form != "ftc-xml" else self._elements(file):
                moved(file.position - moved_to)
                moved_to = file.position
                stage.require_room(chunk)
                if enough() or time.monotonic() - self._kept_at > CHECKPOINT_S:
                    self._keep(stage, columns)
                    if enough():
                        raise Interrupted
            if file.has_changed():
                raise ListFileError(str(file.path), "was changed while it was read; import it again")
            self._at, self._offset, self.tally.lines = self._at + 1, 0, 0
            if columns is not None:
                self.column = columns.column
                columns.begin()
        self._keep(stage, columns)

    def _lines(self, file: ListFile) -> Iterator[None]:
        """Reads a file whose lines are numbers, a chunk at a time."""
        for chunk in file.chunks(self._offset):
            before = self.tally.refusals
            self._bulk.feed(without_bom(chunk) if not self._offset else chunk)
            self._offset += len(chunk)
            if not file.ended and self.tally.refusals > before:
                what = f"ends in the middle of line {self.tally.lines}: it is cut off"
                raise ListFileError(str(file.path), what)
            yield

    def _elements(self, file: ListFile) -> Iterator[None]:
        """The same of a file in XML: of each number its position counts as its line."""
        reader = RegistryXml(self._area if self._offset else NO_AREA)
        try:
            for chunk in file.chunks(self._offset, b">"):
                lines = reader.lines(without_bom(chunk) if not self._offset else chunk)
                if lines:
                    self._bulk.feed(lines)
                self._offset += len(chunk)
                self._area = reader.area
                yield
        except BrokenXml as error:
            raise ListFileError(str(file.path), f"behind number {self.tally.lines:,}: {error}") from error
        if not reader.ended or not file.ended:
            raise ListFileError(
                str(file.path), f"ends behind number {self.tally.lines:,} without </list>: it is cut off"
            )

    def _rows(self, file: ListFile, columns: Columns) -> Iterator[None]:
        """The same of a file with rows: chunks whose rows are simple at once, others row by row."""
        tally = self.tally
        refused = tally.refusals
        chunks = file.chunks(self._offset)

        def lines(chunk: bytes) -> Iterator[str]:
            """The lines of a chunk. Raises ListFileError where a row asks for a second one, which a stray quote does:
            it would take all up to the next quote for one field, and no format here has line ends in fields."""
            for octets in chunk.splitlines(keepends=True):
                self._offset += len(octets)
                tally.lines += 1
                raw = self._raw = octets.decode("utf-8", "replace")
                yield raw
                if self._raw:
                    raise ListFileError(f"{file.path}:{tally.lines}", _OPEN_QUOTE)

        try:
            for chunk in chunks:
                plain = without_bom(chunk) if not self._offset else chunk
                self._offset += len(chunk) - len(plain)
                refused = tally.refusals
                if columns.feed_simple(plain):
                    self._offset += len(plain)
                    yield
                    continue
                for count, fields in enumerate(csv.reader(lines(plain), skipinitialspace=True), 1):
                    columns.feed(fields, tally.lines, self._raw)
                    self._raw = ""
                    if count % ROWS == 0:
                        yield
                        refused = tally.refusals
                yield
        except csv.Error as error:
            raise ListFileError(f"{file.path}:{tally.lines}", f"is no CSV: {error}") from error
        except NoSuchColumn as error:
            raise ListFileError(f"{file.path}:{tally.lines}", str(error)) from error
        if not file.ended and tally.refusals > refused and tally.told and tally.told[-1].line == tally.lines:
            raise ListFileError(str(file.path), f"ends in the middle of line {tally.lines}: it is cut off")

    # ------------------------------------------------------------------------------------ what was begun before

    def _identity(self) -> str:
        """What an interrupted import must have in common with this one to be gone on with."""
        asked = self.asked
        return json.dumps(
            [[file.digest for file in self.files], asked.form, asked.column, asked.update, self._before_path]
        )

    def _earlier(self) -> dict[str, Any]:
        """What an earlier run of the same has kept; {} where there is none, and nothing is left of another one."""
        path = self._directory / CHECKPOINT
        if not self._directory.exists():
            return {}
        try:
            kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if (kept["identity"], kept["boot"]) == (self._identity(), _boot()) and (self._directory / BITS).exists():
                Tally.of(kept["tally"])
                return kept
            self.was_other = not (self._directory / REFUSED).exists()
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError):
            self.was_other = True
        shutil.rmtree(self._directory)
        return {}

    def _keep(self, stage: Staging, columns: Columns | None) -> None:
        """Notes how far it is. What is mapped outlives this process; a start of the machine it may not."""
        stage.flush()
        noted = {
            "identity": self._identity(), "boot": _boot(), "at": self._at, "offset": self._offset, "area": self._area,
            "tally": self.tally.plain(), "prefixes": sorted(self._bulk.prefixes),
            "ranges": [[first, last] for first, last, _ in self._bulk.ranges],
            "place": columns.place if columns is not None else -1,
            "column": columns.column if columns is not None else "",
        }  # fmt: skip
        new = self._directory / f"{CHECKPOINT}.new"
        new.write_text(json.dumps(noted), encoding="utf-8")
        new.replace(self._directory / CHECKPOINT)
        self._kept_at = time.monotonic()

    def _lock(self) -> int:
        """Keeps another import of the same list away. Raises ImportRefused."""
        path = self.asked.directory / f".{self.asked.name}.import.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ImportRefused(f"{self.asked.name}: another import of this list is running") from error
        return descriptor

    # ------------------------------------------------------------------------------------ what comes of it

    def _finish(self, stage: Staging, before: NumberSet | None) -> Manifest:
        """Makes the base, and puts it in force if it may be."""
        asked, bulk = self.asked, self._bulk
        self._must_be_right()
        new = self._directory / ".base"
        by_area = asked.update and asked.form in AREAS  # a full file of some area codes
        members = write(new, NUMBERS, stage.blocks(before, (bulk.prefixes, bulk.ranges), by_area, asked.update))
        if not asked.accept_loss:
            wide = len(bulk.prefixes) + len(bulk.ranges)
            self._must_not_lose(members + wide, stage.change.before, stage.change.removed)
        return self._in_force(new, members, (len(bulk.prefixes), len(bulk.ranges)), stage.change)

    def _must_be_right(self) -> None:
        """Raises ImportRefused where most lines were refused: it is another file than was meant."""
        tally = self.tally
        if tally.refusals > tally.accepted + tally.deleted:
            raise ImportRefused(self._wrong_file())

    def _in_force(self, new: Path, members: int, wide: tuple[int, int], change: Change) -> Manifest:
        """Puts a base in force, with its manifest; `wide`: how many prefixes and ranges it has."""
        asked, tally = self.asked, self.tally
        base = f"{asked.name}.{sha256(self._identity().encode()).hexdigest()[:16]}.base"
        if notes.beside(new).exists():
            notes.beside(new).replace(notes.beside(asked.directory / base))
        new.replace(asked.directory / base)
        os.utime(asked.directory / base)
        dated_at = asked.dated_at if asked.dated_at is not None else min(file.changed_at for file in self.files)
        found = Manifest(
            list=asked.name,
            kind=asked.kind,
            base=base,
            version=asked.version or f"{time.strftime('%Y-%m-%d', time.gmtime(dated_at))}.{self._digest()[:8]}",
            form=asked.form,
            way="update" if asked.update else "replace",
            files=tuple(Given(str(file.path), file.digest, file.size, file.changed_at) for file in self.files),
            dated_at=dated_at,
            imported_at=round(time.time(), 3),
            by=asked.by,
            counts={
                "accepted": tally.accepted, "deleted": tally.deleted, "empty": tally.empty,
                "passed_over": tally.passed_over, "refused": tally.refusals, "odd": tally.odd.total(),
                "members": members, "prefixes": wide[0], "ranges": wide[1],
                "before": change.before, "added": change.added, "removed": change.removed,
            },
            refused=dict(tally.refused),
        )  # fmt: skip
        manifest.put(asked.directory, found, (asdict(each) for each in tally.told))
        return found

    def _digest(self) -> str:
        """Of one file its own, of several one of all."""
        digests = [file.digest for file in self.files]
        return digests[0] if len(digests) == 1 else sha256(" ".join(digests).encode()).hexdigest()

    def _wrong_file(self) -> str:
        """Why a file is taken for another one than was meant."""
        tally = self.tally
        first = tally.told[0]
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in tally.refused.most_common(3))
        return (
            f"{self.asked.name}: {tally.refusals:,} lines refused and {tally.accepted:,} taken ({reasons}); the first "
            f"is {first.file}:{first.line}:{first.column}: {first.what}. Is it a list of {self.asked.kind}, and "
            f"--format {self.asked.form} its format? Nothing was changed"
        )

    def _must_not_lose(self, entries: int, before: int, removed: int) -> None:
        """Raises ImportRefused where a mistake is more likely than such a change."""
        kind = self.asked.kind
        if not entries:
            what = "there is not one " + kind.removesuffix("s")
            raise ImportRefused(f"{self.asked.name}: {what}; --accept-loss makes an empty list")
        if removed * 2 > before:
            what = f"{removed:,} of its {before:,} {kind} would be gone; nothing was changed"
            raise ImportRefused(f"{self.asked.name}: {what}. --accept-loss does it all the same, at once")


def _boot() -> str:
    """Told apart from that after another start of this machine."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def form_of(path: Path) -> str:
    """The format that a file has by its first lines, one of FORMS. Raises ListFileError."""
    text = ListFile(path).head().decode("utf-8", "replace")
    if text.lstrip()[:1] == "<":
        return "ftc-xml"
    lines = text.splitlines()
    for at, line in enumerate(lines):
        fields = _fields(line)
        if line.strip() and not line.startswith("#"):
            sign = next((each for each in (";", TAB, "|") if each in line and "," not in line), "")
            if sign and any(char.isalpha() for char in line.partition(sign)[0]):
                what = f"its columns are parted by {'tabs' if sign == TAB else sign}"
                raise ListFileError(str(path), f"{what}: save it as CSV with commas")
            return "reassigned" if _heads_answers(fields, lines[at + 1 :]) else _form_of(fields)
    return "plain"


def _fields(line: str) -> list[str]:
    return [field.strip(' "') for field in line.split(",")]


def _heads_answers(header: list[str], rows: list[str]) -> bool:
    """Whether a header stands over numbers, dates of their disconnection, and yes or no, as of reassigned numbers."""
    names = [field.lower() for field in header]
    if len(names) != 3 or any(c.isdigit() for name in names for c in name):
        return False
    if "date" not in names[1] and "disconnect" not in names[1]:
        return False
    return any(is_answer(fields[2]) for fields in map(_fields, rows) if len(fields) == 3)


def _form_of(fields: list[str]) -> str:
    """The same by the fields of one line."""
    if {field.lower() for field in fields} & {*BESIDE, *ALSO} and fields[0].lower() in ("number", "entry"):
        return LIST
    names = {"".join(c for c in field.lower() if c.isalnum()) for field in fields}
    if names & {"companyphonenumber", "companyphone"}:
        return "complaints"
    if {field.upper() for field in fields} & {"A", "D", "ADD", "DELETE"} and len(fields) > 1:
        return "ftc-change"
    if len(fields) == 3 and is_answer(fields[2]):
        return "reassigned"
    if len(fields) == 2 and [len(field) for field in fields] == [3, 7] and "".join(fields).isdecimal():
        return "ftc"
    if len(fields) > 1:
        return "csv"
    return "csv" if fields[0].isalpha() and names & {"number", "phone", "tn", "telephone"} else "plain"
