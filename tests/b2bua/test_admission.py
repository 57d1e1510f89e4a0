"""From an INVITE to its verdict: screening, waiting for a certificate, modes, limits, overload, emergencies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Fetch
from sipguard.screening.checks import CHECKS
from sipguard.screening.finding import Need
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import ADDED, REMOVED, SILENT
from sipguard.screening.policy.model import AllOf, LabelSpec, OneOf, Policy, Redress, Rule
from sipguard.screening.ruleset import Overload
from sipguard.screening.trunk import Limits, Peer, Trunk
from tests.pki import Holder, Pki, identity_value, passport
from tests.playbook import START_AT, Play, Playbook, lines, uri_in, value, values

X5U = "https://certs.example/709J.pem"
BLOCKED = Rule("blocked", OneOf("lists.caller", ("blocked",)), basis="analytics")
BLOCK_LIST = ListSpec("blocked", bind=("caller",), members=("12025550101",))
UNSIGNED = Rule("unsigned", OneOf("identity.result", ("none",)), basis="identity")
FAILED = Rule("failed", OneOf("identity.result", ("failed",)), basis="contract")


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki(now=datetime.fromtimestamp(START_AT, UTC))


@pytest.fixture(scope="module")
def leaf(pki: Pki) -> Holder:
    return pki.leaf()


@pytest.fixture
def signed(leaf: Holder) -> str:
    """The Identity header of a call as parties place it."""
    token = passport("12025550101", "12125550123", leaf.key, X5U, iat=int(START_AT), origid="o-1")
    return f"Identity: {identity_value(token, X5U)}"


@pytest.fixture
def trusting(play: Play, pki: Pki) -> Iterator[Play]:
    """Opens playbooks that trust the test PKI."""

    def opened(*rules: Rule, **fields: object) -> Playbook:
        return play(*rules, anchors=(pki.root.pem,), **fields)

    yield opened


def ends_busy(book: Playbook) -> None:
    """The call that is out is refused by b."""
    book.b.reply("486 Busy Here")
    book.a.ack()


# ------------------------------------------------------------------------------------------ verdicts


def test_rejected(play: Play) -> None:
    """A 603+ with the decision's id (ATIS-1000099); the peer hears nothing."""
    redress = Redress(url="https://example.com/blocked")
    policy = Policy((BLOCKED,), redress=redress)
    book = play(policy=policy, lists=(BLOCK_LIST,))
    assert book.a.invite() == ["a 603 Network Blocked"]
    frame = book.of(frames.VerdictFrame)[0]
    assert value(book.a.last("603"), "Reason") == (
        f'Q.850;cause=21;text="v=analytics1;url=https://example.com/blocked;id={frame.decision_id}";location=LN'
    )
    assert (frame.action, frame.rule, frame.basis, frame.status) == ("reject", "blocked", "analytics", 603)
    assert (frame.source, frame.listener, frame.trunk, frame.route) == ("192.0.2.10:5060", "outside", "carrier", "")
    assert frame.head.startswith(b"INVITE ")
    assert not book.b.got
    book.a.ack()
    assert book.ends() == []


def test_retransmitted_invite_of_a_rejected_call(play: Play) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    book.a.invite()
    assert book.a.again(book.a.invited) == ["a 603 Network Blocked"]
    book.a.ack()
    assert len(book.of(frames.VerdictFrame)) == 1


def test_labelled(play: Play) -> None:
    label = LabelSpec("SPAM? ", headers=(("X-Rule", "{trunk.name}/{id}"),))
    book = play(Rule("label", OneOf("lists.caller", ("blocked",)), label=label), lists=(BLOCK_LIST,))
    book.a.invite()
    invite = book.b.last("INVITE")
    frame = book.of(frames.VerdictFrame)[0]
    assert value(invite, "From").startswith('"SPAM? " <sip:')
    assert value(invite, "X-Rule") == f"carrier/{frame.decision_id}"
    assert (frame.action, frame.route, frame.status) == ("label", "hop", 0)
    ends_busy(book)


