"""Which listeners a reload cannot take up, and where that stands."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sipguard.screening.trunk import Listener
from sipguard.service.restart import needing_restart
from sipguard.settings.document import Document

TEXT = """listeners:
  main:
    address: 192.0.2.1
    port: 5080
  outer:
    address: 192.0.2.1
    port: 5062
"""
MAIN = Listener("main", "192.0.2.1", 5080)
OUTER = Listener("outer", "192.0.2.1", 5062)


def said(path: Path, before: list[Listener], after: list[Listener]) -> list[str]:
    """The problems, without the name of the file."""
    file = path / "sipguard.yaml"
    file.write_text(TEXT)
    old, new = ({each.name: each for each in listeners} for listeners in (before, after))
    return [str(each).removeprefix(f"{file}:") for each in needing_restart(old, new, Document(file))]


def test_what_is_bound_already(tmp_path: Path) -> None:
    assert said(tmp_path, [MAIN, OUTER], [OUTER, replace(MAIN, advertised_host="198.51.100.1")]) == []


def test_new_gone_and_changed(tmp_path: Path) -> None:
    restart = "restart sipguard for it; nothing was changed"
    assert said(tmp_path, [MAIN], [MAIN, OUTER]) == [f"5:3: listeners.outer: is a new listener; {restart}"]
    assert said(tmp_path, [MAIN, replace(OUTER, name="inner")], [MAIN]) == [
        f"1:1: listeners: listener inner is gone; {restart}"
    ]
    assert said(tmp_path, [replace(MAIN, port=5060, dscp=46)], [MAIN]) == [
        f"4:5: listeners.main.port: is 5080, and 5060 in what runs; {restart}",
        f"2:3: listeners.main.dscp: is 0, and 46 in what runs; {restart}",
    ]
