"""A call whose priority a trusted signer vouches for is stopped by nothing (RFC 8443, RFC 9027)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.screening.guard import Settings
from sipguard.screening.ruleset import Overload
from sipguard.screening.verification.replays import DIALOGS
from tests import pki
from tests.b2bua.test_emergency_passes import BLOCK_LIST, BLOCKED, ROWS, Row, falls_behind, is_up, reached
from tests.playbook import ANSWER_SDP, CALLEE, CALLER, START_AT, Play, Playbook

PKI = pki.Pki(now=datetime.fromtimestamp(START_AT, UTC))
LEAF = PKI.leaf()
X5U = "https://certs.example/709J.pem"
LIMITS = ("draining", "overload", "trunk limit of calls")


def identity(
    *auth: str, sph: str | None = None, orig: str = CALLER[1:], dest: str = CALLEE[1:], age: int = 0, key: Any = None
) -> str:
    """An Identity header with a token of type rph."""
    claims = {"attest": None, "origid": None, "rph": {"auth": list(auth)}, "sph": sph}
    token = pki.passport(orig, dest, key or LEAF.key, X5U, iat=int(START_AT) - age, ppt="rph", extra=claims)
    return f"Identity: {pki.identity_value(token, X5U, 'rph')}"


SIGNED = ("Resource-Priority: ets.0, wps.0", identity("ets.0", "wps.0"))


def trusting(play: Play, *rules: Any, known: bool = True, **fields: Any) -> Playbook:
    """A playbook that trusts the test PKI; its certificate is at hand unless it is not `known`."""
    book = play(*rules, anchors=(PKI.root.pem,), **fields)
    if known:
        learn(book)
    return book


def learn(book: Playbook) -> None:
    book.engine.context.certificates.put(X5U, LEAF.pem, 0.0, START_AT)


def busy(book: Playbook) -> None:
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_passes_all_that_refuses_a_usual_call(play: Play, row: Row) -> None:
    book = trusting(play, *row.rules, **row.fields)
    if row.before is not None:
        row.before(book)
    learn(book)
    column = book.a.invite(*row.headers, *SIGNED, leave_out=row.leave_out)
    reached(book, row.then(book) if row.then is not None else column)
    assert book.verdicts()[-1] == ("allow", "emergency")
    assert book.of(frames.VerdictFrame)[-1].emergency == "signed_priority"


def test_the_record_says_what_was_signed_and_by_whom(play: Play) -> None:
    book = trusting(play)
    callback = identity("esnet.0", sph="psap-callback")
    assert book.a.invite("Resource-Priority: ESNET.0", "Priority: psap-callback", callback) == ["b INVITE"]
    facts = book.of(frames.VerdictFrame)[0].facts
    assert facts["identity.rph"] == ("esnet.0",)
    assert (facts["identity.sph"], facts["identity.rph_signer"]) == ("psap-callback", "Example Voice")
    busy(book)


@pytest.mark.parametrize("headers", [SIGNED, (SIGNED[0], identity("ets.1"))], ids=["lifted", "not lifted"])
def test_each_value_is_looked_at_once(play: Play, headers: tuple[str, ...]) -> None:
    """The guard asks first; what it found is what the check finds."""
    book = trusting(play)
    before = book.engine.context.certificates.counts()[0]
    book.a.invite(*headers)
    assert book.engine.context.certificates.counts()[0] == before + 1
    busy(book)


def test_what_is_waited_for_is_looked_at_once_for_each_answer(play: Play) -> None:
    book = trusting(play, known=False)
    certificates = book.engine.context.certificates
    assert book.a.invite(*SIGNED) == [f"fetch {X5U}"]
    assert certificates.counts()[:2] == (0, 1)
    assert book.fetched(LEAF.pem) == ["b INVITE"]
    assert certificates.counts()[:2] == (1, 1)
    busy(book)


ORDINARY: dict[str, tuple[str, ...]] = {
    "no token": SIGNED[:1],
    "no Resource-Priority": SIGNED[1:],
    "a value that is not signed for": ("Resource-Priority: ets.1", identity("ets.0")),
    "one signed value that is not there": ("Resource-Priority: ets.0", identity("ets.0", "wps.0")),
    "another namespace": ("Resource-Priority: q735.0", identity("q735.0")),
    "a stranger's signature": ("Resource-Priority: ets.0", identity("ets.0", key=pki.new_key())),
    "another caller": ("Resource-Priority: ets.0", identity("ets.0", orig="12025550199")),
    "another callee": ("Resource-Priority: ets.0", identity("ets.0", dest="12125550199")),
    "stale": ("Resource-Priority: ets.0", identity("ets.0", age=61)),
    "psap-callback that Priority does not say": (
        "Resource-Priority: esnet.0",
        identity("esnet.0", sph="psap-callback"),
    ),
    "another sph": ("Resource-Priority: esnet.0", "Priority: urgent", identity("esnet.0", sph="urgent")),
    "sph beside ets": ("Resource-Priority: ets.0", "Priority: psap-callback", identity("ets.0", sph="psap-callback")),
    "rph without values": ("Resource-Priority: ets.0", identity()),
}


@pytest.mark.parametrize("headers", ORDINARY.values(), ids=ORDINARY)
def test_what_does_not_hold_is_screened_as_any_call(play: Play, headers: tuple[str, ...]) -> None:
    book = trusting(play, BLOCKED, lists=(BLOCK_LIST,))
    assert book.a.invite(*headers) == ["a 603 Network Blocked"]
    assert book.of(frames.VerdictFrame)[-1].emergency == ""
    book.a.ack()


OTHER = "+12125550199"
CUT_OUT: dict[str, dict[str, Any]] = {
    "another Request-URI, To as signed": {"uri": f"sip:{OTHER}@198.51.100.1"},
    "another From, no trust in PAI": {"caller": OTHER, "carrier": {"trust_pai": False}, "pai": CALLER},
    "another number asserted": {"pai": OTHER},
}


@pytest.mark.parametrize("name", CUT_OUT)
def test_a_token_is_good_for_whom_the_call_goes_to_and_who_counts_as_its_caller(play: Play, name: str) -> None:
    fields = dict(CUT_OUT[name])
    asserted = [f"P-Asserted-Identity: <tel:{fields.pop('pai')}>"] if "pai" in fields else []
    book = trusting(play, carrier={"trust_pai": True} | fields.pop("carrier", {}))
    assert book.a.invite(*SIGNED, *asserted, **fields) == ["b INVITE"]
    assert book.of(frames.VerdictFrame)[-1].emergency == ""
    busy(book)


def test_a_number_asserted_that_counts_as_caller_is_lifted(play: Play) -> None:
    book = trusting(play, carrier={"trust_pai": True})
    assert book.a.invite(*SIGNED, f"P-Asserted-Identity: <tel:{CALLER}>", caller=OTHER) == ["b INVITE"]
    assert book.of(frames.VerdictFrame)[-1].emergency == "signed_priority"
    busy(book)


def test_a_delegate_signs_no_priority_even_with_a_code_of_its_own(play: Play) -> None:
    provider = PKI.provider()
    delegate = PKI.delegate(provider, pki.tnauthlist(["709J"]))
    book = trusting(play, known=False)
    book.engine.context.certificates.put(X5U, delegate.pem + provider.pem, 0.0, START_AT)
    assert book.a.invite(SIGNED[0], identity("ets.0", key=delegate.key)) == ["b INVITE"]
    assert book.of(frames.VerdictFrame)[-1].emergency == ""
    busy(book)


def test_a_token_that_served_an_answered_call_lifts_no_other(play: Play) -> None:
    book = trusting(play)
    for lifted in ("signed_priority", "", ""):
        assert book.a.invite(*SIGNED) == ["b INVITE"]
        assert book.of(frames.VerdictFrame)[-1].emergency == lifted
        book.b.reply("200 OK", body=ANSWER_SDP)
        book.a.ack()
        book.hang_up()


def test_an_answered_call_is_not_followed_by_one_of_the_same_call_id(play: Play) -> None:
    book = trusting(play)
    a = book.a
    a.invite(*SIGNED)
    first = a.invited
    book.b.reply("200 OK", body=ANSWER_SDP)
    a.ack()
    book.hang_up()
    a.remote = a.remote.partition(";tag=")[0]
    a.invited = a.asked = first.replace("branch=z9hG4bK", "branch=z9hG4bK-again")
    assert a.send(a.asked) == ["b INVITE"]
    assert book.of(frames.VerdictFrame)[-1].emergency == ""
    busy(book)


def test_retries_of_a_priority_call_that_was_not_answered_are_lifted(play: Play) -> None:
    book = trusting(play, BLOCKED, lists=(BLOCK_LIST,))
    for _ in range(DIALOGS):
        assert book.a.invite(*SIGNED) == ["b INVITE"]
        busy(book)
    assert book.a.invite(*SIGNED) == ["a 603 Network Blocked"]
    book.a.ack()


def test_all_waiting_of_a_call_ends_within_one_budget(play: Play) -> None:
    """The guard waits, then the check does, for values whose certificates fail one after the other."""
    for ppt_of in (lambda n: "shaken", lambda n: "rph" if n % 2 else "shaken", lambda n: "rph"):
        book = trusting(play, known=False)
        headers = []
        for n in range(10):
            x5u, ppt = f"https://certs.example/{n}.pem", ppt_of(n)
            claims = {"attest": None, "origid": None, "rph": {"auth": ["ets.0"]}} if ppt == "rph" else {}
            iat = int(START_AT)
            token = pki.passport(CALLER[1:], CALLEE[1:], LEAF.key, x5u, iat=iat, ppt=ppt, extra=claims)
            headers.append(f"Identity: {pki.identity_value(token, x5u, ppt)}")
        book.a.invite(SIGNED[0], *headers)
        assert len(book.wanted) == 10
        for need in book.wanted[:9]:
            assert book.fetched("x5u_dns", need) == []
        assert book.wait(0.24) == ["a 100 Trying"]
        assert book.wait(0.1) == ["b INVITE"]
        assert len(book.wanted) == 10, "what failed is not asked for again"
        busy(book)


def test_a_signer_may_have_to_be_named(play: Play) -> None:
    for signers, leaves in (({"709J"}, "b INVITE"), ({"812K"}, "a 603 Network Blocked")):
        emergency = Settings(priority_signers=frozenset(signers))
        book = trusting(play, BLOCKED, lists=(BLOCK_LIST,), emergency=emergency)
        assert book.a.invite(*SIGNED) == [leaves]
        if leaves == "b INVITE":
            busy(book)
        else:
            book.a.ack()


def test_a_certificate_that_must_be_fetched_lifts_the_call_when_it_comes(play: Play) -> None:
    book = trusting(play, BLOCKED, lists=(BLOCK_LIST,), known=False)
    assert book.a.invite(*SIGNED) == [f"fetch {X5U}"]
    assert book.fetched(LEAF.pem) == ["b INVITE"]
    assert book.of(frames.VerdictFrame)[-1].emergency == "signed_priority"
    assert [load.calls for load in book.engine._loads.values()] == [0], "no limit counts it"
    busy(book)
    assert [load.calls for load in book.engine._loads.values()] == [0]


@pytest.mark.parametrize("why", ["late", "refused"])
def test_without_the_certificate_the_call_is_screened_as_usual(play: Play, why: str) -> None:
    book = trusting(play, BLOCKED, lists=(BLOCK_LIST,), known=False)
    assert book.a.invite(*SIGNED) == [f"fetch {X5U}"]
    column = book.fetched("x5u_connect") if why == "refused" else book.wait(0.35)
    assert column[-1] == "a 603 Network Blocked"
    book.a.ack()


def test_a_caller_may_give_up_while_its_certificate_is_fetched(play: Play) -> None:
    book = trusting(play, known=False)
    assert book.a.invite(*SIGNED) == [f"fetch {X5U}"]
    assert book.a.cancel() == ["a 200 OK", "a 487 Request Terminated"]
    book.a.ack()
    assert book.fetched(LEAF.pem) == []


@pytest.mark.parametrize("name", LIMITS)
def test_at_limits_an_unknown_certificate_is_not_waited_for(play: Play, name: str) -> None:
    row = ROWS[name]
    book = trusting(play, known=False, **row.fields)
    assert row.before is not None
    row.before(book)
    assert book.a.invite(*SIGNED) == [row.usual]
    book.a.ack()
    book.hang_up()


def test_a_worker_that_sheds_verification_does_not_wait_either(play: Play) -> None:
    book = trusting(play, known=False, overload=Overload(0.01, 9.0))
    falls_behind(book)
    assert book.a.invite(*SIGNED) == ["b INVITE"]
    book.backlog_s = 0.0
    busy(book)


def test_a_full_trunk_has_room_for_it(play: Play) -> None:
    row = ROWS["trunk limit of calls"]
    book = trusting(play, **row.fields)
    is_up(book)
    assert book.a.invite(*SIGNED) == ["b INVITE"]
    busy(book)
    book.hang_up()
