"""What strangers wrote moves no terminal, whichever command repeats it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from sipguard.cli import certs_cache
from sipguard.cli.common import print_json
from sipguard.cli.escaping import say
from sipguard.cli.main import main
from tests.test_settings import write

EVIL = "\x1b[2J\x9b31m\x07\u202e"


def test_a_line_is_told_without_what_cannot_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    say(f"{EVIL}\nsecond", err=True)
    assert capsys.readouterr().err == "\\u001b[2J\\u009b31m\\u0007\\u202e\nsecond\n"


def test_json_is_the_same_document_and_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"agent": EVIL, "name": "régle"})
    text = capsys.readouterr().out
    assert json.loads(text) == {"agent": EVIL, "name": "régle"}
    assert all(line.isprintable() for line in text.splitlines()) and "régle" in text


def test_a_list_of_strangers_is_told_of_without_its_signs(tmp_path: Path) -> None:
    config = write(tmp_path, dno=f"{EVIL}\n")
    done = CliRunner().invoke(main, ["check", "-c", str(config)])
    assert done.exit_code == 2 and "\\u001b[2J\\u009b31m" in done.stdout
    assert all(line.isprintable() for line in done.stdout.splitlines())


def test_hosts_of_certificates_are_shown_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    console = Console(width=200, record=True)
    monkeypatch.setattr(certs_cache, "Console", lambda soft_wrap: console)
    host = {
        "host": f"[red]{EVIL}",
        "certificates": 1,
        "expiring_7d": 0,
        "failures": 0,
        "last_error": "",
        "left_alone": 0,
    }
    summary = {
        "certificates": 1,
        "expiring_7d": 0,
        "in_memory": None,
        "errors": {},
        "hosts": [{**host, "last_error": "", "left_alone": 0}],
        "not_warmed": [],
    }
    certs_cache._print_hosts({**summary, "left_alone": []})
    text = console.export_text()
    assert "[red]\\u001b[2J" in text and "\x1b" not in text