def test_redirected_by_contact(play: Play) -> None:
    """RFC 3261 §21.3.3."""
    rule = Rule("away", OneOf("lists.caller", ("blocked",)), contact="sip:screen@ivr.example")
    book = play(rule, lists=(BLOCK_LIST,))
    assert book.a.invite() == ["a 302 Moved Temporarily"]
    assert values(book.a.last("302"), "Contact") == ["<sip:screen@ivr.example>"]
    book.a.ack()
    assert book.verdicts() == [("redirect", "away")]


def test_redirected_by_route(play: Play) -> None:
    rule = Rule("ivr", OneOf("lists.caller", ("blocked",)), route="ivr")
    ivr = Trunk("ivr", "origination", (), ("inside",), "", (Peer("198.51.100.99", 5080),))
    book = play(rule, lists=(BLOCK_LIST,), trunks=(ivr,))
    party = book.party("ivr", ("198.51.100.99", 5080), "inside")
    assert book.a.invite() == ["ivr INVITE"]
    assert book.of(frames.VerdictFrame)[0].route == "ivr"
    party.reply("486 Busy Here")
    book.a.ack()


def test_no_route(play: Play) -> None:
    book = play(carrier={"route": ""})
    assert book.a.invite() == ["a 404 No Route To Number"]
    book.a.ack()
    assert book.ends() == ["unreachable"]


def test_frame_before_the_invite(book: Playbook) -> None:
    """What is kept of a call is kept before anybody can know of it."""
    book.a.invite()
    commands = [type(command).__name__ for command in book.last_commands]
    assert commands.index("Record") < commands.index("Send")
    ends_busy(book)


# ------------------------------------------------------------------------------------------ waiting


def test_waiting_for_a_certificate(trusting: Play, leaf: Holder, signed: str) -> None:
    book = trusting(UNSIGNED)
    assert book.a.invite(signed) == [f"fetch {X5U}"]
    assert book.a.again() == ["a 100 Trying"]
    assert book.fetched(leaf.pem) == ["b INVITE"]
    frame = book.of(frames.VerdictFrame)[0]
    assert (frame.identity, frame.attest, frame.verstat) == ("passed", "A", "TN-Validation-Passed")
    ends_busy(book)
    assert book.a.invite(signed) == ["b INVITE"]  # from now on it is known
    ends_busy(book)


@pytest.mark.parametrize(
    ("style", "attest", "written"),
    [
        ("plain", "A", "TN-Validation-Passed"),
        ("suffix_all", "A", "TN-Validation-Passed-A"),
        ("suffix_bc", "A", "TN-Validation-Passed"),
        ("suffix_bc", "C", "TN-Validation-Passed-C"),
    ],
)
def test_what_a_verified_call_carries(trusting: Play, leaf: Holder, style: str, attest: str, written: str) -> None:
    """verstat in the trunk's spelling; attestation under the names that the trunk wants."""
    token = passport("12025550101", "12125550123", leaf.key, X5U, iat=int(START_AT), attest=attest, origid="o-1")
    book = trusting(hop={"verstat": style, "attestation_headers": ("Attestation-Info", "Origination-ID")})
    book.a.invite(f"Identity: {identity_value(token, X5U)}")
    book.fetched(leaf.pem)
    invite = book.b.last("INVITE")
    assert f";verstat={written}@" in value(invite, "From")
    assert (values(invite, "Attestation-Info"), values(invite, "Origination-ID")) == ([attest], ["o-1"])
    ends_busy(book)


def test_failed_verification_alone_forwards(trusting: Play, leaf: Holder) -> None:
    """It says so in verstat, and attests nothing."""
    token = passport("12025550101", "12125550123", leaf.key, X5U, iat=int(START_AT), tamper=True)
    book = trusting(hop={"attestation_headers": ("Attestation-Info", "Origination-ID")})
    book.a.invite(f"Identity: {identity_value(token, X5U)}")
    assert book.fetched(leaf.pem) == ["b INVITE"]
    invite = book.b.last("INVITE")
    assert ";verstat=TN-Validation-Failed@" in value(invite, "From")
    assert not values(invite, "Attestation-Info")
    ends_busy(book)


