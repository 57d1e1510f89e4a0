"""A list is imported while calls run: nothing is known of it before, two seconds later it is in force, and stays."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakeProduct
from tests.e2e.product import HOP_HOST, Product, free_port, wait_for
from tests.e2e.test_list_edits import IN_FORCE_S, Sides

pytestmark = pytest.mark.e2e


class Imported(Sides):
    """The list `blocked`, which the caller's number is asked about, has no file."""

    def __init__(self, make_product: MakeProduct, directory: Path, **more: Any) -> None:
        self.directory = directory
        self.hop = (HOP_HOST, free_port(HOP_HOST))
        self.product: Product = make_product(start=False)
        self.product.config["trunks"]["hop"]["peers"] = [f"{HOP_HOST}:{self.hop[1]}"]
        self.product.config["lists"]["blocked"] = {"bind": ["caller"]}
        self.product.config.update(more)
        self.product.write()
        self.product.start()

    def imports(self, text: str, *options: str) -> None:
        """Imports a file with this text, and the time until it is in force."""
        file = self.directory / "given.txt"
        file.write_text(text)
        done = self.product.command("lists", "import", "blocked", str(file), *options)
        assert done.returncode == 0, done.stderr
        time.sleep(IN_FORCE_S)

    def proved(self) -> list[dict[str, Any]]:
        """The states of the list today that held anything."""
        told = json.loads(self.product.command("lists", "proof", "--list", "blocked", "--json").stdout)
        return [state for state in told["lists"] if not state["missing"]]

    def missing(self) -> dict[str, Any]:
        """What status says of lists that are missing."""
        return dict(json.loads(self.product.command("status", "--json").stdout)["missing_lists"])


def test_a_list_is_imported_while_calls_run(make_product: MakeProduct, tmp_path: Path) -> None:
    sides = Imported(make_product, tmp_path)
    assert sides.missing() == {"blocked": "nothing was imported yet"}
    sides.passes()
    sides.imports("+12025550101\n+12025550199\n")
    assert sides.missing() == {}
    sides.is_rejected()
    sides.imports("2025550101,D\n", "--update", "--format", "ftc-change")
    first, second = sides.proved()
    assert (first["entries"], second["entries"]) == (2, 1)
    assert first["to_at"] == second["from_at"] and len(first["given"][0]["sha256"]) == 64
    (done,) = first["calls"]
    assert (done["trunk"], done["rule"], done["calls"]["rejected"]) == ("carrier", "blocked-caller", 1)
    assert second["calls"] == []
    sides.passes()
    sides.imports("+12025550101\n", "--update")
    sides.product.stop()
    sides.product.start()
    sides.is_rejected()


def test_pairs_are_imported_while_calls_run(make_product: MakeProduct, tmp_path: Path) -> None:
    rule = {"name": "subscriber-block", "when": {"lists.pair": "blocked"}, "reject": "subscriber"}
    of_pairs = {"blocked": {"kind": "pairs", "bind": ["pair"]}}
    sides = Imported(make_product, tmp_path, lists=of_pairs, policy={"rules": [rule], "default": "allow"})
    sides.passes()
    sides.imports("caller,callee,until,note\n2025550101,2025550131,,asked\n2025550102,2025550131,2026-01-31,\n")
    sides.is_rejected()
    sides.imports("+12025550109,+12025550131\n", "--accept-loss")
    sides.passes()


def test_a_damaged_base_is_told_and_imported_again(make_product: MakeProduct, tmp_path: Path) -> None:
    sides = Imported(make_product, tmp_path)
    sides.imports("+12025550101\n")
    sides.product.stop()
    (base,) = sides.product.directory.rglob("blocked.*.base")
    octets = bytearray(base.read_bytes())
    octets[64] ^= 1
    base.write_bytes(octets)
    sides.product.start()

    def told() -> bool:
        troubles = [each["what"] for each in sides.product.answer("status")["troubles"]]
        return any("list blocked" in what and "does not fit its checksum" in what for what in troubles)

    wait_for(told, "a trouble in status")
    sides.imports("+12025550101\n")
    sides.is_rejected()
