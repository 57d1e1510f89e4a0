"""verstat of outside: taken out where it is a parameter, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sipguard.b2bua.unvouched import line_without_verstat, lines_unmarked, without_verstat
from sipguard.numbers.canonical import read
from sipguard.numbers.rules import NumberRules
from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import name_addr, require_scheme, tag_of, user_of
from tests.playbook import Playbook, value, values

PASSED = "verstat=TN-Validation-Passed"
FRAGMENTS = (
    '"', "<", ">", ";", "=", ",", "?", "@", ":", " ", "\t", "\\", "a", "x", "tag=1", ";tag=1", "verstat", ";verstat",
    f";{PASSED}", ";%76erstat=y", "%3bverstat=y", "%3B", "%", "%22", "sip:", "sips:", "tel:", "+12025550101", "<sip:",
    '"Bob"', '"a;verstat=x"', "\r\n ", "\xe9", "h", "[::1]",
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<sip:+1202;verstat=V@h>", "<sip:+1202@h>"),
        ("<sip:+1202;x=1;verstat=V;y@h;user=phone;verstat=V;z>", "<sip:+1202;x=1;y@h;user=phone;z>"),
        ("<sip:+1202@h;verstat=V?a=b>", "<sip:+1202@h?a=b>"),
        ("<sip:+1202;verstat=a,b:pw@h>", "<sip:+1202:pw@h>"),
        ("<sip:+1202;isub=a@b;verstat=x@y@h>", "<sip:+1202;isub=a@b@h>"),
        ("<sip:+1202;%76erstat=V@h>", "<sip:+1202@h>"),
        ("<sip:+1202;v%65rStat=V@h>", "<sip:+1202@h>"),
        ("<sip:+1202%3bverstat=V%3Bx@h>", "<sip:+1202%3Bx@h>"),
        ("<sip:+1202;verstat%3dV@h>", "<sip:+1202@h>"),
        ("<sip:+1202; verstat=V@h>", "<sip:+1202@h>"),
        ("<sip:+1202;\r\n verstat=V@h>", "<sip:+1202@h>"),
        ("<tel:+1202;verstat=V;x=1>", "<tel:+1202;x=1>"),
        ("<tel:+1202;VERSTAT=V>, <tel:+1303;verstat=V>", "<tel:+1202>, <tel:+1303>"),
        ("<tel:+1202;verstat=V", "<tel:+1202"),
        ("<tel:+1202;verstat>", "<tel:+1202>"),
        ("<tel:+1202;xverstat=V>", "<tel:+1202;xverstat=V>"),
        ("<sip:verstat@h>", "<sip:verstat@h>"),
        ("<sip:+1202@h>;verstat=V;tag=1", "<sip:+1202@h>;tag=1"),
        ('<sip:+1202@h>;verstat="a;b>c, d";tag=1', "<sip:+1202@h>;tag=1"),
        ('<sip:+1202@h>;x="a;verstat=V";tag=1', '<sip:+1202@h>;x="a;verstat=V";tag=1'),
        ("sip:+1202@h;verstat=V;tag=1", "sip:+1202@h;tag=1"),
        ("sip:+1202%3bverstat=V@h;tag=1", "sip:+1202@h;tag=1"),
        ("sip:+1202@h;verstat", "sip:+1202@h"),
        ('"Bob;verstat=x" <sip:+1202@h>;tag=1', '"Bob;verstat=x" <sip:+1202@h>;tag=1'),
        ('"a,;verstat=x\\"<" <sip:+1202;verstat=V@h>;tag=1', '"a,;verstat=x\\"<" <sip:+1202@h>;tag=1'),
        ('"open <sip:+1202;verstat=V@h>', '"open <sip:+1202@h>'),
        ("<sip:;verstat=V>", "<sip:;verstat=V>"),  # no number, and nothing else would be left
    ],
)
def test_without_verstat(text: str, kept: str) -> None:
    assert line_without_verstat(f"From: {text}") == f"From: {kept}"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ('Subject: "a;verstat=x" ;verstat=y', 'Subject: "a;verstat=x" ;verstat=y'),
        ("P-Asserted-Identity: <tel:+1202;verstat=V>", "P-Asserted-Identity: <tel:+1202>"),
        ("p-preferred-identity :<tel:+1202;verstat=V>", "p-preferred-identity :<tel:+1202>"),
        ("Contact: <sip:a;verstat=V@h>", "Contact: <sip:a@h>"),
    ],
)
def test_only_headers_with_addresses_are_touched(line: str, kept: str) -> None:
    assert line_without_verstat(line) == kept


def test_folded_lines_stay_together() -> None:
    text = "P-Asserted-Identity:\r\n <tel:+1202;verstat=V>\r\nSubject: ;verstat=V\r\nCSeq: 1 INFO"
    kept = lines_unmarked(text, claims=False)
    assert kept == "P-Asserted-Identity:\r\n <tel:+1202>\r\nSubject: ;verstat=V\r\nCSeq: 1 INFO"


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=8), st.sampled_from(("", '"Bob" <', "<", '"', "sip:+12025550101@"))
)
def test_what_could_be_read_can_be_read_afterwards(pieces: list[str], start: str) -> None:
    """Whatever From the parser takes: its display name, its digits and its tag are the same without verstat."""
    text = (start + "".join(pieces)).strip(" \t\r\n")
    try:
        display, uri, rest = name_addr(text)
        require_scheme(uri)
        tag = tag_of(rest)
    except MalformedMessage:
        return
    after, uri_after, rest_after = name_addr(without_verstat(text))
    require_scheme(uri_after)
    assert (after, tag_of(rest_after)) == (display, tag)
    rules = NumberRules()
    assert read(user_of(uri_after), rules).tn == read(user_of(uri), rules).tn


@pytest.mark.parametrize("callee", ["911", "+12125550123"])
@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ('"Bob;verstat=x" <sip:+12025550101@h>', '"Bob;verstat=x"'),
        ('"a ;verstat=TN-Validation-Passed" <sip:+12025550101@h>', '"a ;verstat=TN-Validation-Passed"'),
        ('"x\\";verstat=\\"" <sip:+12025550101@h>', '"x\\";verstat=\\""'),
        ('<sip:+12025550101@h>;x="a;b=c";verstat="a;b>c"', ""),
    ],
)
def test_a_display_name_loses_no_call(book: Playbook, callee: str, shown: str, name: str) -> None:
    """An emergency call with ;verstat in its quoted name raised, and was never answered."""
    assert book.a.invite("P-Asserted-Identity: " + shown, shown_as=shown, callee=callee) == ["b INVITE"]
    invite = book.b.last("INVITE")
    assert value(invite, "From").startswith(f"{name} <sip:+12025550101" if name else "<sip:+12025550101")
    assert value(invite, "P-Asserted-Identity").startswith(name)
    book.b.reply("486 Busy Here")
    book.a.ack()


def test_in_a_dialog_only_the_parameter_goes(book: Playbook) -> None:
    book.establish()
    asserted = '"a;verstat=x" <sip:+12025550101;verstat=V@h>'
    assert book.a.request("INFO", f"P-Asserted-Identity: {asserted}", "Subject: a;verstat=x") == ["b INFO"]
    info = book.b.last("INFO")
    assert values(info, "P-Asserted-Identity") == ['"a;verstat=x" <sip:+12025550101@h>']
    assert value(info, "Subject") == "a;verstat=x"
    book.b.reply("200 OK", to="INFO")
    book.a.request("BYE")
    book.b.reply("200 OK", to="BYE")
