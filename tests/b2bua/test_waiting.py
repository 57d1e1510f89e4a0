"""Several Identity values whose certificates are not at hand: all are asked for at once, under one budget."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sipguard.b2bua import frames
from sipguard.screening.finding import Need
from sipguard.screening.policy.model import Not, OneOf, Rule
from tests.pki import Pki, identity_value, passport
from tests.playbook import START_AT, Play, Playbook, values

PKI = Pki(now=datetime.fromtimestamp(START_AT, UTC))
LEAF = PKI.leaf()
STRANGER = Pki(now=PKI.now).leaf()
ONE, TWO, THREE = (f"https://{name}.example/709J.pem" for name in ("one", "two", "three"))
FAILED = Rule("failed", OneOf("identity.result", ("failed",)), basis="identity")


def value(x5u: str, **knobs: object) -> str:
    """An Identity header for the call of a playbook."""
    given: dict[str, object] = {"iat": int(START_AT), "origid": "o-1", **knobs}
    return f"Identity: {identity_value(passport('12025550101', '12125550123', LEAF.key, x5u, **given), x5u)}"  # type: ignore[arg-type]


def came(book: Playbook, x5u: str, what: bytes | str = LEAF.pem) -> list[str]:
    """The certificate behind `x5u` comes, or why it does not."""
    return book.fetched(what, Need("certificate", x5u, 0.0))


def busy(book: Playbook, column: list[str]) -> frames.VerdictFrame:
    """The call went on, and b has no time for it."""
    assert column[-1] == "b INVITE"
    assert book.b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    book.a.ack()
    return book.of(frames.VerdictFrame)[-1]  # type: ignore[no-any-return]


def each(frame: frames.VerdictFrame) -> list[str]:
    """Outcome and reason of each value, from the record."""
    return [" ".join(one.split(" ")[1:3]) for one in frame.facts["identity.each"]]  # type: ignore[union-attr]


@pytest.fixture
def book(play: Play) -> Playbook:
    """Calls are refused whose values all fail."""
    return play(FAILED, anchors=(PKI.root.pem,), carrier={"reason_stir": "compact"})


def test_a_dead_host_does_not_hold_up_the_value_behind_it(book: Playbook) -> None:
    assert book.a.invite(value(ONE), value(TWO)) == [f"fetch {ONE}", f"fetch {TWO}"]
    frame = busy(book, came(book, TWO))
    assert (frame.identity, each(frame)) == ("passed", ["waiting -", "passed passed"])
    assert came(book, ONE) == []
    assert book.count("fetches_late") == 0
    frame = busy(book, book.a.invite(value(ONE), value(TWO)))
    assert each(frame) == ["passed passed", "passed passed"]


def test_one_certificate_for_two_values_is_asked_for_once(book: Playbook) -> None:
    assert book.a.invite(value(ONE), value(ONE, origid="o-2")) == [f"fetch {ONE}"]
    busy(book, came(book, ONE))
    assert book.count("fetches") == 1


def test_one_that_fails_is_no_end_while_another_may_come(book: Playbook) -> None:
    book.a.invite(value(ONE), value(TWO), value(THREE))
    assert came(book, ONE, "x5u_connect") == []
    assert came(book, TWO, STRANGER.pem) == []
    frame = busy(book, came(book, THREE))
    assert each(frame) == ["failed x5u_connect", "failed chain_signature", "passed passed"]
    assert values(book.a.last("486"), "Reason")[0].startswith("STIR;cause=436;")


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        ("x5u_connect", "x5u_dns", "a 436 Bad Identity Info"),
        ("x5u_connect", STRANGER.pem, "a 437 Unsupported Credential"),
        (STRANGER.pem, "x5u_connect", "a 437 Unsupported Credential"),
    ],
)
def test_when_all_have_come_and_none_holds_the_call_goes_on_at_once(
    book: Playbook, first: bytes | str, second: bytes | str, answer: str
) -> None:
    """436 where that is so of all values only (RFC 8224 §6.2.2)."""
    book.a.invite(value(ONE), value(TWO))
    assert came(book, TWO, second) == []
    assert came(book, ONE, first) == [answer]
    book.a.ack()
    assert len(values(book.a.last(answer[2:]), "Reason")) == 2


def test_the_budget_is_one_for_all_and_is_not_prolonged_by_an_answer(book: Playbook) -> None:
    book.a.invite(value(ONE), value(TWO))
    assert book.wait(0.2) == ["a 100 Trying"]
    assert came(book, ONE, "x5u_connect") == []
    frame = busy(book, book.wait(0.1))
    assert (frame.identity, list(frame.unscreened)) == ("", ["identity"])
    assert [list(one) for one in frame.findings] == [["identity", "failed", "x5u_timeout"]]
    assert each(frame) == ["failed x5u_connect", "failed x5u_timeout"]
    assert [one[:15] for one in values(book.a.last("486"), "Reason")] == ["STIR;cause=436;"] * 2
    assert (book.count("fetches_late"), book.count("unscreened_identity")) == (1, 1)


def test_what_a_late_check_noted_is_for_the_record_and_for_no_rule(play: Play) -> None:
    """A check that failed matches no condition, not even under `not`."""
    noted = OneOf("identity.reasons", ("x5u_timeout",))
    book = play(Rule("noted", noted, basis="identity"), Rule("not", Not(noted), basis="identity"))
    book.a.invite(value(ONE))
    frame = busy(book, book.wait(0.35))
    assert frame.facts["identity.reasons"] == ("x5u_timeout",)
    assert each(frame) == ["failed x5u_timeout"]


def test_answers_behind_the_budget_serve_the_next_call(book: Playbook) -> None:
    book.a.invite(value(ONE), value(TWO))
    busy(book, book.wait(0.35))
    assert came(book, TWO) == []
    frame = busy(book, book.a.invite(value(ONE), value(TWO)))
    assert each(frame) == ["waiting -", "passed passed"]
    assert book.count("fetches") == 2


def test_a_caller_who_gives_up_is_not_called_back_by_any_answer(book: Playbook) -> None:
    book.a.invite(value(ONE), value(TWO))
    assert came(book, ONE, "x5u_connect") == []
    assert book.a.cancel() == ["a 200 OK", "a 487 Request Terminated"]
    book.a.ack()
    assert book.wait(1.0) == []
    assert came(book, TWO) == []
    assert book.frames == []


def test_a_call_ends_under_the_anchors_it_began_with_whichever_certificate_comes_after_a_reload(book: Playbook) -> None:
    book.a.invite(value(ONE), value(TWO))
    assert came(book, ONE, "x5u_connect") == []
    book.reload(FAILED)
    frame = busy(book, came(book, TWO))
    assert (frame.revision, frame.identity) == ("r1", "passed")
    assert book.a.invite(value(TWO)) == ["a 437 Unsupported Credential"]
    book.a.ack()


def test_two_calls_that_wait_for_some_of_the_same(book: Playbook) -> None:
    """Each goes on with the first that serves it, and leaves the other's wait alone."""
    other = book.party("a2", ("192.0.2.10", 5070), "outside")
    assert book.a.invite(value(ONE), value(TWO)) == [f"fetch {ONE}", f"fetch {TWO}"]
    assert other.invite(value(TWO, tamper=True), value(THREE)) == [f"fetch {THREE}"]
    assert came(book, TWO) == ["b INVITE"]
    first = book.b.last("INVITE")
    assert came(book, THREE) == ["b INVITE"]
    assert book.b.reply("486 Busy Here", request=book.b.last("INVITE")) == ["b ACK", "a2 486 Busy Here"]
    other.ack()
    assert book.b.reply("486 Busy Here", request=first) == ["b ACK", "a 486 Busy Here"]
    book.a.ack()
    assert came(book, ONE) == []
    assert [each(frame) for frame in book.of(frames.VerdictFrame)] == [
        ["waiting -", "passed passed"],
        ["failed signature", "passed passed"],
    ]
    assert book.count("fetches") == 3