def test_single_flight(trusting: Play, leaf: Holder, signed: str) -> None:
    """Two calls wait for one fetch; the record says where each came from."""
    book = trusting()
    other = book.party("a2", ("192.0.2.10", 5070), "outside")
    assert book.a.invite(signed) == [f"fetch {X5U}"]
    assert other.invite(signed) == []
    book.stranger.send("OPTIONS sip:x SIP/2.0\r\n\r\n")
    assert book.fetched(leaf.pem) == ["b INVITE", "b INVITE"]
    assert [f.source for f in book.of(frames.VerdictFrame)] == ["192.0.2.10:5060", "192.0.2.10:5070"]
    for party, invite in zip((book.a, other), book.b.all("INVITE"), strict=True):
        book.b.reply("486 Busy Here", request=invite)
        party.ack()
    assert book.count("fetches") == 1


def test_cancel_while_waiting(trusting: Play, leaf: Holder, signed: str) -> None:
    """Nothing was decided, so nothing is kept; the answer serves the next call."""
    book = trusting()
    book.a.invite(signed)
    assert book.a.cancel() == ["a 200 OK", "a 487 Request Terminated"]
    book.a.ack()
    assert book.fetched(leaf.pem) == []
    assert book.frames == []
    assert book.a.invite(signed) == ["b INVITE"]
    ends_busy(book)


def test_hang_up_while_waiting(trusting: Play, leaf: Holder, signed: str) -> None:
    book = trusting()
    book.a.invite(signed)
    assert book.hang_up() == ["a 480 Temporarily Unavailable"]
    book.a.ack()
    assert book.wait(1.0) == []
    assert book.fetched(leaf.pem) == []


def test_late_certificate(trusting: Play, leaf: Holder, signed: str) -> None:
    """After its budget the call goes on unscreened; the answer is ignored by it, but kept for others."""
    book = trusting(FAILED)
    book.a.invite(signed)
    assert book.wait(0.35) == ["a 100 Trying", "b INVITE"]
    frame = book.of(frames.VerdictFrame)[0]
    assert (list(frame.unscreened), frame.identity, frame.verstat) == (["identity"], "", "No-TN-Validation")
    assert book.fetched(leaf.pem) == []
    ends_busy(book)
    assert (book.count("fetches_late"), book.count("unscreened_identity")) == (1, 1)
    book.a.invite(signed)
    assert book.of(frames.VerdictFrame)[1].identity == "passed"
    ends_busy(book)


def test_late_certificate_where_it_must_not_fail(trusting: Play, signed: str) -> None:
    """on_failure: closed."""
    book = trusting(on_failure={"identity": "closed"})
    book.a.invite(signed)
    assert book.wait(0.35) == ["a 100 Trying", "a 403 Forbidden"]
    book.a.ack()
    assert book.verdicts() == [("reject", "unscreened")]
    book.fetched("timeout")


def test_emergency_is_exempt_from_closed(trusting: Play, signed: str) -> None:
    book = trusting(on_failure={"identity": "closed"})
    assert book.a.invite(signed, callee="911") == ["b INVITE"]
    ends_busy(book)


def test_certificate_cannot_be_fetched(trusting: Play, signed: str) -> None:
    """A finding like another: verification has failed."""
    book = trusting(FAILED)
    book.a.invite(signed)
    assert book.fetched("connection_refused") == ["a 403 Forbidden"]
    book.a.ack()
    assert book.of(frames.VerdictFrame)[0].facts["identity.result"] == "failed"
    assert book.count("fetches_failed") == 1


def test_answer_that_nobody_waits_for(book: Playbook) -> None:
    assert book.fetched("timeout", Need("certificate", X5U, 0.0)) == []


