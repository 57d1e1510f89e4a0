"""What a call takes on disk and on the wire, measured on real frames, rows and messages: `python -m tests.measure`.

Enters: a directory. Leaves: octets for one call, as `sipguard plan` counts with them. Must not: measure time.
"""

from __future__ import annotations

import asyncio
import gc
import random
import tempfile
from pathlib import Path
from typing import Final

from sipguard.b2bua.commands import Command, Record
from sipguard.b2bua.frames import VerdictRow, decode_slim, encode
from sipguard.numbers.formats import compile_list
from sipguard.records.record import Batch, Span
from sipguard.sip.flow import Send
from sipguard.store.sqlite import SqliteStore
from tests.bench.__main__ import BLOCKED, Bench, Play, answered, refused, sent
from tests.inprocess import FROM_A, FROM_B, by_caller, invite
from tests.soak import resident_mib
from tests.standin import SDP, header, reply

CALLS: Final = 400  # played; rows are made of their frames with other numbers and ids
ROWS: Final = 20_000
MEMBERS: Final = 200_000
UP: Final = 5_000
HEADERS: Final = 14 + 4 + 20 + 8  # of a datagram: Ethernet with its check sequence, IPv4, UDP


class Weighed(Play):
    """A run that counts the messages and their octets, both ways."""

    def __init__(self, bench: Bench, run: int) -> None:
        super().__init__(bench, run)
        self.messages = self.octets = 0
        self.payloads: list[bytes] = []

    def _record(self, commands: list[Command]) -> None:
        super()._record(commands)
        self.payloads += [encode(each.frame) for each in commands if isinstance(each, Record)]

    def put(self, flow: object, text: str) -> list[Command]:
        commands = super().put(flow, text)
        sends = [each.octets for each in commands if isinstance(each, Send)]
        self.messages += 1 + len(sends)
        self.octets += len(text.encode()) + sum(map(len, sends)) + HEADERS * (1 + len(sends))
        return commands


def figures(directory: Path, rows: int = ROWS, members: int = MEMBERS) -> dict[str, float]:
    """Octets of one call by what they are."""
    bench = Bench(directory)
    found: dict[str, float] = {}
    kinds = {
        "verified": ([invite(n, bench.shipped.identity()) for n in range(CALLS)], answered),
        "unsigned": ([invite(n) for n in range(CALLS)], answered),
        "rejected": ([invite(n, caller=BLOCKED) for n in range(CALLS)], refused),
    }
    for run, (kind, (messages, play)) in enumerate(kinds.items()):
        weighed = Weighed(bench, run)
        weighed.all(messages, play)
        found[f"journal, {kind} call"] = weighed.writer.bytes_written / CALLS
        found[f"messages, {kind} call"] = weighed.messages / CALLS
        found[f"wire, {kind} call"] = weighed.octets / CALLS
        if kind == "verified":
            asyncio.run(_load(directory / "calls.db", weighed.payloads, rows))
            found["database, row"] = (directory / "calls.db").stat().st_size / rows
    found["list, member"] = _member_bytes(directory, members)
    found["memory, call"] = _call_bytes(bench)
    return found


async def _load(path: Path, payloads: list[bytes], rows: int) -> None:
    """A database of so many rows, out of the frames of fewer."""
    chance = random.Random(1)
    store = SqliteStore(path)
    await store.open()
    end = (0, 0)
    for n in range(rows // CALLS):
        batch = Batch()
        for at, payload in enumerate(payloads):
            frame = decode_slim(payload)
            frame.decision_id = f"{n:04x}{frame.decision_id[4:]}"  # type: ignore[union-attr]
            if isinstance(frame, VerdictRow):
                frame.caller = frame.shown = f"1202555{chance.randrange(10_000):04}"
                frame.callee = f"1{chance.randrange(2_000_000_000, 9_999_999_999)}"
            batch.add("0", 1, n * len(payloads) + at, frame)
        batch.spans["0"] = Span(end, (1, n + 1))
        end = (1, n + 1)
        await store.load(batch)
    await store.close()


def _member_bytes(directory: Path, members: int) -> float:
    """Octets of a built set for one of many numbers, spread as those of a registry are."""
    chance = random.Random(1)
    source = directory / "members.txt"
    with source.open("w") as file:
        for _ in range(members):
            file.write(f"+1{chance.randrange(200, 999)}{chance.randrange(2_000_000, 9_999_999)}\n")
    target = directory / "members.set"
    compile_list(source, target, "numbers", "plain")
    return target.stat().st_size / members


def _call_bytes(bench: Bench) -> float:
    """Octets of resident memory for one call, from its INVITE until its transactions are gone (RFC 3261 §17)."""
    play = Play(bench, 99)
    messages = [invite(n) for n in range(UP)]
    gc.collect()
    before = resident_mib()
    for message in messages:
        _up(play, message)
    gc.collect()
    return (resident_mib() - before) * 2**20 / UP


def _up(play: Play, message: str) -> None:
    """INVITE, 200, ACK."""
    forwarded = sent(play.put(FROM_A, message))
    final = sent(play.put(FROM_B, reply(forwarded, "200 OK", "b", "sip:b@127.0.0.1:5070", SDP)))
    play.put(FROM_A, by_caller(message, final, "ACK", 1, f"k{header(message, 'Call-ID')}"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="sipguard-measure-") as made:
        for what, octets in figures(Path(made)).items():
            print(f"{what:28}{octets:12.1f}")
