"""Every count has a name in Prometheus, and what is rendered is what was counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sipguard.b2bua.counts import INDEX
from sipguard.b2bua.counts import NAMES as ENGINE_NAMES
from sipguard.service.cells import DeskSlots, Scraped, WorkerSlots, scrape
from sipguard.service.metric_table import (
    METRICS,
    NAMES_OF,
    SETUP_BUCKETS_S,
    WORKER_NAMES,
    Family,
)
from sipguard.service.metrics import render
from sipguard.service.slots import Slots, SlotsUnlike


class Driver:
    longest_turn_s = 0.0025
    unsent = 7


class Journal:
    bytes_written = 4096
    frames_lost = 2


def samples(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """(name, labels but `process`) -> value."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "process"))
            found[sample.name, labels] = sample.value
    return found


def rendered(
    tmp_path: Path, modes: dict[str, str] | None = None
) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    scraped = [
        each
        for each in (scrape("worker", "worker-0", tmp_path / "w"), scrape("desk", "desk", tmp_path / "d"))
        if each is not None
    ]
    return samples(render(scraped, modes or {}))


HISTOGRAMS = {"worker": "none", "desk": "setup_", "fetcher": "took_"}


@pytest.mark.parametrize("process", HISTOGRAMS)
def test_every_cell_has_a_metric(process: str) -> None:
    named = {slot for each in METRICS if each.process in (process, "all") for _, slot in each.cells}
    histogram = {name for name in NAMES_OF[process] if name.startswith(HISTOGRAMS[process])}
    assert set(NAMES_OF[process]) == named | histogram
    assert len(NAMES_OF[process]) == len(set(NAMES_OF[process]))


def test_the_engines_indices_come_first() -> None:
    assert WORKER_NAMES[: len(ENGINE_NAMES)] == ENGINE_NAMES


@pytest.mark.parametrize("family", METRICS, ids=lambda family: family.name)
def test_a_name_follows_the_convention(family: Family) -> None:
    assert family.name.startswith("sipguard_")
    assert (family.kind == "counter") == family.name.endswith("_total")
    assert family.help
    assert bool(family.label) == (len(family.cells) > 1)


def test_what_a_worker_counts_is_rendered(tmp_path: Path) -> None:
    worker = WorkerSlots.create(tmp_path / "w")
    for name in ("rejected", "rejected", "unscreened_identity", "identity_passed", "shed_verification"):
        worker.counts[INDEX[name]] += 1
    worker.trouble()
    driver = Driver()
    worker.sample(driver, Journal(), "r7")
    found = rendered(tmp_path)
    assert found["sipguard_calls_total", (("verdict", "reject"),)] == 2
    assert found["sipguard_calls_total", (("verdict", "allow"),)] == 0
    assert found["sipguard_unscreened_calls_total", (("check", "identity"),)] == 1
    assert found["sipguard_verifications_total", (("result", "passed"),)] == 1
    assert found["sipguard_overload_total", (("level", "verification"),)] == 1
    assert found["sipguard_troubles_total", ()] == 1
    assert found["sipguard_longest_turn_seconds", ()] == pytest.approx(0.0025)
    assert found["sipguard_journal_lost_frames_total", ()] == 2
    assert found["sipguard_ruleset_info", (("revision", "r7"),)] == 1
    assert found["sipguard_memory_bytes", ()] > 1 << 20
    assert driver.longest_turn_s == 0.0


def test_what_the_desk_counts_is_rendered(tmp_path: Path) -> None:
    desk = DeskSlots.create(tmp_path / "d")
    desk.refused("rejected", "dno", 403)
    desk.refused("rejected", "a basis of tomorrow", 499)
    desk.ended("answered", 200, 420)
    desk.ended("cancelled", 487, 0)
    found = rendered(tmp_path)
    assert found["sipguard_refusals_total", (("basis", "dno"),)] == 1
    assert found["sipguard_ended_calls_total", (("disposition", "rejected"),)] == 2
    assert found["sipguard_ended_calls_total", (("disposition", "cancelled"),)] == 1
    assert found["sipguard_responses_total", (("status", "403"),)] == 1
    assert found["sipguard_responses_total", (("status", "other"),)] == 1
    assert found["sipguard_setup_seconds_count", ()] == 1
    assert found["sipguard_setup_seconds_sum", ()] == pytest.approx(0.00042)


@pytest.mark.parametrize(
    ("forward_us", "bucket"),
    [(1, "0.0002"), (200, "0.0002"), (201, "0.0003"), (1_000_000, "1.0"), (1_000_001, "+Inf")],
)
def test_a_setup_time_falls_into_its_bucket(tmp_path: Path, forward_us: int, bucket: str) -> None:
    DeskSlots.create(tmp_path / "d").ended("answered", 200, forward_us)
    found = rendered(tmp_path)
    bounds = [*map(str, SETUP_BUCKETS_S), "+Inf"]
    counted = [bound for bound in bounds if found["sipguard_setup_seconds_bucket", (("le", bound),)] == 1]
    assert counted == bounds[bounds.index(bucket) :]


def test_the_mode_in_force_is_rendered(tmp_path: Path) -> None:
    found = rendered(tmp_path, {"": "enforce", "carrier-a": "report"})
    assert found["sipguard_mode", (("mode", "report"), ("trunk", "carrier-a"))] == 1
    assert found["sipguard_mode", (("mode", "enforce"), ("trunk", "carrier-a"))] == 0


def test_two_workers_are_kept_apart(tmp_path: Path) -> None:
    scraped = []
    for number in (0, 1):
        worker = WorkerSlots.create(tmp_path / str(number))
        worker.counts[INDEX["invites"]] = number + 5
        scraped.append(Scraped("worker", f"worker-{number}", Slots.open(tmp_path / str(number), WORKER_NAMES)))
    text = render(scraped, {}).decode()
    assert 'sipguard_invites_total{process="worker-0"} 5.0' in text
    assert 'sipguard_invites_total{process="worker-1"} 6.0' in text


def test_a_process_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    assert scrape("worker", "worker-0", tmp_path / "none") is None
    Slots.create(tmp_path / "old", ["other", "names"])
    assert scrape("worker", "worker-0", tmp_path / "old") is None
    assert b"sipguard_calls_total" in render([], {})


def test_slots_are_shared_between_writer_and_reader(tmp_path: Path) -> None:
    mine = Slots.create(tmp_path / "s", ["a", "b"])
    other = Slots.open(tmp_path / "s", ["a", "b"])
    mine.add("b", 5)
    mine.cells[0] += 1
    mine.set_text("revision " + "ü" * 60)
    assert (other["a"], other["b"]) == (1, 5)
    assert other.text.startswith("revision üü")
    mine.set_text("r8")
    assert other.text == "r8"
    with pytest.raises(TypeError):
        other.set("a", 1)
    mine.close()
    other.close()


def test_a_new_file_begins_at_zero(tmp_path: Path) -> None:
    old = Slots.create(tmp_path / "s", ["a"])
    old.add("a")
    new = Slots.create(tmp_path / "s", ["a"])
    assert (old["a"], new["a"], Slots.open(tmp_path / "s", ["a"])["a"]) == (1, 0, 0)


@pytest.mark.parametrize("octets", [b"", b"x" * 500], ids=["empty", "other"])
def test_what_is_no_file_of_slots(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "s").write_bytes(octets)
    with pytest.raises(SlotsUnlike):
        Slots.open(tmp_path / "s", ["a"])
