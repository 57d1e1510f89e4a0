"""What the verdict's frame notes of a call beyond the decision: what took how long, and what of ours went out."""

from __future__ import annotations

from typing import Any

from sipguard.b2bua.frames import EndFrame, VerdictFrame, decode, encode
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import LabelSpec, OneOf, Policy, Redress, Rule
from sipguard.screening.trunk import Peer, Route, Trunk
from tests.playbook import B_AT, C_AT, Play, Playbook, values

SHOWN = "12025550101"
LISTED = ListSpec("listed", "numbers", ("shown",), members=(SHOWN,))
ONE = {"peers": (Peer(*B_AT),), "verstat": "from"}
ON_LIST = OneOf("lists.shown", ("listed",))


def noted(book: Playbook) -> VerdictFrame:
    """The verdict frame, as it comes back from disk."""
    (frame,) = [frame for frame in book.frames if isinstance(frame, VerdictFrame)]
    back = decode(encode(frame))
    assert isinstance(back, VerdictFrame)
    return back


def refused(book: Playbook) -> None:
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_each_check_stands_with_its_time(play: Play) -> None:
    book = play(Rule("listed", ON_LIST, basis="subscriber"), lists=(LISTED,))
    book.a.invite()
    book.a.ack()
    frame = noted(book)
    ((check, begin, end),) = frame.runs
    assert check == "lists"
    assert frame.received_mono <= begin < end


def test_an_answer_stands_with_phrase_and_lines(play: Play) -> None:
    rule = Rule("listed", ON_LIST, basis="analytics")
    policy = Policy((rule,), redress=Redress(url="https://provider.example/r"))
    book = play(policy=policy, lists=(LISTED,))
    book.a.invite()
    response = book.a.last("603")
    book.a.ack()
    frame = noted(book)
    assert (frame.status, frame.phrase) == (603, "Network Blocked")
    assert [f"Reason: {value}" for value in values(response, "Reason")] == frame.wrote
    assert f"id={frame.decision_id}" in frame.wrote[0]


def test_a_label_stands_as_it_was_written(play: Play) -> None:
    label = LabelSpec("SPAM? ", headers=(("Alert-Info", "<urn:alert:x>"),))
    book = play(Rule("listed", ON_LIST, label=label), lists=(LISTED,))
    book.a.invite("P-Asserted-Identity: <sip:+12025550103@carrier.example>")
    invite = book.b.last("INVITE")
    refused(book)
    wrote = noted(book).wrote
    assert [line.partition(":")[0] for line in wrote] == ["From", "P-Asserted-Identity", "Alert-Info"]
    assert '"SPAM? " <sip:+12025550103' in wrote[1]
    assert all(line in invite for line in wrote[1:])


def test_a_call_that_nothing_is_written_into_has_no_lines(play: Play) -> None:
    book = play(carrier={"verify": False})
    book.a.invite()
    refused(book)
    frame = noted(book)
    assert (frame.wrote, frame.removed, frame.phrase, frame.told, frame.runs) == ([], [], "", "", [])


def test_what_privacy_kept_from_crossing_is_named(play: Play) -> None:
    book = play(hop={"send_pai": "never"})
    book.a.invite("P-Asserted-Identity: <sip:+12025550103@carrier.example>")
    refused(book)
    assert noted(book).removed == ["p-asserted-identity"]


def test_what_each_further_trunk_is_sent_stands_in_the_end(play: Play) -> None:
    peers: dict[str, Any] = {"carrier": {"route": "", "routes": (Route(("hop", "east", "west")),)}, "hop": ONE}
    label = Rule("listed", ON_LIST, label=LabelSpec("SPAM? "))
    trunks = (
        Trunk("east", "interconnect", listeners=("inside",), peers=(Peer(*C_AT),), send_pai="never", verstat="off"),
        Trunk("west", "interconnect", listeners=("inside",), peers=(Peer(*B_AT),), send_pai="always"),
    )
    book = play(label, lists=(LISTED,), trunks=trunks, **peers)
    book.a.invite("P-Asserted-Identity: <sip:+12025550103@carrier.example>")
    book.b.reply("503 Service Unavailable")
    book.c.reply("500 Server Internal Error")
    refused(book)
    east, west = _ended(book).further
    assert (east.trunk, east.tries, east.verstat, east.removed) == ("east", 1, "", ["p-asserted-identity"])
    assert (west.trunk, west.tries, west.verstat, west.removed) == ("west", 2, "No-TN-Validation", [])
    assert "verstat" not in east.wrote[0] and [line.partition(":")[0] for line in east.wrote] == ["From"]
    assert [line.partition(":")[0] for line in west.wrote] == ["From", "P-Asserted-Identity"]
    assert west.wrote[1] in book.b.last("INVITE")


def test_a_call_that_stays_on_its_trunk_has_no_further_one(play: Play) -> None:
    book = play()
    book.a.invite()
    book.b.reply("503 Service Unavailable")
    book.c.reply("486 Busy Here")
    book.a.ack()
    assert _ended(book).further == []


def _ended(book: Playbook) -> EndFrame:
    """The end frame, as it comes back from disk."""
    (frame,) = book.of(EndFrame)
    back = decode(encode(frame))
    assert isinstance(back, EndFrame)
    return back
