"""What Identity values must come to, a row each: on the wire and in the record. After RFC 8224, RFC 8225 and RFC 8588.

Enters: nothing; signers make the values of a row when it is run. Leaves: the tables REFUSED, PASSING and ABOVE.
Must not: run anything. Forms that others write are made anew with our own keys, after their documents and reports.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

from tests.e2e.signers import CALLER, Signers, ago, diverted, other, rogue_key, sent_on
from tests.pki import sign

ANOTHER: Final = "13125550199"
FIRST: Final = "13125550161"
SECOND: Final = "13125550162"
THIRD: Final = "13125550163"
URN: Final = "urn:service:sos"
Make = Callable[[Signers, str], str | list[str]]


@dataclass(frozen=True)
class Row:
    """One call. `make` gives its Identity values, `status` and `reason` what they come to (0 and passed: one holds).

    `who`, `called`, `uri` are templates of From, To and Request-URI; `{callee}` is 11 digits, `{at}` where it is sent.
    A line date:SECONDS in `more` is a Date so far from now.
    """

    make: Make | None
    status: int = 0
    reason: str | None = "passed"  # "" where verification is not asked, None where it may be
    who: str = f"<sip:+{CALLER}@192.0.2.7>"
    called: str = "<sip:+{callee}@{at}>"
    uri: str = "sip:+{callee}@{at}"
    name: str = "Identity"
    more: tuple[str, ...] = ()
    source: str = "from"
    deviations: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    told: tuple[int, ...] | None = None  # causes of the Reason headers; one with `status` unless said otherwise
    callee: str = ""  # a number of its own where it is left out
    record: dict[str, Any] = field(default_factory=dict)
    trunk: str = ""  # by which the call comes, where its table does not say
    arrives: tuple[str, ...] = ()  # what header lines of the forwarded INVITE begin with


def token(**knobs: Any) -> Make:
    """A value with these knobs of `Signers.value`."""
    return lambda signers, callee: signers.value(callee, **knobs)


def by(certificate: str, **knobs: Any) -> Make:
    """A value signed by the key of this certificate, which its x5u names."""
    return lambda signers, callee: signers.value(callee, certificate, **knobs)


def claims(**extra: Any) -> Make:
    """A value with these claims instead; None leaves one out."""
    return token(extra=extra)


def head(**members: Any) -> Make:
    """A value whose token has these members in its header instead."""
    return token(header=members)


def tail(text: str, **knobs: Any) -> Make:
    """A value with these parameters behind its token; `{x5u}` is what the token says."""
    return token(tail=text, **knobs)


def priority(*values: str, sph: str | None = None, dest_uri: str = "", **knobs: Any) -> Make:
    """A token of type `rph` that signs these values of Resource-Priority, and `sph`; for a URI or the called number."""
    claims = {"rph": {"auth": list(values)}, "sph": sph, **({"dest": {"uri": [dest_uri]}} if dest_uri else {})}
    return lambda signers, callee: other(signers, "rph", callee, claims, **knobs)


def named(nam: str, crn: str | None = None, **knobs: Any) -> Make:
    """A token of type `rcd` (RFC 9795)."""
    return lambda signers, callee: other(signers, "rcd", callee, {"rcd": {"nam": nam}, "crn": crn}, **knobs)


def chain(hops: int) -> Make:
    """A token for another number, and so many `div` tokens that lead from there to the called one."""
    stops = [f"1312555{n:04d}" for n in range(160, 160 + hops)]
    return lambda signers, callee: diverted(signers, *stops, callee)


def text(value: str) -> Make:
    """Just that."""
    return lambda signers, callee: value


def raw(change: Callable[[str], str]) -> Make:
    """A good value, changed as a text."""
    return lambda signers, callee: change(signers.value(callee))


def several(*makes: Make) -> Make:
    """A header for each."""

    def made(signers: Signers, callee: str) -> list[str]:
        return [str(make(signers, callee)) for make in makes]

    return made


def octets(header: bytes | None = None, payload: bytes | None = None) -> Make:
    """A token signed over exactly these octets; `@` stands for the called number, `!` for x5u, `~` for the time."""

    def made(signers: Signers, callee: str) -> str:
        x5u = signers.x5u()
        chosen = b'{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"!"}' if header is None else header
        said = PAYLOAD if payload is None else payload
        said = said.replace(b"@", callee.encode()).replace(b"~", str(int(time.time())).encode())
        signed = sign(chosen.replace(b"!", x5u.encode()), said, signers.leaf.key)
        return f"{signed};info=<{x5u}>;alg=ES256;ppt=shaken"

    return made


PAYLOAD: Final = b'{"attest":"A","dest":{"tn":["@"]},"iat":~,"orig":{"tn":"12025550101"},"origid":"o-1"}'
BIG: Final = "8" * 5000
GARBAGE: Final = "%$&/()=?!~" * 800  # 8 KB
SIPPED: Final = f"<sip:{CALLER[1:]}@192.0.2.7;user=phone>"


class Dated(str):
    """A value that is sent with this Date."""

    date = ""


def base(age_s: int = 0) -> Make:
    """A base token of compact form; it is signed for a Date so much older than the one that is sent."""

    def made(signers: Signers, callee: str) -> str:
        now = int(time.time())
        bare = {"attest": None, "origid": None}
        whole = signers.token(callee, iat=now - age_s, header={"ppt": None}, extra=bare)
        value = Dated(f"..{whole.rpartition('.')[2]};info=<{signers.x5u()}>;alg=ES256")
        value.date = formatdate(now, usegmt=True)
        return value

    return made


def _compact(signers: Signers, callee: str) -> str:
    return ".." + signers.value(callee).split(".", 2)[2]


def _tampered_signature(value: str) -> str:
    before, _, rest = value.partition(";")
    at = len(before) - 40
    return f"{before[:at]}{'A' if before[at] != 'A' else 'B'}{before[at + 1 :]};{rest}"


def _stolen(signers: Signers, callee: str) -> str:
    return signers.value(ANOTHER)


def _circle(signers: Signers, callee: str) -> list[str]:
    """Who sent the call on last says that it came from one who had it from him."""
    links = [(FIRST, callee), (SECOND, FIRST), (FIRST, SECOND)]
    return [signers.value(THIRD), *(sent_on(signers, diverting, target) for diverting, target in links)]


def _short(code: str) -> dict[str, str]:
    """Templates of To and Request-URI for a short code, which has no +."""
    return {"called": f"<sip:{code}@{{at}}>", "uri": f"sip:{code}@{{at}}"}


# ------------------------------------------------------------------------------------------ refused

REFUSED: Final[dict[str, Row]] = {
    # --- nothing to go by
    "no identity": Row(None, 428, "identity_missing", told=()),
    "only a type that is not verified": Row(
        token(ppt="x-unknown", tail=";info=<{x5u}>;alg=ES256;ppt=x-unknown"), 428, "unsupported_ppt", told=()
    ),
    "ppt is empty": Row(token(ppt=""), 438, "ppt_mismatch"),
    "ppt is garbage": Row(token(ppt="%&$", tail=";info=<{x5u}>;alg=ES256"), 428, "unsupported_ppt", told=()),
    # --- the header
    "garbage": Row(text("garbage"), 438, "info_missing"),
    "8 KB of garbage": Row(text(GARBAGE[:8000]), 438, "info_missing"),
    "more than 8 KiB": Row(text("e" * 8300), 438, "identity_too_large"),
    "semicolons": Row(text(";;;"), 438, "info_missing"),
    "parameters only": Row(text(";info=<https://certs.example/1.pem>;alg=ES256"), 438, "token_malformed"),
    "an open quote": Row(raw(lambda value: value[:-1]), 438, "identity_syntax"),
    "info twice": Row(tail(";info=<{x5u}>;info=<{x5u}>"), 438, "identity_syntax"),
    "info is missing": Row(tail(";alg=ES256;ppt=shaken"), 438, "info_missing"),
    "info is empty": Row(tail(";info=<>;alg=ES256;ppt=shaken"), 438, "info_mismatch"),
    "info without brackets": Row(tail(";info={x5u};alg=ES256;ppt=shaken"), 438, "identity_syntax"),
    "info is garbage": Row(tail(";info=<%$&>;alg=ES256;ppt=shaken"), 438, "info_mismatch"),
    "info is another than x5u": Row(tail(";info=<https://certs.example/1.pem>;ppt=shaken"), 438, "info_mismatch"),
    "alg is another than in the token": Row(tail(";info=<{x5u}>;alg=RS256;ppt=shaken"), 438, "alg_mismatch"),
    "alg is garbage": Row(tail(";info=<{x5u}>;alg=(%);ppt=shaken"), 438, "identity_syntax"),
    "ppt is another than in the token": Row(tail(";info=<{x5u}>;ppt=div"), 438, "ppt_mismatch"),
    # --- the token
    "compact form of shaken": Row(_compact, 438, "compact_not_allowed"),
    "compact form without Date": Row(lambda signers, callee: f"{base()(signers, callee)}", 438, "date_missing"),
    "compact form, Date was changed": Row(base(age_s=5), 438, "signature", facts={"identity.date_differs": False}),
    "compact form of another caller": Row(base(), 438, "signature", who=f"<sip:+{ANOTHER}@192.0.2.7>"),
    "two parts": Row(text("YQ.YQ;info=<https://certs.example/1.pem>"), 438, "token_malformed"),
    "four parts": Row(raw(lambda value: value.replace(";info", ".YQ;info")), 438, "token_malformed"),
    "no base64url": Row(raw(lambda value: f"!{value[1:]}"), 438, "token_malformed"),
    "padded": Row(raw(lambda value: value.replace(".", "=.", 1)), 438, "token_malformed"),
    "signature is missing": Row(raw(lambda value: value.split(".", 2)[0] + ".YQ." + value[value.index(";") :]), 438,
                                "signature_malformed"),
    "signature is short": Row(raw(lambda value: value.replace(";info", "x;info")), 438, "signature_malformed"),
    "header is no JSON": Row(octets(header=b"not json"), 438, "header_malformed"),
    "header is an array": Row(octets(header=b"[]"), 438, "header_malformed"),
    "header has crit": Row(head(crit=["b64"]), 438, "crit_unsupported"),
    "header is too large": Row(head(x=BIG[:2100]), 438, "header_too_large"),
    "payload is no JSON": Row(octets(payload=b"not json"), 438, "claims_malformed"),
    "payload is empty": Row(octets(payload=b""), 438, "claims_malformed"),
    "payload is an array": Row(octets(payload=b"[1]"), 438, "claims_malformed"),
    "payload is an empty object": Row(octets(payload=b"{}"), 438, "claims_malformed"),
    "payload nests deeply": Row(claims(x=[[[[[[[[1]]]]]]]]), 438, "json_too_deep"),
    "payload is too large": Row(claims(x=BIG + BIG[:2000]), 438, "identity_too_large"),
    "alg none": Row(head(alg="none"), 437, "unsupported_alg"),
    "alg of a shared secret": Row(head(alg="HS256"), 437, "unsupported_alg"),
    "alg of another curve": Row(head(alg="ES384"), 437, "unsupported_alg"),
    "tampered claims": Row(token(tamper=True), 438, "signature"),
    "tampered signature": Row(raw(_tampered_signature), 438, "signature"),
    "signed by a key of nobody": Row(
        lambda signers, callee: signers.value(callee, key=rogue_key()), 438, "signature"
    ),
    # --- iat
    "iat is zero": Row(token(iat=0), 403, "iat_expired"),
    "iat is missing": Row(claims(iat=None), 438, "iat_invalid"),
    "iat is past": Row(lambda signers, callee: signers.value(callee, iat=ago(120)), 403, "iat_expired"),
    "iat is ahead": Row(lambda signers, callee: signers.value(callee, iat=ago(-60)), 403, "iat_future"),
    "iat is far ahead": Row(token(iat=1 << 33), 403, "iat_future"),
    "iat is garbage": Row(token(iat="now"), 438, "iat_invalid"),
    "iat is negative": Row(token(iat=-5), 438, "iat_invalid"),
    "iat is a fraction": Row(token(iat=1.5), 438, "iat_invalid"),
    "iat is true": Row(token(iat=True), 438, "iat_invalid"),
    "iat is beyond all years": Row(token(iat=1 << 62), 438, "iat_invalid"),
    "iat is past, Date is now": Row(
        lambda signers, callee: signers.value(callee, iat=ago(120)), 403, "iat_expired", more=("date:0",)
    ),
    # --- the caller and the called
    "orig is missing": Row(claims(orig=None), 438, "claims_malformed"),
    "orig is empty": Row(claims(orig={}), 438, "orig_malformed"),
    "orig.tn is empty": Row(claims(orig={"tn": ""}), 438, "orig_malformed"),
    "orig has tn and uri": Row(claims(orig={"tn": CALLER, "uri": "sip:a@b.example"}), 438, "orig_malformed"),
    "orig is an array": Row(claims(orig={"tn": [CALLER]}), 438, "claims_malformed"),
    "orig is a number": Row(claims(orig={"tn": int(CALLER)}), 438, "claims_malformed"),
    "orig is another": Row(token(orig=ANOTHER), 438, "orig_mismatch"),
    "orig is garbage": Row(claims(orig={"tn": BIG}), 438, "tn_too_long"),
    "dest is missing": Row(claims(dest=None), 438, "claims_malformed"),
    "dest is empty": Row(claims(dest={}), 438, "dest_malformed"),
    "dest.tn is empty": Row(claims(dest={"tn": []}), 438, "dest_malformed"),
    "dest is a number": Row(claims(dest={"tn": 1}), 438, "claims_malformed"),
    "dest is garbage": Row(claims(dest={"tn": [BIG]}), 438, "tn_too_long"),
    "token of another call": Row(_stolen, 438, "dest_mismatch"),
    "neither From nor P-Asserted-Identity": Row(
        token(), 438, "orig_mismatch", who=f"<sip:+{ANOTHER}@192.0.2.7>",
        more=(f"P-Asserted-Identity: <sip:+{ANOTHER}@192.0.2.7>",),
    ),
    "anonymous without P-Asserted-Identity": Row(
        token(), 438, "orig_mismatch", who='"Anonymous" <sip:anonymous@anonymous.invalid>', more=("Privacy: id",)
    ),
    # --- attestation
    "attest is missing": Row(claims(attest=None), 438, "attest_invalid"),
    "attest is empty": Row(token(attest=""), 438, "attest_invalid"),
    "attest is D": Row(token(attest="D"), 438, "attest_invalid"),
    "attest is small": Row(token(attest="a"), 438, "attest_invalid"),
    "attest is garbage": Row(token(attest="%$&/" * 50), 438, "attest_invalid"),
    "attest is no text": Row(claims(attest=1), 438, "claims_malformed"),
    "origid is too long": Row(token(origid="o" * 200), 438, "origid_invalid"),
    # --- where the certificate lies
    "x5u is missing": Row(head(x5u=None), 438, "x5u_missing"),
    "x5u is empty": Row(head(x5u=""), 438, "x5u_missing"),
    "x5u is garbage": Row(by("%$&://"), 436, "x5u_refused"),
    "x5u is http": Row(by("http://certs.example/709J.pem"), 436, "x5u_refused"),
    "x5u is ftp": Row(by("ftp://certs.example/709J.pem"), 436, "x5u_refused"),
    "x5u is a file": Row(by("file:///etc/passwd"), 436, "x5u_refused"),
    "x5u has another port": Row(by("https://certs.example:444/709J.pem"), 436, "x5u_refused"),
    "x5u has a user": Row(by("https://user@certs.example/709J.pem"), 436, "x5u_refused"),
    "x5u has a query": Row(by("https://certs.example/709J.pem?a=b"), 436, "x5u_refused"),
    "x5u has a fragment": Row(by("https://certs.example/709J.pem#a"), 436, "x5u_refused"),
    "x5u is long": Row(by(f"https://certs.example/{'p' * 600}.pem"), 436, "x5u_refused"),
    "x5u leads inside": Row(by("https://10.1.2.3/709J.pem"), 436, "x5u_address_refused"),
    "x5u leads to the cloud's own": Row(by("https://169.254.169.254/latest"), 436, "x5u_address_refused"),
    "x5u leads to this machine by IPv6": Row(by("https://[::1]/709J.pem"), 436, "x5u_address_refused"),
    "x5u leads inside by a mapped address": Row(by("https://[::ffff:10.1.2.3]/1.pem"), 436, "x5u_address_refused"),
    "no such file": Row(by("nothing.pem"), 436, "x5u_http_status"),
    "a server that fails": Row(by("error.pem"), 436, "x5u_http_status"),
    "a server that redirects": Row(by("redirect.pem"), 436, "x5u_redirect"),
    "a server that is silent": Row(by("hang.pem"), 436, "x5u_timeout"),
    "a server without end": Row(by("endless.pem"), 436, "x5u_too_large"),
    "a host that does not resolve": Row(by("https://no-such-host.invalid/709J.pem"), 436, "x5u_dns"),
    "a host that no name server is asked for": Row(by(f"https://{'a' * 64}.example/709J.pem"), 436, "x5u_dns"),
    "nobody listens": Row(by("https://127.0.0.8:8443/709J.pem"), 436, "x5u_connect"),
    "a page of HTML": Row(by("page.html"), 436, "x5u_content_type"),
    # --- the certificate
    "certificate is empty": Row(by("empty"), 436, "x5u_not_pem"),
    "certificate is garbage": Row(by("garbage"), 436, "x5u_not_pem"),
    "certificate is DER": Row(by("der"), 436, "x5u_not_pem"),
    "certificate is garbage in PEM": Row(by("garbage in pem"), 437, "pem_malformed"),
    "certificate has expired": Row(by("expired"), 437, "certificate_expired"),
    "certificate of the future": Row(by("future"), 437, "certificate_not_yet_valid"),
    "certificate is revoked": Row(by("revoked"), 437, "certificate_revoked", facts={"identity.chain_ok": False}),
    "certificate is revoked by an entry without issuer": Row(by("also revoked"), 437, "certificate_revoked"),
    "certificate under one that is revoked": Row(by("under revoked"), 437, "certificate_revoked"),
    "certificate of another authority": Row(by("rogue"), 437, "chain_untrusted"),
    "certificate with another root beside it": Row(by("rogue with root"), 437, "chain_untrusted"),
    "certificate is self-signed": Row(by("self signed"), 437, "chain_untrusted"),
    "certificate is an authority's": Row(by("root as leaf"), 437, "leaf_is_authority"),
    "certificate without TNAuthList": Row(by("without tnauthlist"), 437, "tnauthlist_missing"),
    "certificate with a bad TNAuthList": Row(by("bad tnauthlist"), 437, "tnauthlist_malformed"),
    "certificate for other numbers": Row(by("others' range"), 437, "out_of_scope"),
    "certificate with a key of P-384": Row(by("p-384"), 437, "key_unsupported"),
    "certificate under one that expired": Row(by("under expired"), 437, "certificate_expired"),
    "certificate under no authority": Row(by("under leaf"), 437, "chain_constraints"),
    "certificate without its intermediate": Row(by("incomplete"), 437, "chain_untrusted"),
    "delegate for more than its reseller has": Row(by("delegate beyond its reseller"), 437, "delegate_scope"),
    "delegate without its provider": Row(by("delegate alone"), 437, "chain_untrusted"),
    "delegate of other numbers": Row(
        by("delegate", orig=ANOTHER), 437, "out_of_scope", who=f"<sip:+{ANOTHER}@192.0.2.7>"
    ),
    "attestation that the certificate does not permit": Row(by("wants B"), 438, "constraint_value"),
    "chain of forty": Row(by("many"), 437, "chain_too_long"),
    # --- diverted
    "diverted, the link is missing": Row(
        lambda signers, callee: [signers.value(FIRST), sent_on(signers, SECOND, callee)], 438, "dest_mismatch",
        told=(438, 438), facts={"identity.div_result": "incomplete", "identity.div_reason": "div_incomplete"},
    ),
    "diverted three times, the middle link is missing": Row(
        lambda signers, callee: [*diverted(signers, FIRST, SECOND), sent_on(signers, THIRD, callee)], 438,
        "dest_mismatch", told=(438, 438, 438), facts={"identity.div_reason": "div_incomplete"},
    ),
    "diverted in a circle": Row(
        _circle, 438, "dest_mismatch", told=(438,) * 4,
        facts={"identity.div_result": "failed", "identity.div_reason": "div_loop"},
    ),
    "diverted by who has other numbers": Row(
        lambda signers, callee: diverted(signers, FIRST, callee, certificate="own range"), 438, "dest_mismatch",
        told=(438, 437), facts={"identity.div_reason": "out_of_scope"},
    ),
    "a div token alone": Row(lambda signers, callee: sent_on(signers, FIRST, callee), 438, "div_incomplete"),
    "diverted to somebody else": Row(
        lambda signers, callee: diverted(signers, FIRST, SECOND), 438, "dest_mismatch", told=(438, 438)
    ),
    "diverted by a key of nobody": Row(
        lambda signers, callee: diverted(signers, FIRST, callee, key=rogue_key()), 438, "dest_mismatch",
        told=(438, 438),
    ),
    "diverted long ago": Row(
        lambda signers, callee: diverted(signers, FIRST, callee, iat=ago(300)), 438, "dest_mismatch", told=(438, 403)
    ),
    "diverted six times": Row(
        chain(6), 438, "dest_mismatch", told=(438,) * 7, facts={"identity.div_reason": "div_too_long"}
    ),
    # --- several
    "several, none of them good": Row(
        several(text("garbage"), token(tamper=True), lambda signers, callee: signers.value(callee, iat=ago(120))),
        438, "signature", told=(438, 438, 403), facts={"identity.count": 3},
    ),
    "a failure beside a type that is not verified": Row(
        several(token(ppt="x-unknown", tail=";info=<{x5u}>"), token(tamper=True)), 438, "signature", told=(438,)
    ),
    # --- tokens that say nothing of who calls
    "a name alone": Row(
        named("Example Bank"), 428, "unsupported_ppt", told=(), facts={"identity.rcd_name": "Example Bank"}
    ),
    "priority alone": Row(
        priority("q735.0"), 428, "unsupported_ppt", told=(), more=("Resource-Priority: q735.0",),
        facts={"identity.rph": ["q735.0"]},
    ),
}  # fmt: skip

# ------------------------------------------------------------------------------------------ passing

PASSING: Final[dict[str, Row]] = {
    "as carriers write it": Row(token(), facts={"identity.attest": "A", "identity.spc": ["709J"]}),
    "attest B": Row(token(attest="B"), facts={"identity.attest": "B"}),
    "attest C": Row(token(attest="C"), facts={"identity.attest": "C"}),
    "with Date": Row(token(), more=("date:0",)),
    "Date is an hour old, iat is fresh": Row(token(), more=("date:-3600",)),
    # --- the header
    "compact name y": Row(token(), name="y"),
    "small name": Row(token(), name="identity"),
    "ppt without quotes": Row(tail(";info=<{x5u}>;alg=ES256;ppt=shaken")),
    "another order": Row(tail(';ppt="shaken";alg=ES256;info=<{x5u}>')),
    "no alg": Row(tail(";info=<{x5u}>;ppt=shaken")),
    "no ppt": Row(tail(";info=<{x5u}>;alg=ES256"), deviations=("ppt_missing",)),
    "alg in quotes": Row(tail(';info=<{x5u}>;alg="ES256";ppt="shaken"')),
    "spaces": Row(tail(" ; info = <{x5u}> ; alg = ES256 ; ppt = shaken")),
    "unknown parameters": Row(tail(';info=<{x5u}>;x-a=1;ppt=shaken;x-b="a;b,c"')),
    "names in capitals": Row(tail(";INFO=<{x5u}>;ALG=ES256;PPT=shaken")),
    "several, one of them good": Row(
        several(text("garbage"), token(tamper=True), token()), told=(438, 438), facts={"identity.count": 3}
    ),
    "behind one whose server is silent": Row(
        several(by("silent.pem"), by("another copy")),
        facts={
            "identity.each": [
                "shaken waiting - 127.0.0.9 orig+ dest+ fresh+",
                "shaken passed passed 127.0.0.1 orig+ dest+ fresh+ chain+ signature+",
            ]
        },
    ),
    "more than are looked at": Row(
        several(token(), *[text("garbage")] * 11), told=(438,) * 9,
        facts={"identity.count": 12, "identity.not_looked_at": 2},
    ),
    "a good one before a stale one": Row(
        several(token(), lambda signers, callee: signers.value(callee, iat=ago(120))), told=(403,)
    ),
    "two in one line": Row(
        lambda signers, callee: f"{signers.value(callee, tamper=True)}, {signers.value(callee)}", told=(438,),
        deviations=("comma_list",),
    ),
    "nine bad ones before it": Row(several(*[text("garbage")] * 9, token()), told=(438,) * 9),
    "an unknown type beside it": Row(several(token(ppt="x-unknown", tail=";info=<{x5u}>"), token())),
    # --- the token
    "iat is a text": Row(
        lambda signers, callee: signers.value(callee, iat=str(ago(0))), deviations=("iat_string",)
    ),
    "dest is no array": Row(
        lambda signers, callee: signers.value(callee, extra={"dest": {"tn": callee}}), deviations=("dest_string",)
    ),
    "numbers with +": Row(
        lambda signers, callee: signers.value("+" + callee, orig="+" + CALLER), deviations=("tn_plus",)
    ),
    "numbers of 10 digits": Row(
        lambda signers, callee: signers.value(callee[1:], orig=CALLER[1:]), deviations=("tn_national",)
    ),
    "typ is missing": Row(head(typ=None), deviations=("typ",)),
    "origid is missing": Row(claims(origid=None), deviations=("origid_missing",)),
    "several dest": Row(
        lambda signers, callee: signers.value(callee, extra={"dest": {"tn": [ANOTHER, callee]}})
    ),
    "dest has a URI as well": Row(
        lambda signers, callee: signers.value(callee, extra={"dest": {"tn": [callee], "uri": ["sip:a@b.example"]}})
    ),
    "rcd in a shaken token": Row(
        claims(rcd={"nam": "Example Voice"}, crn="your order"),
        facts={"identity.rcd_name": "Example Voice", "identity.rcd_reason": "your order"},
    ),
    "a token of type rcd beside it": Row(
        several(named("Example Voice"), token()), facts={"identity.rcd_name": "Example Voice"}
    ),
    "a token of type rcd beside it, forged": Row(
        several(named("Example Bank", key=rogue_key()), token()), told=(438,), facts={"identity.rcd_name": None}
    ),
    "unknown claims": Row(claims(x={"y": [1, 2, {"z": None}]}, aaa=1.5)),
    "media key": Row(claims(mky=[{"alg": "sha-256", "dig": "00"}])),
    "compact form": Row(base(), facts={"identity.count": 1}),
    "compact form, its caller asserted": Row(
        base(), who='"Anonymous" <sip:anonymous@anonymous.invalid>',
        more=("Privacy: id", f"P-Asserted-Identity: <sip:+{CALLER}@192.0.2.7>"), source="pai",
    ),
    "base PASSporT": Row(
        lambda signers, callee: signers.value(callee, header={"ppt": None}, tail=";info=<{x5u}>;alg=ES256")
    ),
    # --- the parties
    "From of 11 digits": Row(token(), who=f"<sip:{CALLER}@192.0.2.7>"),
    "From of 10 digits": Row(token(), who=SIPPED),
    "From with dashes": Row(token(), who="<sip:+1-202-555-0101@192.0.2.7;user=phone>"),
    "From is a tel URI": Row(token(), who=f"<tel:+{CALLER}>"),
    "From without brackets": Row(token(), who=f"sip:+{CALLER}@192.0.2.7"),
    "To of 10 digits": Row(token(), called="<sip:{callee10}@{at}>", uri="sip:{callee10}@{at}"),
    "called of a ported number": Row(token(), uri="sip:+{callee};npdi;rn=+15125550100@{at};user=phone"),
    "called with a trunk group": Row(token(), uri="sip:+{callee};tgrp=a;trunk-context=b.example@{at};user=phone"),
    "called by a tel URI": Row(token(), uri="tel:+{callee}"),
    "To is another": Row(token(), called=f"<sip:+{ANOTHER}@192.0.2.9>"),
    "P-Asserted-Identity says the same": Row(
        token(), more=(f"P-Asserted-Identity: <sip:+{CALLER}@192.0.2.7>",), source="both"
    ),
    "P-Asserted-Identity in two forms": Row(
        token(),
        more=(f"P-Asserted-Identity: <sip:alice@192.0.2.7>, <tel:+{CALLER}>",), source="both",
    ),
    "anonymous, P-Asserted-Identity says who": Row(
        token(), who='"Anonymous" <sip:anonymous@anonymous.invalid>',
        more=("Privacy: id", f"P-Asserted-Identity: <sip:+{CALLER}@192.0.2.7>"), source="pai",
    ),
    # --- the certificate
    "on port 8443": Row(by("8443")),
    "with an intermediate": Row(by("long path")),
    "intermediate first": Row(by("turned")),
    "with the root": Row(by("with root")),
    "with text around it": Row(by("with text")),
    "for this number alone": Row(by("own number"), facts={"identity.spc": []}),
    "for a range of numbers": Row(by("own range")),
    "of a delegate": Row(by("delegate")),
    "of a delegate under a reseller": Row(by("delegate of a reseller")),
    "attestation that the certificate permits": Row(by("wants B", attest="B"), facts={"identity.attest": "B"}),
    # --- diverted
    "diverted once": Row(
        lambda signers, callee: diverted(signers, FIRST, callee),
        facts={"identity.div_result": "passed", "identity.div_hops": 1, "identity.div_numbers": [FIRST]},
    ),
    "diverted three times": Row(lambda signers, callee: diverted(signers, FIRST, SECOND, ANOTHER, callee)),
    "diverted five times": Row(chain(5), facts={"identity.div_result": "passed", "identity.div_hops": 5}),
    "diverted, in another order": Row(lambda signers, callee: diverted(signers, FIRST, SECOND, callee)[::-1]),
    # --- forms that others write: what is told of them in their documents, code and issues
    "Asterisk, libstirshaken, OpenSIPS since 2022": Row(tail(";info=<{x5u}>;alg=ES256;ppt=shaken")),
    "OpenSIPS before": Row(tail(';info=<{x5u}>;ppt="shaken"')),
    "T-Mobile": Row(tail(';info=<{x5u}>;alg=ES256;ppt="shaken"')),
    "alg last": Row(tail(";info=<{x5u}>;ppt=shaken;alg=ES256")),
    "libstirshaken: origid is a word": Row(
        token(origid="ref"), facts={"identity.origid": "ref"}, deviations=("origid_form",)
    ),
    "Asterisk: To as configured, with +": Row(
        lambda signers, callee: signers.value("+" + callee), deviations=("tn_plus",)
    ),
    "members in no order, with spaces": Row(
        octets(
            header=b'{"typ": "passport", "x5u": "!", "ppt": "shaken", "alg": "ES256"}',
            payload=b'{"origid": "o-1", "orig": {"tn": "12025550101"}, "iat": ~, "dest": {"tn": ["@"]}, "attest": "A"}',
        ),
        deviations=("json_form", "origid_form"),
    ),
}  # fmt: skip

# ------------------------------------------------------------------------------------------ above it

DNO: Final = "<sip:+12025550111@192.0.2.7>"
ALLOWED: Final[dict[str, Any]] = {"action": "allow", "rule": "emergency"}
LIFTED: Final = ALLOWED | {"emergency": "signed_priority"}
LISTED: Final[dict[str, Any]] = {"action": "reject", "rule": "dno", "emergency": ""}
NEVER: Final = "12025550111"
OTHER: Final = "12025550177"
VALID: Final = "verstat=TN-Validation-Passed"
UNVALIDATED: Final = "verstat=No-TN-Validation"
CALL_BACK: Final = ("Resource-Priority: esnet.0", "Priority: psap-callback")


def _lifted(*values: str, more: tuple[str, ...] = (), trunk: str = "", **knobs: Any) -> Row:
    """A call of a number that never calls, and that passes since its priority is signed."""
    lines = more or (f"Resource-Priority: {', '.join(values)}",)
    facts = {"identity.rph": list(values), "identity.sph": knobs.get("sph")}
    return Row(
        priority(*values, orig=NEVER, **knobs),
        reason="unsupported_ppt",
        who=DNO,
        more=lines,
        record=LIFTED,
        facts=facts,
        trunk=trunk,
    )


def _listed(make: Make | None, *more: str) -> Row:
    """A call of a number that never calls, which no signature lifts above the rule."""
    return Row(make, 403, "", who=DNO, more=more, record=LISTED)


# What verification does not decide: emergencies pass whatever it comes to, other rules come first or ask more.
ABOVE: Final[dict[str, Row]] = {
    "911 by a number that never calls": Row(
        token(iat=0), reason="orig_mismatch", who=DNO, callee="911", record=ALLOWED | {"identity": "failed"},
        arrives=("From: <sip:+12025550111;verstat=TN-Validation-Failed@",), **_short("911"),
    ),
    "988 by a number that never calls": Row(
        None, reason="identity_missing", who=DNO, callee="988", record=ALLOWED | {"identity": "none"},
        arrives=("From: <sip:+12025550111;verstat=No-TN-Validation@",), **_short("988"),
    ),
    "112 with garbage": Row(text("garbage"), reason="info_missing", callee="112", record=ALLOWED, **_short("112")),
    "a PSAP calls back from a number that never calls": Row(
        token(iat=0, orig="12025550190"), reason="iat_expired", who="<sip:+12025550190@192.0.2.7>",
        more=("Priority: psap-callback",), record=ALLOWED,
    ),
    "a PSAP calls back, the certificate does not come": Row(
        by("https://certs.invalid/911.pem", orig="12025550190"), reason="", who="<sip:+12025550190@192.0.2.7>",
        more=("Priority: psap-callback",), record=ALLOWED | {"identity": ""}, arrives=("From: <sip:+12025550190@",),
    ),
    "a number that never calls, with a good token": Row(
        token(orig="12025550111"), 403, "", who=DNO, record={"action": "reject", "rule": "dno", "basis": "dno"}
    ),
    "a bank in From, an own number asserted and signed": Row(
        token(), 403, who="<sip:+18005550177@192.0.2.7>", more=(f"P-Asserted-Identity: <sip:+{CALLER}@192.0.2.7>",),
        record={"rule": "shows-another", "shown": "18005550177", "identity": "passed"},
        facts={"identity.orig_source": "pai", "identity.orig_tn": CALLER, "call.shown_is_asserted": False},
    ),
    "a number that never calls in From, an own number asserted and signed": Row(
        token(), 403, "", who=DNO, more=(f"P-Asserted-Identity: <sip:+{CALLER}@192.0.2.7>",),
        record={"action": "reject", "rule": "dno", "basis": "dno"},
    ),
    "withheld, to one who takes no such calls": Row(
        token(), 433, "", who='"Anonymous" <sip:anonymous@anonymous.invalid>', callee="12125550199",
        more=("Privacy: id", f"P-Asserted-Identity: <sip:+{CALLER}@192.0.2.7>"),
        record={"action": "reject", "rule": "withheld", "basis": "anonymous"},
    ),
    # --- priority that was signed (RFC 8443, RFC 9027)
    "signed ets by a number that never calls": _lifted("ets.0"),
    "signed wps, other values beside it": _lifted("wps.0", more=("Resource-Priority: wps.0, drsn.flash",)),
    "signed esnet by a number that never calls": _lifted("esnet.1"),
    "two values signed, in another case": _lifted("ets.0", "wps.1", more=("Resource-Priority: WPS.1, ETS.0",)),
    "signed psap-callback": _lifted("esnet.0", sph="psap-callback", more=CALL_BACK),
    "signed by who must be asked for first": _lifted("ets.0", certificate="asked for by one call"),
    "signed, beyond the limit of its trunk": _lifted("ets.0", trunk="full"),
    "beyond the limit of its trunk": Row(token(), 480, "", record={"action": "reject", "status": 480}, trunk="full"),
    "signed for urn:service:sos, and called so": Row(
        priority("esnet.1", orig=NEVER, dest_uri="urn:service:sos"), reason=None, who=DNO, callee=URN,
        uri=URN, called=f"<{URN}>", more=("Resource-Priority: esnet.1",),
        record=ALLOWED | {"emergency": "sos_urn"},
    ),
    "signed for urn:service:sos, which stands in To alone": Row(
        priority("esnet.1", orig=NEVER, dest_uri="urn:service:sos"), 403, "", who=DNO, called=f"<{URN}>",
        more=("Resource-Priority: esnet.1",), record=LISTED,
    ),
    "priority that nobody signed": _listed(None, "Resource-Priority: ets.0"),
    "psap-callback that nobody signed": _listed(None, *CALL_BACK),
    "signed, beside no Resource-Priority": _listed(priority("ets.0", orig=NEVER)),
    "signed for another value": _listed(priority("ets.1", orig=NEVER), "Resource-Priority: ets.0"),
    "signed for more than is asked": _listed(priority("ets.0", "wps.0", orig=NEVER), "Resource-Priority: ets.0"),
    "signed in another namespace": _listed(priority("q735.0", orig=NEVER), "Resource-Priority: q735.0"),
    "signed psap-callback, another Priority": _listed(
        priority("esnet.0", orig=NEVER, sph="psap-callback"), CALL_BACK[0], "Priority: urgent"
    ),
    "psap-callback signed beside ets": _listed(
        priority("ets.0", orig=NEVER, sph="psap-callback"), "Resource-Priority: ets.0", CALL_BACK[1]
    ),
    "signed by a key of nobody": _listed(priority("ets.0", orig=NEVER, key=rogue_key()), "Resource-Priority: ets.0"),
    "signed under another authority": _listed(
        priority("ets.0", orig=NEVER, certificate="rogue"), "Resource-Priority: ets.0"
    ),
    "signed, and revoked": _listed(priority("ets.0", orig=NEVER, certificate="revoked"), "Resource-Priority: ets.0"),
    "signed by who has numbers only": _listed(
        priority("ets.0", orig=NEVER, certificate="own range"), "Resource-Priority: ets.0"
    ),
    "signed, the certificate does not come": _listed(
        priority("ets.0", orig=NEVER, certificate="hang.pem"), "Resource-Priority: ets.0"
    ),
    "signed for another caller": _listed(priority("ets.0"), "Resource-Priority: ets.0"),
    "signed for another call": _listed(
        lambda signers, callee: str(priority("ets.0", orig=NEVER)(signers, ANOTHER)), "Resource-Priority: ets.0"
    ),
    "signed long ago": _listed(
        lambda signers, callee: priority("ets.0", orig=NEVER, iat=ago(120))(signers, callee), "Resource-Priority: ets.0"
    ),
    "a SHAKEN token that claims rph": _listed(
        claims(orig={"tn": NEVER}, rph={"auth": ["ets.0"]}), "Resource-Priority: ets.0"
    ),
    # --- what a label shows of rich call data (RFC 9795, RFC 9796)
    "named and told why in its own token": Row(
        claims(rcd={"nam": "Example Bank"}, crn="Your card"), trunk="named", record={"action": "label", "rule": "why"},
        arrives=('From: "Example Bank', 'Call-Info: <data:>;purpose=jcard;call-reason="Your card"'),
    ),
    "named by a token of type rcd": Row(
        several(token(), named("Example Bank")), trunk="named", record={"action": "label"},
        arrives=('From: "Example Bank',),
    ),
    "named so that a header would break": Row(
        claims(rcd={"nam": 'Bank" <sip:evil@b.example>\r\nX-Evil: 1'}), trunk="named", record={"action": "label"},
        arrives=("From: \"Bank' (sip:evil@b.example) X-Evil: 1",),
    ),
    "named by a token that fails": Row(
        claims(rcd={"nam": "Example Bank"}, attest="D"), reason="attest_invalid", trunk="named",
        record={"action": "allow", "rule": "default"}, facts={"identity.rcd_name": None}, arrives=("From: <sip:",),
    ),
    "named, with attestation C": Row(
        token(attest="C", extra={"rcd": {"nam": "Example Bank"}}), trunk="named",
        record={"action": "allow", "rule": "default"}, facts={"identity.rcd_name": "Example Bank"},
        arrives=("From: <sip:",),
    ),
    # --- the number that verstat stands on
    "From is named, another asserted": Row(
        token(), more=(f"P-Asserted-Identity: <sip:+{OTHER}@192.0.2.7>",), trunk="told",
        facts={"identity.orig_source": "from"},
        arrives=(f"From: <sip:+{CALLER};{VALID}@", f"P-Asserted-Identity: <sip:+{OTHER};{UNVALIDATED}@192.0.2.7>"),
    ),
    "another in From, asserted is named": Row(
        token(), who=f"<sip:+{OTHER}@192.0.2.7>", more=(f"P-Asserted-Identity: <tel:+{CALLER}>",), trunk="told",
        facts={"identity.orig_source": "pai"},
        arrives=(f"From: <sip:+{OTHER}@", f"P-Asserted-Identity: <tel:+{CALLER};{VALID}>"),
    ),
    "the second asserted is named": Row(
        token(), who=f"<sip:+{OTHER};{VALID}@192.0.2.7>", trunk="told",
        more=(f"P-Asserted-Identity: <sip:+{OTHER};{VALID}@192.0.2.7>, <tel:+{CALLER}>",),
        arrives=(
            f"From: <sip:+{OTHER}@",
            f"P-Asserted-Identity: <sip:+{OTHER};{UNVALIDATED}@192.0.2.7>, <tel:+{CALLER};{VALID}>",
        ),
    ),
    "asserted twice, both named": Row(
        token(), more=(f"P-Asserted-Identity: <sip:+{CALLER};isub=a@b@192.0.2.7>, <tel:+{CALLER}>",), trunk="told",
        arrives=(
            f"From: <sip:+{CALLER}@",
            f"P-Asserted-Identity: <sip:+{CALLER};isub=a@b;{VALID}@192.0.2.7>, <tel:+{CALLER};{VALID}>",
        ),
    ),
}  # fmt: skip
