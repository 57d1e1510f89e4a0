"""A backup is made while calls run, and restored elsewhere: every call that had ended is there."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from tests.e2e.calls import CALLER, Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import Product, free_port, wait_for

pytestmark = pytest.mark.e2e


def callee(n: int) -> str:
    """The callee of the nth call: the next hop takes what ends in 00."""
    return f"1202{5550000 + 100 * n:07}"


def test_backup_while_calls_run(make_product: MakeProduct, tmp_path: Path) -> None:
    product = make_product()
    calls = Calls(product)
    ended = 0
    over = threading.Event()

    def call_on() -> None:
        nonlocal ended
        while not over.is_set():
            assert calls.status(CALLER, f"+{callee(ended)}") == 200
            ended += 1

    thread = threading.Thread(target=call_on)
    thread.start()
    wait_for(lambda: ended > 50, "some calls")
    before = ended
    made = product.command("backup", str(tmp_path / "backup.tar.gz"))
    over.set()
    thread.join()
    calls.caller.close()
    assert made.returncode == 0, made.stderr
    assert "not in it: secrets" in made.stdout
    assert product.command("backup", str(tmp_path / "backup.tar.gz")).returncode == 1, "it is not overwritten"
    refused = product.command("restore", str(tmp_path / "backup.tar.gz"))
    assert refused.returncode == 1
    assert "running with this configuration; stop it first" in refused.stderr
    callees = {row["callee"] for row in own_rows(product, ended)}
    assert product.stop() == 0

    other = Product(tmp_path / "other", dict(product.config))
    other.path.unlink()
    restored = other.command("restore", str(tmp_path / "backup.tar.gz"))
    assert restored.returncode == 0, restored.stderr
    assert "then start sipguard" in restored.stdout
    assert other.path.read_text() == product.path.read_text()
    other.write(metrics={"address": "127.0.0.1", "port": free_port(kind=socket.SOCK_STREAM)})
    other.start()
    try:
        wait_for(lambda: len(other.calls()) >= before, "the journal is loaded")
        back = other.calls()
        assert {callee(n) for n in range(before)} <= {row["callee"] for row in back} <= callees
        oldest = min(back, key=lambda row: row["at"])
        assert oldest["disposition"] == "answered"
        assert "check" in {step["kind"] for step in other.answer("explain", oldest["decision_id"])["steps"]}
        again = Calls(other)
        assert again.status() == 200, "and it serves"
        again.caller.close()
    finally:
        other.stop()
