"""Requests that the parser refuses, repaired; the calls that this saves are in tests/b2bua/test_mending.py."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.mending import mended
from sipguard.sip.message import Request
from sipguard.sip.parse import MAX_LINES, parse
from tests.sip.test_parse import BAD, INVITE, MARKS

LEFT = {  # of those that the parser refuses, what nobody can repair
    "nothing", "empty lines", "not SIP", "method of no token", "no Via", "no Call-ID", "no CSeq", "empty Call-ID",
    "CSeq of 2**32", "CSeq of 5000 digits", "CSeq below zero", "CSeq of other digits", "CSeq without number",
    "unknown method and CSeq of another", "no Request-URI", "brackets around nothing",
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_the_parser_refuses(name: str) -> None:
    again = mended(BAD[name][0])
    assert bool(again) == (name not in LEFT)
    if again:
        request = parse(again)
        assert isinstance(request, Request)
        assert (request.method, request.call_id, request.branch) == ("INVITE", "c1@192.0.2.1", "z9hG4bK1")
        assert request.uri.startswith("sip:+12025550101@example.net")
        assert request.body in (b"body", b"")


URIS = {
    "sip:911@192.0.2.1:port": "sip:911@192.0.2.1",
    "sip:911@": "sip:911@unknown.invalid",
    "sip:9 1 1@192.0.2.1": "sip:911@192.0.2.1",
    "911@192.0.2.1:5060": "sip:911@192.0.2.1:5060",
    "<sip:911@192.0.2.1;x=<1>>": "sip:911@192.0.2.1;x=%3C1",
    "sip:911@192.0.2.1?Priority=emergency": "sip:911@192.0.2.1",
    "sip:911%@192.0.2.1": "sip:911%25@192.0.2.1",
    "sip:911[@192.0.2.1": "sip:911%5B@192.0.2.1",
    "tel:911\xff": "tel:911%FF",
    "urn:service: sos": "urn:service:sos",
    "sip:": "",
}


@pytest.mark.parametrize(("uri", "meant"), URIS.items(), ids=URIS)
def test_request_uris(uri: str, meant: str) -> None:
    octets = INVITE.replace(b"sip:+12025550101@example.net SIP", uri.encode("latin-1") + b" SIP", 1)
    again = mended(octets)
    assert again.partition(b" SIP/2.0")[0] == (f"INVITE {meant}".encode() if meant else b"")


def outcome(octets: bytes) -> None:
    """Never raises; what comes out is read, but for faults that are no matter of form, and is not repaired any more."""
    again = mended(octets)
    if again:
        request = parse(again)
        assert isinstance(request, Request)
        assert len(request.lines) <= MAX_LINES
        assert parse(mended(again)).body == request.body


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_octets_break_it(octets: bytes) -> None:
    outcome(octets)


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 600), st.integers(0, 12), st.one_of(st.binary(max_size=6), st.sampled_from(MARKS))),
        max_size=6,
    )
)
def test_no_change_of_a_message_breaks_it(changes: list[tuple[int, int, bytes]]) -> None:
    octets = INVITE
    for at, length, new in changes:
        octets = octets[:at] + new + octets[at + length :]
    try:
        parse(octets)
    except MalformedMessage:
        outcome(octets)
