"""Tokens and certificates of others. Their names and numbers stay out of these files and of their output."""

import json
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sipguard.stir import identity, passport
from sipguard.stir.certificate import Anchors, Credential, read_chain, validate
from sipguard.stir.errors import InvalidIdentity, StirError

LONG_AGO = 4e9  # the end of validity where a vector has a key and no certificate


@pytest.fixture(scope="module")
def examples(vectors: Path) -> list[dict[str, Any]]:
    """The tokens of examples.json."""
    return cast(list[dict[str, Any]], json.loads((vectors / "passport" / "examples.json").read_text()))


def test_the_token_of_rfc_8225_appendix_a_verifies_with_its_key(examples: list[dict[str, Any]]) -> None:
    (example,) = [one for one in examples if "public_key_pem" in one]
    read = passport.read(example["token"])
    assert (read.ppt, read.iat, read.dest_tns) == ("", 1443208345, ())
    assert read.dest_uris == ("sip:alice@example.com",)
    assert read.deviations == ("iat_string",)
    key = load_pem_public_key(example["public_key_pem"].encode())
    signer = cast(Credential, SimpleNamespace(key=key, not_before_at=0.0, not_after_at=LONG_AGO))
    passport.verify(read, signer, 1443208345.0)
    broken = passport.read(example["token"][:-3] + "AAw")
    with pytest.raises(InvalidIdentity, match="signature"):
        passport.verify(broken, signer, 1443208345.0)


def test_a_shaken_token_of_a_draft_is_read(examples: list[dict[str, Any]]) -> None:
    (example,) = [one for one in examples if "VESPER" in one["name"]]
    read = passport.read(example["token"])
    assert (read.ppt, read.attest, read.iat, len(read.origid), read.deviations) == (
        "shaken",
        "A",
        1584983402,
        36,
        (),
    )


def test_a_div_value_with_quoted_ppt_is_read(examples: list[dict[str, Any]]) -> None:
    (example,) = [one for one in examples if "identity" in one]
    header = identity.read(example["identity"])
    assert (header.ppt, header.alg, header.token) == ("div", "ES256", example["token"])
    read = passport.read(header.token)
    passport.require_agreement(header, read)
    assert (read.ppt, len(read.div_tn)) == ("div", 12)


def printed(text: str, nth: int) -> str:
    """The token, or the Identity value, that begins in the `nth` line with `eyJ` of an RFC's text."""
    lines = text.splitlines()
    at = [n for n, line in enumerate(lines) if "eyJ" in line][nth]
    taken: list[str] = []
    for line in lines[at:]:
        if not line.strip() or line.startswith("   Content-Length"):
            break
        taken.append(line.strip().rstrip("\\").strip())
    return "".join(taken).removeprefix("Identity:").strip()


# RFC, which line with a token -> type, deviations; or the reason why it is refused
PRINTED: dict[str, tuple[int, int, str, tuple[str, ...] | str]] = {
    "RFC 8224 §4.1.1": (8224, 0, "", ("iat_string",)),
    "RFC 8225 §7": (8225, 0, "", ("iat_string",)),
    "RFC 8225 appendix A": (8225, 5, "", ()),
    "RFC 8688 §4.1": (8688, 0, "shaken", ("json_form", "dest_string", "iat_string", "origid_form", "tn_plus")),
    "RFC 8946 §3": (8946, 0, "div", ()),
    "RFC 8946 §4.2": (8946, 2, "div", ()),
    "RFC 8946 §5, div-o": (8946, 6, "", "unsupported_ppt"),
    "RFC 8443 §4.1, its claims are no JSON": (8443, 0, "", "claims_malformed"),
}


@pytest.mark.parametrize(("rfc", "nth", "ppt", "said"), PRINTED.values(), ids=PRINTED)
def test_the_tokens_that_rfcs_print_are_read_with_their_deviations(
    vectors: Path, rfc: int, nth: int, ppt: str, said: tuple[str, ...] | str
) -> None:
    file = vectors.parent / "rfc" / f"rfc{rfc}.txt"
    if not file.is_file():
        pytest.skip(f"no {file}: the texts of RFCs stand beside the vectors")
    token = printed(file.read_text(), nth).partition(";")[0]
    if isinstance(said, str):
        with pytest.raises(StirError) as raised:
            passport.read(token)
        assert raised.value.reason == said
        return
    read = passport.read(token)
    assert (read.ppt, read.deviations) == (ppt, said)
    assert read.orig_tn and (read.dest_tns or read.dest_uris)


@pytest.fixture(scope="module")
def authorities(vectors: Path) -> Anchors:
    """All CA certificates seen in the field, as if all were trusted."""
    files = sorted((vectors / "shaken-certificates" / "authorities").glob("*.pem"))
    assert len(files) == 49
    return Anchors.read(file.read_bytes() for file in files)


def test_authorities_are_read(authorities: Anchors) -> None:
    assert len(authorities) == 49


def test_all_leaves_are_valid_in_the_middle_of_their_time(vectors: Path, authorities: Anchors) -> None:
    """One of 300 has an SPC without its tag, and is read all the same."""
    files = sorted((vectors / "shaken-certificates" / "leaves").glob("*.pem"))
    assert len(files) == 300
    found = []
    for file in files:
        chain = read_chain(file.read_bytes())
        opens, closes = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
        found.append(validate(chain, authorities, (opens.timestamp() + closes.timestamp()) / 2))
    warnings = Counter(warning for one in found for warning in one.warnings)
    assert {len(one.spc) for one in found} == {1}
    assert not any(one.delegate or one.constraints for one in found)
    assert warnings == {
        "crl_issuer_missing": 78,
        "crl_missing": 1,
        "extension_unexpected": 5,
        "key_usage": 1,
        "spc_format": 3,
        "spc_untagged": 1,
        "subject_name": 62,
        "tnauthlist_string": 1,
    }
