"""Identity values: syntax, limits, x5u rules (RFC 8224 §4, facts A1.1 and A6.4)."""

import pytest

from sipguard.stir.errors import BadIdentityInfo, InvalidIdentity
from sipguard.stir.identity import CUT_LIMIT, URL_LIMIT, VALUE_LIMIT, canonical_x5u, check_x5u, read, split

URL = "https://certs.example/709J.pem"

READABLE = {
    "carriers": (f'a.b.c;info=<{URL}>;alg=ES256;ppt="shaken"', ("a.b.c", URL, "ES256", "shaken")),
    "ppt bare": (f"a.b.c;info=<{URL}>;alg=ES256;ppt=shaken", ("a.b.c", URL, "ES256", "shaken")),
    "ppt first": (f"a.b.c;ppt=shaken;info=<{URL}>;alg=ES256", ("a.b.c", URL, "ES256", "shaken")),
    "no alg": (f'a.b.c;info=<{URL}>;ppt="div"', ("a.b.c", URL, "ES256", "div")),
    "info alone": (f"a.b.c;info=<{URL}>", ("a.b.c", URL, "ES256", "")),
    "spaces": (f"a.b.c ; info = <{URL}> ; alg = ES256", ("a.b.c", URL, "ES256", "")),
    "space before info": (f"a.b.c ;info=<{URL}>;ppt=shaken", ("a.b.c", URL, "ES256", "shaken")),
    "names in capitals": (f"a.b.c;INFO=<{URL}>;Alg=ES256;PPT=shaken", ("a.b.c", URL, "ES256", "shaken")),
    "unknown parameter": (f'a.b.c;info=<{URL}>;x="a;b,c";y', ("a.b.c", URL, "ES256", "")),
    "semicolon in info": (
        "a;info=<https://x.example/;v>;alg=RS256",
        ("a", "https://x.example/;v", "RS256", ""),
    ),
    "trailing semicolon": (f"a.b.c;info=<{URL}>;", ("a.b.c", URL, "ES256", "")),
}


@pytest.mark.parametrize(("value", "parts"), READABLE.values(), ids=READABLE)
def test_values_are_read_whatever_their_order_and_spelling(value: str, parts: tuple[str, ...]) -> None:
    header = read(value)
    assert (header.token, header.info, header.alg, header.ppt) == parts


UNREADABLE = {
    "nothing": ("", "info_missing"),
    "no parameters": ("a.b.c", "info_missing"),
    "no info": ("a.b.c;alg=ES256", "info_missing"),
    "empty info": ("a.b.c;info=", "info_missing"),
    "info without brackets": (f"a.b.c;info={URL}", "identity_syntax"),
    "info with empty brackets": ("a.b.c;info=<>;foo", "identity_syntax"),
    "info not closed": (f"a.b.c;info=<{URL}", "identity_syntax"),
    "info twice": (f"a.b.c;info=<{URL}>;info=<{URL}>", "identity_syntax"),
    "quote not closed": (f'a.b.c;info=<{URL}>;ppt="shaken', "identity_syntax"),
    "parameter without name": (f"a.b.c;info=<{URL}>;=x", "identity_syntax"),
    "ppt with a space": (f'a.b.c;info=<{URL}>;ppt="sha ken"', "identity_syntax"),
    "33 parameters": (f"a.b.c;info=<{URL}>" + ";x" * 32, "identity_syntax"),
    "too large": ("a" * VALUE_LIMIT + f";info=<{URL}>", "identity_too_large"),
}


@pytest.mark.parametrize(("value", "reason"), UNREADABLE.values(), ids=UNREADABLE)
def test_malformed_values_are_refused_with_438(value: str, reason: str) -> None:
    with pytest.raises(InvalidIdentity) as raised:
        read(value)
    assert (raised.value.reason, raised.value.status) == (reason, 438)


SPLITS = {
    "one": (["a;info=<b>"], ["a;info=<b>"]),
    "two headers": (["a;info=<b>", "c;info=<d>"], ["a;info=<b>", "c;info=<d>"]),
    "a comma list": (["a;info=<b>, c;info=<d>"], ["a;info=<b>", "c;info=<d>"]),
    "comma in brackets": (["a;info=<b,c>"], ["a;info=<b,c>"]),
    "comma in quotes": (['a;info=<b>;x="1,\\",2"'], ['a;info=<b>;x="1,\\",2"']),
    "empty pieces": ([",a;info=<b>,,"], ["a;info=<b>"]),
    "nothing": ([], []),
}


@pytest.mark.parametrize(("raw", "values"), SPLITS.values(), ids=SPLITS)
def test_a_comma_outside_quotes_and_brackets_separates_values(raw: list[str], values: list[str]) -> None:
    assert split(raw) == values