def test_reload_while_waiting(trusting: Play, leaf: Holder, signed: str) -> None:
    """A call that waits across a reload ends under the anchors and the policy it began with."""
    attested = Rule("attested", OneOf("identity.attest", ("A",)), tags=("old",))
    book = trusting(attested)
    book.a.invite(signed)
    book.reload(BLOCKED, lists=(BLOCK_LIST,))
    assert book.fetched(leaf.pem) == ["b INVITE"]
    frame = book.of(frames.VerdictFrame)[0]
    assert (frame.revision, frame.identity, list(frame.tags)) == ("r1", "passed", ["old"])
    ends_busy(book)
    assert book.a.invite() == ["a 603 Network Blocked"]
    book.a.ack()
    assert book.of(frames.VerdictFrame)[1].revision == "r2"


def test_reload_while_waiting_asks_the_old_lists(trusting: Play, leaf: Holder, signed: str) -> None:
    """`lists` runs after `identity` here, so it is asked after the reload: by the list of before."""
    passed = Rule("passed", OneOf("identity.result", ("passed",)), tags=("passed",), continues=True)
    book = trusting(passed, BLOCKED, lists=(BLOCK_LIST,))
    book.a.invite(signed)
    book.reload(passed, BLOCKED)
    assert book.fetched(leaf.pem) == ["a 603 Network Blocked"]
    book.a.ack()


def test_an_edit_holds_from_the_next_call_on_and_after_a_reload(play: Play) -> None:
    """The frame of each call names the change that was the last one when its lists were asked."""
    empty = replace(BLOCK_LIST, members=())
    book = play(BLOCKED, lists=(empty,))
    assert book.a.invite() == ["b INVITE"]
    ends_busy(book)
    book.overlay.take(3, [("blocked", "12025550101", ADDED, 0.0)])
    assert book.a.invite() == ["a 603 Network Blocked"]
    book.a.ack()
    book.reload(BLOCKED, lists=(empty,))
    assert book.a.invite() == ["a 603 Network Blocked"]
    book.a.ack()
    book.overlay.take(4, [("blocked", "12025550101", SILENT, 0.0)])
    assert book.a.invite() == ["b INVITE"]
    ends_busy(book)
    assert [frame.edits for frame in book.of(frames.VerdictFrame)] == [0, 3, 3, 4]


def test_an_edit_ends_by_the_time_of_the_call(play: Play) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    book.overlay.take(1, [("blocked", "12025550101", REMOVED, book.clock.unix + 10.0)])
    assert book.a.invite() == ["b INVITE"]
    ends_busy(book)
    book.wait(40.0)
    assert book.a.invite() == ["a 603 Network Blocked"]
    book.a.ack()


# ------------------------------------------------------------------------------------------ modes


def test_rules_in_mode_report_are_counted_with_the_verdict_that_they_would_have_given(play: Play) -> None:
    noticed = Rule("noticed", AllOf(()), tags=("noticed",), continues=True, report=True)
    book = play(noticed, replace(BLOCKED, report=True), lists=(BLOCK_LIST,))
    for _ in range(2):
        assert book.a.invite() == ["b INVITE"]
        ends_busy(book)
    assert list(book.of(frames.VerdictFrame)[0].reported) == ["noticed", BLOCKED.name]
    assert book.engine.reported == {("noticed", "allow"): 2, (BLOCKED.name, "reject"): 2}


def test_report_mode(play: Play) -> None:
    """Decides and records, but lets pass."""
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    book.mode("report")
    assert book.a.invite() == ["b INVITE"]
    frame = book.of(frames.VerdictFrame)[0]
    assert (frame.action, frame.status, frame.mode, frame.route) == ("reject", 603, "report", "hop")
    assert book.count("reported") == 1
    ends_busy(book)
    assert book.ends() == ["busy"]
    note = book.of(frames.NoteFrame)[0]
    assert (note.kind, note.text) == ("mode_change", "all trunks: report")


def test_report_mode_labels_nothing(play: Play) -> None:
    rule = Rule("label", OneOf("lists.caller", ("blocked",)), label=LabelSpec("SPAM? "))
    book = play(rule, lists=(BLOCK_LIST,), mode="report")
    book.a.invite()
    assert "SPAM" not in book.b.last("INVITE")
    ends_busy(book)


def test_report_mode_redirects_nothing(play: Play) -> None:
    rule = Rule("ivr", OneOf("lists.caller", ("blocked",)), route="carrier")
    book = play(rule, lists=(BLOCK_LIST,), mode="report")
    assert book.a.invite() == ["b INVITE"]
    ends_busy(book)


