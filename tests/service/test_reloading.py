"""A reload that breaks is refused and told, however it breaks; what runs stays in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sipguard.service import proving, supervisor
from sipguard.service.supervisor import Supervisor
from sipguard.settings.load import load

CONFIG = {
    "site": "dc1",
    "node": "n1",
    "listeners": {"main": {"address": "127.0.0.1"}},
    "trunks": {"core": {"kind": "interconnect", "peers": ["127.0.0.1:5070"]}},
    "policy": {"rules": []},
    "state": {"directory": "state"},
    "run": {"directory": "run"},
    "journal": {"directory": "journal"},
    "records": {"database": "calls.db"},
}


@pytest.fixture
def running(tmp_path: Path) -> Supervisor:
    """A supervisor that has been given a configuration, and no processes yet."""
    path = tmp_path / "sipguard.yaml"
    path.write_text(json.dumps(CONFIG))
    loaded = load(path)
    assert loaded.errors == ()
    return Supervisor(path, loaded)


def breaks(*_: object, **__: object) -> None:
    """What nobody expected."""
    raise OverflowError("cannot convert float infinity to integer")


@pytest.mark.parametrize(("where", "what"), [(supervisor, "load"), (supervisor, "remarks_on"), (proving, "proved")])
async def test_a_reload_that_breaks_is_refused(
    running: Supervisor, monkeypatch: pytest.MonkeyPatch, where: object, what: str
) -> None:
    monkeypatch.setattr(where, what, breaks)
    with capture_logs() as logs:
        answer = await running._asked({"do": "reload"})
    assert isinstance(answer, dict)
    assert (answer["ok"], len(answer["problems"]), len(answer["revision"])) == (False, 1, 12)
    assert "OverflowError: cannot convert float infinity to integer" in answer["problems"][0]
    assert [(each["event"], each["problems"]) for each in logs] == [("reload_refused", answer["problems"])]


async def test_a_hangup_signal_tells_how_its_reload_ended(
    running: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sipguard.yaml").write_text("policy: " + "[" * 300 + "]" * 300)
    with capture_logs() as logs:
        running._hang_up_signal()
        assert running._reloading is not None
        answer = await running._reloading
    assert isinstance(answer, dict) and "more than 64 maps and lists" in answer["problems"][0]
    assert [each["event"] for each in logs] == ["reload_refused"]
    monkeypatch.setattr(running, "_reload", breaks)
    with capture_logs() as logs:
        running._hang_up_signal()
        with pytest.raises(OverflowError):
            await running._reloading
        running._reloaded(running._reloading)
    assert "reload_failed" in [each["event"] for each in logs]
