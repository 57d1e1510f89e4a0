"""verstat: its spelling, its place in an address, and the numbers that it stands on."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.verstat import verstat_of, with_verstat
from sipguard.screening.policy.model import LabelSpec, OneOf, Rule
from tests.pki import Pki, identity_value, passport
from tests.playbook import START_AT, Play, Playbook, value, values

X5U = "https://certs.example/709J.pem"
ASSERTED = "P-Asserted-Identity"
ORIGINS = ("Attestation-Info", "Origination-ID")


@pytest.mark.parametrize(
    ("style", "result", "attest", "value"),
    [
        ("plain", "passed", "A", "TN-Validation-Passed"),
        ("plain", "failed", None, "TN-Validation-Failed"),
        ("plain", "none", None, "No-TN-Validation"),
        ("plain", "unsupported", None, "No-TN-Validation"),
        ("plain", None, None, "No-TN-Validation"),
        ("suffix_all", "passed", "A", "TN-Validation-Passed-A"),
        ("suffix_all", "passed", "C", "TN-Validation-Passed-C"),
        ("suffix_bc", "passed", "A", "TN-Validation-Passed"),
        ("suffix_bc", "passed", "B", "TN-Validation-Passed-B"),
        ("suffix_bc", "failed", None, "TN-Validation-Failed"),
        ("off", "passed", "A", ""),
        ("suffix_all", "passed", "A\r\nX-Evil: 1", "TN-Validation-Passed"),
        ("suffix_bc", "passed", "\u4e2d", "TN-Validation-Passed"),
    ],
)
def test_verstat_of(style: str, result: str | None, attest: str | None, value: str) -> None:
    assert verstat_of(style, result, attest) == value


@pytest.mark.parametrize(
    ("address", "marked"),
    [
        ("<sip:+1202@h>", "<sip:+1202;verstat=V@h>"),
        ("sip:+1202@h", "<sip:+1202;verstat=V@h>"),  # RFC 3261 §20.10: `;` would end the URI
        ("sip:+1202@h;tag=a", "<sip:+1202;verstat=V@h>;tag=a"),
        ("<tel:+1202>", "<tel:+1202;verstat=V>"),
        ("tel:+1202", "<tel:+1202;verstat=V>"),
        ("tel:+1202;phone-context=x", "<tel:+1202;verstat=V>;phone-context=x"),
        ("<tel:+1202;phone-context=x>", "<tel:+1202;phone-context=x;verstat=V>"),
        ("<TEL:+1202>;x=1", "<TEL:+1202;verstat=V>;x=1"),
        ("<sip:+1202;isub=a@b@h>", "<sip:+1202;isub=a@b;verstat=V@h>"),
        ("sips:+1202@h;user=phone", "<sips:+1202;verstat=V@h>;user=phone"),
        ("sips:+1202;x=1@h", "sips:+1202;x=1@h"),  # RFC 3261 §20.10: its URI has no user
        ("<sip:+1202:pw@h>", "<sip:+1202;verstat=V:pw@h>"),
        ("<sip:h>", "<sip:h>"),
        ("<sip:h>;x=a@b", "<sip:h>;x=a@b"),
        ('"open <sip:+1202@h>', '"open <sip:+1202@h>'),
        ('"a@b" <sip:+1202@h>', '"a@b" <sip:+1202;verstat=V@h>'),
        ('"a<x@b" <sip:+1202@h>', '"a<x@b" <sip:+1202;verstat=V@h>'),
        ("<sip:+1202@h>, <tel:+1202>", "<sip:+1202;verstat=V@h>, <tel:+1202>"),
        ("<urn:service:sos>", "<urn:service:sos>"),
    ],
)
def test_with_verstat(address: str, marked: str) -> None:
    assert with_verstat(address, "V") == marked


# ------------------------------------------------------------------------------------------ which number

A, B, C = "12025550101", "12025550102", "12025550103"
SIP_A, TEL_A, SIP_B, TEL_B = f"<sip:+{A}@c.example>", f"<tel:+{A}>", f"<sip:+{B}@c.example>", f"<tel:+{B}>"
NOBODY, PBX = "anonymous@anonymous.invalid", "front.desk@pbx.example"
YES, NO, BAD, NONE = "TN-Validation-Passed", "No-TN-Validation", "TN-Validation-Failed", ""

STANDS = {  # user of From, P-Asserted-Identity lines, orig of the token -> on From, on each asserted, attested
    "From alone": (A, [], A, YES, [], True),
    "both": (A, [SIP_A], A, NONE, [YES], True),
    "both, twice asserted": (A, [f"{SIP_A}, {TEL_A}"], A, NONE, [YES, YES], True),
    "both, in two lines": (A, [SIP_A, TEL_A], A, NONE, [YES, YES], True),
    "From, another asserted": (A, [SIP_B], A, YES, [NO], False),
    "From, others asserted twice": (A, [f"{SIP_B}, {TEL_B}"], A, YES, [NO, NO], False),
    "asserted, another in From": (A, [SIP_B], B, NONE, [YES], True),
    "asserted, nobody in From": (NOBODY, [SIP_B], B, NONE, [YES], True),
    "asserted, a name in From": (PBX, [SIP_B], B, NONE, [YES], True),
    "From, a name asserted": (A, [f"<sip:{PBX}>"], A, YES, [NONE], True),
    "first asserted": (C, [f"{SIP_A}, {TEL_B}"], A, NONE, [YES, NO], True),
    "second asserted": (C, [f"{SIP_A}, {TEL_B}"], B, NONE, [NO, YES], False),
    "second asserted, in lines": (C, [SIP_A, TEL_B], B, NONE, [NO, YES], False),
    "second asserted and From": (B, [SIP_A, TEL_B], B, NONE, [NO, YES], False),
    "From, two others asserted": (C, [SIP_A, TEL_B], C, YES, [NO, NO], False),
    "behind a name": (C, [f"<sip:{PBX}>, {TEL_B}"], B, NONE, [NONE, YES], True),
    "names another": (A, [SIP_A], C, NONE, [BAD], False),
    "names another, twice asserted": (A, [SIP_A, TEL_B], C, NONE, [BAD, BAD], False),
    "names another, nothing asserted": (A, [], C, BAD, [], False),
    "no token": (A, [SIP_A, TEL_B], NONE, NONE, [NO, NO], False),
    "no token, nothing asserted": (A, [], NONE, NO, [], False),
    "no token, a name": (PBX, [f"<sip:{PBX}>"], NONE, NONE, [NONE], False),
    "claimed from outside": (f"{A};verstat={YES}", [f"<sip:+{B};verstat={YES}@c.example>"], B, NONE, [YES], True),
    "claimed for the other": (A, [f"<tel:+{B};verstat={YES}>, <sip:+{B}%3bverstat=x@c>"], A, YES, [NO, NO], False),
    "claimed, unescaped": (A, [f"<tel:+{B};%76erstat={YES}>"], NONE, NONE, [NO], False),
    "in other forms": ("2025550101", ["<sip:+1-202-555-0101;npdi@c.example;user=phone>"], A, NONE, [YES], True),
    "a mailbox in it": (A, ["<sip:+12025550101;isub=a@b@c.example>"], A, NONE, [YES], True),
    "without brackets": (A, [f"tel:+{B}"], B, NONE, [YES], True),
    "a comma in its name": (A, [f'"B, or A" {SIP_B}'], A, YES, [NO], False),
    "folded": (A, [f"\r\n {SIP_B},\r\n {TEL_A}"], A, NONE, [NO, YES], False),
    "garbage": (A, ['"open <sip:+12025550101@c.example>'], A, YES, [], True),
}  # fmt: skip


def marks(address: str) -> str:
    """The verstat parameters in an address."""
    return "|".join(piece.partition("=")[2].partition("@")[0].rstrip(">") for piece in address.split(";verstat")[1:])


def verified(play: Play, shown: str, asserted: list[str], orig: str, *more: str, **knobs: Any) -> Playbook:
    """A call that was forwarded, with a token for `orig`, if any."""
    pki = Pki(now=datetime.fromtimestamp(START_AT, UTC))
    leaf = pki.leaf()
    hop = {"attestation_headers": ORIGINS, **knobs.pop("hop", {})}
    book = play(*knobs.pop("rules", ()), anchors=(pki.root.pem,), hop=hop, **knobs)
    headers = [f"{ASSERTED}: {each}" for each in asserted]
    party = {"uri": orig} if ":" in orig else {"tn": orig}
    token = passport(orig, "12125550123", leaf.key, X5U, iat=int(START_AT), extra={"orig": party})
    headers += [f"Identity: {identity_value(token, X5U)}"] if orig else []
    user = shown if "@" in shown else f"+{shown}@192.0.2.10" if shown.startswith("1") else f"{shown}@192.0.2.10"
    if book.a.invite(*headers, *more, shown_as=f"<sip:{user}>")[:1] == [f"fetch {X5U}"]:
        book.fetched(leaf.pem)
    return book


def over(book: Playbook) -> str:
    """The INVITE as it arrived; the call is refused afterwards."""
    invite = book.b.last("INVITE")
    book.b.reply("486 Busy Here")
    book.a.ack()
    return invite


@pytest.mark.parametrize("name", STANDS)
def test_it_stands_on_the_number_that_the_token_names(play: Play, name: str) -> None:
    """The table of docs/stir.md, case by case."""
    shown, asserted, orig, on_from, on_asserted, attested = STANDS[name]
    book = verified(play, shown, asserted, orig)
    invite = over(book)
    assert marks(value(invite, "From")) == on_from
    numbers = [each for line in values(invite, ASSERTED) for each in line.replace(", o", " o").split(",")]
    assert [marks(each) for each in numbers if '"open' not in each] == on_asserted
    assert values(invite, "Attestation-Info") == (["A"] if attested else [])
    assert bool(values(invite, "Origination-ID")) == attested
    said = next((each for each in on_asserted if each), on_from)
    assert book.of(frames.VerdictFrame)[0].verstat == said


@pytest.mark.parametrize(
    ("carrier", "hop", "privacy", "on_from"),
    [
        ({}, {"send_pai": "never"}, "none", NO),
        ({}, {"send_pai": "unless_private"}, "id", NO),
        ({}, {"send_pai": "unless_private"}, "id;user", NONE),
        ({"accept_pai": False}, {}, "none", NO),
    ],
)
def test_a_number_that_does_not_cross_vouches_for_no_other(
    play: Play, carrier: dict[str, object], hop: dict[str, object], privacy: str, on_from: str
) -> None:
    book = verified(play, A, [SIP_B], B, f"Privacy: {privacy}", carrier=carrier, hop=hop)
    invite = over(book)
    assert not values(invite, ASSERTED)
    assert marks(value(invite, "From")) == on_from
    assert not values(invite, "Attestation-Info")
    assert book.of(frames.VerdictFrame)[0].identity == "passed"


def test_folded_claims_are_removed_where_other_headers_do_not_cross(play: Play) -> None:
    """Lines of a folded header stay together, so that its name is known where its verstat is looked for."""
    claim = f"{ASSERTED}:\r\n <sip:+{B};verstat={YES}@c.example>"
    book = verified(play, A, [], "", claim, "Privacy: user", "Subject: x", hop={"send_pai": "unless_private"})
    invite = over(book)
    assert YES not in invite
    assert marks(value(invite, ASSERTED)) == NO


URI_A = "sip:front.desk@pbx.example"


@pytest.mark.parametrize(
    ("shown", "asserted", "on_from", "on_asserted", "attested"),
    [
        (PBX, [], NONE, [], True),
        (PBX, [f"<{URI_A}>"], NONE, [NONE], True),
        (PBX, [SIP_A], NONE, [NO], False),
        (A, [f"<{URI_A}>"], NO, [NONE], False),
    ],
)
def test_a_token_for_a_uri_vouches_for_no_number(
    play: Play, shown: str, asserted: list[str], on_from: str, on_asserted: list[str], attested: bool
) -> None:
    book = verified(play, shown, asserted, URI_A)
    invite = over(book)
    assert book.of(frames.VerdictFrame)[0].identity == "passed"
    assert (marks(value(invite, "From")), [marks(each) for each in values(invite, ASSERTED)]) == (on_from, on_asserted)
    assert values(invite, "Attestation-Info") == (["A"] if attested else [])


EVERY = OneOf("identity.result", ("passed", "none"))


@pytest.mark.parametrize(
    ("verstat", "orig", "on_asserted"),
    [
        ("TN-Validation-Passed-A", B, ["TN-Validation-Passed-A"]),
        ("TN-Validation-Passed-A", A, [NO]),
        ("TN-Validation-Failed", A, [BAD]),
        ("TN-Validation-Passed", "", [YES]),  # nothing was verified: it is the operator's word
    ],
)
def test_verstat_of_a_rule_says_of_no_other_number_that_it_passed(
    play: Play, verstat: str, orig: str, on_asserted: list[str]
) -> None:
    rule = Rule("label", EVERY, label=LabelSpec(verstat=verstat))
    invite = over(verified(play, A, [SIP_B], orig, rules=(rule,)))
    assert [marks(each) for each in values(invite, ASSERTED)] == on_asserted
