"""URLs in the background: one after the other at each host, each once, bounded."""

from __future__ import annotations

import asyncio

import pytest

from sipguard.net import rounds
from sipguard.net.rounds import Rounds


class Server:
    """Counts who is asked, and how many of one host at once."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.running: dict[str, int] = {}
        self.most = 0

    async def fetch(self, url: str) -> None:
        host = url.partition("/")[0]
        self.running[host] = self.running.get(host, 0) + 1
        self.most = max(self.most, self.running[host])
        await asyncio.sleep(0)
        self.asked.append(url)
        self.running[host] -= 1


async def test_each_is_asked_once_and_no_host_twice_at_once() -> None:
    server = Server()
    made = Rounds(server.fetch, 1e6)
    for _ in range(2):
        for n in range(20):
            assert made.add(f"{'ab'[n % 2]}/{n}", "ab"[n % 2])
    assert len(made) == 20
    await made.idle.wait()
    assert sorted(server.asked) == sorted(f"{'ab'[n % 2]}/{n}" for n in range(20))
    assert (server.most, len(made)) == (1, 0)
    made.close()


async def test_a_host_that_was_done_begins_anew() -> None:
    server = Server()
    made = Rounds(server.fetch, 1e6)
    for n in range(3):
        made.add(f"a/{n}", "a")
        await made.idle.wait()
    assert server.asked == ["a/0", "a/1", "a/2"]
    made.close()


async def test_what_waits_is_bounded_and_forgotten_by_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "LIMIT", 3)
    server = Server()
    made = Rounds(server.fetch, 1e6)
    assert [made.add(f"a/{n}", "a") for n in range(4)] == [True, True, True, False]
    made.close()
    assert len(made) == 0
    await asyncio.sleep(0)
    assert server.asked == []
