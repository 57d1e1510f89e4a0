"""By whose word a call was on a list, as it was at its time."""

from __future__ import annotations

from pathlib import Path

from sipguard.b2bua.frames import VerdictFrame
from sipguard.store.edits import ADD, NAME, REMOVE, EditStore
from sipguard.store.lookup import listed_by

CALLER, CALLEE = "12025550101", "12025550131"
AT = 1_800_000_000.0


def verdict(edits: int, at: float = AT) -> VerdictFrame:
    facts = {"lists.caller": ("blocked",), "lists.pair": ("consent",), "lists.diverting": ("blocked",)}
    return VerdictFrame("d", at, trunk="carrier", caller=CALLER, callee=CALLEE, facts=dict(facts), edits=edits)


def test_it_is_told_as_it_was_at_the_time_of_the_call(tmp_path: Path) -> None:
    with EditStore.writing(tmp_path / NAME) as store:
        store.change(ADD, "blocked", ["1202555*"], who="ann", why="campaign", at=AT)
        store.change(ADD, "blocked", [CALLER], who="bob", why="complaint", expires_at=AT + 60, at=AT + 1)
        store.change(ADD, "consent", [f"{CALLER},{CALLEE}"], who="eve", at=AT + 2)
        store.undo(2, who="ann", at=AT + 3)
        store.change(REMOVE, "blocked", [CALLER], who="ann", at=AT + 4)
    told = [
        [(by.which, by.entry, by.change, by.who, by.undone_by) for by in listed_by(tmp_path, verdict(edits))]
        for edits in range(6)
    ]
    prefix = ("caller", "1202555*", 1, "ann", 0)
    pair = ("pair", f"{CALLER},{CALLEE}", 3, "eve", 0)
    itself = ("caller", CALLER, 2, "bob", 4)
    assert told == [[], [prefix], [itself], [itself, pair], [prefix, pair], [pair]]
    expired = listed_by(tmp_path, verdict(2, AT + 60))
    assert [by.entry for by in expired] == ["1202555*"]


def test_the_narrowest_of_ranges_and_prefixes_is_told(tmp_path: Path) -> None:
    with EditStore.writing(tmp_path / NAME) as store:
        store.change(ADD, "blocked", ["1202555*"], who="ann", at=AT)
        store.change(ADD, "blocked", ["12025550100-12025550149"], who="bob", at=AT)
        store.change(ADD, "blocked", ["12025550100-12025550109", "12025550200-12025550300"], who="eve", at=AT)
        store.undo(3, who="ann", at=AT)
    told = [[(by.entry, by.who) for by in listed_by(tmp_path, verdict(edits))] for edits in range(1, 5)]
    wide, narrow = ("12025550100-12025550149", "bob"), ("12025550100-12025550109", "eve")
    assert told == [[("1202555*", "ann")], [wide], [narrow], [wide]]


def test_nothing_is_told_where_nobody_edited(tmp_path: Path) -> None:
    assert listed_by(tmp_path, verdict(3)) == ()


HEAD = (
    b"INVITE sip:+12025550131@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1\r\n"
    b"From: <sip:+12025550101@example.com>;tag=1\r\nTo: <sip:+12025550131@example.com>\r\nCall-ID: c\r\n"
    b"CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nUser-Agent: Friendly-Scanner 1.0\r\n"
    b"Diversion: <sip:+12025550141@example.com>\r\nContent-Length: 200\r\n\r\n"
)


def test_a_signer_a_user_agent_and_who_diverted_are_told_too(tmp_path: Path) -> None:
    with EditStore.writing(tmp_path / NAME) as store:
        store.change(ADD, "bad", ["friendly-scanner*"], who="ann", at=AT - 5)
        store.change(ADD, "signers", ["709j"], who="bob", why="traceback 7", at=AT - 4)
        store.change(ADD, "moved", ["12025550141"], who="eve", at=AT - 3)
        store.change(ADD, "brands", [f"example bank,{CALLEE}"], who="dan", at=AT - 2)
    facts = {
        "lists.upstream": ("bad",),
        "lists.signer": ("signers",),
        "lists.diverting": ("moved",),
        "lists.brand": ("brands",),
        "identity.spc": ("709J",),
        "identity.rcd_name": "Example Bank",
    }
    told = {"callee": CALLEE, "trunk": "carrier", "head": HEAD, "findings": [("lists", "hit", "listed")]}
    frame = VerdictFrame("d", AT, edits=4, facts=dict(facts), **told)  # type: ignore[arg-type]
    assert [(by.which, by.entry, by.who) for by in listed_by(tmp_path, frame)] == [
        ("upstream", "friendly-scanner*", "ann"),
        ("signer", "709j", "bob"),
        ("diverting", "12025550141", "eve"),
        ("brand", f"example bank,{CALLEE}", "dan"),
    ]


def test_where_only_the_signer_was_asked_the_clock_says_which_edits_were_in_force(tmp_path: Path) -> None:
    with EditStore.writing(tmp_path / NAME) as store:
        store.change(ADD, "signers", ["709j"], who="bob", at=AT - 4)
        store.change(REMOVE, "signers", ["709j"], who="ann", at=AT + 4)
    facts = {"lists.signer": ("signers",), "identity.spc": ("709J",)}
    frame = VerdictFrame("d", AT, trunk="carrier", facts=dict(facts), findings=[("identity", "clear", "passed")])
    assert [(by.entry, by.who) for by in listed_by(tmp_path, frame)] == [("709j", "bob")]


def test_networks_and_numbers_of_a_trunk_are_told_too(tmp_path: Path) -> None:
    with EditStore.writing(tmp_path / NAME) as store:
        store.change(ADD, "bad", ["192.0.2.0/24"], who="ann", at=AT)
        store.change(ADD, "own", ["carrier,1202555*"], who="bob", at=AT)
    facts = {"lists.upstream": ("bad",), "lists.caller": ("own",)}
    frame = VerdictFrame("d", AT, trunk="carrier", caller=CALLER, source="192.0.2.7:5060", facts=dict(facts), edits=2)
    assert [(by.name, by.entry, by.who) for by in listed_by(tmp_path, frame)] == [
        ("bad", "192.0.2.0/24", "ann"),
        ("own", "carrier,1202555*", "bob"),
    ]
