"""A frame of `sipguard top` as a terminal shows it."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from rich.console import Console

from sipguard.cli.main import main
from sipguard.cli.top import shown
from sipguard.service.overview import overview
from tests.service.test_overview import STATUS, cells, sample


@pytest.mark.parametrize("width", [200, 100, 80])
def test_everything_stands_in_it_however_narrow(width: int) -> None:
    status = {**STATUS, "modes": {"": "enforce", "carrier-a": "report"}}
    now = sample(11.0, status, invites=300, allowed=290, rejected=10, calls_active=54,
                 desk={"basis_dno": 10, **cells(0, 100)})  # fmt: skip
    console = Console(width=width, record=True, file=None, color_system=None)
    with console.capture() as captured:
        console.print(shown(overview(sample(), now)))
    text = captured.get()
    for wanted in ("revision abc", "300.0/s", "54", "dno", "p99", "0.30 ms", "50 MiB", "192.0.2.1:5060/udp",
                   "! mode report for carrier-a"):  # fmt: skip
        assert wanted in text, text


def test_no_sipguard_runs(tmp_path_factory: pytest.TempPathFactory) -> None:
    from tests.e2e.product import Product, configuration

    product = Product(tmp_path_factory.mktemp("none"), configuration(5090))
    assert CliRunner().invoke(main, ["top", "--once", "-c", str(product.path)]).exit_code == 3
    assert CliRunner().invoke(main, ["top", "--interval", "often", "-c", str(product.path)]).exit_code == 2
