"""What the engine counts of calls, whatever becomes of them. That nothing stays concurrent, every playbook asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.screening.checks import CHECKS
from sipguard.screening.policy.model import AllOf, Compare, LabelSpec, OneOf, Rule
from sipguard.screening.shape import ANSWERED, FINISHED, HOUR_MS, LOOKED_AT, ONE_RING, SHORT, TALKED, Shape
from sipguard.screening.trunk import Limits, RedirectRules
from sipguard.screening.usual import Usual
from tests import pki
from tests.playbook import CALLEE, CALLER, INSIDE, OUTSIDE, START_AT, Play, Playbook

PKI = pki.Pki(now=datetime.fromtimestamp(START_AT, UTC))
LEAF = PKI.leaf(organisation="Example Voice")
X5U = "https://certs.example/709J.pem"


def shape(book: Playbook, kind: str, key: str) -> Shape:
    found: Shape | None = getattr(book.engine.counters, kind).of(key)
    assert found is not None
    return found


def counted(book: Playbook, kind: str = "callers", key: str = CALLER[1:]) -> dict[str, int]:
    """What of a key is not 0, in the running hour."""
    of = shape(book, kind, key)
    at_ms = int(book.now * 1000)
    found = {
        name: of.total(which, at_ms) // HOUR_MS
        for name, which in (
            ("finished", FINISHED),
            ("answered", ANSWERED),
            ("one_ring", ONE_RING),
            ("talked", TALKED),
            ("short", SHORT),
            ("looked_at", LOOKED_AT),
        )
    }
    found |= {"attempts": of.attempts_1h(at_ms), "concurrent": of.concurrent}
    return {name: count for name, count in found.items() if count}


def answered(book: Playbook, for_s: float) -> None:
    book.establish()
    book.wait(for_s)
    book.bye()


def refused(book: Playbook) -> None:
    book.a.invite()
    book.b.reply("486 Busy Here")
    book.a.ack()


def given_up(book: Playbook, after_s: float) -> None:
    book.a.invite()
    book.b.reply("180 Ringing")
    book.wait(after_s)
    book.a.cancel()
    book.a.ack()
    book.b.reply("200 OK", to="CANCEL")
    book.b.reply("487 Request Terminated")


def failed_over(book: Playbook) -> None:
    book.a.invite()
    book.b.reply("503 Service Unavailable")
    book.c.reply("200 OK")
    book.a.ack()
    book.wait(10.0)
    book.a.request("BYE")
    book.c.reply("200 OK", to="BYE")


def forked(book: Playbook) -> None:
    """The next hop forks; one branch answers, the other after it."""
    book.a.invite()
    book.b.reply("180 Ringing", tag="one")
    book.b.reply("180 Ringing", tag="two")
    book.b.reply("200 OK", tag="two")
    book.a.ack()
    book.b.reply("200 OK", tag="one", request=next(m for m in book.b.got if m.startswith("INVITE")))
    book.b.reply("200 OK", to="BYE")
    book.wait(10.0)
    book.bye()


def repeated(book: Playbook) -> None:
    book.a.invite()
    book.a.again()
    book.b.reply("200 OK")
    book.a.again(book.a.invited)
    book.a.ack()
    book.a.request("INVITE")
    book.b.reply("200 OK")
    book.a.ack()
    book.wait(10.0)
    book.bye()


def unreachable(book: Playbook) -> None:
    book.a.invite()
    book.wait(70.0)
    book.a.ack()


def hung_up(book: Playbook) -> None:
    book.establish()
    book.hang_up()
    for side in (book.a, book.b):
        side.reply("200 OK", to="BYE")


def rang_for_ever(book: Playbook) -> None:
    book.a.invite()
    book.b.reply("180 Ringing")
    book.wait(186.0)
    book.a.ack()
    book.b.reply("200 OK", to="CANCEL")
    book.b.reply("487 Request Terminated")


def never_acknowledged(book: Playbook) -> None:
    book.establish(ack=False)
    book.wait(33.0)
    for side in (book.a, book.b):
        side.reply("200 OK", to="BYE")


def asked_for_credentials(book: Playbook) -> None:
    """The next hop challenges the caller, who comes again in the same dialog (RFC 3261 §22.2)."""
    a, b = book.a, book.b
    a.invite()
    b.reply("407 Proxy Authentication Required", 'Proxy-Authenticate: Digest realm="hop", nonce="1"')
    a.ack()
    a.remote = a.remote.partition(";tag=")[0]
    a.request("INVITE", 'Proxy-Authorization: Digest username="a"')
    b.reply("200 OK")
    a.ack()
    book.wait(10.0)
    book.bye()


def forked_before_us(book: Playbook) -> None:
    """A proxy forks, and both branches meet here; one is answered, the other cancelled (RFC 3261 §16.7)."""
    a, b = book.a, book.b
    a.invite("Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK-sent-first")
    first, to_b = a.invited, b.last("INVITE")
    a.invited = first.replace("branch=z9hG4bK-a", "branch=z9hG4bK-other-a")
    a.send(a.invited)
    second = b.last("INVITE")
    b.reply("180 Ringing", request=second)
    a.cancel()
    a.ack()
    b.reply("487 Request Terminated", request=second)
    a.invited = first
    b.reply("200 OK", request=to_b)
    a.ack()
    book.wait(10.0)
    a.request("BYE")
    b.reply("200 OK", to="BYE")


ENDS: dict[str, tuple[Callable[[Playbook], None], dict[str, int]]] = {
    "a talk": (lambda book: answered(book, 60.0), {"finished": 1, "answered": 1, "talked": 1}),
    "a short one": (lambda book: answered(book, 5.0), {"finished": 1, "answered": 1, "talked": 1, "short": 1}),
    "busy": (refused, {"finished": 1}),
    "one ring": (lambda book: given_up(book, 4.0), {"finished": 1, "one_ring": 1}),
    "given up later": (lambda book: given_up(book, 6.0), {"finished": 1}),
    "another peer": (failed_over, {"finished": 1, "answered": 1, "talked": 1}),
    "forks": (forked, {"finished": 1, "answered": 1, "talked": 1}),
    "credentials": (asked_for_credentials, {"finished": 1, "answered": 1, "talked": 1}),
    "forks before us": (forked_before_us, {"finished": 1, "answered": 1, "talked": 1}),
    "repeats": (repeated, {"finished": 1, "answered": 1, "talked": 1}),
    "nobody rings off": (rang_for_ever, {"finished": 1}),
    "no peer is there": (unreachable, {}),
    "hung up here": (hung_up, {"finished": 1, "answered": 1}),
    "no ACK": (never_acknowledged, {"finished": 1, "answered": 1}),
}


@pytest.mark.parametrize(("happens", "wanted"), ENDS.values(), ids=ENDS)
def test_a_call_counts_once_and_as_it_ended(
    book: Playbook, happens: Callable[[Playbook], None], wanted: dict[str, int]
) -> None:
    happens(book)
    for kind, key in (
        ("callers", CALLER[1:]), ("callees", CALLEE[1:]), ("prefixes", CALLEE[1:8]), ("trunks", "carrier"),
    ):  # fmt: skip
        attempts = 2 if happens is forked_before_us and kind == "callees" else 1  # both branches ring there
        assert counted(book, kind, key) == {"attempts": attempts, "looked_at": 1, **wanted}


def test_what_is_concurrent(book: Playbook) -> None:
    book.a.invite()
    assert counted(book)["concurrent"] == 1
    book.b.reply("200 OK")
    book.a.ack()
    assert counted(book)["concurrent"] == 1
    book.bye()
    book.a.invite()
    book.b.reply("180 Ringing")
    book.a.cancel()
    assert "concurrent" not in counted(book), "the caller has gone, though the next hop does not know it yet"
    book.a.ack()
    book.b.reply("487 Request Terminated")


def test_who_is_rejected_does_not_look_worse_for_it(play: Play) -> None:
    book = play(Rule("all", OneOf("trunk.name", ("carrier",)), "contract"))
    for _ in range(3):
        book.a.invite()
        book.a.ack()
    assert counted(book) == {"attempts": 3, "looked_at": 3}


@pytest.mark.parametrize("callee", ["911", "+12125550123"])
def test_emergency_calls_are_attempts_and_nothing_else(play: Play, callee: str) -> None:
    book = play(carrier={"emergency_marks_trusted": True})
    book.a.invite("Priority: emergency", callee=callee)
    assert counted(book) == {"attempts": 1}
    book.b.reply("200 OK")
    book.a.ack()
    book.bye()
    assert counted(book) == {"attempts": 1}


def test_another_caller_in_the_same_dialog_is_no_branch_of_a_fork(book: Playbook) -> None:
    """Whoever calls may write one Call-ID and tag into all his calls."""
    book.a.invite("Via: SIP/2.0/UDP 192.0.2.77;branch=z9hG4bK-sent-first")
    first = book.a.invited
    book.a.send(first.replace("branch=z9hG4bK-a", "branch=z9hG4bK-other-a").replace(CALLER, "+12025550199"))
    assert counted(book, "trunks", "carrier")["attempts"] == 2
    assert counted(book, key="12025550199")["attempts"] == 1
    for invite in book.b.all("INVITE"):
        book.b.reply("486 Busy Here", request=invite)
    book.a.ack()
    book.a.invited = first
    book.a.ack()


def test_an_invite_that_nobody_passed_on_is_no_branch_of_a_fork(book: Playbook) -> None:
    """A flood of INVITEs in one dialog hides in none."""
    book.a.invite()
    for n in range(3):
        book.a.send(book.a.invited.replace("branch=z9hG4bK-a", f"branch=z9hG4bK-other-{n}-a"))
    assert counted(book, "callees", CALLEE[1:])["attempts"] == counted(book)["attempts"] == 4
    for invite in book.b.all("INVITE"):
        book.b.reply("486 Busy Here", request=invite)
    first = book.a.invited
    for branch in ("a", "other-0-a", "other-1-a", "other-2-a"):
        book.a.invited = first.replace("branch=z9hG4bK-a", f"branch=z9hG4bK-{branch}")
        book.a.ack()


def test_what_a_limit_turns_away_is_not_counted(play: Play) -> None:
    book = play(carrier={"limits": Limits(cps=1.0)})
    refused(book)
    book.a.invite()
    assert book.a.last("480")
    book.a.ack()
    assert counted(book)["attempts"] == 1


def test_a_redirect_listener_sees_no_end(play: Play) -> None:
    """So nothing is told that depends on ends, of a call by another listener neither as long as there are too few."""
    listener = replace(OUTSIDE, redirect=RedirectRules(302, "switch.example:5070"))
    asks = Rule("all", Compare("rate.caller.concurrent", "at_least", 1.0), tags=("seen",), continues=True)
    book = play(asks, listeners={"outside": listener, "inside": INSIDE})
    for _ in range(12):
        book.a.invite()
        book.a.ack()
    assert counted(book) == {"attempts": 12, "looked_at": 12}
    verdict = book.of(frames.VerdictFrame)[-1]
    assert verdict.facts["rate.caller.attempts_1h"] == 12
    assert not [name for name in verdict.facts if "concurrent" in name or "answer_ratio" in name]
    assert verdict.tags == []


def test_counts_outlive_a_reload_and_begin_anew_after_a_crash(book: Playbook) -> None:
    refused(book)
    book.establish()
    book.reload(settings={name: check.Settings() for name, check in CHECKS.items()})
    assert counted(book) == {"attempts": 2, "looked_at": 2, "finished": 2, "answered": 1, "concurrent": 1}
    book.bye()
    assert counted(book)["talked"] == 1
    book.reload()
    book.establish()
    book.crash()
    assert book.engine.counters.keys() == (0, 0)
    assert book.a.request("BYE") == ["b BYE"]
    book.b.reply("200 OK", to="BYE")
    assert book.engine.counters.keys() == (0, 0)


def test_nothing_is_counted_that_nobody_asks_for(play: Play) -> None:
    asks = Rule("burst", Compare("rate.caller.attempts_1m", "over", 60.0), "contract")
    book = play(asks, settings={name: check.Settings() for name, check in CHECKS.items()})
    answered(book, 5.0)
    assert counted(book) == {"attempts": 1}
    assert len(book.engine.counters.callees) == 0
    facts = book.of(frames.VerdictFrame)[0].facts
    assert {name for name in facts if name.startswith("rate.")} == {
        f"rate.{kind}.attempts_{window}" for kind in ("caller", "trunk") for window in ("1m", "1h")
    }


LABEL = LabelSpec("", headers=(("X-Busy", "{rate.callee.concurrent}"),))


def test_what_labels_write_is_counted_too(play: Play) -> None:
    rules = (
        Rule("few", Compare("rate.caller.attempts_1m", "under", 60.0), label=LABEL),
        Rule("never", Compare("rate.trunk.callees_1h", "over", 1e6), "contract"),
    )
    book = play(*rules, settings={name: check.Settings() for name, check in CHECKS.items()})
    book.a.invite()
    assert "X-Busy: 1" in book.b.last("INVITE")
    facts = book.of(frames.VerdictFrame)[0].facts
    assert facts["rate.callee.concurrent"] == facts["rate.trunk.callees_1h"] == 1
    assert "rate.caller.concurrent" not in facts
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_a_rule_stops_who_calls_short(play: Play) -> None:
    short = Compare("rate.caller.short_ratio_1h", "over", 0.8)
    book = play(Rule("short", AllOf((short, Compare("rate.caller.attempts_1h", "over", 10.0))), "contract"))
    for _ in range(10):
        answered(book, 2.0)
    book.a.invite()
    assert book.verdicts()[-1] == ("reject", "short")
    assert book.of(frames.VerdictFrame)[-1].facts["rate.caller.short_ratio_1h"] == 1.0
    book.a.ack()
    book.a.invite(caller="+12025550199")
    assert book.verdicts()[-1] == ("allow", "default")
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_what_is_usual_is_compared_with_the_hour_of_the_week_at_receipt(play: Play) -> None:
    """No emergency call is in it."""
    asks = Rule("odd", Compare("rate.trunk.abroad_over_usual_1h", "over", 1.0), tags=("odd",), continues=True)
    book = play(asks)
    usual = Usual()
    now = int(START_AT // 3600)
    for hour in range(now - 3 * 168, now):
        for n in range(40):
            usual.attempted(hour, n < 10)
    book.engine.counters.recall("carrier", usual.kept())
    for _ in range(30):
        refused(book)
    for _ in range(10):
        book.a.invite(callee="+441632960123")
        book.b.reply("486 Busy Here")
        book.a.ack()
    book.a.invite(callee="911")
    book.b.reply("486 Busy Here")
    book.a.ack()
    book.a.invite(callee="+441632960123")
    book.b.reply("486 Busy Here")
    book.a.ack()
    facts = book.of(frames.VerdictFrame)[-1].facts
    found = {name.removeprefix("rate.trunk."): value for name, value in facts.items() if "usual" in name}
    assert found == {
        "attempts_over_usual_1h": round(42 / 40, 2),
        "abroad_over_usual_1h": 1.1,
        "abroad_ratio_over_usual_1h": round(round(11 / 41, 3) / 0.25, 2),
    }
    assert [frame.tags for frame in book.of(frames.VerdictFrame)].count(["odd"]) == 1


# ---------------------------------------------------------------------- signers


def identity(key: Any = None) -> str:
    token = pki.passport(CALLER[1:], CALLEE[1:], key or LEAF.key, X5U, iat=int(START_AT))
    return f"Identity: {pki.identity_value(token, X5U)}"


MANY = Rule("signer", Compare("rate.signer.attempts_1m", "over", 1.0), "contract")
ALL = Rule("all", OneOf("trunk.name", ("carrier",)), "contract")


def test_a_rule_on_signers_holds_back_those_below_until_the_signer_is_known(play: Play) -> None:
    book = play(MANY, ALL, anchors=(PKI.root.pem,))
    assert book.a.invite(identity()) == [f"fetch {X5U}"]
    assert book.engine.counters.signers.of("709J") is None
    assert book.fetched(LEAF.pem) == ["a 403 Forbidden"]
    book.a.ack()
    assert counted(book, "signers", "709J") == {"attempts": 1, "looked_at": 1}
    book.a.invite(identity())
    book.a.ack()
    assert book.verdicts() == [("reject", "all"), ("reject", "signer")]
    assert book.of(frames.VerdictFrame)[-1].facts["rate.signer.callers_1h"] == 1


@pytest.mark.parametrize("headers", [(), (identity(PKI.leaf().key),)], ids=["unsigned", "forged"])
def test_without_a_signature_that_holds_there_is_no_signer(play: Play, headers: tuple[str, ...]) -> None:
    book = play(MANY, anchors=(PKI.root.pem,))
    book.engine.context.certificates.put(X5U, LEAF.pem, 0.0, START_AT)
    for _ in range(3):
        book.a.invite(*headers)
        book.b.reply("486 Busy Here")
        book.a.ack()
    assert len(book.engine.counters.signers) == 0
    assert {rule for _, rule in book.verdicts()} == {"default"}
    assert not [name for name in book.of(frames.VerdictFrame)[0].facts if name.startswith("rate.signer.")]


def test_a_signer_has_the_ends_of_its_calls(play: Play) -> None:
    book = play(MANY, anchors=(PKI.root.pem,))
    book.engine.context.certificates.put(X5U, LEAF.pem, 0.0, START_AT)
    book.a.invite(identity())
    assert counted(book, "signers", "709J")["concurrent"] == 1
    book.b.reply("200 OK")
    book.a.ack()
    book.wait(3.0)
    book.bye()
    wanted = {"attempts": 1, "looked_at": 1, "finished": 1, "answered": 1, "talked": 1, "short": 1}
    assert counted(book, "signers", "709J") == wanted


def test_who_gives_up_while_a_certificate_is_awaited_is_nobody_elses_attempt(play: Play) -> None:
    book = play(MANY, anchors=(PKI.root.pem,))
    book.a.invite(identity())
    assert counted(book) == {"attempts": 1, "looked_at": 1, "concurrent": 1}
    book.a.cancel()
    book.a.ack()
    assert counted(book) == {"attempts": 1, "looked_at": 1}
    assert book.fetched(LEAF.pem) == []
    assert len(book.engine.counters.signers) == 0
