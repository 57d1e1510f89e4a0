"""A secret shows itself nowhere, and can be sent to another process."""

from __future__ import annotations

import pickle

from sipguard.sip.secret import Secret


def test_it_is_only_given_by_name() -> None:
    secret = Secret(b"open sesame")
    assert secret.reveal() == b"open sesame"
    assert "sesame" not in f"{secret} {secret!r} {[secret]} {{'key': {secret}}}"


def test_it_can_be_sent_and_compared() -> None:
    secret = Secret(b"open sesame")
    sent = pickle.loads(pickle.dumps(secret))
    assert sent == secret
    assert hash(sent) == hash(secret)
    assert sent != Secret(b"other")
    assert sent != b"open sesame"
