"""Base PASSporTs in compact form: header and claims are put together from the call (RFC 8224 §4.1, RFC 8225 §7)."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.verification.compact import rebuilt
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.result import WAITING, Result
from sipguard.screening.verification.settings import Settings
from sipguard.stir import identity
from sipguard.stir.certificate import Anchors, CertificateStore
from tests import pki
from tests.screening import build

AT = 1_760_000_000
NOW = float(AT)
DATE = "Thu, 09 Oct 2025 08:53:20 GMT"
URL = "https://certs.example/709J.pem"
PKI = pki.Pki(now=datetime.fromtimestamp(NOW, UTC))
LEAF = PKI.leaf()
RANGE = PKI.leaf(extensions=pki.leaf_extensions(pki.tnauthlist(ranges=[("13125550100", 100)])))
CALLED, CALLER, OTHER = "12125550123", "12025550100", "13125550199"


def value(
    orig: dict[str, str] | None = None,
    dest: dict[str, list[str]] | None = None,
    iat: int = AT,
    tail: str = f";info=<{URL}>",
    holder: pki.Holder = LEAF,
) -> str:
    """A token of compact form whose signer saw this call."""
    header = b'{"alg":"ES256","typ":"passport","x5u":"%s"}' % URL.encode()
    claims = {"dest": dest or {"tn": [CALLED]}, "iat": iat, "orig": orig or {"tn": CALLER}}
    signed = pki.sign(header, json.dumps(claims, separators=(",", ":")).encode(), holder.key)
    return f"..{signed.rpartition('.')[2]}{tail}"


def call(*values: str, date: str = DATE, pai: Sequence[str] = (), **more: str) -> CallAttempt:
    """The attempt with these values."""
    made = build.attempt(identity=values, pai=pai, received_at=NOW, **more)  # type: ignore[arg-type]
    made.date = date
    return made


def came_to(attempt: CallAttempt, holder: pki.Holder = LEAF) -> Result:
    """The only value."""
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    certificates.put(URL, holder.pem, 0.0, NOW)
    (result,) = evaluate(attempt, Settings(), certificates)
    return result


ALICE = "sip:alice@example.com"
PASSES: dict[str, tuple[CallAttempt, str]] = {
    "as it stands": (call(value()), "from"),
    "alg says so": (call(value(tail=f";alg=ES256;info=<{URL}>")), "from"),
    "From of 10 digits": (call(value(), shown="<sip:2025550100@example.com>;tag=1"), "from"),
    "Request-URI is another": (call(value(), uri="sip:+13125550198@gw.example", to="<tel:+12125550123>"), "from"),
    "PAI is asserted": (call(value({"tn": OTHER}), pai=[f"<tel:+{OTHER}>"]), "pai"),
    "PAI holds two": (call(value({"tn": OTHER}), pai=[f"<tel:+13125550111>, <sip:+{OTHER}@example.com>"]), "pai"),
    "From wins over PAI": (call(value(), pai=[f"<tel:+{OTHER}>"]), "from"),
    "caller withheld": (
        call(
            value({"tn": OTHER}), shown="<sip:anonymous@anonymous.invalid>;tag=1", pai=[f"<tel:+{OTHER}>"]
        ),
        "pai",
    ),
    "URIs": (
        call(
            value({"uri": "sip:bob@example.org"}, {"uri": [ALICE]}),
            shown="Bob <sip:Bob@example.org:5070;x=y>;tag=1",
            to="<sip:alice@EXAMPLE.com>",
            uri=ALICE,
        ),
        "from",
    ),
    "PAI a URI": (call(value({"uri": "sip:bob@example.org"}), pai=["<sip:bob@example.org>"]), "pai"),
    "an emergency number": (call(value(dest={"tn": ["911"]}), uri="sip:911@gw.example"), "from"),
}  # fmt: skip


@pytest.mark.parametrize(("attempt", "source"), PASSES.values(), ids=PASSES)
def test_it_passes_for_the_caller_that_its_signer_saw(attempt: CallAttempt, source: str) -> None:
    result = came_to(attempt)
    assert (result.reason, result.source, result.deviations) == ("passed", source, ())
    assert result.signature_ok is True


def test_of_several_dates_the_first_counts_and_that_is_told() -> None:
    attempt = call(value())
    attempt.dates_differ = True
    result = came_to(attempt)
    assert (result.reason, result.deviations) == ("passed", ("date_repeated",))


FAILS: dict[str, tuple[CallAttempt, str, int]] = {
    "From was changed": (call(value(), shown=f"<sip:+{OTHER}@example.com>;tag=1"), "signature", 438),
    "To was changed": (call(value(), to=f"<sip:+{OTHER}@example.com>"), "signature", 438),
    "Date was changed": (call(value(iat=AT - 1)), "signature", 438),
    "Date is missing": (call(value(), date=""), "date_missing", 438),
    "Date is no date": (call(value(), date="yesterday"), "date_missing", 438),
    "Date is old": (call(value(iat=AT - 61), date="Thu, 09 Oct 2025 08:52:19 GMT"), "iat_expired", 403),
    "Date lies ahead": (call(value(iat=AT + 6), date="Thu, 09 Oct 2025 08:53:26 GMT"), "iat_future", 403),
    "nobody calls": (call(value(), shown="<sip:anonymous@anonymous.invalid>;tag=1"), "orig_mismatch", 438),
    "of type shaken": (call(value(tail=f";info=<{URL}>;ppt=shaken")), "compact_not_allowed", 438),
    "of type div": (call(value(tail=f';info=<{URL}>;ppt="div"')), "compact_not_allowed", 438),
    "of another algorithm": (call(value(tail=f";info=<{URL}>;alg=RS256")), "unsupported_alg", 437),
    "info nobody may fetch": (call(value(tail=";info=<http://certs.example/a>")), "x5u_refused", 436),
    "no text that JSON can hold": (call(value(), shown="<sip:b\udcff@x.example>;tag=1"), "claims_malformed", 438),
    "half a signature": (call(f"..AAAA;info=<{URL}>"), "signature_malformed", 438),
}


@pytest.mark.parametrize(("attempt", "reason", "status"), FAILS.values(), ids=FAILS)
def test_what_is_missing_or_was_changed_is_told(attempt: CallAttempt, reason: str, status: int) -> None:
    result = came_to(attempt)
    assert (result.outcome, result.reason, result.status) == ("failed", reason, status)


def test_one_of_a_type_that_is_not_verified_is_no_failure() -> None:
    result = came_to(call(value(tail=f";info=<{URL}>;ppt=x-other")))
    assert (result.outcome, result.reason, result.status) == ("unsupported", "unsupported_ppt", 428)


def test_its_certificate_is_waited_for_only_where_a_date_says_that_it_may_pass() -> None:
    assert evaluate(call(value()), Settings(), CertificateStore())[0].outcome == WAITING
    assert evaluate(call(value(), date=""), Settings(), CertificateStore())[0].reason == "date_missing"


def test_the_signer_must_have_authority_over_the_caller_that_it_saw() -> None:
    """A certificate for some numbers: not From, which is tried first, but P-Asserted-Identity."""
    signed = value({"tn": OTHER}, holder=RANGE)
    assert came_to(call(signed, pai=[f"<tel:+{OTHER}>"]), RANGE).source == "pai"
    assert came_to(call(value(holder=RANGE)), RANGE).reason == "out_of_scope"


def test_it_may_stand_beside_others() -> None:
    certificates = CertificateStore(Anchors([PKI.root.certificate]))
    certificates.put(URL, LEAF.pem, 0.0, NOW)
    results = evaluate(call("garbage", value(), value(iat=AT - 1)), Settings(), certificates)
    assert [one.reason for one in results] == ["info_missing", "passed", "signature"]


REQUEST = {
    "uri": "sip:alice@example.com",
    "to": "Alice <sip:alice@example.com>",
    "shown": "Bob <sip:12155551212@example.com;user=phone>;tag=1928301774",
    "date": "Fri, 25 Sep 2015 19:12:25 GMT",
}
PRINTED = (
    "..rq3pjT1hoRwakEGjHCnWSwUnshd0-zJ6F1VOgFWSjHBr8Qjpjlk-cpFYpFYsojNCpTzO3QfPOlckGaS6hEck7w; "
    "info=<https://cert.example.org/passport.cer>"
)


def test_the_example_of_rfc_8224_is_put_together_as_printed(vectors: Path) -> None:
    """§5. The signature that is printed there was made with `iat` in quotes, as in drafts (compare RFC 8225 §7.1)."""
    (built,) = rebuilt(identity.read(PRINTED), call(PRINTED, **REQUEST))
    header, claims = (urlsafe_b64decode(part + b"==") for part in built.signing_input.split(b"."))
    assert header == b'{"alg":"ES256","typ":"passport","x5u":"https://cert.example.org/passport.cer"}'
    assert claims == b'{"dest":{"uri":["sip:alice@example.com"]},"iat":1443208345,"orig":{"tn":"12155551212"}}'
    examples = json.loads((vectors / "passport" / "examples.json").read_text())
    (example,) = [one for one in examples if "public_key_pem" in one]
    key = load_pem_public_key(example["public_key_pem"].encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    r, s = (int.from_bytes(half, "big") for half in (built.signature[:32], built.signature[32:]))
    drafted = claims.replace(b"1443208345", b'"1443208345"')
    signed = f"{pki.b64url(header)}.{pki.b64url(drafted)}".encode()
    key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
