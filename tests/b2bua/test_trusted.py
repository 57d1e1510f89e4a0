"""Another trust list or CRL while calls are up and waiting: whom it binds, and what the journal says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sipguard.b2bua import frames
from sipguard.b2bua.commands import Trust
from sipguard.screening.policy.model import OneOf, Rule
from sipguard.stir.certificate import NO_ANCHORS, Anchors
from sipguard.stir.revocation import Crl, read_crl
from tests.pki import Holder, Pki, crl, identity_value, passport, revoked
from tests.playbook import START_AT, Play, Playbook

X5U = "https://certs.example/709J.pem"
FETCH = f"fetch {X5U}"
FAILED = Rule("failed", OneOf("identity.result", ("failed",)), basis="contract")
PKI = Pki(now=datetime.fromtimestamp(START_AT, UTC))
STI_PA = PKI.administrator()
LEAF = PKI.leaf()
LISTED = Anchors([PKI.root.certificate])


def revoking(*holders: Holder) -> Crl:
    """A CRL that names these."""
    return read_crl(crl(STI_PA, revoked(*holders), issued=PKI.now), (STI_PA.certificate,), START_AT)


def call(book: Playbook) -> list[str]:
    """A signed call; what leaves because of it."""
    token = passport("12025550101", "12125550123", LEAF.key, X5U, iat=int(book.clock.unix))
    return book.a.invite(f"Identity: {identity_value(token, X5U)}")


def passes(book: Playbook) -> None:
    """A signed call is forwarded, and refused there."""
    assert call(book) == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()


def fails(book: Playbook) -> str:
    """A signed call is refused here; the reason."""
    assert call(book) == ["a 403 Forbidden"]
    book.a.ack()
    return str(book.of(frames.VerdictFrame)[-1].facts["identity.reason"])


@pytest.fixture
def book(play: Play) -> Playbook:
    """Calls are refused whose token fails; the certificate has been fetched."""
    book = play(FAILED, anchors=(PKI.root.pem,))
    call(book)
    assert book.fetched(LEAF.pem) == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()
    return book


def test_a_revoked_certificate_fails_from_the_next_call_on(book: Playbook) -> None:
    assert book.control(Trust(NO_ANCHORS, revoking(PKI.leaf()), version="crl 1")) == []
    passes(book)
    book.control(Trust(NO_ANCHORS, revoking(LEAF), version="crl 2", notes=("CRL 2 in force: 1 revoked",)))
    assert fails(book) == "certificate_revoked"
    notes = [(note.kind, note.text) for note in book.of(frames.NoteFrame)]
    assert notes == [("trust", "CRL 2 in force: 1 revoked")]
    book.reload(FAILED, anchors=(PKI.root.pem,))
    assert fails(book) == "certificate_revoked"
    book.control(Trust(NO_ANCHORS, None))
    passes(book)


def test_a_call_that_waits_for_its_certificate_meets_the_crl_of_then(play: Play) -> None:
    book = play(FAILED, anchors=(PKI.root.pem,))
    assert call(book) == [FETCH]
    book.control(Trust(NO_ANCHORS, revoking(LEAF), version="crl 2"))
    assert book.fetched(LEAF.pem) == ["a 403 Forbidden"]
    book.a.ack()


def test_a_list_is_trusted_beside_the_anchors_and_no_longer_than_it_stands(play: Play) -> None:
    book = play(FAILED)
    assert call(book) == [FETCH]
    assert book.fetched(LEAF.pem) == ["a 403 Forbidden"]
    book.a.ack()
    book.control(Trust(LISTED, None, version="list 1"))
    assert call(book) == [FETCH]  # what another list trusts may have been refused before
    assert book.fetched(LEAF.pem) == ["b INVITE"]
    book.b.reply("486 Busy Here")
    book.a.ack()
    book.reload(FAILED)
    passes(book)
    book.control(Trust(NO_ANCHORS, None, version="list 2"))
    assert fails(book) == "chain_untrusted"
