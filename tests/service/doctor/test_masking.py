"""What leaves for support holds no secret and no whole number, however they are written."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from sipguard.service.doctor.masking import HIDDEN, SECRET_KEY, mask, mask_labels, mask_values
from sipguard.settings.model import Config
from sipguard.settings.values import SecretPlace


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("from +12025550121 to 2025550131", "from +120xxxxxxxx to 202xxxxxxx"),
        ("(202) 555-0121", "(202) xxx-xxxx"),
        ("1-202-555-0121", "1-20x-xxx-xxxx"),
        ("202.555.0121", "202.xxx.xxxx"),
        ("sip:12025550121@192.0.2.28:5060", "sip:120xxxxxxxx@192.0.2.28:5060"),
        ("192.0.2.28", "192.0.2.28"),
        ("198.51.100.16/28", "198.51.100.16/28"),
        ("2001:db8::1234:5678", "2001:db8::1234:5678"),
        ("2026-11-26T05:00:07Z", "2026-11-26T05:00:07Z"),
        ("911 and 5551234", "911 and 555xxxx"),
        ("300 calls of 54000", "300 calls of 54000"),
        ("https://user:hunter2@host/x", f"https://{HIDDEN}@host/x"),
        ("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\nend", f"{HIDDEN}\nend"),
        ("-----BEGIN EC PRIVATE KEY-----\nMIGH", HIDDEN),
        ("Identity: eyJhbGciOiJFUzI1NiJ9.eyJkZXN0Ijp7fX0.c2lnbmF0dXJl;info=<https://a>", f"Identity: {HIDDEN};info=<https://a>"),
    ],
)  # fmt: skip
def test_texts(text: str, masked: str) -> None:
    assert mask(text) == masked


def test_secrets_wherever_they_stand() -> None:
    assert mask("digest failed for hunter2hunter2, not hunter2", [b"hunter2", b"hunter2hunter2"]) == (
        f"digest failed for {HIDDEN}, not {HIDDEN}"
    )
    assert mask("geheim: schl\u00fcssel", ["schl\u00fcssel".encode()]) == f"geheim: {HIDDEN}"


def test_values() -> None:
    values = {
        "lists": {"vip": {"members": ["+12025550199", 12025550198]}},
        "hep": {"password": "hunter2", "port": 9060},
        "credentials": [{"user": "a", "secret": 12345}],
        "tls": {"key": "tls/key.pem", "certificate": "tls/cert.pem"},
        "mode": True,
    }
    assert mask_values(values) == {
        "lists": {"vip": {"members": ["+120xxxxxxxx", "120xxxxxxxx"]}},
        "hep": {"password": HIDDEN, "port": 9060},
        "credentials": [{"user": "a", "secret": HIDDEN}],
        "tls": {"key": HIDDEN, "certificate": "tls/cert.pem"},
        "mode": True,
    }


def test_metrics_keep_their_counts() -> None:
    text = 'sipguard_memory_bytes{process="worker-0"} 123456789.0\nx{peer="+12025550121"} 1.0\n'
    assert mask_labels(text) == 'sipguard_memory_bytes{process="worker-0"} 123456789.0\nx{peer="+120xxxxxxxx"} 1.0\n'


def secret_keys(shape: Any, name: str = "") -> Iterator[str]:
    """Names of the keys of the configuration that hold places of secrets."""
    if shape is SecretPlace:
        yield name
    elif isinstance(shape, type) and issubclass(shape, BaseModel):
        for key, field in shape.model_fields.items():
            yield from secret_keys(field.annotation, key)
    else:
        for inner in typing.get_args(shape):
            yield from secret_keys(inner, name)


def test_every_key_of_a_secret_is_known_by_its_name() -> None:
    names = set(secret_keys(Config))
    assert {"password", "key"} <= names
    assert all(SECRET_KEY.search(name) for name in names)
