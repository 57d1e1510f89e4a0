"""`sipguard reload` where nobody answers because the configuration does not say truly where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sipguard.cli import common
from sipguard.cli.main import main
from tests.service.test_reloading import CONFIG


@pytest.mark.parametrize(
    ("written", "first", "status"),
    [
        ("site: dc1\nrun: {directory: [", ":2:18: the [ that begins here is not closed", 2),
        (json.dumps({**CONFIG, "run": {"directry": "x"}}), "run.directry: unknown key directry", 2),
        (json.dumps({**CONFIG, "site": ["a"], "run": {"directory": "none"}}), "site: must be a text", 2),
        (json.dumps({**CONFIG, "mode": "x", "run": {"directory": "none"}}), "mode: must not be x", 3),
    ],
)
def test_errors_of_the_configuration_come_first(written: str, first: str, status: int, tmp_path: Path) -> None:
    path = tmp_path / "sipguard.yaml"
    path.write_text(written)
    done = CliRunner().invoke(main, ["reload", "-c", str(path)])
    told = done.stderr.splitlines()
    assert done.exit_code == status
    assert first in told[0]
    assert f"{path}: 1 error(s); a sipguard that runs goes on with what is in force" in told[1]
    assert len(told) == (2 if status == 2 else 3)


def test_a_request_that_breaks_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def answered(*_: object, **__: object) -> dict[str, object]:
        return {"ok": False, "error": "not understood: maximum recursion depth exceeded"}

    monkeypatch.setattr(common.control, "ask", answered)
    path = tmp_path / "sipguard.yaml"
    path.write_text(json.dumps(CONFIG))
    done = CliRunner().invoke(main, ["reload", "-c", str(path)])
    assert (done.exit_code, done.stderr) == (1, "not understood: maximum recursion depth exceeded\n")
