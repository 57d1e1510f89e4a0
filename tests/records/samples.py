"""Frames of a made-up call, for the tests of records, store and loader."""

from __future__ import annotations

from sipguard.b2bua.frames import AnswerFrame, EndFrame, LegState, VerdictFrame

AT = 1_767_225_600.0  # 2026-01-01T00:00:00Z
FACTS = {
    "trunk.kind": "interconnect",
    "number.shown.class": "ok",
    "number.shown.form": "e164",
    "lists.shown": ("dno",),
    "lists.callee": (),
    "identity.result": None,
}


def verdict(decision_id: str = "d-1", at: float = AT, **changes: object) -> VerdictFrame:
    """An allowed call, with whatever is to be different."""
    values: dict[str, object] = {
        "site": "east",
        "node": "n1",
        "trunk": "carrier-a",
        "route": "core",
        "shown": "12025550101",
        "caller": "12025550101",
        "callee": "12025550102",
        "action": "allow",
        "rule": "default",
        "revision": "r7",
        "screen_us": 250,
        "call_id_a": "a@192.0.2.1",
        "source": "192.0.2.1:5060",
        "listener": "main",
        "facts": dict(FACTS),
        "findings": [("number", "clear", "ok"), ("lists", "hit", "listed")],
        "not_asked": ["rate"],
        "head": b"INVITE sip:+12025550102@example.com SIP/2.0\r\nTo: x\r\n\r\n",
    }
    return VerdictFrame(decision_id, at, **(values | changes))  # type: ignore[arg-type]


def rejected(decision_id: str = "d-1", at: float = AT, **changes: object) -> VerdictFrame:
    """A call that its verdict refused."""
    refusal = {"action": "reject", "rule": "dno", "basis": "dno", "status": 403, "route": ""}
    return verdict(decision_id, at, **(refusal | changes))


def leg(call_id: str, address: str) -> LegState:
    """One dialog."""
    return LegState(
        call_id,
        "lt",
        "rt",
        1,
        2,
        ["<sip:192.0.2.8;lr>"],
        "sip:x@192.0.2.1",
        "sip:a@x",
        "sip:b@x",
        address,
        "main",
    )


def answer(decision_id: str = "d-1", at: float = AT + 3.0) -> AnswerFrame:
    """Both dialogs of an answered call."""
    legs = (leg("a@192.0.2.1", "192.0.2.1:5060"), leg("b@192.0.2.5", "192.0.2.9:5060"))
    return AnswerFrame(decision_id, at, "192.0.2.9:5060", legs)


def ended(decision_id: str = "d-1", at: float = AT + 63.0, **changes: object) -> EndFrame:
    """An answered call that the caller hung up after a minute."""
    values: dict[str, object] = {
        "disposition": "answered",
        "final_status": 200,
        "final_phrase": "OK",
        "call_id_b": "b@192.0.2.5",
        "peer": "192.0.2.9:5060",
        "ring_at": AT + 1.0,
        "answer_at": AT + 3.0,
        "bye_by": "a",
        "tries": [("192.0.2.8:5060", 0), ("192.0.2.9:5060", 200)],
        "forward_us": 420,
    }
    return EndFrame(decision_id, at, **(values | changes))  # type: ignore[arg-type]
