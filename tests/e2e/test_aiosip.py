"""aiosip, a SIP stack of other authors, calls through sipguard.

It is of 2017 and unkept; three lines give it the Python that it knows. It rebuilds the Request-URI from To, sorts
headers, and its Call class acknowledges with the CSeq method INVITE: a malformed ACK.
"""

from __future__ import annotations

import asyncio
import collections
import collections.abc
import types
from typing import Any

import pytest

from tests.e2e.product import CALLER_HOST, Product, free_port, wait_for
from tests.standin import SDP, NextHop, body, header

collections.MutableMapping = collections.abc.MutableMapping  # type: ignore[attr-defined]
asyncio.coroutine = types.coroutine  # type: ignore[attr-defined]
aiosip: Any = pytest.importorskip("aiosip")
multidict: Any = pytest.importorskip("multidict")

pytestmark = pytest.mark.e2e

CALLER = "+12025550103"


async def dialog_to(product: Product, callee: str) -> Any:
    """An aiosip application, which must outlive its dialogs, and its dialog from CALLER to `callee`.

    It raises on repeats of responses that it has seen; the loop shall not print that.
    """
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    host, port = product.address()
    own = f"sip:{CALLER}@{CALLER_HOST}:{free_port(CALLER_HOST)}"
    application = aiosip.Application(loop=asyncio.get_running_loop())
    return application, await application.start_dialog(
        from_uri=own, to_uri=f"sip:{callee}@{host}:{port}", contact_uri=own
    )


def later(first: Any, final: Any) -> Any:
    """From and To of the dialog that `final` made."""
    return multidict.CIMultiDict({"From": first["From"], "To": final.headers["To"]})


async def test_a_call(product: Product, hop: NextHop) -> None:
    _application, dialog = await dialog_to(product, "+12025550133")
    headers = multidict.CIMultiDict()
    final = await asyncio.wait_for(
        dialog.send_message("INVITE", headers=headers, content_type="application/sdp", payload=SDP), 5
    )
    assert final.status_code == 200
    arrived = hop.invite_for("+12025550133")
    assert arrived is not None
    assert body(arrived[0]) == SDP
    assert header(arrived[0], "User-Agent").startswith("Python/")
    dialog.send_message("ACK", headers=later(headers, final))
    dialog.cseqs["BYE"] = 1  # its next one is 2: it counts by method
    ended = await asyncio.wait_for(dialog.send_message("BYE", headers=later(headers, final)), 5)
    assert ended.status_code == 200
    await asyncio.to_thread(lambda: wait_for(lambda: "BYE" in _methods(hop, arrived[0]), "a BYE at the next hop"))
    assert _methods(hop, arrived[0]) == ["INVITE", "ACK", "BYE"]


async def test_a_blocked_call(product: Product, hop: NextHop) -> None:
    _application, dialog = await dialog_to(product, "+12025550161")
    headers = multidict.CIMultiDict()
    final = await asyncio.wait_for(dialog.send_message("INVITE", headers=headers, payload=SDP), 5)
    assert final.status_code == 302
    assert hop.invite_for("+12025550161") is None


async def test_its_malformed_ack_is_none(product: Product, hop: NextHop) -> None:
    """The ACK is counted as malformed and dropped; the call stands and is ended by a proper BYE."""
    before = await asyncio.to_thread(product.metric, "sipguard_malformed_total")
    _application, dialog = await dialog_to(product, "+12025550134")
    call = await asyncio.wait_for(aiosip.call.Call.invite(dialog, sdp=SDP), 5)
    await asyncio.to_thread(
        lambda: wait_for(lambda: product.metric("sipguard_malformed_total") > before, "the ACK is counted")
    )
    arrived = hop.invite_for("+12025550134")
    assert arrived is not None
    assert "ACK" not in _methods(hop, arrived[0])
    dialog.cseqs["BYE"] = 1
    ended = multidict.CIMultiDict({name: call.original_headers[name] for name in ("From", "To")})
    assert (await asyncio.wait_for(dialog.send_message("BYE", headers=ended), 5)).status_code == 200


def _methods(hop: NextHop, invite: str) -> list[str]:
    """Methods of what arrived at the next hop with this INVITE's Call-ID."""
    wanted = header(invite, "Call-ID")
    return [text.partition(" ")[0] for text in hop.requests if header(text, "Call-ID") == wanted]
