"""URIs and addresses as they stand in header values."""

from __future__ import annotations

import pytest

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import (
    canonical_uri,
    host_of,
    host_port_of,
    is_host,
    name_addr,
    parameters,
    quoted_end,
    reach_of,
    require_request_uri,
    require_scheme,
    split_outside,
    tag_of,
    transport_of,
    user_of,
    with_host,
    without_transport,
)

NAME_ADDR = {
    "bare": ("<sip:a@example.com>", "", "sip:a@example.com", ""),
    "tag": ("<sip:a@example.com>;tag=1", "", "sip:a@example.com", ";tag=1"),
    "no space": ('"A"<sip:a@example.com>;tag=1', '"A"', "sip:a@example.com", ";tag=1"),
    "tokens": ("A  Bell <sip:a@example.com> ;x", "A  Bell", "sip:a@example.com", ";x"),
    "brackets and commas": ('"<sip:x@y>, \\"B\\"" <sip:a@h>', '"<sip:x@y>, \\"B\\""', "sip:a@h", ""),
    "escaped backslash before the quote": ('"B\\\\" <sip:a@h>', '"B\\\\"', "sip:a@h", ""),
    "uri parameters stay in brackets": ("<sip:a@h;user=phone>;tag=1", "", "sip:a@h;user=phone", ";tag=1"),
    "uri headers stay in brackets": ("<sip:a@h?x=y>", "", "sip:a@h?x=y", ""),
    "addr-spec": ("sip:a@h;tag=1;x", "", "sip:a@h", ";tag=1;x"),
    "addr-spec with space": ("sip:a@h ;tag=1", "", "sip:a@h", ";tag=1"),
    "tel": ("<tel:+12025550100>;tag=1", "", "tel:+12025550100", ";tag=1"),
    "IPv6": ("<sip:a@[2001:db8::1]:5070>", "", "sip:a@[2001:db8::1]:5070", ""),
    "UTF-8 in quotes": ('"Jos\xc3\xa9" <sip:a@h>', '"Jos\xc3\xa9"', "sip:a@h", ""),
}


@pytest.mark.parametrize(("value", "display", "uri", "rest"), NAME_ADDR.values(), ids=NAME_ADDR)
def test_name_addr(value: str, display: str, uri: str, rest: str) -> None:
    assert name_addr(value) == (display, uri, rest)


NO_NAME_ADDR = {
    "empty": "",
    "open quote": '"A <sip:a@h>',
    "quote ends in an escape": '"A\\" <sip:a@h>',
    "quoted name alone": '"A" sip:a@h',
    "open bracket": "<sip:a@h",
    "open bracket after quotes": '"A" <sip:a@h',
    "comma in tokens": "Bell, A <sip:a@h>",
    "unquoted UTF-8": "Jos\xc3\xa9 <sip:a@h>",
    "two addr-specs": "sip:a@h,sip:b@h",
    "addr-spec with headers": "sip:a@h?x=y",
    "space in addr-spec": "sip:a @h",
    "closing bracket alone": "sip:a@h>",
}


