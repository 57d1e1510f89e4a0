"""`sipguard trace` on the running product, read by tshark: both legs, everything of them, nothing else."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.e2e.calls import BLOCKED, CALLEE, CALLER, Calls
from tests.e2e.conftest import MakeProduct
from tests.e2e.product import ROOT, Product, wait_for
from tests.e2e.test_connections import Ground
from tests.standin import NextHop, header
from tests.wanted import reason

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(bool(reason("tshark")), reason=reason("tshark"))]


@contextmanager
def tracing(product: Product, file: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`sipguard trace` while the block runs; ended as Ctrl-C does, and it must end well."""
    command = [sys.executable, "-m", "sipguard.cli.main", "trace", *options, "-o", str(file), "-c", str(product.path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        wait_for(lambda: file.exists() and file.stat().st_size > 0, "the trace has begun")
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(10)


def frames(file: Path) -> list[dict[str, str]]:
    """What tshark decodes: fields of each frame."""
    names = (
        "frame.protocols", "sip.Call-ID", "sip.Method", "sip.Status-Code", "ip.checksum.status", "udp.checksum.status",
        "_ws.malformed", "frame.comment", "frame.packet_flags_direction", "frame.time_epoch",
    )  # fmt: skip
    command = [
        str(shutil.which("tshark")), "-r", str(file), "-T", "fields", "-E", "separator=|",
        "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
    ]  # fmt: skip
    for name in names:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [dict(zip(names, line.split("|"), strict=True)) for line in done.stdout.splitlines()]


def test_both_legs_of_the_calls_of_a_number(own: Product, calls: Calls, hop: NextHop, tmp_path: Path) -> None:
    file = tmp_path / "trace.pcapng"
    before = len(hop.invites)
    with tracing(own, file, "--number", "(202) 555-0101") as process:
        assert calls.status() == 200
        assert calls.place(caller="+12025550102", callee="+12025550132").status == 200  # of somebody else
        assert calls.status(caller=CALLER, callee=BLOCKED) == 200
        wait_for(lambda: len([f for f in frames(file) if f["sip.Status-Code"] == "200"]) >= 8, "both calls are there")
    assert process.returncode == 0
    assert process.stderr is not None
    assert " of 2 call(s), 0 lost; interrupted" in process.stderr.read()
    found = frames(file)
    legs_b = {header(text, "Call-ID") for text, _ in hop.invites[before:] if "0102" not in header(text, "From")}
    legs_a = {header(text, "Call-ID") for text in calls.caller.sent if CALLER in header(text, "From")}
    assert len(legs_a) == len(legs_b) == 2
    assert {frame["sip.Call-ID"] for frame in found} == legs_a | legs_b
    assert all(frame["frame.protocols"].startswith("eth:ethertype:ip:udp:sip") for frame in found)
    assert not any(frame["_ws.malformed"] for frame in found)
    assert {(frame["ip.checksum.status"], frame["udp.checksum.status"]) for frame in found} == {("1", "1")}
    rows = {f"decision {row['decision_id']}" for row in own.calls("--number", CALLER)}
    assert {frame["frame.comment"] for frame in found} == rows
    for call_id in legs_a | legs_b:
        methods = [frame["sip.Method"] for frame in found if frame["sip.Call-ID"] == call_id]
        assert [method for method in methods if method] == ["INVITE", "ACK", "BYE"]
    assert [frame["frame.time_epoch"] for frame in found] == sorted(frame["frame.time_epoch"] for frame in found)


def test_a_rejected_call_and_a_trunk(own: Product, calls: Calls, tmp_path: Path) -> None:
    file, other = tmp_path / "trace.pcapng", tmp_path / "other.pcapng"
    with (
        tracing(own, file, "--number", BLOCKED, "--trunk", "carrier", "--messages", "3") as process,
        tracing(own, other, "--number", BLOCKED, "--trunk", "hop"),
    ):
        assert calls.status(caller=BLOCKED) >= 600
        process.wait(10)
    assert process.returncode == 0
    assert [frame["sip.Method"] or frame["sip.Status-Code"][:1] for frame in frames(file)] == ["INVITE", "6", "ACK"]
    assert frames(other) == []


def test_what_cannot_be_traced(own: Product, make_product: MakeProduct, tmp_path: Path) -> None:
    file = str(tmp_path / "none.pcapng")
    assert own.command("trace", "--number", "nobody", "-o", file).returncode == 2
    assert own.command("trace", "--number", CALLEE, "--for", "soon", "-o", file).returncode == 2
    refused = own.command("trace", "--number", CALLEE, "--trunk", "nowhere", "-o", file)
    assert (refused.returncode, "no such trunk: nowhere" in refused.stderr) == (1, True)
    assert make_product(start=False).command("trace", "--number", CALLEE, "-o", file).returncode == 3
    assert own.command("trace", "-o", file).returncode == 2
    ended = own.command("trace", "--trunk", "carrier", "--for", "100ms", "-o", file)
    assert (ended.returncode, "0 message(s)" in ended.stderr) == (0, True)
    assert ended.stderr.startswith(f"tracing for 100ms to {file}; Ctrl-C ends it")
    piped = subprocess.run(
        [sys.executable, "-m", "sipguard.cli.main", "trace", "--number", CALLEE, "--for", "100ms", "-c", str(own.path)],
        capture_output=True, cwd=ROOT, timeout=30,
    )  # fmt: skip
    assert piped.stderr.startswith(b"tracing for 100ms to standard output; Ctrl-C ends it")


def test_messages_of_tls_are_there_decrypted(tmp_path: Path) -> None:
    file = tmp_path / "tls.pcapng"
    with ExitStack() as stack:
        ground = Ground(tmp_path, stack)
        caller = ground.caller("tls", "a")
        stack.callback(caller.close)
        with tracing(ground.product, file, "--number", CALLER):
            outcome = caller.call(caller.invite(CALLER, CALLEE))
            assert (outcome.status, outcome.bye_status) == (200, 200)
            wait_for(lambda: len(frames(file)) >= 12, "the whole call is there")
    found = frames(file)
    assert all(
        frame["frame.protocols"] == "exported_pdu:sip" + ":sdp" * ("sdp" in frame["frame.protocols"]) for frame in found
    )
    assert not any(frame["_ws.malformed"] for frame in found)
    call_ids = {frame["sip.Call-ID"] for frame in found}
    assert len(call_ids) == 2 and header(caller.sent[0], "Call-ID") in call_ids
    for call_id in call_ids:
        methods = [frame["sip.Method"] for frame in found if frame["sip.Call-ID"] == call_id]
        assert [method for method in methods if method] == ["INVITE", "ACK", "BYE"]


def test_a_reader_that_sleeps_costs_messages_and_no_call(own: Product, calls: Calls, tmp_path: Path) -> None:
    """60 KiB a message: the bound of what waits for a reader is reached soon."""
    file, padding = tmp_path / "slow.pcapng", "a=x:" + "x" * 60_000 + "\r\n"
    with tracing(own, file, "--number", CALLER) as process:
        assert f"trace     {CALLER.lstrip('+')} from all trunks" in own.command("status").stdout
        process.send_signal(signal.SIGSTOP)
        for _ in range(200):
            head, end, body = calls.caller.invite(CALLER, CALLEE).partition("\r\n\r\n")
            body += padding
            head = re.sub(r"Content-Length: \d+", f"Content-Length: {len(body)}", head)
            assert calls.caller.call(head + end + body).status == 200
        process.send_signal(signal.SIGCONT)
    assert process.stderr is not None
    said = process.stderr.read()
    lost = int(said.partition(" lost")[0].rpartition(" ")[2])
    assert lost > 0, said
    assert len(frames(file)) + lost >= 200 * 12, said
    assert own.metric("sipguard_troubles_total") == 0


def test_a_trace_whose_command_was_killed_leaves_no_trace(own: Product, calls: Calls, tmp_path: Path) -> None:
    for n in range(5):  # one more than run at a time
        with tracing(own, tmp_path / f"{n}.pcapng", "--number", CALLER) as process:
            process.kill()
            process.wait(10)
            wait_for(lambda: not _traced(own), "the trace has ended")
    assert calls.status() == 200


def _traced(product: Product) -> list[object]:
    """The traces that run."""
    found: list[object] = product.answer("status")["traces"]
    return found