def test_bypass_mode(play: Play, signed: str) -> None:
    """Forwards untouched: no check, no verstat of ours, that of the caller stays."""
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    book.mode("bypass", "carrier")
    asserted = "P-Asserted-Identity: <sip:+12025550101;verstat=TN-Validation-Passed@carrier.example>"
    assert book.a.invite(signed, asserted) == ["b INVITE"]
    assert {signed, asserted} <= set(lines(book.b.last("INVITE")))
    frame = book.of(frames.VerdictFrame)[0]
    assert (frame.rule, frame.mode, list(frame.findings), frame.verstat) == ("bypass", "bypass", [], "")
    assert book.count("bypassed") == 1
    ends_busy(book)


def test_mode_of_one_trunk(play: Play) -> None:
    """One trunk's mode is its own; a mode for all replaces it."""
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    book.mode("report", "hop")
    assert book.a.invite() == ["a 603 Network Blocked"]
    book.a.ack()
    book.mode("report", "carrier")
    assert book.a.invite() == ["b INVITE"]
    ends_busy(book)
    book.mode("enforce")
    assert book.a.invite() == ["a 603 Network Blocked"]
    book.a.ack()


# ------------------------------------------------------------------------------------------ limits


def test_limit_of_calls(play: Play) -> None:
    """A call in the tables counts until it ends, however; an emergency call does not."""
    book = play(carrier={"limits": Limits(calls=1)})
    second = book.party("a2", ("192.0.2.10", 5070), "outside")
    book.a.invite()
    assert second.invite() == ["a2 480 Trunk Limit Reached"]
    second.ack()
    assert second.invite(callee="988") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    second.ack()
    book.b.reply("486 Busy Here", request=book.b.all("INVITE")[0])
    book.a.ack()
    assert second.invite() == ["b INVITE"]
    book.b.reply("486 Busy Here")
    second.ack()
    assert book.count("limited_calls") == 1
    frame = next(frame for frame in book.of(frames.VerdictFrame) if frame.rule == "trunk_limit")
    assert (frame.action, frame.status, frame.trunk, frame.facts) == ("reject", 480, "carrier", {})


def test_emergency_holds_no_place(play: Play) -> None:
    book = play(carrier={"limits": Limits(calls=1)})
    second = book.party("a2", ("192.0.2.10", 5070), "outside")
    book.a.invite(callee="911")
    assert second.invite() == ["b INVITE"]
    for party, invite in zip((book.a, second), book.b.all("INVITE"), strict=True):
        book.b.reply("486 Busy Here", request=invite)
        party.ack()


def test_rejected_call_gives_its_place_back(play: Play) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,), carrier={"limits": Limits(calls=1)})
    for _ in range(3):
        assert book.a.invite() == ["a 603 Network Blocked"]
        book.a.ack()


def test_limit_of_rate(play: Play) -> None:
    """cps: so many at once, then as they grow back."""
    book = play(carrier={"limits": Limits(cps=2)})

    def answers() -> str:
        (first, *_) = book.a.invite()
        if first == "b INVITE":
            book.b.reply("486 Busy Here")
        book.a.ack()
        return first

    assert [answers() for _ in range(3)] == ["b INVITE", "b INVITE", "a 480 Trunk Limit Reached"]
    assert book.a.invite(callee="911") == ["b INVITE"]
    ends_busy(book)
    book.wait(0.5)
    assert [answers() for _ in range(2)] == ["b INVITE", "a 480 Trunk Limit Reached"]
    assert book.count("limited_cps") == 2


# ------------------------------------------------------------------------------------------ overload

THRESHOLDS = Overload(skip_verification_after_s=0.02, refuse_after_s=0.06)


def test_first_threshold_skips_verification(trusting: Play, signed: str) -> None:
    book = trusting(FAILED, overload=THRESHOLDS)
    book.backlog_s = 0.03
    assert book.a.invite(signed) == ["b INVITE"]
    frame = book.of(frames.VerdictFrame)[0]
    assert ("identity", "failed", "overload") in [tuple(each) for each in frame.findings]
    assert book.count("shed_verification") == 1
    ends_busy(book)


