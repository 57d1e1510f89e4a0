"""The rules of each Ruleset: kept while records may name it, and read again as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from sipguard.records.judged_by import JudgedBy
from sipguard.service.policies import AT_LEAST, Policies
from sipguard.settings.judged_by import octets_of, read
from sipguard.settings.load import load
from sipguard.settings.sources import SKIP
from tests.e2e.product import ROOT


def test_what_was_in_force_is_kept_as_long_as_records_may_name_it(tmp_path: Path) -> None:
    kept = Policies(tmp_path)
    for n in range(AT_LEAST + 2):
        kept.keep(f"r{n}", b"{}")
        kept.still(f"r{n}", 1000.0 + n)
    kept.still("r0", 5000.0)
    kept.still("nowhere", 5000.0)
    kept.forget(1002.0)
    assert [kept.of(f"r{n}") for n in range(3)] == [b"{}", None, b"{}"]
    kept.forget(9000.0)
    assert sum(kept.of(f"r{n}") is not None for n in range(AT_LEAST + 2)) == AT_LEAST


def test_a_revision_is_kept_once(tmp_path: Path) -> None:
    kept = Policies(tmp_path)
    kept.keep("r1", b"first")
    kept.keep("r1", b"second")
    assert kept.of("r1") == b"first"
    assert (kept.of("r2"), kept.of("../policies/r1"), Policies(tmp_path / "no").of("r1")) == (None, None, None)


def test_rules_come_back_as_they_were() -> None:
    loaded = load(ROOT / "config/sipguard.yaml", SKIP)
    assert loaded.judged_by is not None and not loaded.judged_by.as_then
    back = read(octets_of(loaded))
    assert back is not None and back.as_then
    assert back.policy == loaded.policy
    assert {name: trunk.kind for name, trunk in back.trunks.items()} == {
        name: trunk.kind for name, trunk in loaded.judged_by.trunks.items()
    }
    assert {name: (spec.kind, spec.bind, spec.purpose) for name, spec in back.lists.items()} == {
        name: (spec.kind, spec.bind, spec.purpose) for name, spec in loaded.judged_by.lists.items()
    }
    assert back.closed == loaded.judged_by.closed


@pytest.mark.parametrize("octets", [b"", b"{", b"[]", b'{"format": 1}', b'{"format": 2}'])
def test_what_cannot_be_read_is_none(octets: bytes) -> None:
    found: JudgedBy | None = read(octets)
    assert found is None