def test_the_budget_of_one_call_ends_not_that_of_another(book: Playbook) -> None:
    other = book.party("a2", ("192.0.2.10", 5070), "outside")
    book.a.invite(value(ONE), value(TWO))
    assert book.wait(0.2) == ["a 100 Trying"]
    assert other.invite(value(TWO)) == []
    assert book.wait(0.1) == ["b INVITE"]
    assert book.b.reply("486 Busy Here") == ["b ACK", "a 486 Busy Here"]
    book.a.ack()
    assert came(book, TWO)[-1] == "b INVITE"
    assert book.b.reply("486 Busy Here") == ["b ACK", "a2 486 Busy Here"]
    other.ack()
    assert [frame.identity for frame in book.of(frames.VerdictFrame)] == ["", "passed"]


def test_all_certificates_of_a_chain_are_asked_for_at_once(book: Playbook) -> None:
    """A token and the `div` token that carries it to another called party (RFC 8946 §4.2)."""
    original = value(ONE)
    diverted = passport(
        "12025550101",
        "13125550177",
        LEAF.key,
        TWO,
        iat=int(START_AT),
        attest=None,
        origid=None,
        ppt="div",
        extra={"div": {"tn": "12125550123"}},
    )
    column = book.a.invite(original, f"Identity: {diverted};info=<{TWO}>;alg=ES256;ppt=div", callee="+13125550177")
    assert sorted(column) == [f"fetch {ONE}", f"fetch {TWO}"]
    assert came(book, TWO) == []
    assert busy(book, came(book, ONE)).facts["identity.div_result"] == "passed"
