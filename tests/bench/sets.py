"""What asking a list costs, small and large: random numbers of all area codes, of sets of 1 and of 250 million."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Final

from sipguard.numbers.numberset import BITMAP_OCTETS, NumberSet, area_block, build
from sipguard.numbers.setfile import NUMBERS, Block, write

AREAS: Final = tuple(npa for npa in range(200, 1000) if npa % 100 != 11 and npa // 10 % 10 != 9)[:400]
ASKED: Final = 20_000
RUNS: Final = 9


def sets(directory: Path) -> Iterator[tuple[str, float]]:
    """(what is asked, microseconds each time) for both sizes; the larger one takes half a gigabyte of disk."""
    chance = random.Random(20261126)
    probes = [f"1{chance.choice(AREAS)}{chance.randrange(10_000_000):07d}" for _ in range(ASKED)]
    path = directory / "asked.set"
    build(path, (f"1{chance.choice(AREAS)}{chance.randrange(10_000_000):07d}" for _ in range(1_000_000)))
    yield "list of 1 million", _asked_us(path, probes)
    members = write(path, NUMBERS, _bitmaps(chance))
    yield f"list of {members // 1_000_000} million", _asked_us(path, probes)
    path.unlink()


def _bitmaps(chance: random.Random) -> Iterator[Block]:
    """An area code after the other, each with a sixteenth of its numbers."""
    for npa in AREAS:
        bits = chance.getrandbits(8 * BITMAP_OCTETS)
        for _ in range(3):
            bits &= chance.getrandbits(8 * BITMAP_OCTETS)
        yield area_block(npa, bytearray(bits.to_bytes(BITMAP_OCTETS, "little")))


def _asked_us(path: Path, probes: list[str]) -> float:
    found = NumberSet.open(path)
    return median(_run_us(found, probes) for _ in range(RUNS))


def _run_us(found: NumberSet, probes: list[str]) -> float:
    began = time.perf_counter()
    for tn in probes:
        tn in found  # noqa: B015
    return (time.perf_counter() - began) * 1e6 / len(probes)