def test_second_threshold_refuses_new_calls(play: Play) -> None:
    """503 without Retry-After; what stands is served, an emergency passes."""
    book = play(overload=THRESHOLDS)
    book.establish()
    book.backlog_s = 0.07
    second = book.party("a2", ("192.0.2.10", 5070), "outside")
    assert second.invite() == ["a2 503 Overloaded"]
    assert not values(second.last("503"), "Retry-After")
    second.ack()
    assert second.invite(callee="911") == ["b INVITE"]
    book.b.reply("486 Busy Here")
    second.ack()
    assert book.a.request("INFO") == ["b INFO"]
    book.b.reply("200 OK", to="INFO")
    assert book.a.request("BYE") == ["b BYE"]
    book.b.reply("200 OK", to="BYE")
    assert book.count("shed_calls") == 1


def test_table_of_calls_is_bounded(play: Play) -> None:
    book = play(overload=Overload(max_calls=1))
    second = book.party("a2", ("192.0.2.10", 5070), "outside")
    book.a.invite()
    assert second.invite() == ["a2 503 Overloaded"]
    second.ack()
    ends_busy(book)


# ------------------------------------------------------------------------------------------ emergencies


@pytest.mark.parametrize("callee", ["911", "112", "988", "+911"])
def test_emergency_passes_everything(play: Play, callee: str) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    assert book.a.invite(callee=callee) == ["b INVITE"]
    frame = book.of(frames.VerdictFrame)[0]
    assert (frame.rule, bool(frame.emergency)) == ("emergency", True)
    ends_busy(book)


def test_emergency_urn(play: Play) -> None:
    """RFC 5031: the URN crosses as it is, in Request-URI and To."""
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    book.a.invite(uri="urn:service:sos", to="<urn:service:sos>")
    invite = book.b.last("INVITE")
    assert invite.startswith("INVITE urn:service:sos SIP/2.0")
    assert uri_in(value(invite, "To")) == "urn:service:sos"
    ends_busy(book)


@pytest.mark.parametrize("callee", ["+911145550123", "9115550100", "+12025550911"])
def test_what_merely_begins_so_is_none(play: Play, callee: str) -> None:
    book = play(BLOCKED, lists=(BLOCK_LIST,))
    assert book.a.invite(callee=callee) == ["a 603 Network Blocked"]
    book.a.ack()


def test_emergency_route(play: Play) -> None:
    psap = Trunk("psap", "emergency", (), ("inside",), "", (Peer("198.51.100.91", 5060),))
    book = play(emergency_route="psap", trunks=(psap,))
    party = book.party("psap", ("198.51.100.91", 5060), "inside")
    assert book.a.invite(callee="911") == ["psap INVITE"]
    party.reply("486 Busy Here")
    book.a.ack()


# ------------------------------------------------------------------------------------------ trunks


def test_narrowest_network_names_the_trunk(play: Play) -> None:
    narrow = Trunk("narrow", "gateway", (ip_network("198.51.100.40/32"),), ("inside",), "carrier")
    carrier = {"peers": (Peer("192.0.2.10", 5060),)}
    book = play(trunks=(narrow,), carrier=carrier)
    gateway = book.party("gateway", ("198.51.100.40", 5060), "inside")
    assert gateway.invite() == ["a INVITE"]
    assert book.of(frames.VerdictFrame)[0].trunk == "narrow"
    book.a.reply("486 Busy Here")
    gateway.ack()


def test_listener_is_part_of_who_may_send(book: Playbook) -> None:
    """The address of the carrier at the wrong listener is a stranger."""
    imposter = book.party("imposter", ("192.0.2.10", 5099), "inside")
    assert imposter.invite() == []
    assert book.count("unknown_source") == 1


def test_trunk_without_verification(trusting: Play, signed: str) -> None:
    book = trusting(carrier={"verify": False})
    assert book.a.invite(signed) == ["b INVITE"]
    assert "verstat" not in book.b.last("INVITE")
    ends_busy(book)


