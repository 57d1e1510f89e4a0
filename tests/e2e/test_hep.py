"""Copies by HEP3, decoded by others: sngrep takes the packets for SIP of both legs, with their addresses."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests import hep
from tests.e2e.calls import BLOCKED, CALLER, Calls, own_rows
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, HOP_HOST, INNER, OUTER, free_port, wait_for
from tests.standin import NextHop, header
from tests.wanted import reason

pytestmark = pytest.mark.e2e
LACKING = reason("sngrep") or reason("tshark")


@pytest.mark.skipif(bool(LACKING), reason=LACKING)
def test_another_decoder_sees_both_legs(make_product: MakeProduct, hop: NextHop, tmp_path: Path) -> None:
    file, port = tmp_path / "copies.pcap", free_port()
    command = [str(shutil.which("sngrep")), "-N", "-q", "-F", "-L", f"udp:127.0.0.1:{port}", "-O", str(file)]
    collector = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _is_bound(port), "sngrep listens")
        product = make_product(hep={"address": "127.0.0.1", "port": port, "what": ["sip"]})
        calls = Calls(product)
        before = len(hop.invites)
        assert calls.status() == 200
        wait_for(lambda: product.metric("sipguard_hep_packets_total", result="sent") >= 12, "all copies have left")
        assert product.metric("sipguard_hep_packets_total", result="dropped") == 0
        time.sleep(0.3)  # sngrep reads them in its own time
    finally:
        collector.send_signal(signal.SIGINT)
        collector.wait(10)
    shown = subprocess.run(
        [str(shutil.which("tshark")), "-r", str(file), "-T", "fields", "-E", "separator=|", "-e", "sip.Call-ID",
         "-e", "sip.Method", "-e", "ip.src", "-e", "ip.dst"],
        capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    leg_a = header(calls.caller.sent[0], "Call-ID")
    leg_b = header(hop.invites[before][0], "Call-ID")
    calls.caller.close()
    assert f"{leg_a}|INVITE|{CALLER_HOST}|{OUTER}" in shown
    assert f"{leg_b}|INVITE|{INNER}|{HOP_HOST}" in shown
    for call_id in (leg_a, leg_b):
        methods = [line.split("|")[1] for line in shown if line.startswith(call_id)]
        assert [method for method in methods if method] == ["INVITE", "ACK", "BYE"]


def _is_bound(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def test_verdicts_with_a_password_and_after_a_reload(make_product: MakeProduct, tmp_path: Path) -> None:
    secret = tmp_path / "hep.password"
    secret.write_text("not for logs\n")
    secret.chmod(0o600)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(10)
        product = make_product()
        to = {"address": "127.0.0.1", "port": collector.getsockname()[1], "capture_id": 7, "password": str(secret)}
        product.write(hep={**to, "what": ["verdict"]})
        assert product.answer("reload")["ok"]
        calls = Calls(product)
        for caller in (CALLER, BLOCKED):
            calls.status(caller=caller)
        found = [hep.read(collector.recv(65_535)) for _ in range(2)]
        calls.caller.close()
    rows = {row["decision_id"]: row["action"] for row in own_rows(product, 2)}
    told = {packet.chunks[17]: json.loads(packet.chunks[15])["action"] for packet in found}
    assert told == rows
    assert sorted(told.values()) == ["allow", "reject"]
    assert {(packet.chunks[11], packet.chunks[12], packet.chunks[14]) for packet in found} == {(100, 7, "not for logs")}
    assert "not for logs" not in product.log.read_text()
