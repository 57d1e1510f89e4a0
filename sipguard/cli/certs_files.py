"""The certificates in many files: read, described, counted; spread over the processors where files are many.

Enters: names of files and directories, anchors, the time. Leaves: lines in the order of the files, and their counts.
Must not: print; judge.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from threading import Thread
from typing import BinaryIO, Final

from sipguard.stir.chain import Anchors, Seen
from sipguard.stir.inspection import VALID, Line, around, describe, fingerprinted, other_than_certificates

STDIN: Final = "-"
FILE_LIMIT: Final = 64 * 2**20  # octets read of one file
MANY: Final = 1024  # files that are worth processes of their own: 0.3 s of work
_BATCH: Final = 64  # files given to a process at once
_AHEAD: Final = 3  # batches that a process may be ahead of what is printed
_PIECE: Final = 2**16


@dataclass(slots=True)
class Counts:
    """What was found: certificates by their kind, those not valid, what could not be read, what is none."""

    kinds: Counter[str] = field(default_factory=Counter)
    invalid: int = 0
    problems: int = 0
    others: int = 0  # files of keys, requests and CRLs

    def add(self, line: Line) -> None:
        """One line more."""
        if "problem" in line:
            self.problems += 1
        elif "other" in line:
            self.others += 1
        else:
            self.kinds[str(line["kind"])] += 1
            self.invalid += line["valid"] != VALID

    def join(self, others: Counts) -> None:
        """All that others counted."""
        self.kinds += others.kinds
        self.invalid += others.invalid
        self.problems += others.problems
        self.others += others.others


@dataclass(frozen=True, slots=True)
class Task:
    """What to do with each file."""

    anchors: Anchors
    unix_at: float
    written: Callable[[Line], bytes]


def inspected(files: Iterable[str], task: Task, counts: Counts) -> Generator[bytes, None, None]:
    """Lines in the order of the files, counted; several files' at once. Raises BrokenProcessPool.

    Few files, and standard input, are read in this process. To be closed, which ends the processes.
    """
    names = iter(files)
    given = list(islice(names, MANY))
    found = _names(chain(given, names))
    processors = len(os.sched_getaffinity(0))
    if processors < 2 or STDIN in given:
        return _lines(found, task, counts)
    first = list(islice(found, MANY))
    every = chain(first, found)
    return _lines(every, task, counts) if len(first) < MANY else _spread(every, task, counts, processors)


def contents(files: Iterable[str]) -> Iterator[tuple[str, bytes | str]]:
    """Name and octets of each file, those below directories too, or why it cannot be read."""
    return map(_read, _names(files))


def _names(files: Iterable[str]) -> Iterator[str]:
    """Names as given; in the place of a directory those of the files below it."""
    for name in files:
        if name != STDIN and Path(name).is_dir():
            yield from _below(str(Path(name)))
        else:
            yield name


def _below(directory: str) -> Iterator[str]:
    """Files below a directory, ordered by name in each; links to directories are not followed."""
    waiting = [(directory, True)]  # the last comes next
    while waiting:
        path, is_directory = waiting.pop()
        if not is_directory:
            yield path
            continue
        try:
            with os.scandir(path) as entries:
                found = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except PermissionError:
            continue
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                waiting.append((entry.path, True))
            elif Path(entry.path).is_file() if entry.is_symlink() else entry.is_file():
                waiting.append((entry.path, False))


def _read(name: str) -> tuple[str, bytes | str]:
    """Its name, as far as its encoding goes, and what it holds."""
    if name == STDIN:
        return name, _bounded(sys.stdin.buffer)
    path = Path(name)
    shown = os.fsencode(path).decode("utf-8", "replace")
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:  # a pipe must not hold this up
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                return shown, "not a regular file"
            return shown, _bounded(opened)
    except OSError as error:
        return shown, error.strerror or str(error)


def _bounded(opened: BinaryIO) -> bytes | str:
    """What it holds. Reading the limit at once would take that much memory for each small file."""
    octets = opened.read(_PIECE)
    if len(octets) == _PIECE:
        octets += opened.read(FILE_LIMIT)
    return octets if len(octets) <= FILE_LIMIT else f"longer than {FILE_LIMIT} octets"


def _lines(names: Iterable[str], task: Task, counts: Counts) -> Generator[bytes, None, None]:
    seen = Seen()
    for name in names:
        for line in _of_file(*_read(name), task, seen):
            counts.add(line)
            yield task.written(line)


def _of_file(name: str, octets: bytes | str, task: Task, seen: Seen) -> Iterator[Line]:
    if isinstance(octets, str):
        yield {"file": name, "problem": octets}
        return
    all_found = list(fingerprinted(octets))
    beside = around([found for _, found, _ in all_found if not isinstance(found, str)])
    for at, found, sha256 in all_found:
        line: Line = {"file": name, "line": at}
        if isinstance(found, str):
            kind = "other" if len(all_found) == 1 and found == other_than_certificates(octets) else "problem"
            line[kind] = found
        else:
            line |= describe(found, beside, task.anchors, task.unix_at, seen, sha256)
        yield line


# ------------------------------------------------------------------------------------------ many processes


def _spread(names: Iterator[str], task: Task, counts: Counts, processors: int) -> Generator[bytes, None, None]:
    """As _lines, by processes that are forked; as few batches are under way as keep them busy."""
    waiting: deque[Future[tuple[bytes, Counts]]] = deque()
    pool = ProcessPoolExecutor(processors, get_context("fork"), _begin, (task,))
    try:
        while True:
            while len(waiting) < _AHEAD * processors and (batch := list(islice(names, _BATCH))):
                waiting.append(_submitted(pool, batch))
            if not waiting:
                return
            with _whole():
                lines, counted = waiting.popleft().result()
            counts.join(counted)
            yield lines
    finally:
        with _whole():
            pool.shutdown(cancel_futures=True)


def _submitted(pool: ProcessPoolExecutor, batch: list[str]) -> Future[tuple[bytes, Counts]]:
    """Processes are forked here, and do not hear of Ctrl-C: it ends this process, and it ends them."""
    with _whole():
        return pool.submit(_batch, batch)


@contextmanager
def _whole() -> Iterator[None]:
    """Ctrl-C waits for the end of this: in the middle of it a lock of the pool would be left taken, for ever."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_task: Task  # in a process of the pool: what it was forked for


def _begin(task: Task) -> None:
    """A process begins; it ends with the one that forked it, however that ends."""
    global _task
    _task = task
    parent = parent_process()
    assert parent is not None
    Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()


def _follow(parent: int) -> None:
    wait([parent])
    os._exit(1)


def _batch(names: list[str]) -> tuple[bytes, Counts]:
    counts = Counts()
    return b"".join(_lines(names, _task, counts)), counts
