"""RFC 4475 and RFC 5118: every message, what is read of it or why it is refused."""

from __future__ import annotations

import pytest

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.message import Message, Request, Response
from sipguard.sip.parse import parse
from sipguard.sip.uri import split_outside
from tests.sip.torture import DROPPED, FORWARDED, TORTURE, VECTORS, WITHOUT_END, Expectation, octets

needs_vectors = pytest.mark.skipif(
    not (VECTORS / "rfc4475").is_dir(), reason=f"no vectors in {VECTORS}: set SIPGUARD_VECTORS"
)
PARSED = {name: each for name, each in TORTURE.items() if not each.parses}
REFUSED = {name: each for name, each in TORTURE.items() if each.parses}


def vias(message: Message) -> int:
    """Number of Via values, those on one line counted each."""
    return sum(len(split_outside(value, ",")) for value in message.values("via"))


@needs_vectors
def test_no_message_is_left_out() -> None:
    files = [path for rfc in ("rfc4475", "rfc5118") for path in (VECTORS / rfc).glob("*.dat")]
    assert set(TORTURE) == {f"{path.parent.name}/{path.stem}" for path in files}
    assert len(files) == 61


@needs_vectors
def test_only_the_named_files_lack_the_empty_line() -> None:
    found = {name: (VECTORS / f"{name}.dat").read_bytes() for name in TORTURE}
    assert {name for name, each in found.items() if b"\r\n\r\n" not in each} == WITHOUT_END


@pytest.mark.parametrize("name", TORTURE)
def test_every_expectation_cites_its_section_and_an_answer(name: str) -> None:
    expected = TORTURE[name]
    rfc = name.partition("/")[0].removeprefix("rfc")
    assert expected.section.startswith(f"RFC {rfc} §")
    assert expected.answer in (FORWARDED, DROPPED, 200, 400, 405, 416, 420, 481, 501, 505)
    assert not expected.parses or expected.answer in (expected.parses, DROPPED)


@needs_vectors
@pytest.mark.parametrize(("name", "expected"), PARSED.items(), ids=PARSED)
def test_well_formed(name: str, expected: Expectation) -> None:
    message = parse(octets(name))
    assert {field: getattr(message, field) for field in expected.fields} == expected.fields
    assert vias(message) == expected.vias
    assert len(message.body) == expected.body
    assert {key: message.value(key) for key in expected.headers} == expected.headers
    assert isinstance(message, Request if "method" in expected.fields else Response)


@needs_vectors
@pytest.mark.parametrize(("name", "expected"), REFUSED.items(), ids=REFUSED)
def test_refused(name: str, expected: Expectation) -> None:
    with pytest.raises(MalformedMessage) as caught:
        parse(octets(name))
    assert caught.value.status == expected.parses
    assert expected.why in caught.value.what
    broken = caught.value.message
    if expected.answer == DROPPED:
        assert isinstance(broken, Response)
    else:
        assert isinstance(broken, Request)
        assert broken.sent_by, "without a sent-by it could not be answered"
        assert broken.method


@needs_vectors
@pytest.mark.parametrize("name", TORTURE)
@pytest.mark.parametrize("keep", [0.25, 0.5, 0.9])
def test_a_truncated_message_does_not_break_the_parser(name: str, keep: float) -> None:
    found = octets(name)
    try:
        message = parse(found[: int(len(found) * keep)])
    except MalformedMessage as error:
        assert 400 <= error.status < 600
    else:
        assert message.body is not None