@pytest.mark.parametrize("value", NO_NAME_ADDR.values(), ids=NO_NAME_ADDR)
def test_no_name_addr(value: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        name_addr(value)
    assert caught.value.status == 400


SPLIT = {
    "nothing": ("", [""]),
    "one": ("a", ["a"]),
    "plain": ("a, b ,c", ["a", "b", "c"]),
    "empty pieces": ("a,,b,", ["a", "", "b", ""]),
    "quotes": ('"a,b",c', ['"a,b"', "c"]),
    "escaped quote": ('"a\\",b",c', ['"a\\",b"', "c"]),
    "brackets": ("<sip:a,b@h>,c", ["<sip:a,b@h>", "c"]),
    "quote in brackets": ('<sip:a"b@h>,c', ['<sip:a"b@h>', "c"]),
    "bracket in quotes": ('"<", <sip:a@h>', ['"<"', "<sip:a@h>"]),
}


@pytest.mark.parametrize(("text", "pieces"), SPLIT.values(), ids=SPLIT)
def test_split_outside(text: str, pieces: list[str]) -> None:
    assert split_outside(text, ",") == pieces


@pytest.mark.parametrize("text", ['a,"b', '"b', 'a;x="b', '<a>,"'])
def test_split_outside_refuses_an_open_quote(text: str) -> None:
    with pytest.raises(MalformedMessage):
        split_outside(text, ",")


@pytest.mark.parametrize(
    ("text", "end"),
    [('"a"', 2), ('"a\\"b"', 5), ('"a\\\\"', 4), ('"\\\\\\""', 5), ('"a', -1), ('"a\\"', -1), ('"', -1)],
)
def test_quoted_end(text: str, end: int) -> None:
    assert quoted_end(text, 0) == end


PARAMETERS = {
    "none": ("", {}),
    "flags and values": (";a;b=1", {"a": "", "b": "1"}),
    "names in any case": (";TAG=Ab", {"tag": "Ab"}),
    "white space": (" ; tag = x ;y", {"tag": "x", "y": ""}),
    "quoted semicolon": (';a="x;y";b', {"a": '"x;y"', "b": ""}),
    "empty pieces": (";;a;", {"a": ""}),
    "IPv6": (";received=[2001:db8::1]", {"received": "[2001:db8::1]"}),
}


@pytest.mark.parametrize(("rest", "found"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters(rest: str, found: dict[str, str]) -> None:
    assert parameters(rest) == found


@pytest.mark.parametrize("rest", [";=x", ";a b=1", ";a=1;A=2", ";\xe9=1", ';a="x'])
def test_no_parameters(rest: str) -> None:
    with pytest.raises(MalformedMessage):
        parameters(rest)


TAGS = {
    "none": ("", ""),
    "alone": (";tag=a1", "a1"),
    "trailing space": (";tag=a1 ", "a1"),
    "first": (";tag=a1;x=y", "a1"),
    "later": (";x=y;tag=a1", "a1"),
    "inside another": (';x=";tag=no";tag=a1', "a1"),
    "any case": (";Tag=a1", "a1"),
    "other parameters only": (";x", ""),
    "odd but a token": (";tag=_~1'+`*%!-.", "_~1'+`*%!-."),
}


@pytest.mark.parametrize(("rest", "tag"), TAGS.values(), ids=TAGS)
def test_tag_of(rest: str, tag: str) -> None:
    assert tag_of(rest) == tag


@pytest.mark.parametrize(
    "rest", [";tag=", ";x;tag=", ";tag", ";tag=a b", ";x;tag=a@b", ';tag="a"', "tag=a", ";tag=a;tag=b"]
)
def test_no_tag(rest: str) -> None:
    with pytest.raises(MalformedMessage):
        tag_of(rest)


PARTS = {
    "sip": ("sip:+12025550100@example.com:5070;user=phone", "+12025550100", "example.com", 5070),
    "no user": ("sip:example.com", "", "example.com", 0),
    "password": ("sip:alice:secret@example.com", "alice", "example.com", 0),
    "user parameters": ("sip:+12025550100;npdi;cic=1@h", "+12025550100;npdi;cic=1", "h", 0),
    "escapes are kept": ("sip:a%40b@h", "a%40b", "h", 0),
    "sips in capitals": ("SIPS:a@h:5061", "a", "h", 5061),
    "IPv6": ("sip:a@[2001:db8::1]:5070;x", "a", "[2001:db8::1]", 5070),
    "IPv6 without port": ("sip:[2001:db8::10:5070]", "", "[2001:db8::10:5070]", 0),
    "headers": ("sip:a@h?x=y", "a", "h", 0),
    "port out of form": ("sip:a@h:5x", "a", "h", 0),
    "port that none has": ("sip:a@h:65536", "a", "h", -1),
    "port of zero": ("sip:a@h:0", "a", "h", -1),
    "tel": ("tel:+1-202-555-0100;phone-context=x", "+1-202-555-0100;phone-context=x", "", 0),
    "urn": ("urn:service:sos", "", "", 0),
    "open bracket": ("sip:a@[::1", "a", "", 0),
    "nothing": ("", "", "", 0),
}


CANONICAL = {
    "as it is": ("sip:alice@a.example", "sip:alice@a.example"),
    "all that goes": ("SIP:Alice:secret@A.Example:5070;x=y?z=1", "sip:alice@a.example"),
    "user parameters": ("sip:alice;verstat=x@a.example", "sip:alice@a.example"),
    "escapes that nobody needs": ("sip:%41%6cice%7e@a.example", "sip:alice~@a.example"),
    "escapes that are needed": ("sip:a%2Fb%40c@a.example", "sip:a%2fb%40c@a.example"),
    "broken escapes": ("sip:a%4@a.example", "sip:a%4@a.example"),
    "IPv6": ("sips:a@[2001:DB8::1]:5061", "sips:a@[2001:db8::1]"),
    "no user": ("sip:A.example:5060", "sip:a.example"),
    "urn": ("URN:service:SOS", "urn:service:sos"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("uri", "canonical"), CANONICAL.values(), ids=CANONICAL)
def test_uris_are_compared_in_one_form(uri: str, canonical: str) -> None:
    assert canonical_uri(uri) == canonical
    assert canonical_uri(canonical) == canonical


@pytest.mark.parametrize(("uri", "user", "host", "port"), PARTS.values(), ids=PARTS)
def test_parts(uri: str, user: str, host: str, port: int) -> None:
    assert (user_of(uri), host_of(uri), host_port_of(uri)) == (user, host, (host, port))


@pytest.mark.parametrize(
    ("uri", "moved"),
    [
        ("sip:a@old.example.com:5070;user=phone?x=y", "sip:a@new:1;user=phone?x=y"),
        ("sip:old.example.com", "sip:new:1"),
        ("sips:a:b@[2001:db8::1];x", "sips:a:b@new:1;x"),
        ("sip:a;p=1@old", "sip:a;p=1@new:1"),
        ("sip:a@old?x=y;z", "sip:a@new:1?x=y;z"),
    ],
)
def test_with_host(uri: str, moved: str) -> None:
    assert with_host(uri, "new:1") == moved


@pytest.mark.parametrize(
    ("host", "valid"),
    [
        ("example.com", True),
        ("192.0.2.1", True),
        ("under_score.example.com", True),
        ("[2001:db8::1]", True),
        ("[::ffff:192.0.2.1]", True),
        ("[2001:db8:::192.0.2.1]", True),  # RFC 5118 §4.10
        ("[2001:db8:::1]", False),
        ("[2001:db8::::192.0.2.1]", False),
        ("[2001]", False),
        ("[::1", False),
        ("[", False),
        ("::1", False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        ("b\xfccher.example", False),
        (f"[{':' * 60}]", False),
    ],
)
def test_is_host(host: str, valid: bool) -> None:
    assert is_host(host) is valid


REQUEST_URIS = [
    "sip:+12025550100@example.com",
    "sip:2025550100@192.0.2.1:5060;user=phone",
    "sip:example.com",
    "sip:a;b=c%40d@[2001:db8::1]:5060;transport=udp;lr",
    "SIP:a@h",
    "sips:a:b@h",
    "tel:+12025550100;phone-context=example.com",
    "urn:service:sos.police",
    "soap.beep://192.0.2.103:3002",
]


@pytest.mark.parametrize("uri", REQUEST_URIS)
def test_request_uri(uri: str) -> None:
    require_request_uri(uri)


NO_REQUEST_URIS = {
    "empty": "",
    "no scheme": "example.com",
    "scheme alone": "sip:",
    "scheme with a digit first": "1sip:a@h",
    "brackets": "<sip:a@h>",
    "bracket later": "tel:+1>",
    "quote": 'sip:a@h;x="y"',
    "no host": "sip:a@",
    "empty user": "sip:@h",
    "user of forbidden characters": "sip:a[b@h",
    "broken escape": "sip:a%4@h",
    "escape of no hex": "sip:a%zz@h",
    "port too large": "sip:a@h:65536",
    "port of letters": "sip:+12025550100@h:5x",
    "port empty": "sip:a@h:",
    "IPv6 without brackets": "sip:2001:db8::10",
    "open IPv6": "sip:2025550100@[::1",
    "behind IPv6": "sip:a@[::1]x",
    "headers": "sip:2025550100@h?Route=%3Csip:h%3E",
    "LF in a parameter": "sip:2025550100@h;x=\nVia:",
    "CR in tel": "tel:+1\r",
    "NUL": "sip:a@h;\x00",
    "not ASCII": "sip:2025550100@h;x=\xe9",
    "digits of another script": "sip:\xb2\xb3@h",
}


@pytest.mark.parametrize("uri", NO_REQUEST_URIS.values(), ids=NO_REQUEST_URIS)
def test_no_request_uri(uri: str) -> None:
    for _ in range(2):  # what was found out once is remembered
        with pytest.raises(MalformedMessage) as caught:
            require_request_uri(uri)
        assert caught.value.status == 400


@pytest.mark.parametrize(("uri", "scheme"), [("SIP:a@h", "sip"), ("x-y+1.z:b", "x-y+1.z"), ("tel:+1", "tel")])
def test_scheme(uri: str, scheme: str) -> None:
    assert require_scheme(uri) == scheme


@pytest.mark.parametrize(
    ("uri", "transport"),
    [
        ("sip:a@h", ""),
        ("sip:a@h;transport=tcp", "tcp"),
        ("sip:a@h:5060;lr;Transport=TLS?x=y", "tls"),
        ("sip:a;transport=tcp@h", ""),  # of the user
        ("sip:a@h?transport=tcp", ""),
        ("sip:a@h;transport=ws", ""),
        ("sips:a@h;transport=tcp", "tls"),  # RFC 3261 §26.2.2: TLS over TCP
        ("tel:+12025550101;transport=tcp", ""),
    ],
)
def test_the_transport_that_a_uri_asks_for(uri: str, transport: str) -> None:
    assert transport_of(uri) == transport


@pytest.mark.parametrize(
    ("uri", "without"),
    [
        ("sip:a;transport=tcp@h;lr;transport=tcp;x", "sip:a;transport=tcp@h;lr;x"),
        ("sip:a@h;TRANSPORT=udp?transport=tcp", "sip:a@h?transport=tcp"),
    ],
)
def test_the_transport_taken_out(uri: str, without: str) -> None:
    assert without_transport(uri) == without


@pytest.mark.parametrize(
    ("host", "reach"),
    [
        ("198.51.100.20", "routed"),
        ("10.0.0.1", "routed"),
        ("2001:db8::20", "routed"),
        ("64:ff9b::c633:6414", "routed"),  # RFC 6052 §2.1
        ("127.0.0.2", "host_only"),
        ("::1", "host_only"),
        ("169.254.169.254", "link_only"),
        *((host, "") for host in ("fe80::1", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1")),
        *((host, "") for host in ("::ffff:127.0.0.1", "127.1", "2130706433", "0177.0.0.1", "1.2.3.999", "\xb2", "h")),
        ("", ""),
    ],
)
def test_how_far_away_an_address_can_be(host: str, reach: str) -> None:
    assert reach_of(host) == reach
