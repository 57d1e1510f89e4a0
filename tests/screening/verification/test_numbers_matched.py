"""Whom a token names, written as headers -> claims -> what matches (RFC 8224 §8, facts A2.5).

Each row is a call with one signed token; header texts go through `read_attempt`, the token through `evaluate`. In a
row about callers the called party fits, and the other way round. "" as source means that the token names nobody of
this call, which fails it as `orig_mismatch` or `dest_mismatch`.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from sipguard.numbers.rules import NumberRules
from sipguard.screening.attempt import read_attempt
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.result import Result
from sipguard.screening.verification.settings import Settings
from sipguard.stir.certificate import Anchors, CertificateStore
from tests import pki

PKI: Final = pki.Pki()
LEAF: Final = PKI.leaf()
NOW: Final = float(int(PKI.now.timestamp()))
URL: Final = "https://certs.example/709J.pem"
TN, OTHER, CALLEE, ALSO = "12025550101", "13125550199", "12125550123", "18005550199"
UK, NORWAY = "442079460123", "4722123456"

PLAIN = NumberRules()
RULES = {
    "nanp": PLAIN,
    "uk": NumberRules(default_cc="44"),
    "local 202": NumberRules(local_npa="202"),
    "strip 9": NumberRules(strip_prefix="9"),
    "tech 77#": NumberRules(tech_prefix="77#"),
    "tech four digits": NumberRules(tech_prefix=r"\d{4}(?=\+)"),
}

# what, rules of the trunk, From, P-Asserted-Identity values, orig of the token, matched in, TN
CALLERS: list[tuple[str, str, str, list[str], object, str, str]] = [
    # ---------------------------------------------------------------- how a number is written
    ("+ and 11 digits", "nanp", "<sip:+12025550101@a.example>", [], TN, "from", TN),
    ("11 digits", "nanp", "<sip:12025550101@a.example>", [], TN, "from", TN),
    ("10 digits", "nanp", "<sip:2025550101@a.example>", [], TN, "from", TN),
    ("user=phone", "nanp", "<sip:+12025550101@a.example;user=phone>", [], TN, "from", TN),
    ("addr-spec", "nanp", "sip:+12025550101@a.example;tag=1", [], TN, "from", TN),
    ("a display name with a comma", "nanp", '"A, B" <sip:+12025550101@a.example>;tag=1', [], TN, "from", TN),
    ("a display name with another number", "nanp", '"+13125550199" <sip:2025550101@a.example>', [], OTHER, "", ""),
    ("sips", "nanp", "<SIPS:+12025550101@a.example>", [], TN, "from", TN),
    ("a password", "nanp", "<sip:+12025550101:secret@a.example>", [], TN, "from", TN),
    ("dashes", "nanp", "<sip:+1-202-555-0101@a.example>", [], TN, "from", TN),
    ("dots and brackets", "nanp", "<sip:(202)555.0101@a.example>", [], TN, "from", TN),
    ("an escaped +", "nanp", "<sip:%2B12025550101@a.example>", [], TN, "from", TN),
    ("escaped spaces", "nanp", "<sip:%2b1%20202%20555%200101@a.example>", [], TN, "from", TN),
    ("tel", "nanp", "<tel:+12025550101>", [], TN, "from", TN),
    ("TEL with separators", "nanp", "<TEL:+1-202-555-0101>", [], TN, "from", TN),
    ("011", "nanp", "<sip:011442079460123@a.example>", [], UK, "from", UK),
    ("+011, the prefix of who dials after a +", "nanp", "<sip:+011442079460123@a.example>", [], UK, "from", UK),
    ("abroad", "nanp", "<sip:+442079460123@a.example>", [], UK, "from", UK),
    ("abroad without +", "nanp", "<sip:442079460123@a.example>", [], UK, "from", UK),
    ("10 digits of another country are not ours", "nanp", "<sip:+6421550101@a.example>", [], "16421550101", "", ""),
    ("16 digits", "nanp", "<sip:+1234567890123456@a.example>", [], "1234567890123456", "from", "1234567890123456"),
    ("a service code", "nanp", "<sip:911@a.example>", [], "911", "from", "911"),
    ("7 digits are not completed", "nanp", "<sip:5550101@a.example>", [], TN, "", ""),
    ("7 digits", "local 202", "<sip:5550101@a.example>", [], TN, "from", TN),
    ("7 digits in the token too", "local 202", "<sip:5550101@a.example>", [], "5550101", "from", TN),
    ("another number", "nanp", "<sip:+13125550199@a.example>", [], TN, "", ""),
    ("one digit more", "nanp", "<sip:+120255501010@a.example>", [], TN, "", ""),
    ("* and # count", "nanp", "<sip:*2025550101@a.example>", [], "2025550101", "", ""),
    ("no user", "nanp", "<sip:a.example>", [], TN, "", ""),
    ("garbage", "nanp", "<sip:+12025550101@a.example", [], TN, "", ""),
    # ---------------------------------------------------------------- parameters of the user part
    ("npdi and rn", "nanp", "<sip:+12025550101;npdi;rn=+13125550199@a.example>", [], TN, "from", TN),
    ("cic", "nanp", "<sip:+12025550101;cic=+10288@a.example;user=phone>", [], TN, "from", TN),
    ("verstat", "nanp", "<sip:+12025550101;verstat=No-TN-Validation@a.example>", [], TN, "from", TN),
    (
        "trunk group, sip (RFC 4904 §5)",
        "nanp",
        "<sip:+12025550101;tgrp=TG-1;trunk-context=example.com@a.example;user=phone>",
        [],
        TN,
        "from",
        TN,
    ),
    (
        "trunk group, tel",
        "nanp",
        "<tel:+12025550101;tgrp=TG-1;trunk-context=+1-202>",
        [],
        TN,
        "from",
        TN,
    ),
    (
        "trunk group of a local number",
        "nanp",
        "<sip:5550101;phone-context=+1-202;tgrp=TG-1;trunk-context=example.com@a.example;user=phone>",
        [],
        TN,
        "from",
        TN,
    ),
    ("trunk group with escaped ;", "nanp", "<sip:+12025550101%3Btgrp=TG-1@a.example>", [], TN, "from", TN),
    ("phone-context +1202", "nanp", "<tel:5550101;phone-context=+1202>", [], TN, "from", TN),
    ("phone-context +1, 10 digits", "nanp", "<tel:2025550101;phone-context=+1>", [], TN, "from", TN),
    ("phone-context +1 abroad", "uk", "<tel:2025550101;phone-context=+1>", [], TN, "from", TN),
    ("phone-context +44", "nanp", "<tel:2079460123;phone-context=+44>", [], UK, "from", UK),
    ("phone-context escaped, sip", "nanp", "<sip:5550101;PHONE-CONTEXT=%2B1-202@a.example>", [], TN, "from", TN),
    ("phone-context a domain", "nanp", "<tel:2025550101;phone-context=a.example>", [], TN, "from", TN),
    ("phone-context elsewhere", "nanp", "<tel:5550101;phone-context=+1312>", [], TN, "", ""),
    # ---------------------------------------------------------------- IPv6
    ("IPv6", "nanp", "<sip:+12025550101@[2001:db8::1]>;tag=1", [], TN, "from", TN),
    ("IPv6 with port and parameters", "nanp", "<sip:2025550101@[2001:db8::1]:5070;user=phone>", [], TN, "from", TN),
    ("IPv6, trunk group", "nanp", "<sip:+12025550101;tgrp=a;trunk-context=b@[2001:db8::1]>", [], TN, "from", TN),
    ("IPv6 in P-Asserted-Identity", "nanp", "<sip:+13125550199@[2001:db8::1]>",
     ["<sip:+12025550101@[2001:db8::2]:5060>"], TN, "pai", TN),
    # ---------------------------------------------------------------- how the token writes it
    ("token with +", "nanp", "<sip:+12025550101@a.example>", [], "+12025550101", "from", TN),
    ("token of 10 digits", "nanp", "<sip:+12025550101@a.example>", [], "2025550101", "from", TN),
    ("token with dashes", "nanp", "<sip:2025550101@a.example>", [], "+1-202-555-0101", "from", TN),
    ("token with 011", "nanp", "<sip:+442079460123@a.example>", [], "011442079460123", "from", UK),
    ("ten digits abroad", "nanp", "<sip:+4722123456@a.example>", [], NORWAY, "from", NORWAY),
    ("ten digits abroad, 1 dropped", "nanp", "<sip:+14722123456@a.example>", [], NORWAY, "from", "14722123456"),
    ("ten digits abroad, + in the token", "nanp", "<sip:+14722123456@a.example>", [], "+" + NORWAY, "", ""),
    ("ten digits abroad, 1 in the token", "nanp", "<sip:+4722123456@a.example>", [], "14722123456", "", ""),
    ("ten digits abroad, two asserted", "nanp", "<sip:+4722123456@a.example>",
     ["<sip:+13125550199@a.example>, <tel:+13125550198>"], NORWAY, "from", NORWAY),
    ("ten digits abroad, the second asserted", "nanp", "<sip:+13125550199@a.example>",
     ["<sip:+13125550199@a.example>, <tel:+4522123456>"], "4522123456", "pai", "4522123456"),
    ("ten digits abroad, the standard's reading before", "nanp", "<sip:+14722123456@a.example>",
     ["<sip:+4722123456@a.example>"], NORWAY, "pai", NORWAY),
    ("token of separators only", "nanp", "<sip:a.example>", [], "+-", "", ""),
    ("token and caller anonymous", "nanp", "<sip:anonymous@anonymous.invalid>", [], "anonymous", "", ""),
    # ---------------------------------------------------------------- rules of the trunk
    ("national digits of another country", "uk", "<sip:02079460123@a.example>", [], UK, "from", UK),
    ("00 of another country", "uk", "<sip:0012025550101@a.example>", [], TN, "from", TN),
    ("token in national digits", "uk", "<sip:+442079460123@a.example>", [], "02079460123", "from", UK),
    ("no prefix is taken off a caller", "strip 9", "<sip:912025550101@a.example>", [], TN, "", ""),
    ("nor a technical one", "tech 77#", "<sip:77%2312025550101@a.example>", [], TN, "", ""),
    # ---------------------------------------------------------------- From and P-Asserted-Identity
    ("both", "nanp", "<sip:+12025550101@a.example>", ["<tel:2025550101>"], TN, "both", TN),
    ("From, another asserted", "nanp", "<sip:+12025550101@a.example>", ["<tel:+13125550199>"], TN, "from", TN),
    ("asserted, another shown", "nanp", "<sip:+13125550199@a.example>", ["<tel:+12025550101>"], TN, "pai", TN),
    ("asserted, a name shown", "nanp", "<sip:alice@a.example>", ["<tel:+12025550101>"], TN, "pai", TN),
    ("neither", "nanp", "<sip:+13125550199@a.example>", ["<tel:+13125550198>"], TN, "", ""),
    ("sip and tel of one number", "nanp", "<sip:+13125550199@a.example>",
     ["<sip:+12025550101@a.example>, <tel:+12025550101>"], TN, "pai", TN),
    ("the second of a line", "nanp", "<sip:+13125550199@a.example>",
     ["<sip:+13125550198@a.example>, <tel:+12025550101>"], TN, "pai", TN),
    ("the second line", "nanp", "<sip:+13125550199@a.example>",
     ["<sip:+13125550198@a.example>", "<tel:+12025550101>"], TN, "pai", TN),
    ("the third", "nanp", "<sip:+13125550199@a.example>",
     ["<sip:+13125550198@a.example>, <tel:+13125550197>", "<tel:+12025550101>"], TN, "pai", TN),
    ("From and the second", "nanp", "<sip:+12025550101@a.example>",
     ["<sip:+13125550198@a.example>, <tel:+12025550101>"], TN, "both", TN),
    ("From, neither of two", "nanp", "<sip:+12025550101@a.example>",
     ["<sip:+13125550198@a.example>, <tel:+13125550197>"], TN, "from", TN),
    ("a name and a number asserted", "nanp", "<sip:+13125550199@a.example>",
     ['"A, B" <sip:alice@a.example>, <tel:+12025550101>'], TN, "pai", TN),
    # ---------------------------------------------------------------- withheld numbers
    ("anonymous", "nanp", "<sip:anonymous@anonymous.invalid>", ["<sip:+12025550101@a.example>"], TN, "pai", TN),
    ("Anonymous at a domain", "nanp", "<sip:Anonymous@a.example>", ["<tel:+12025550101>"], TN, "pai", TN),
    ("restricted", "nanp", "<sip:Restricted@a.example>", ["<tel:2025550101>"], TN, "pai", TN),
    ("anonymous without PAI", "nanp", "<sip:anonymous@anonymous.invalid>", [], TN, "", ""),
    # ---------------------------------------------------------------- URIs (RFC 8224 §8.5)
    ("a URI", "nanp", "<sip:alice@a.example>", [], {"uri": "sip:alice@a.example"}, "from", ""),
    ("case, port, parameters, password", "nanp", "<SIP:Alice:secret@A.Example:5070;x=y>", [],
     {"uri": "sip:alice@a.example"}, "from", ""),
    ("needless escapes", "nanp", "<sip:%61lice%2Da@a.example>", [], {"uri": "sip:Alice-A@a.example"}, "from", ""),
    ("needed escapes stay", "nanp", "<sip:al%2Fice@a.example>", [], {"uri": "sip:al%2fice@a.example"}, "from", ""),
    ("escaped and not is another", "nanp", "<sip:al%2Fice@a.example>", [], {"uri": "sip:al/ice@a.example"}, "", ""),
    ("URI at IPv6", "nanp", "<sip:alice@[2001:DB8::1]:5060>", [], {"uri": "sip:alice@[2001:db8::1]"}, "from", ""),
    ("asserted URI", "nanp", "<sip:anonymous@anonymous.invalid>", ["<sip:alice@a.example>, <tel:+13125550199>"],
     {"uri": "sip:alice@a.example"}, "pai", ""),
    ("URI shown and asserted", "nanp", "<sip:alice@a.example>", ["<sip:alice@a.example>"],
     {"uri": "sip:alice@a.example"}, "both", ""),
    ("another host", "nanp", "<sip:alice@a.example>", [], {"uri": "sip:alice@b.example"}, "", ""),
    ("sips is not sip", "nanp", "<sips:alice@a.example>", [], {"uri": "sip:alice@a.example"}, "", ""),
    ("an extension at its host", "nanp", "<sip:4711@a.example>", [], {"uri": "sip:4711@a.example"}, "from", ""),
    ("an extension elsewhere", "nanp", "<sip:4711@a.example>", [], {"uri": "sip:4711@b.example"}, "", ""),
    ("a number as URI", "nanp", "<sip:+12025550101@b.example>", [], {"uri": "sip:+12025550101@a.example"}, "from", TN),
    ("a number as tel URI", "nanp", "<sip:2025550101@b.example>", [], {"uri": "tel:+12025550101"}, "from", TN),
    ("another number as URI", "nanp", "<sip:+13125550199@a.example>", [], {"uri": "tel:+12025550101"}, "", ""),
]  # fmt: skip

# what, rules of the trunk, Request-URI, To, dest of the token, matched in, TN in the Request-URI
CALLED: list[tuple[str, str, str, str, object, str, str]] = [
    ("both", "nanp", "sip:+12125550123@192.0.2.1", "<sip:2125550123@a.example>", CALLEE, "both", CALLEE),
    ("bare string", "nanp", "sip:+12125550123@192.0.2.1", "<sip:2125550123@a.example>", {"tn": CALLEE}, "both", CALLEE),
    ("token with +", "nanp", "sip:2125550123@192.0.2.1", "<tel:+12125550123>", "+" + CALLEE, "both", CALLEE),
    ("token of 10 digits", "nanp", "sip:+12125550123@192.0.2.1", "<tel:+12125550123>", CALLEE[1:], "both", CALLEE),
    ("ten digits abroad", "nanp", "sip:+6561234567@192.0.2.1", "<tel:+6561234567>", "6561234567", "both", "6561234567"),
    ("ten digits abroad, + in the token", "nanp", "sip:+16561234567@192.0.2.1", "<tel:+16561234567>", "+6561234567",
     "", "16561234567"),
    ("toll-free translated behind the signer", "nanp", "sip:+12125550123@192.0.2.1", "<tel:+18005550199>", ALSO,
     "to", CALLEE),
    ("translated before the signer", "nanp", "sip:+12125550123@192.0.2.1", "<tel:+18005550199>", CALLEE,
     "request_uri", CALLEE),
    ("neither", "nanp", "sip:+12125550123@192.0.2.1", "<tel:+18005550199>", OTHER, "", CALLEE),
    ("one of several", "nanp", "sip:+12125550123@192.0.2.1", "<tel:+12125550123>", {"tn": [OTHER, CALLEE]},
     "both", CALLEE),
    ("each by another entry", "nanp", "sip:+12125550123@192.0.2.1", "<tel:+18005550199>", {"tn": [ALSO, CALLEE]},
     "both", CALLEE),
    ("number and URI in the token", "nanp", "sip:alice@192.0.2.1", "<sip:alice@a.example>",
     {"tn": [OTHER], "uri": ["sip:alice@a.example"]}, "to", ""),
    ("IPv6", "nanp", "sip:+12125550123@[2001:db8::5]:5060;user=phone", "<sip:+12125550123@[2001:db8::6]>", CALLEE,
     "both", CALLEE),
    ("tel Request-URI", "nanp", "tel:+1-212-555-0123", "<tel:+12125550123>", CALLEE, "both", CALLEE),
    ("tel with phone-context", "nanp", "tel:5550123;phone-context=+1212", "<tel:5550123;phone-context=+1212>", CALLEE,
     "both", CALLEE),
    ("ported: npdi and rn", "nanp", "sip:+12125550123;npdi;rn=+13125550199@192.0.2.1", "<tel:+12125550123>", CALLEE,
     "both", CALLEE),
    ("rn is not the called number", "nanp", "sip:+12125550123;npdi;rn=+13125550199@192.0.2.1", "<tel:+12125550123>",
     OTHER, "", CALLEE),
    ("trunk group", "nanp", "sip:+12125550123;tgrp=TG-1;trunk-context=a.example@192.0.2.1;user=phone",
     "<sip:+12125550123@a.example>", CALLEE, "both", CALLEE),
    ("dialled abroad", "nanp", "sip:011442079460123@192.0.2.1", "<tel:+442079460123>", UK, "both", UK),
    ("911", "nanp", "sip:911@192.0.2.1", "<sip:911@a.example>", "911", "both", "911"),
    ("*67", "nanp", "sip:*67@192.0.2.1", "<sip:*67@a.example>", "*67", "both", "*67"),
    ("prefix", "strip 9", "sip:912125550123@192.0.2.1", "<sip:912125550123@a.example>", CALLEE, "both", CALLEE),
    ("prefix in the Request-URI only", "tech 77#", "sip:77%2312125550123@192.0.2.1", "<tel:+12125550123>", CALLEE,
     "both", CALLEE),
    ("prefix of four digits", "tech four digits", "sip:0042+12125550123@192.0.2.1", "<tel:+12125550123>", CALLEE,
     "both", CALLEE),
    ("7 digits", "local 202", "sip:5550101@192.0.2.1", "<sip:5550101@a.example>", TN, "both", TN),
    ("national digits of another country", "uk", "sip:02079460123@192.0.2.1", "<sip:02079460123@a.example>", UK,
     "both", UK),
    ("URI in To", "nanp", "sip:alice@192.0.2.1", "<sip:Alice@A.example:5070>", {"uri": ["sip:alice@a.example"]},
     "to", ""),
    ("URI in the Request-URI", "nanp", "sip:alice@a.example;x=y", "<sip:bob@a.example>",
     {"uri": ["sip:alice@a.example"]}, "request_uri", ""),
    ("URI in both", "nanp", "sip:alice@a.example", "<sip:alice@a.example>", {"uri": "sip:alice@a.example"},
     "both", ""),
    ("another URI", "nanp", "sip:alice@a.example", "<sip:alice@a.example>", {"uri": ["sip:bob@a.example"]}, "", ""),
    ("urn", "nanp", "urn:service:sos", "<urn:service:SOS>", {"uri": ["urn:service:sos"]}, "both", ""),
    ("another urn", "nanp", "urn:service:sos.fire", "<urn:service:sos.fire>", {"uri": ["urn:service:sos"]}, "", ""),
    ("no number anywhere", "nanp", "sip:192.0.2.1", "<sip:a.example>", CALLEE, "", ""),
    ("To is garbage", "nanp", "sip:+12125550123@192.0.2.1", "<sip:+12125550123", CALLEE, "request_uri", CALLEE),
]  # fmt: skip


def evaluated(
    rules: str, uri: str, shown: str, to: str, pai: list[str], orig: object, dest: object
) -> tuple[Result, str, str]:
    """The Result of a token with these claims, and the TNs that were read from Request-URI and From."""
    claims: dict[str, Any] = {
        "orig": {"tn": orig} if isinstance(orig, str) else orig,
        "dest": {"tn": [dest]} if isinstance(dest, str) else dest,
    }
    token = pki.passport("", "", LEAF.key, URL, iat=int(NOW), extra=claims)
    attempt = read_attempt(
        Trunk("carrier", "interconnect", read=RULES[rules]),
        NOW, uri, shown, to, pai, (), [pki.identity_value(token, URL)], "", "", "call-1",
    )  # fmt: skip
    store = CertificateStore(Anchors([PKI.root.certificate]))
    store.put(URL, LEAF.pem, 0.0, NOW)
    (result,) = evaluate(attempt, Settings(), store)
    return result, attempt.callee.tn, attempt.shown.tn


@pytest.mark.parametrize(
    ("rules", "shown", "pai", "orig", "source", "tn"), [row[1:] for row in CALLERS], ids=[row[0] for row in CALLERS]
)
def test_callers(rules: str, shown: str, pai: list[str], orig: object, source: str, tn: str) -> None:
    result, _, in_from = evaluated(rules, "sip:+12125550123@192.0.2.1", shown, "<tel:+12125550123>", pai, orig, CALLEE)
    assert (result.source, result.tn, result.reason) == (source, tn, "passed" if source else "orig_mismatch")
    assert result.orig_ok is (source != "")
    if source in ("from", "both"):
        assert in_from == tn or not tn


@pytest.mark.parametrize(
    ("rules", "uri", "to", "dest", "source", "tn"), [row[1:] for row in CALLED], ids=[row[0] for row in CALLED]
)
def test_called(rules: str, uri: str, to: str, dest: object, source: str, tn: str) -> None:
    result, callee, _ = evaluated(rules, uri, "<tel:+12025550101>", to, [], TN, dest)
    assert (result.dest_source, result.reason) == (source, "passed" if source else "dest_mismatch")
    assert result.dest_ok is (source != "")
    assert callee == tn


def test_the_table_is_long_enough_to_be_believed() -> None:
    assert len(CALLERS) + len(CALLED) >= 60
    assert len({row[0] for row in CALLERS}) == len(CALLERS)
    assert len({row[0] for row in CALLED}) == len(CALLED)


@pytest.mark.parametrize(
    ("orig", "shown", "reason"),
    [
        ({"tn": "12025550105"}, "<tel:+12025550105>", "passed"),
        ({"tn": OTHER}, "<tel:+13125550199>", "out_of_scope"),
        ({"tn": "4722123456"}, "<tel:+4722123456>", "passed"),
        ({"tn": "4722123456"}, "<tel:+14722123456>", "out_of_scope"),
        ({"uri": "sip:+13125550199@a.example"}, "<sip:+13125550199@a.example>", "out_of_scope"),
        ({"uri": "sip:alice@a.example"}, "<sip:alice@a.example>", "out_of_scope"),
    ],
    ids=["its number", "another", "ten digits abroad", "the same digits after a 1", "another as URI", "a URI"],
)
def test_a_certificate_for_numbers_vouches_for_these_only(orig: dict[str, str], shown: str, reason: str) -> None:
    leaf = PKI.leaf(extensions=pki.leaf_extensions(pki.tnauthlist(ranges=[("12025550100", 10)], ones=["4722123456"])))
    token = pki.passport("", CALLEE, leaf.key, URL, iat=int(NOW), extra={"orig": orig})
    attempt = read_attempt(
        Trunk("carrier", "interconnect"), NOW, "sip:+12125550123@192.0.2.1", shown, "<tel:+12125550123>",
        (), (), [pki.identity_value(token, URL)], "", "", "call-1",
    )  # fmt: skip
    store = CertificateStore(Anchors([PKI.root.certificate]))
    store.put(URL, leaf.pem, 0.0, NOW)
    (result,) = evaluate(attempt, Settings(), store)
    assert result.reason == reason