ALLOWED = {
    "plain": (URL, "certs.example"),
    "8443": ("https://certs.example:8443/a", "certs.example"),
    "443 written out": ("https://certs.example:443/a", "certs.example"),
    "no path": ("https://certs.example", "certs.example"),
    "capitals": ("https://CERTS.Example/a", "certs.example"),
    "scheme in capitals": ("HTTPS://certs.example/a", "certs.example"),
    "IPv4": ("https://192.0.2.1/a", "192.0.2.1"),
    "IPv6": ("https://[2001:DB8::1]:8443/a", "2001:db8::1"),
}


@pytest.mark.parametrize(("url", "host"), ALLOWED.values(), ids=ALLOWED)
def test_an_x5u_within_the_rules_has_a_host(url: str, host: str) -> None:
    assert check_x5u(url, (443, 8443)) == host


@pytest.mark.parametrize(
    ("url", "kept_under"),
    [
        (URL, URL),
        ("HTTPS://Certs.Example:8443/A.pem", "https://certs.example:8443/A.pem"),
        ("https://certs.EXAMPLE", "https://certs.example"),
        ("Https://a/B/C", "https://a/B/C"),
    ],
)
def test_a_certificate_is_kept_under_scheme_and_host_in_lower_case(url: str, kept_under: str) -> None:
    """RFC 3986 §3.1, §6.2.2.1; the path is the server's."""
    assert canonical_x5u(url) == kept_under
    assert canonical_x5u(kept_under) == kept_under


REFUSED = {
    "http": "http://certs.example/a",
    "no scheme": "certs.example/a",
    "file": "file:///etc/passwd",
    "another port": "https://certs.example:444/a",
    "port 0": "https://certs.example:0/a",
    "empty port": "https://certs.example:/a",
    "port no number": "https://certs.example:x/a",
    "port of eight digits": "https://certs.example:00000443/a",
    "user": "https://user@certs.example/a",
    "user and password": "https://certs.example:443@127.0.0.1/a",
    "query": "https://certs.example/a?b",
    "query without path": "https://certs.example?b",
    "fragment": "https://certs.example/a#b",
    "no host": "https:///a",
    "empty": "",
    "space": "https://certs.example/a b",
    "line end": "https://certs.example/a\r\nX: y",
    "backslash": "https://certs.example\\@127.0.0.1/a",
    "letters beyond ASCII": "https://cérts.example/a",
    "a number": "https://2130706433/a",
    "a short address": "https://127.1/a",
    "nought": "https://0/a",
    "octal": "https://0177.0.0.1/a",
    "hexadecimal": "https://0x7f000001/a",
    "hexadecimal at the end": "https://127.0.0.0x1/a",
    "no octet": "https://1.2.3.256/a",
    "address with a dot behind": "https://127.0.0.1./a",
    "top-level domain of digits": "https://certs.example.1/a",
    "bracket not closed": "https://[::1/a",
    "zone": "https://[fe80::1%25eth0]/a",
    "digits after bracket": "https://[::1]8443/a",
    "too long": "https://certs.example/" + "a" * URL_LIMIT,
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED)
def test_an_x5u_outside_the_rules_is_refused_with_436(url: str) -> None:
    with pytest.raises(BadIdentityInfo) as raised:
        check_x5u(url, (443, 8443))
    assert (raised.value.reason, raised.value.status) == ("x5u_refused", 436)


def test_ports_and_schemes_are_the_callers_choice() -> None:
    assert check_x5u("http://127.0.0.1:18080/a", (18080,), ("http", "https")) == "127.0.0.1"
    assert check_x5u("http://127.0.0.1/a", (80,), ("http",)) == "127.0.0.1"


def test_an_address_as_an_uri_writes_it_is_no_number() -> None:
    """Whether it may be connected to is asked of the address."""
    assert check_x5u("https://192.0.2.10/a", (443,)) == "192.0.2.10"
    assert check_x5u("https://[::ffff:192.0.2.10]/a", (443,)) == "::ffff:192.0.2.10"
    assert check_x5u("https://1.certs2.example/a", (443,)) == "1.certs2.example"


def test_a_list_is_cut_into_no_more_pieces_than_anybody_looks_at() -> None:
    """What stands behind is left as one value."""
    assert len(split(["a,b"] * 100)) == CUT_LIMIT + 100 - CUT_LIMIT // 2
    assert len(split(["," * 60_000])) == 1
    assert split(["a," * CUT_LIMIT + "b"])[-1] == "a,b"


def test_a_separator_in_quotes_or_brackets_that_do_not_end_is_none() -> None:
    assert split(['a,"b,c']) == ["a", '"b,c']
    assert split(["a,<b,c"]) == ["a", "<b,c"]
    assert split(['a,"b\\",c",d']) == ["a", '"b\\",c"', "d"]
