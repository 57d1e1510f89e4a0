"""What is said of those who were refused: one log line a message of the worker, a line for people."""

from __future__ import annotations

import structlog

from sipguard.b2bua.refusals import Row
from sipguard.service.refused import Refused, line

ONE: Row = ("192.0.2.1", "outside", "stranger", "", 1, 1000.0)
TWO: Row = ("192.0.2.2", "tls", "name", "b.example", 3, 1001.0)
THREE: Row = ("192.0.2.3", "outside", "stranger", "", 1, 1002.0)


def test_new_rows_are_one_log_line() -> None:
    refused = Refused()
    with structlog.testing.capture_logs() as logged:
        refused.take([ONE])
        refused.take([(*ONE[:4], 2, 1001.0)])
        refused.take([THREE, TWO, ONE])
    assert [(entry["event"], entry["source"], entry["others"]) for entry in logged] == [
        ("refused", "192.0.2.1", 0),
        ("refused", "192.0.2.3", 1),
    ]
    assert [row["source"] for row in refused.as_json()] == ["192.0.2.3", "192.0.2.2", "192.0.2.1"]


def test_line() -> None:
    refused = Refused()
    refused.take([TWO])
    text = line(refused.as_json()[0])
    assert text.startswith(
        "192.0.2.2 at listener tls: its certificate is for none of the trunk's tls_names (b.example); 3 time(s), "
    )
