"""A call that nothing may stop is verified by what is at hand, and waits for none of it."""

from __future__ import annotations

from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.screening.checks import CHECKS
from sipguard.screening.ruleset import Overload
from sipguard.stir.errors import BadIdentityInfo
from tests import pki
from tests.b2bua.test_emergency_passes import BLOCK_LIST, BLOCKED, falls_behind, reached
from tests.b2bua.test_signed_priority import LEAF, PKI, SIGNED, X5U
from tests.playbook import ANSWER_SDP, CALLER, START_AT, Play, Playbook, value

OTHER = PKI.leaf(spc="812K")
OTHER_X5U = "https://certs.example/812K.pem"


def identity(dest: str = "911", *, x5u: str = X5U, key: Any = LEAF.key) -> str:
    """An Identity line with a SHAKEN token."""
    token = pki.passport(CALLER[1:], dest, key, x5u, iat=int(START_AT))
    return f"Identity: {pki.identity_value(token, x5u)}"


def trusting(play: Play, **fields: Any) -> Playbook:
    """A playbook that would refuse the caller; it knows the certificate at X5U and none else."""
    fields.setdefault("hop", {"verstat": "plain"})
    book = play(BLOCKED, lists=(BLOCK_LIST,), anchors=(PKI.root.pem,), **fields)
    book.engine.context.certificates.put(X5U, LEAF.pem, 0.0, START_AT)
    return book


def said(book: Playbook, invite: str) -> tuple[object, str, str]:
    """Result in the record, verstat in the record, verstat in From as it crossed."""
    frame = book.of(frames.VerdictFrame)[-1]
    assert frame.identity == (frame.facts.get("identity.result") or "")
    _, _, verstat = value(invite, "From").partition(";verstat=")
    return frame.facts.get("identity.result"), frame.verstat, verstat.partition("@")[0]


PASSED, FAILED, NONE = "TN-Validation-Passed", "TN-Validation-Failed", "No-TN-Validation"
CALLS: dict[str, tuple[tuple[str, ...], dict[str, Any], tuple[object, str]]] = {
    "its token holds": ((identity(),), {}, ("passed", PASSED)),
    "the second of two holds": ((identity(key=pki.new_key()), identity()), {}, ("passed", PASSED)),
    "it fails": ((identity(key=pki.new_key()),), {}, ("failed", FAILED)),
    "for another called party": ((identity("12125550123"),), {}, ("failed", FAILED)),
    "no Identity": ((), {}, ("none", NONE)),
    "the certificate is not at hand": ((identity(x5u=OTHER_X5U),), {}, (None, "")),
    "one is not at hand, the other fails": ((identity(x5u=OTHER_X5U), identity("1")), {}, (None, "")),
    "its trunk is not verified": ((identity(),), {"carrier": {"verify": False}}, (None, "")),
    "next hop wants none": ((identity(),), {"hop": {"verstat": "off"}}, ("passed", "")),
}


@pytest.mark.parametrize(("headers", "fields", "expected"), CALLS.values(), ids=CALLS)
def test_911_is_verified_by_what_is_at_hand(
    play: Play, headers: tuple[str, ...], fields: dict[str, Any], expected: tuple[object, str]
) -> None:
    book = trusting(play, **fields)
    result, verstat = expected
    assert said(book, reached(book, book.a.invite(*headers, callee="911"))) == (result, verstat, verstat)
    assert book.wanted == [], "nothing is asked for"
    frame = book.of(frames.VerdictFrame)[-1]
    assert ("identity" in frame.not_asked) == (result is None)
    assert frame.unscreened == []


def test_a_certificate_that_could_not_be_had_of_late_makes_no_verstat(play: Play) -> None:
    book = trusting(play)
    book.engine.context.certificates.put_failure(OTHER_X5U, BadIdentityInfo("x5u_dns"), START_AT)
    assert said(book, reached(book, book.a.invite(identity(x5u=OTHER_X5U), callee="911"))) == ("failed", "", "")


def test_a_call_with_signed_priority_is_verified_too(play: Play) -> None:
    book = trusting(play)
    book.engine.context.certificates.put(OTHER_X5U, OTHER.pem, 0.0, START_AT)
    token = identity("12125550123", x5u=OTHER_X5U, key=OTHER.key)
    assert said(book, reached(book, book.a.invite(*SIGNED, token))) == ("passed", PASSED, PASSED)
    facts = book.of(frames.VerdictFrame)[-1].facts
    assert (facts["identity.attest"], facts["identity.spc"], facts["identity.rph_spc"]) == ("A", ("812K",), ("709J",))


def test_its_token_lifts_none_once_it_was_answered_whatever_else_the_call_brought(play: Play) -> None:
    book = trusting(play)
    call = (*SIGNED, identity("12125550123"))
    assert book.a.invite(*call) == ["b INVITE"]
    book.b.reply("200 OK", body=ANSWER_SDP)
    book.a.ack()
    book.hang_up()
    assert book.a.invite(*call) == ["a 603 Network Blocked"]
    book.a.ack()


def test_what_breaks_in_it_leaves_the_call_as_it_is(play: Play) -> None:
    usual = {name: check.Settings() for name, check in CHECKS.items()}
    book = trusting(play, settings={**usual, "identity": "of another kind"})
    assert said(book, reached(book, book.a.invite(identity(), callee="911"))) == (None, "", "")
    assert book.of(frames.VerdictFrame)[-1].unscreened == ["identity"]


def test_a_worker_that_falls_behind_does_not_verify_it(play: Play) -> None:
    book = trusting(play, overload=Overload(0.01, 9.0))
    falls_behind(book)
    assert said(book, reached(book, book.a.invite(identity(), callee="911"))) == (None, "", "")
    assert book.of(frames.VerdictFrame)[-1].unscreened == []
    book.backlog_s = 0.0


def test_verstat_of_others_does_not_cross_where_there_is_none_of_ours(play: Play) -> None:
    book = trusting(play)
    claim = f"<sip:{CALLER};verstat=TN-Validation-Passed@192.0.2.10>"
    invite = reached(book, book.a.invite(identity(x5u=OTHER_X5U), f"P-Asserted-Identity: {claim}", callee="911"))
    assert "verstat" not in invite
