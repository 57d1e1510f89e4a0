"""An attended transfer through the running product: every message of it passes through."""

from __future__ import annotations

from urllib.parse import quote, unquote

import pytest

from tests.e2e.conftest import MakeProduct
from tests.e2e.product import CALLER_HOST, HOP_HOST, wait_for
from tests.standin import Caller, NextHop, header, uri_in

pytestmark = pytest.mark.e2e

CALLER, FIRST, SECOND = "+12025550101", "+12025550131", "+12025550132"


def tag(message: str, name: str) -> str:
    """The tag of From or To."""
    return header(message, name).partition(";tag=")[2]


def test_attended_transfer(make_product: MakeProduct, hop: NextHop) -> None:
    """RFC 5589 §7: A talks to B and to C and refers B to C; B's INVITE replaces C's dialog with A."""
    product = make_product(start=False)
    product.config["trunks"]["hop"] |= {"sources": [HOP_HOST], "route": "hop"}  # B sends a call of its own
    product.write()
    product.start()
    a, b = Caller(product.address(), CALLER_HOST), Caller(product.address("inner"), HOP_HOST)
    to_b, to_c = a.invite(CALLER, FIRST), a.invite(CALLER, SECOND)
    with_b, with_c = a.call(to_b, hang_up=False).final, a.call(to_c, hang_up=False).final
    found = hop.invite_for(SECOND)
    assert found is not None
    at_c = found[0]
    answer = next(each for each in hop.sent if each.startswith("SIP/2.0 200") and header(each, "Call-ID") in at_c)
    known = f"{header(at_c, 'Call-ID')};to-tag={tag(answer, 'To')};from-tag={tag(at_c, 'From')}"

    replaces = f"{header(to_c, 'Call-ID')};to-tag={tag(with_c, 'To')};from-tag={tag(to_c, 'From')}"
    refer = a.in_dialog(to_b, with_b, "REFER", 2)
    target = f"{uri_in(header(with_c, 'Contact'))}?Replaces={quote(replaces, safe='')}"
    assert a.ask(refer.replace("Content-Length", f"Refer-To: <{target}>\r\nContent-Length"))[8:11] == "200"
    refer_to = uri_in(header(next(each for each in hop.requests if each.startswith("REFER ")), "Refer-To"))
    uri, _, escaped = refer_to.partition("?Replaces=")
    assert unquote(escaped) == known
    host, port = product.address("inner")
    assert uri.endswith(f"@{host}:{port}")

    invite = b.invite("+12125550131", SECOND, uri=uri, extra=(f"Replaces: {unquote(escaped)}",))
    outcome = b.call(invite, hang_up=False)
    assert outcome.status == 200
    arrived = hop.invites[-1][0]
    assert header(arrived, "Replaces") == known
    assert arrived.split(" ")[1] == uri_in(header(answer, "Contact"))
    assert b.bye(invite, outcome.final) == 200
    assert a.bye(to_b, with_b, 3) == 200
    assert a.bye(to_c, with_c) == 200
    wait_for(lambda: [row["disposition"] for row in product.calls()] == ["answered"] * 3, "three calls are recorded")
    a.close()
    b.close()