def test_settings_reach_the_checks(trusting: Play, signed: str) -> None:
    """The budget of a call is the operator's."""
    identity = replace(CHECKS["identity"].Settings(), budget_s=1.0)
    settings = {name: check.Settings() for name, check in CHECKS.items()} | {"identity": identity}
    book = trusting(settings=settings)
    book.a.invite(signed)
    assert book.wait(0.9) == ["a 100 Trying"]
    assert book.wait(0.2) == ["b INVITE"]
    book.fetched("timeout")
    ends_busy(book)


def test_certificates_are_asked_for_again_before_they_expire(trusting: Play, leaf: Holder, signed: str) -> None:
    book = trusting()
    book.a.invite(signed)
    book.fetched(leaf.pem)
    ends_busy(book)
    asked = []
    for _ in range(200):
        book.wait(3600.0)
        asked += book.carry(book.engine.second(book.clock))
        if asked:
            break
    assert asked == [f"fetch {X5U}"]
    assert book.fetched("timeout") == []


def test_what_has_validated_is_kept_and_renewed_behind_calls(trusting: Play, leaf: Holder, signed: str) -> None:
    book = trusting()
    book.a.invite(signed)
    book.fetched(leaf.pem)
    ends_busy(book)
    assert book.kept == [X5U]
    book.wait(20 * 3600.0)
    assert book.carry(book.engine.second(book.clock)) == [f"fetch {X5U}"]
    (renewal,) = [one for one in book.last_commands if isinstance(one, Fetch)]
    assert (renewal.anew, renewal.used_at > 0.0) == (True, True)
    assert book.count("certificates_kept") == 1


def test_a_check_that_waited_stands_with_each_of_its_runs(trusting: Play, leaf: Holder, signed: str) -> None:
    book = trusting()
    book.a.invite(signed)
    book.fetched(leaf.pem)
    frame = book.of(frames.VerdictFrame)[0]
    assert [check for check, _, _ in frame.runs] == ["identity", "identity"]
    ends_busy(book)


def test_a_fetcher_that_died_is_asked_again(trusting: Play, leaf: Holder, signed: str) -> None:
    book = trusting()
    book.a.invite(signed)
    assert book.wait(0.35) == ["a 100 Trying", "b INVITE"]
    ends_busy(book)
    book.wait(11.0)
    assert book.carry(book.engine.second(book.clock)) == []
    book.a.invite(signed)
    assert book.last_commands
    assert book.wanted[-1].key == X5U
    assert len(book.wanted) == 2
    assert book.fetched(leaf.pem) == ["b INVITE"]
    ends_busy(book)


def test_too_many_certificates_at_once_cost_no_call_its_latency(trusting: Play, signed: str) -> None:
    """A flood of URLs: calls that need one more go on at once, unverified."""
    book = trusting()
    book.engine.awaiting.limit = 0
    assert book.a.invite(signed) == ["b INVITE"]
    frame = book.of(frames.VerdictFrame)[0]
    assert (list(frame.unscreened), frame.verstat) == (["identity"], "No-TN-Validation")
    assert book.count("fetches_busy") == 1
    ends_busy(book)


SCANNERS = ListSpec("scanners", "texts", ("upstream",), members=("friendly-scanner*",))
NETWORKS = ListSpec(
    "networks", "networks", ("upstream",), members=("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
)


@pytest.mark.parametrize(("lists", "refused"), [((), False), ((SCANNERS,), True), ((NETWORKS,), True)])
def test_user_agent_and_address_are_read_where_a_list_asks_for_them(
    play: Play, lists: tuple[ListSpec, ...], refused: bool
) -> None:
    names = ("scanners", "networks")
    book = play(Rule("bad", OneOf("lists.upstream", names), basis="contract"), lists=lists)
    sent = book.a.invite("User-Agent: Friendly-Scanner 1.0")
    assert sent == (["a 403 Forbidden"] if refused else ["b INVITE"])
    if refused:
        book.a.ack()
    else:
        ends_busy(book)
