"""`sipguard plan`: its figures are what is measured here, its amounts grow with the load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sipguard.cli.main import main
from sipguard.service.capacity import FIGURES
from tests.measure import figures

NONE = "/nonexistent/sipguard.yaml"


def planned(*options: str) -> dict[str, float]:
    """The amounts by their keys."""
    done = CliRunner().invoke(main, ["plan", *options, "--json", "-c", NONE])
    assert done.exit_code == 0, done.output
    return {each["key"]: each["value"] for each in json.loads(done.stdout)["amounts"]}


def test_the_figures_are_those_of_frames_rows_and_messages(tmp_path: Path) -> None:
    measured = figures(tmp_path, rows=4_000)
    names = {
        "journal_call": "journal, verified call",
        "journal_rejected": "journal, rejected call",
        "row": "database, row",
        "wire_call": "wire, verified call",
        "wire_rejected": "wire, rejected call",
        "member": "list, member",
    }
    for name, what in names.items():
        assert FIGURES[name].value == pytest.approx(measured[what], rel=0.2), f"{name}: measure again, {what}"
    assert measured["messages, verified call"] == FIGURES["messages_call"].value
    assert measured["messages, rejected call"] == FIGURES["messages_rejected"].value


def test_amounts() -> None:
    found = planned("--cps", "300", "--retention", "90d", "--journal", "7d", "--duration", "180s")
    day = 300 * 86_400
    assert found["disk.database"] == pytest.approx(90 * day * FIGURES["row"].value)
    assert found["disk.journal"] == pytest.approx(7 * day * FIGURES["journal_call"].value + 3 * 2**26)
    assert found["calls.at_once"] == 54_000
    assert found["memory"] == pytest.approx((230 + 290) * 2**20 + (54_000 + 300 * 33) * 5000)
    assert found["cores.busy"] == pytest.approx(300 * 790e-6 * 1.25)
    assert found["network"] == pytest.approx(300 * 6492 * 8 / 1e6)


@pytest.mark.parametrize(
    ("more", "less", "same"),
    [
        (("--mean", "100%"), ("--mean", "40%"), "memory"),
        (("--rejected", "0%"), ("--rejected", "30%"), "disk.database"),
        (("--retention", "90d"), ("--retention", "30d"), "cores"),
        (("--lists", "1000000"), ("--lists", "1000"), "network"),
        ((), ("--compiled",), "network"),
        (("--transport", "tcp"), ("--transport", "udp"), "memory"),
        (("--transport", "tls"), ("--transport", "tcp"), "disk.total"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_what_grows_with_what(more: tuple[str, ...], less: tuple[str, ...], same: str) -> None:
    larger, smaller = planned("--cps", "300", *more), planned("--cps", "300", *less)
    assert larger[same] == smaller[same]
    assert sum(larger.values()) > sum(smaller.values())


def test_a_load_beyond_one_worker_says_so() -> None:
    done = CliRunner().invoke(main, ["plan", "--cps", "3000", "-c", NONE])
    assert "One sipguard does not do" in done.stdout
    assert "One sipguard does not do" not in CliRunner().invoke(main, ["plan", "--cps", "100", "-c", NONE]).stdout


def test_the_retention_is_that_of_the_configuration() -> None:
    config = Path(__file__).parents[2] / "config" / "sipguard.yaml"

    def database(*options: str) -> Any:
        done = CliRunner().invoke(main, ["plan", "--cps", "1", "--json", "-c", str(config), *options])
        return next(each["value"] for each in json.loads(done.stdout)["amounts"] if each["key"] == "disk.database")

    assert database() == database("--retention", "90d") == 3 * database("--retention", "30d")


@pytest.mark.parametrize("options", [(), ("--cps", "0"), ("--cps", "1", "--retention", "long")], ids=str)
def test_what_is_no_load(options: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["plan", *options, "-c", NONE]).exit_code == 2
