"""A 2xx on its way: its repeats on both sides, the ACK, and what happens without one."""

from __future__ import annotations

from sipguard.b2bua import frames
from tests.playbook import ANSWER_SDP, SDP, Playbook, body_of, tag_in, value


def test_ack_crosses_with_its_body(book: Playbook) -> None:
    """An offerless INVITE has its answer in the ACK (RFC 3261 §13.2.1)."""
    a, b = book.a, book.b
    a.invite(body="")
    assert body_of(b.last("INVITE")) == ""
    b.reply("200 OK", body=SDP)
    assert a.ack(body=ANSWER_SDP) == ["b ACK"]
    assert body_of(b.last("ACK")) == ANSWER_SDP
    assert value(b.last("ACK"), "CSeq").split() == [value(b.last("INVITE"), "CSeq").split()[0], "ACK"]
    book.bye()


def test_2xx_is_repeated_until_its_ack(book: Playbook) -> None:
    """T1, doubling up to T2 (§13.3.1.4): 0.5, 1.5, 3.5, 7.5, 11.5 s after the first."""
    a = book.a
    book.establish(ack=False)
    sent_at = []
    for _ in range(240):
        for what in book.wait(0.05):
            assert what == "a 200 OK"
            sent_at.append(round(book.now - 1000.0, 1))
    assert [round(at * 2) / 2 for at in sent_at] == [0.5, 1.5, 3.5, 7.5, 11.5]
    assert a.ack() == ["b ACK"]
    assert book.wait(20.0) == []
    book.bye()


def test_repeats_of_the_peer_are_absorbed_then_acknowledged(book: Playbook) -> None:
    """§13.2.2.4: a repeat before the caller's ACK ends here, one afterwards gets that ACK again."""
    a, b = book.a, book.b
    book.establish(ack=False)
    assert b.again() == []
    a.ack("X-Mark: 1", body=ANSWER_SDP)
    first = b.last("ACK")
    assert b.reply("200 OK", body=ANSWER_SDP) == ["b ACK"]
    assert b.last("ACK") == first
    book.bye()
    assert b.reply("200 OK", body=ANSWER_SDP) == ["b ACK"]  # the call is over, the transaction is not
    assert len(a.all("200")) == 2


def test_ack_twice(book: Playbook) -> None:
    """The caller answers a repeat that crossed its ACK; nothing is repeated for it."""
    book.establish()
    assert book.a.ack() == []
    book.bye()


def test_no_ack_ends_both_legs(book: Playbook) -> None:
    """64*T1 after the 2xx: BYE (§13.3.1.4). The peer gets an ACK before it (§15)."""
    a, b = book.a, book.b
    book.establish(ack=False)
    assert set(book.wait(31.9)) == {"a 200 OK"}
    assert book.wait(0.2) == ["b ACK", "a BYE", "b BYE"]
    a.reply("200 OK", to="BYE")
    b.reply("200 OK", to="BYE")
    assert book.ends() == ["ack_lost"]
    assert tag_in(value(a.last("BYE"), "From")) == tag_in(value(a.last("200"), "To"))
    end = book.of(frames.EndFrame)[0]
    assert (end.final_status, end.bye_by) == (200, "")


def test_bye_before_the_ack(book: Playbook) -> None:
    """The ACK was lost: the peer gets one before the BYE, so that its 2xx comes to rest (§15)."""
    a, b = book.a, book.b
    book.establish(ack=False)
    assert a.request("BYE") == ["b ACK", "b BYE"]
    b.reply("200 OK", to="BYE")
    assert a.ack() == []
    assert b.reply("200 OK") == ["b ACK"]
    assert book.wait(10.0) == []


def test_ack_of_another_invite_is_dropped(book: Playbook) -> None:
    a = book.a
    book.establish(ack=False)
    assert a.send(a.asked.replace("INVITE", "ACK").replace("CSeq: 1", "CSeq: 7").replace("z9hG4bK", "z9hG4bKx")) == []
    a.ack()
    book.bye()


def test_no_ack_for_a_reinvite(book: Playbook) -> None:
    """The same as for the first INVITE; the peer that asked is told by BYE too."""
    a, b = book.a, book.b
    book.establish()
    assert b.request("INVITE", body=SDP) == ["a INVITE"]
    assert a.reply("200 OK", body=ANSWER_SDP) == ["b 200 OK"]
    assert "a ACK" in book.wait(32.1)
    assert shown_last(book) == {"a BYE", "b BYE"}
    a.reply("200 OK", to="BYE")
    b.reply("200 OK", to="BYE")
    assert book.ends() == ["ack_lost"]


def shown_last(book: Playbook) -> set[str]:
    """The last message that each side got, as a column shows it."""
    return {f"{party.name} {party.got[-1].partition(' ')[0]}" for party in (book.a, book.b)}
