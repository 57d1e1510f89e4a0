"""Secrets of the configuration: where they may lie, what is said of them, and that they are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from sipguard.settings.model import Shape
from sipguard.settings.problems import of_validation
from sipguard.settings.secret import DIRECTORY, flaws, place, read
from sipguard.settings.secretplaces import secrets_of
from sipguard.settings.values import SecretFile, SecretPlace


class Inner(Shape):
    """Something that needs a secret."""

    password: SecretFile | None = None
    keys: list[SecretFile] = Field(default_factory=list)


class Outer(Shape):
    """A map of them."""

    trunks: dict[str, Inner] = Field(default_factory=dict)
    key: SecretFile


def test_a_path_is_relative_to_the_configuration(tmp_path: Path) -> None:
    assert place(tmp_path, SecretPlace("secrets/a")) == tmp_path / "secrets" / "a"
    assert place(tmp_path, SecretPlace("/etc/sipguard/a")) == Path("/etc/sipguard/a")


def test_a_credential_is_given_by_systemd(tmp_path: Path) -> None:
    secret = SecretPlace("credential:trunk-a")
    assert place(tmp_path, secret, {DIRECTORY: "/run/credentials/x"}) == Path("/run/credentials/x/trunk-a")
    (flaw,) = flaws(tmp_path, secret, True, {})
    assert [level for _, _, level in flaws(tmp_path, secret, False, {})] == ["warning"]
    assert flaw[0] == "credential:trunk-a cannot be read: there is no $CREDENTIALS_DIRECTORY"
    assert "LoadCredential" in flaw[1]


@pytest.mark.parametrize("octets", [b"secret", b"secret\n", b"secret\r\n"])
def test_the_line_end_is_not_part_of_it(tmp_path: Path, octets: bytes) -> None:
    (tmp_path / "a").write_bytes(octets)
    assert read(tmp_path / "a").reveal() == b"secret"


@pytest.mark.parametrize(
    ("octets", "mode", "said"),
    [
        (b"x", 0o600, []),
        (b"x", 0o640, []),
        (b"x", 0o644, [("can be read by everybody on this machine", "warning")]),
        (b"\n", 0o600, [("is empty", "error")]),
        (None, 0, [("cannot be read: No such file or directory", "error")]),
    ],
    ids=["owner", "group", "all", "empty", "missing"],
)
def test_what_is_wrong_with_a_file(
    tmp_path: Path, octets: bytes | None, mode: int, said: list[tuple[str, str]]
) -> None:
    file = tmp_path / "a"
    if octets is not None:
        file.write_bytes(octets)
        file.chmod(mode)
    found = [(what, level) for what, _, level in flaws(tmp_path, SecretPlace("a"), True, {})]
    assert found == [(f"{file} {what}", level) for what, level in said]


def test_every_secret_of_a_configuration_is_found() -> None:
    config = Outer.model_validate({"trunks": {"a": {"password": "p"}, "b": {"keys": ["k", "l"]}, "c": {}}, "key": "m"})
    assert [(path, secret.written) for path, secret in secrets_of(config)] == [
        (("trunks", "a", "password"), "p"),
        (("trunks", "b", "keys", 0), "k"),
        (("trunks", "b", "keys", 1), "l"),
        (("key",), "m"),
    ]


@pytest.mark.parametrize(
    "written", ["-----BEGIN KEY-----\nMIIsecret", 40305020, "", "credential:", "credential:../secret", ["secret"]]
)
def test_a_wrong_one_is_not_shown(written: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"key": written})
    ((path, what, hint),) = of_validation(caught.value, Outer)
    assert path == ("key",)
    assert "secret" not in f"{what}{hint}".replace("must not hold the secret itself", "")
    assert "40305020" not in f"{what}{hint}"
    assert "credential:NAME" in hint
