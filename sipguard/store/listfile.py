"""A file with a list, as it is given: text, .gz or .zip.

Enters: a path. Leaves: octets of whole lines, from any place on; its digest. Must not: know what a line means, or take
a file for whole that is not.
"""

from __future__ import annotations

import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

from sipguard.store.errors import ListFileError

CHUNK: Final = 1 << 20
HEAD: Final = 4096
LONGEST_LINE: Final = 1 << 20
_BROKEN: Final = (
    EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, zipfile.BadZipFile, NotImplementedError, RuntimeError,
    UnicodeDecodeError,  # of a name in an archive
)  # fmt: skip
_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


class ListFile:
    """One file. Of a .zip all files in it are read, in the order of their names.

    `position` is where reading stands in the file as it lies there, `size` how long that is; `ended` whether the last
    line that was read had an end.
    """

    def __init__(self, path: Path) -> None:
        """Raises ListFileError where there is no such file."""
        self.path = path
        try:
            status = path.stat()
        except OSError as error:
            raise ListFileError(str(path), error.strerror or str(error)) from error
        if not path.is_file():
            raise ListFileError(str(path), "is no file")
        self.size = status.st_size
        self.changed_at = status.st_mtime
        self.position = 0
        self.ended = True
        self.digest = ""

    def identify(self, moved: Callable[[int], None]) -> str:
        """The SHA-256 of the file; `moved` is told how many octets were read. Raises ListFileError."""
        digest = sha256()
        try:
            with self.path.open("rb") as file:
                while octets := file.read(CHUNK):
                    digest.update(octets)
                    moved(len(octets))
        except OSError as error:
            raise ListFileError(str(self.path), error.strerror or str(error)) from error
        self.digest = digest.hexdigest()
        return self.digest

    def head(self) -> bytes:
        """The first octets of its text. Raises ListFileError."""
        try:
            return without_bom(next(self._pieces(0))[:HEAD])
        except _BROKEN as error:
            raise ListFileError(str(self.path), f"is truncated or broken: {error}") from error
        except OSError as error:
            raise ListFileError(str(self.path), error.strerror or str(error)) from error

    def chunks(self, offset: int = 0, end: bytes = b"\n") -> Iterator[bytes]:
        """Octets of whole lines, a MiB at a time; `offset` of them, in the text, are left out. Raises ListFileError.

        Each chunk ends with a line end (`end`); one that lacks at the end of the file is added, and `ended`
        is False then. Of a file in an archive that ends otherwise only with `end`, white space is let go.
        """
        rest = b""
        try:
            for octets in self._pieces(offset):
                if not octets:  # a file of an archive is over
                    if rest and (end == b"\n" or rest.strip()):
                        self.ended = False
                        yield rest + end
                    rest = b""
                    continue
                at = octets.rfind(end)
                if at < 0:
                    rest += octets
                    if len(rest) > LONGEST_LINE:
                        what = f"a line of more than {LONGEST_LINE:,} octets: this is no text with a number to a line"
                        raise ListFileError(str(self.path), what)
                    continue
                self.ended = True
                yield rest + octets[: at + 1]
                rest = octets[at + 1 :]
        except _BROKEN as error:
            raise ListFileError(str(self.path), f"is truncated or broken: {error}") from error
        except OSError as error:
            raise ListFileError(str(self.path), error.strerror or str(error)) from error

    def has_changed(self) -> bool:
        """Whether it is another file by now."""
        try:
            status = self.path.stat()
        except OSError:
            return True
        return (status.st_size, status.st_mtime) != (self.size, self.changed_at)

    def _pieces(self, offset: int) -> Iterator[bytes]:
        """Octets of the text as they come, and none behind each file of it."""
        with self.path.open("rb") as file:
            head = file.read(4)
            file.seek(0)
            if head[:4] == b"PK\x03\x04":
                with zipfile.ZipFile(file) as archive:
                    files = [each for each in archive.infolist() if not each.is_dir()]
                    if not files:
                        raise ListFileError(str(self.path), "the archive holds no file")
                    for each in sorted(files, key=lambda each: each.filename):  # two may have the same name
                        with archive.open(each) as text:
                            offset = yield from self._text(text, file, offset)
            elif head[:2] == b"\x1f\x8b":
                with gzip.open(file) as text:
                    yield from self._text(text, file, offset)
            elif offset:
                file.seek(offset)
                yield from self._text(file, file, 0, is_begin=False)
            else:
                yield from self._text(file, file, 0)

    def _text(
        self, text: IO[bytes] | gzip.GzipFile, file: IO[bytes], offset: int, is_begin: bool = True
    ) -> Generator[bytes, None, int]:
        """Pieces of one text, and none behind them; returns how much of `offset` is left."""
        last = b""
        while octets := text.read(CHUNK):
            self.position = file.tell()
            if is_begin:
                self._must_be_text(octets)
                is_begin = False
            last = octets[-1:]
            if offset >= len(octets):
                offset -= len(octets)
                continue
            if offset:
                octets, offset = octets[offset:], 0
            yield octets
        self.position = file.tell()
        if offset and last != b"\n":
            offset -= 1  # of the line end that was added
        yield b""
        return offset

    def _must_be_text(self, head: bytes) -> None:
        """Raises ListFileError for what begins like no list."""
        if head[:2] in _UTF16 or head[:64].count(b"\0") * 3 > len(head[:64]):
            raise ListFileError(str(self.path), "is UTF-16, or no text at all; save it as UTF-8")
        if b"\0" in head[:CHUNK]:
            raise ListFileError(str(self.path), "is no text: it has octets of value 0")


def without_bom(first: bytes) -> bytes:
    """The first chunk of a file without the mark that some programs write."""
    return first.removeprefix(_BOM)
