"""Commands show times in the zone of the desk, or in UTC."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipguard.cli.main import main
from sipguard.records.record import Batch
from sipguard.store.sqlite import SqliteStore
from tests.records import samples

CONFIG = {
    "site": "dc1",
    "node": "n1",
    "listeners": {"main": {"address": "127.0.0.1"}},
    "trunks": {"core": {"kind": "interconnect", "peers": ["127.0.0.1:5070"]}},
    "policy": {"rules": []},
    "journal": {"directory": "journal"},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration for New York, and one call at midnight of 2026 in UTC."""
    path = tmp_path / "sipguard.yaml"
    path.write_text(json.dumps(CONFIG | {"records": {"database": "calls.db", "zone": "America/New_York"}}))

    async def fill() -> None:
        store = SqliteStore(tmp_path / "calls.db")
        batch = Batch()
        batch.add("0", 1, 64, samples.rejected())
        await store.load(batch)
        await store.close()

    asyncio.run(fill())
    return path


@pytest.mark.parametrize(
    ("arguments", "first", "shown"),
    [
        (("calls",), "time (America/New_York)", "2025-12-31 19:00:00.000-0500"),
        (("calls", "--utc"), "time (UTC)", "2026-01-01 00:00:00.000"),
        (("explain", "d-1"), "Decision d-1, 2025-12-31 19:00:00.000-05:00", ""),
        (("explain", "d-1", "--utc"), "Decision d-1, 2026-01-01 00:00:00.000+00:00", ""),
    ],
)
def test_times_are_shown_in_the_zone(config: Path, arguments: tuple[str, ...], first: str, shown: str) -> None:
    done = CliRunner().invoke(main, [*arguments, "-c", str(config)])
    lines = done.stdout.splitlines()
    assert lines[0].startswith(first), done.output
    assert lines[1].startswith(shown)


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        (("--since", "2025-12-31T19:00", "--until", "2025-12-31T19:01"), 1),
        (("--since", "2026-01-01T00:00"), 0),
        (("--since", "2026-01-01T00:00", "--utc"), 1),
    ],
)
def test_times_are_read_in_the_zone(config: Path, arguments: tuple[str, ...], count: int) -> None:
    done = CliRunner().invoke(main, ["calls", *arguments, "--json", "-c", str(config)])
    assert len(json.loads(done.stdout)) == count
