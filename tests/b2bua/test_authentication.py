"""Calls that are signed on their way: attestation, what is kept, whose number, diversions, keys (RFC 8224 §4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Rekey, Reload
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.model import AllOf, Condition, OneOf, Rule
from sipguard.screening.ruleset import Ruleset
from sipguard.screening.trunk import AttestRule, SignerFiles, SignRules
from sipguard.stir import identity, passport, signing
from sipguard.stir.passport import Passport
from sipguard.stir.signer import read as read_signer
from tests import pki
from tests.playbook import B_AT, C_AT, CALLEE, CALLER, START_AT, Play, Playbook, value, values

PKI = pki.Pki(now=datetime.fromtimestamp(START_AT, UTC))
LEAF, OTHER = PKI.leaf(spc="709J"), PKI.leaf(spc="818H")
URL, OTHER_URL = "https://certs.example/709J.pem", "https://certs.example/818H.pem"
OWN = read_signer("own", URL, LEAF.pem, LEAF.key_pem)
ORIG, DEST, NEXT, LAST = "12025550101", "12125550123", "12125550124", "12125550125"
ORIGID = "0b1e6f2c-0001-4000-8000-000000000001"
CUSTOMERS = ListSpec("customers", bind=("caller", "shown"), members=(ORIG,))
OURS = ListSpec("ours", bind=("diverting",), members=(DEST, NEXT))
A = AttestRule(OneOf("lists.caller", ("customers",)), "A")
RULES = SignRules("own", (A,), "B", ORIGID)


def signing_book(play: Play, rules: SignRules = RULES, *policy: Rule, hop: Any = None, **more: Any) -> Playbook:
    """A book whose carrier is a customer of ours, and whose hop wants signatures."""
    carrier = {"sign": rules, "kind": "origination", **more.pop("carrier", {})}
    more.setdefault("signers", {"own": OWN})
    more.setdefault("lists", (CUSTOMERS, OURS))
    return play(*policy, carrier=carrier, hop={"add_identity": True, **(hop or {})}, **more)


def forwarded(book: Playbook, *headers: str, **fields: Any) -> str:
    """The INVITE as it arrives; the call is refused afterwards."""
    invited(book, *headers, **fields)
    invite = book.b.last("INVITE")
    book.b.reply("486 Busy Here")
    book.a.ack()
    return invite


def invited(book: Playbook, *headers: str, **fields: Any) -> list[str]:
    """The column of an INVITE; certificates of others are not to be had."""
    column = book.a.invite(*headers, **fields)
    return book.fetched("unreachable") if column[0].startswith("fetch") else column


def tokens(invite: str) -> list[Passport]:
    """The tokens of an INVITE, each read strictly and verified by the key that it names."""
    found = []
    for each in values(invite, "Identity"):
        header = identity.read(each)
        read = passport.read(header.token)
        passport.require_agreement(header, read)
        assert read.deviations == ()
        found.append(read)
    return found


def signed(book: Playbook) -> frames.Signed:
    """What the verdict frame of the last call says."""
    kept = book.of(frames.VerdictFrame)[-1].signed
    assert kept is not None
    return kept


def received(attest: str = "A", orig: str = ORIG, dest: str = DEST, iat: int = int(START_AT), **knobs: Any) -> str:
    """An Identity line of another provider."""
    token = pki.passport(orig, dest, OTHER.key, OTHER_URL, attest=attest, iat=iat, **knobs)
    return f"Identity: {pki.identity_value(token, OTHER_URL)}"


# ------------------------------------------------------------------------------------------ attestation


def test_a_number_of_the_customer_is_attested_in_full(play: Play) -> None:
    book = signing_book(play)
    (token,) = tokens(forwarded(book))
    assert (token.attest, token.orig_tn, token.dest_tns, token.origid) == ("A", ORIG, (DEST,), ORIGID)
    assert (token.iat, token.x5u) == (int(START_AT), URL)
    assert signed(book) == frames.Signed(
        "own", "A", ORIGID, ORIG, DEST, "from", int(START_AT), OWN.certificate_sha256, [], ""
    )
    assert (book.count("signed_A"), book.count("signed_B")) == (1, 0)


def test_a_customer_with_another_number_is_attested_in_part(play: Play) -> None:
    (token,) = tokens(forwarded(signing_book(play), caller="+12025550199"))
    assert (token.attest, token.orig_tn) == ("B", "12025550199")


def test_a_gateway_attests_where_a_call_came_in(play: Play) -> None:
    rules = SignRules("own", (), "C", ORIGID)
    (token,) = tokens(forwarded(signing_book(play, rules), caller="+442079460123"))
    assert (token.attest, token.orig_tn) == ("C", "442079460123")


@pytest.mark.parametrize("number", ["+1", "+12", "+1202555010", "+19115550100", "+12902550100", "+1234567890123456"])
def test_a_number_that_cannot_exist_is_not_signed(play: Play, number: str) -> None:
    for parties in ({"caller": number}, {"callee": number}):
        book = signing_book(play)
        assert tokens(forwarded(book, **parties)) == []
        assert signed(book).why == "no_number"
        assert book.count("unsigned_no_number") == 1


def test_an_impossible_number_in_to_gives_way_to_the_request_uri(play: Play) -> None:
    (token,) = tokens(forwarded(signing_book(play), to="<sip:+12@192.0.2.1>"))
    assert token.dest_tns == (DEST,)


def test_a_redirection_to_a_number_that_cannot_exist_is_not_signed(play: Play) -> None:
    book = signing_book(play, DIVERTING, hop={"follows_redirects": True})
    invited(book, received())
    book.b.reply("302 Moved Temporarily", contact=f"<sip:+19115550100@{C_AT[0]}>")
    assert [each.ppt for each in tokens_of(book.c.last("INVITE"))] == ["shaken"]
    book.c.reply("486 Busy Here")
    book.a.ack()


def test_without_a_rule_that_holds_a_call_goes_on_unsigned(play: Play) -> None:
    book = signing_book(play, SignRules("own", (A,), "", ORIGID))
    assert tokens(forwarded(book, caller="+12025550199")) == []
    assert signed(book) == frames.Signed(diverted=[], why="no_rule")
    assert book.count("unsigned_no_rule") == 1


ASKS_TRUNK: Condition = AllOf((OneOf("trunk.name", ("carrier",)), OneOf("lists.caller", ("customers",))))


@pytest.mark.parametrize(
    ("rules", "attest", "origid"),
    [
        ((AttestRule(ASKS_TRUNK, "A"),), "A", ORIGID),
        ((AttestRule(OneOf("trunk.name", ("hop",)), "C"), A), "A", ORIGID),
        ((AttestRule(OneOf("trunk.kind", ("origination",)), "C"), A), "C", ORIGID),
        ((AttestRule(OneOf("identity.result", ("passed",)), "C"), A), "A", ORIGID),
        ((AttestRule(OneOf("lists.caller", ("customers",)), "A", ORIGID.replace("1", "2")),), "A",
         ORIGID.replace("1", "2")),
    ],
    ids=["all of them", "another trunk", "the first counts", "a fact of another check", "an origid of its own"],
)  # fmt: skip
def test_rules_ask_facts(play: Play, rules: tuple[AttestRule, ...], attest: str, origid: str) -> None:
    (token,) = tokens(forwarded(signing_book(play, SignRules("own", rules, "", ORIGID))))
    assert (token.attest, token.origid) == (attest, origid)


def test_each_number_may_have_an_origid_of_its_own(play: Play) -> None:
    book = signing_book(play, SignRules("own", (A,), "B", ORIGID, per_caller=True))
    first, again, other = (
        tokens(forwarded(book, caller=caller))[0].origid for caller in (CALLER, CALLER, "+12025550199")
    )
    assert first == again == signing.named_uuid(ORIGID, ORIG)
    assert other != first


# ------------------------------------------------------------------------------------------ whose number


def test_a_withheld_number_is_signed_from_a_trusted_p_asserted_identity(play: Play) -> None:
    book = signing_book(play, carrier={"trust_pai": True})
    asserted = f"P-Asserted-Identity: <sip:{CALLER}@192.0.2.10>"
    (token,) = tokens(
        forwarded(book, asserted, "Privacy: id", shown_as='"Anonymous" <sip:anonymous@anonymous.invalid>')
    )
    assert (token.attest, token.orig_tn) == ("A", ORIG)
    assert signed(book).source == "pai"


def test_a_number_that_nobody_vouched_for_is_not_attested_in_full(play: Play) -> None:
    book = signing_book(play, SignRules("own", (AttestRule(OneOf("call.anonymous", (True,)), "A"),), "", ORIGID))
    asserted = f"P-Asserted-Identity: <sip:{CALLER}@192.0.2.10>"
    (token,) = tokens(forwarded(book, asserted, shown_as="<sip:anonymous@anonymous.invalid>"))
    assert (token.attest, token.orig_tn) == ("B", ORIG)
    assert signed(book).why == "caller_withheld"


def test_another_number_in_from_is_not_attested_in_full(play: Play) -> None:
    """A bank in From and an own number in P-Asserted-Identity: the callee may be shown the bank."""
    book = signing_book(play, carrier={"trust_pai": True})
    asserted = f"P-Asserted-Identity: <sip:{CALLER}@192.0.2.10>"
    (token,) = tokens(forwarded(book, asserted, caller="+12025550177"))
    assert (token.attest, token.orig_tn, signed(book).source) == ("B", ORIG, "pai")
    assert signed(book).why == "shown_differs"


def test_a_rule_that_asks_about_from_too_may_attest_in_full(play: Play) -> None:
    both = AllOf((OneOf("lists.caller", ("customers",)), OneOf("lists.shown", ("also",))))
    also = ListSpec("also", bind=("shown",), members=("12025550177",))
    book = play(
        carrier={"sign": SignRules("own", (AttestRule(both, "A"),), "", ORIGID), "trust_pai": True},
        hop={"add_identity": True}, lists=(CUSTOMERS, also), signers={"own": OWN},
    )  # fmt: skip
    asserted = f"P-Asserted-Identity: <sip:{CALLER}@192.0.2.10>"
    (token,) = tokens(forwarded(book, asserted, caller="+12025550177"))
    assert token.attest == "A"


UNSIGNABLE: dict[str, tuple[dict[str, Any], list[str], dict[str, Any], str]] = {
    "no number at all": ({}, [], {"shown_as": "<sip:anonymous@anonymous.invalid>"}, "no_number"),
    "a name": ({}, [], {"shown_as": "<sip:alice@192.0.2.10>"}, "no_number"),
    "no complete number": ({}, [], {"caller": "5550101"}, "no_number"),
    "a service code": ({}, [], {"caller": "911"}, "no_number"),
    "P-Asserted-Identity that does not cross": (
        {"accept_pai": False},
        [f"P-Asserted-Identity: <sip:{CALLER}@192.0.2.10>"],
        {"shown_as": "<sip:anonymous@anonymous.invalid>"},
        "no_number",
    ),
    "withheld from the next hop": (
        {"trust_pai": True},
        [f"P-Asserted-Identity: <sip:{CALLER}@192.0.2.10>", "Privacy: id"],
        {"shown_as": "<sip:anonymous@anonymous.invalid>"},
        "hidden",
    ),
    "a Date of yesterday": ({}, ["Date: Wed, 08 Oct 2025 08:53:20 GMT"], {}, "stale_date"),
}


@pytest.mark.parametrize(("carrier", "headers", "fields", "why"), UNSIGNABLE.values(), ids=UNSIGNABLE)
def test_what_cannot_be_signed_goes_on_and_says_why(
    play: Play, carrier: dict[str, Any], headers: list[str], fields: dict[str, Any], why: str
) -> None:
    hop = {"send_pai": "unless_private"} if why == "hidden" else {}
    book = signing_book(play, carrier=carrier, hop=hop)
    assert tokens(forwarded(book, *headers, **fields)) == []
    assert signed(book).why == why
    assert book.count(f"unsigned_{why}") == 1


@pytest.mark.parametrize("date", ["Thu, 09 Oct 2025 08:53:50 GMT", "garbage"])
def test_a_date_of_now_or_none_that_can_be_read_hinders_nothing(play: Play, date: str) -> None:
    assert len(tokens(forwarded(signing_book(play), f"Date: {date}"))) == 1


# ------------------------------------------------------------------------------------------ what is kept


def test_a_signature_that_came_is_kept_as_it_is_and_none_is_added(play: Play) -> None:
    book = signing_book(play)
    line = received()
    invite = forwarded(book, line)
    assert values(invite, "Identity") == [line.partition(": ")[2]]
    assert signed(book).why == "kept"


@pytest.mark.parametrize("line", ["Identity: garbage", "y: a.b.c;info=<https://certs.example/x.pem>"])
def test_a_value_that_cannot_be_read_is_kept_and_none_is_added(play: Play, line: str) -> None:
    book = signing_book(play)
    invite = forwarded(book, line)
    assert line in invite.split("\r\n")
    assert len([each for each in invite.split("\r\n") if each.lower().startswith(("identity:", "y:"))]) == 1
    assert signed(book).why == "kept"


def test_a_token_of_another_type_does_not_say_who_calls(play: Play) -> None:
    book = signing_book(play)
    line = received(ppt="unheard-of")
    invite = forwarded(book, line)
    assert values(invite, "Identity")[0] == line.partition(": ")[2]
    assert len(values(invite, "Identity")) == 2
    assert signed(book).attest == "A"


def test_replaces_adds_one_where_verification_failed(play: Play) -> None:
    rules = SignRules("own", (A,), "B", ORIGID, replaces=True)
    book = signing_book(play, rules)
    line = received(iat=int(START_AT) - 1000)
    invited(book, line)
    invite = book.b.last("INVITE")
    assert values(invite, "Identity")[0] == line.partition(": ")[2]
    assert passport.read(values(invite, "Identity")[1].partition(";")[0]).x5u == URL
    book.b.reply("486 Busy Here")
    book.a.ack()


# ------------------------------------------------------------------------------------------ where it is wanted


def test_a_trunk_that_wants_none_gets_none(play: Play) -> None:
    book = signing_book(play, hop={"add_identity": False})
    assert tokens(forwarded(book)) == []
    assert book.of(frames.VerdictFrame)[-1].signed is None


def test_calls_of_a_trunk_that_signs_nothing_stay_as_they_are(play: Play) -> None:
    book = play(hop={"add_identity": True}, signers={"own": OWN})
    assert tokens(forwarded(book)) == []
    assert book.of(frames.VerdictFrame)[-1].signed is None


def test_mode_bypass_touches_nothing(play: Play) -> None:
    book = signing_book(play)
    book.mode("bypass")
    assert tokens(forwarded(book)) == []


def test_mode_report_signs_what_it_lets_pass(play: Play) -> None:
    stop = Rule("stop", OneOf("lists.caller", ("customers",)), basis="contract")
    book = signing_book(play, RULES, stop)
    book.mode("report")
    (token,) = tokens(forwarded(book))
    assert token.attest == "A"


def test_the_same_signature_leaves_for_each_peer(play: Play) -> None:
    book = signing_book(play)
    invited(
        book,
    )
    book.b.reply("503 Service Unavailable")
    assert values(book.c.last("INVITE"), "Identity") == values(book.b.last("INVITE"), "Identity")
    book.c.reply("486 Busy Here")
    book.a.ack()
    assert book.count("signed_A") == 1


# ------------------------------------------------------------------------------------------ emergencies


@pytest.mark.parametrize(
    ("fields", "dest"),
    [({"callee": "911"}, ("911",)), ({"callee": "933"}, ("933",)), ({"callee": "988"}, ("988",))],
    ids=["911", "933", "988"],
)
def test_service_codes_are_written_as_they_are_dialled(
    play: Play, fields: dict[str, str], dest: tuple[str, ...]
) -> None:
    (token,) = tokens(forwarded(signing_book(play), **fields))
    assert (token.attest, token.dest_tns) == ("A", dest)


def test_the_emergency_service_is_a_uri(play: Play) -> None:
    (token,) = tokens(forwarded(signing_book(play), uri="urn:service:sos", to="<urn:service:sos>"))
    assert token.dest_uris == ("urn:service:sos",)


def test_an_emergency_call_waits_for_no_certificate_and_no_key(play: Play) -> None:
    asks = AttestRule(OneOf("identity.result", ("passed",)), "C")
    rules = SignRules("own", (asks, A), "B", ORIGID, replaces=True)
    book = signing_book(play, rules)
    assert book.a.invite(received(ppt="unheard-of"), callee="911") == ["b INVITE"]
    (_, token) = values(book.b.last("INVITE"), "Identity")
    assert passport.read(token.partition(";")[0]).attest == "A"
    assert book.of(frames.VerdictFrame)[-1].emergency == "dialled_911"
    book.b.reply("486 Busy Here")
    book.a.ack()
    book.control(Rekey({}))
    assert book.a.invite(callee="911") == ["b INVITE"]
    assert signed(book).why == "no_signer"
    book.b.reply("486 Busy Here")
    book.a.ack()


# ------------------------------------------------------------------------------------------ keys


def test_a_signer_without_key_costs_the_signature_only(play: Play) -> None:
    book = signing_book(play, signers={})
    assert tokens(forwarded(book)) == []
    assert signed(book).why == "no_signer"


def test_signers_that_no_trunk_names_are_counted_too(play: Play) -> None:
    """They sign over HTTP. One with an expired certificate, and one whose key cannot be read, cannot."""
    old, new = PKI.leaf(days=5), PKI.leaf()
    book = play()
    files = dict.fromkeys(("old", "new", "absent"), SignerFiles("a.pem", "a.key", URL))
    keys = {"old": read_signer("old", URL, old.pem, old.key_pem), "new": read_signer("new", URL, new.pem, new.key_pem)}
    book.control(Reload(Ruleset.open(replace(book.plain, signers=files), None, keys)))
    book.second()
    assert (book.count("signers_usable"), book.count("signers_unusable")) == (1, 2)


def test_nothing_is_signed_with_a_certificate_that_has_expired(play: Play) -> None:
    old = PKI.leaf(days=5)
    book = signing_book(play, signers={"own": read_signer("own", URL, old.pem, old.key_pem)})
    assert tokens(forwarded(book)) == []
    assert signed(book).why == "expired"


def test_a_certificate_for_numbers_signs_for_those_only(play: Play) -> None:
    few = PKI.leaf(extensions=pki.leaf_extensions(pki.tnauthlist(ones=["12025550199"])))
    book = signing_book(play, signers={"own": read_signer("own", URL, few.pem, few.key_pem)})
    assert tokens(forwarded(book)) == []
    assert signed(book).why == "out_of_scope"
    assert len(tokens(forwarded(book, caller="+12025550199"))) == 1


def test_another_key_is_used_from_the_next_call_on(play: Play) -> None:
    book = signing_book(play)
    before = tokens(forwarded(book))
    book.control(Rekey({"own": read_signer("own", OTHER_URL, OTHER.pem, OTHER.key_pem)}))
    after = tokens(forwarded(book))
    assert [each.x5u for each in before + after] == [URL, OTHER_URL]


# ------------------------------------------------------------------------------------------ diversions

DIVERTING = SignRules("own", (), "", ORIGID, divert_for=("ours",))
MOVED = f"<sip:+{NEXT}@{C_AT[0]}>"


def test_a_redirection_that_is_followed_is_signed_as_a_diversion(play: Play) -> None:
    book = signing_book(play, DIVERTING, hop={"follows_redirects": True})
    line = received()
    invited(book, line)
    assert len(values(book.b.last("INVITE"), "Identity")) == 1
    assert book.b.reply("302 Moved Temporarily", contact=MOVED)[-1] == "c INVITE"
    invite = book.c.last("INVITE")
    original, div = tokens_of(invite)
    assert values(invite, "Identity").count(line.partition(": ")[2]) == 1
    assert (div.ppt, div.orig_tn, div.div_tn, div.dest_tns) == ("div", ORIG, DEST, (NEXT,))
    assert div.iat == original.iat
    assert value(invite, "To").startswith(f"<sip:{CALLEE}@")
    book.c.reply("486 Busy Here")
    book.a.ack()
    assert [tuple(each) for each in book.of(frames.EndFrame)[-1].signed.diverted] == [(DEST, NEXT)]
    assert book.count("signed_div") == 1


def tokens_of(invite: str) -> list[Passport]:
    """Original first, then the diversions, wherever they stand."""
    found = [passport.read(identity.read(each).token) for each in values(invite, "Identity")]
    return sorted(found, key=lambda each: each.ppt == "div")


def test_a_second_redirection_has_a_link_of_its_own(play: Play) -> None:
    book = signing_book(play, DIVERTING, hop={"follows_redirects": True})
    invited(book, received())
    book.b.reply("302 Moved Temporarily", contact=MOVED)
    assert book.c.reply("302 Moved Temporarily", contact=f"<sip:+{LAST}@{B_AT[0]}>")[-1] == "b INVITE"
    divs = [(each.div_tn, *each.dest_tns) for each in tokens_of(book.b.last("INVITE"))[1:]]
    assert divs == [(DEST, NEXT), (NEXT, LAST)]
    book.b.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize(
    ("line", "contact"),
    [
        (received(dest="12125550177"), MOVED),
        (received(), f"<sip:{CALLEE}@{C_AT[0]}>"),
        (received(), f"<sip:alice@{C_AT[0]}>"),
        (received(iat=int(START_AT) - 100), MOVED),
        ("X-None: 1", MOVED),
    ],
    ids=["not our number", "the same number", "no number", "an old token", "no Identity"],
)
def test_no_diversion_is_signed(play: Play, line: str, contact: str) -> None:
    book = signing_book(play, DIVERTING, hop={"follows_redirects": True})
    invited(book, line)
    book.b.reply("302 Moved Temporarily", contact=contact)
    invite = book.c.last("INVITE")
    assert [each for each in values(invite, "Identity") if passport.read(each.partition(";")[0]).ppt == "div"] == []
    book.c.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize(
    ("dest", "callee", "ours", "written"),
    [
        ("4722123456", "+4722123456", "4722123456", "4722123456"),
        ("4722123456", "+4722123456", "14722123456", ""),
        ("4722123456", "+14722123456", "14722123456", "14722123456"),
        ("4722123456", "+14722123456", "4722123456", ""),
        ("+4722123456", "+14722123456", "4722123456", "4722123456"),
    ],
)
def test_a_div_names_the_number_that_was_called_not_one_of_like_digits(
    play: Play, dest: str, callee: str, ours: str, written: str
) -> None:
    rules = SignRules("own", (), "", ORIGID, divert_for=("abroad",))
    abroad = ListSpec("abroad", bind=("diverting",), members=(ours,))
    book = signing_book(play, rules, hop={"follows_redirects": True}, lists=(CUSTOMERS, abroad))
    invited(book, received(dest=dest), callee=callee, to=f"<sip:{callee}@192.0.2.1>")
    book.b.reply("302 Moved Temporarily", contact=MOVED)
    found = [each.div_tn for each in tokens_of(book.c.last("INVITE")) if each.ppt == "div"]
    assert found[-1:] == ([written] if written else [])
    book.c.reply("486 Busy Here")
    book.a.ack()


@pytest.mark.parametrize(("ours", "written"), [("4722123456", "4722123456"), ("14722123456", "")])
def test_where_nothing_says_which_number_was_called_a_div_has_the_canonical_one(
    play: Play, ours: str, written: str
) -> None:
    rules = SignRules("own", (), "", ORIGID, divert_for=("abroad",))
    abroad = ListSpec("abroad", bind=("diverting",), members=(ours,))
    book = signing_book(play, rules, lists=(CUSTOMERS, abroad))
    invited(book, received(dest="4722123456"), callee="+" + LAST, to=f"<sip:+{LAST}@192.0.2.1>")
    divs = [each.div_tn for each in tokens_of(book.b.last("INVITE")) if each.ppt == "div"]
    assert divs == ([written] if written else [])
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_a_call_that_a_customer_forwards_is_signed_as_a_diversion(play: Play) -> None:
    """Its switch sends the call on, with the Identity that it came with."""
    book = signing_book(play, DIVERTING)
    invited(
        book, received(orig="13035550188"), callee="+" + LAST, caller="+13035550188", to=f"<sip:{CALLEE}@192.0.2.1>"
    )
    _, div = tokens_of(book.b.last("INVITE"))
    assert (div.orig_tn, div.div_tn, div.dest_tns) == ("13035550188", DEST, (LAST,))
    assert signed(book).why == "kept"
    assert [tuple(each) for each in signed(book).diverted] == [(DEST, LAST)]
    book.b.reply("486 Busy Here")
    book.a.ack()
