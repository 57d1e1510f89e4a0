"""Templates of labels, filled with facts that a stranger wrote."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.b2bua.label import with_prefix
from sipguard.screening.finding import FactValue
from sipguard.screening.verdict import Label, filled
from sipguard.sip.message import Request
from sipguard.sip.parse import parse
from sipguard.sip.uri import name_addr, parameters, split_outside


def templated(template: str) -> list[str]:
    """The facts in braces of a template."""
    return [piece.partition("}")[0] for piece in template.split("{")[1:]]


@pytest.mark.parametrize(
    ("template", "value", "written"),
    [
        ("{identity.signer}", 'Acme, "Inc"; <x>', "Acme  'Inc'   x "),
        ('"{identity.signer}"', 'Acme, "Inc"; \\<x>', '"Acme, \\"Inc\\"; \\\\<x>"'),
        ("<https://a/{identity.signer}>", 'A, "B"; <x>\u00e9', "<https://a/A,%20%22B%22;%20%3Cx%3E%C3%A9>"),
        ("<{identity.signer}>;x={identity.signer}", "https://c/a?b;d", "<https://c/a?b;d>;x=https://c/a?b d"),
        ('a="\\"{identity.signer}";b={identity.signer}', 'x"y', 'a="\\"x\\"y";b=x\'y'),
        ("{identity.signer}", ("1,2", "3"), "1 2,3"),
        ("{identity.signer}", "a\r\nVia: b\x00\x85\u2028\u202e\ud800c", "aVia: bc"),
        ("{identity.signer}", "x" * 600, "x" * 512),
        ('"{identity.signer}"', '"' * 600, '"' + '\\"' * 512 + '"'),
    ],
)
def test_a_value_stays_where_its_template_puts_it(template: str, value: FactValue, written: str) -> None:
    assert filled(template, {"identity.signer": value}, "id", header=True) == written


def test_a_prefix_is_escaped_where_it_is_written() -> None:
    assert filled("{identity.signer} ", {"identity.signer": 'a"\\;<b>'}, "id") == 'a"\\;<b> '


# ------------------------------------------------------------------------------------------ facts of a stranger

HOSTILE = st.text(
    st.sampled_from('a1 "\\<>;,=:{}()%@?&\r\n\t\x00\x0b\x0c\x1c\x7f\x85\xa0\xff\u2028\u202e\ud800\u4e2d\U0001f600')
    | st.characters(),
    max_size=60,
)
VALUES = st.one_of(HOSTILE, st.lists(HOSTILE, max_size=3).map(tuple), st.just("x" * 1000), st.just('"\\' * 400))
INFO = '<https://a.example/{identity.origid}?x={identity.signer}>;purpose=jcard;call-reason="{identity.rcd_reason}"'
TEMPLATED = (
    ("Call-Info", INFO),
    ("X-Signer", "{identity.signer}"),
    ("X-All", '"{identity.signer}" <{identity.x5u}>;a={identity.each};b="\\"{identity.spc}\\\\"'),
    ("Reason", 'X;cause=1;text="{identity.reason}: {id}"'),
    ("X-Last", "last"),
)
HEAD = (
    "INVITE sip:+12125550123@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
    "To: <sip:+12125550123@h>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:h>\r\n"
)
NAMES = sorted({name for _, template in TEMPLATED for name in templated(template)} | {"identity.rcd_name"})


@settings(max_examples=400, deadline=None)
@given(st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)), st.sampled_from((0, 1, 15)))
def test_whatever_stands_in_a_fact_the_message_has_the_headers_meant(facts: dict[str, FactValue], most: int) -> None:
    """No value ends its line, its quotes, its URI, its parameter or its list; nor is the message longer than it may."""
    label = Label(headers=TEMPLATED)
    lines = [line.encode().decode("latin-1") for line in label.header_lines(facts, "3f2a-77")]
    shown = with_prefix('"Al" <sip:+12025550101@h>;tag=1', filled("{identity.rcd_name} ", facts, "3f2a-77"), most)
    text = f"{HEAD}From: {shown}\r\n" + "".join(f"{line}\r\n" for line in lines) + "Content-Length: 0\r\n\r\n"
    octets = text.encode("latin-1")
    assert len(octets) < 40_000
    request = parse(octets)
    assert isinstance(request, Request)
    assert [line.partition(":")[0] for line in request.lines[6:]] == [
        "From", *[name for name, _ in TEMPLATED], "Content-Length",
    ]  # fmt: skip
    assert name_addr(request.from_value)[1:] == ("sip:+12025550101@h", ";tag=1")
    (info,) = split_outside(request.value("call-info"), ",")
    _, uri, rest = name_addr(info)
    assert uri.startswith("https://a.example/")
    assert parameters(rest).keys() == {"purpose", "call-reason"}
    assert parameters(name_addr(request.value("x-all"))[2]).keys() == {"a", "b"}
    assert parameters(";" + request.value("reason").partition(";")[2]).keys() == {"cause", "text"}
