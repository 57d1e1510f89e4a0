"""Signing: the Identity value that says who calls whom, and that a call was diverted (RFC 8224 §4, RFC 8588, RFC 8946).

Enters: a Signer, canonical numbers, the time. Leaves: an Identity value, or NotSignable. Must not: choose the
attestation, read a clock, or write what a strict verifier would refuse.

The JSON is deterministic (RFC 8225 §9): members in lexicographic order, no white space. No character that would need
an escape is let in, so the order written here is all there is to it. `ppt` stands unquoted, as the grammar has it
(RFC 8224 §4: a token); those who quote it also read it so.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha1
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sipguard.stir.attestations import ATTESTATIONS
from sipguard.stir.errors import NotSignable

if TYPE_CHECKING:
    from sipguard.stir.signer import Signer

SHAKEN: Final = "shaken"
DIV: Final = "div"

_ES256: Final = ECDSA(SHA256())
_TN: Final = frozenset("0123456789#*")  # RFC 8224 §8.3, RFC 8226 §9
_TN_LONGEST: Final = 15  # ITU-T E.164
_URI: Final = frozenset(map(chr, range(0x21, 0x7F))) - frozenset('"\\<>')
_URI_LONGEST: Final = 256
_HEX: Final = frozenset("0123456789abcdef")
_DASHES: Final = (8, 13, 18, 23)  # of the text of a UUID
_IAT_LIMIT: Final = 1 << 40


def shaken(signer: Signer, attest: str, orig_tn: str, dest: str, iat: int, origid: str) -> str:
    """The Identity value of a SHAKEN PASSporT (RFC 8588 §3 to §5).

    `orig_tn` is a canonical TN, `dest` one or a URI such as urn:service:sos (RFC 8225 §5.2.1), `iat` Unix seconds,
    `origid` a UUID in lower case. Raises NotSignable.
    """
    if attest not in ATTESTATIONS:
        raise NotSignable("attest_invalid")
    if not _is_uuid(origid):
        raise NotSignable("origid_invalid")
    claims = (
        f'{{"attest":"{attest}","dest":{_parties(dest)},"iat":{_instant(iat)},'
        f'"orig":{_party(orig_tn)},"origid":"{origid}"}}'
    )
    return _value(signer, SHAKEN, claims)


def div(signer: Signer, orig: str, diverting: str, dest: str, iat: int) -> str:
    """The Identity value of a diversion from `diverting` to `dest` (RFC 8946 §3).

    `orig` and `iat` are those of the token that was received: a TN as it stands there, or a URI. Raises NotSignable,
    also where the target is the same (§3: there must be none then).
    """
    if diverting == dest:
        raise NotSignable("not_diverted")
    claims = (
        f'{{"dest":{_parties(dest)},"div":{_party(diverting)},"iat":{_instant(iat)},'
        f'"orig":{_party(orig, received=True)}}}'
    )
    return _value(signer, DIV, claims)


def named_uuid(namespace: str, name: str) -> str:
    """The UUID of `name` in the name space of another UUID: the same for the same name (RFC 9562 §5.5, version 5)."""
    octets = bytearray(sha1(bytes.fromhex(namespace.replace("-", "")) + name.encode(), usedforsecurity=False).digest())
    octets[6] = octets[6] & 0x0F | 0x50
    octets[8] = octets[8] & 0x3F | 0x80
    text = octets[:16].hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def header_of(ppt: str, x5u: str) -> str:
    """base64url of the JOSE header (RFC 8225 §4); `x5u` was checked for its characters."""
    return _base64(f'{{"alg":"ES256","ppt":"{ppt}","typ":"passport","x5u":"{x5u}"}}'.encode("ascii"))


def _value(signer: Signer, ppt: str, claims: str) -> str:
    header, tail = (signer.shaken_header, signer.shaken_tail) if ppt == SHAKEN else (signer.div_header, signer.div_tail)
    signed = f"{header}.{_base64(claims.encode('ascii'))}"
    r, s = decode_dss_signature(signer.key.sign(signed.encode("ascii"), _ES256))
    return f"{signed}.{_base64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}{tail}"


def _base64(octets: bytes) -> str:
    """base64url without padding (RFC 7515 §2)."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _instant(iat: int) -> int:
    if not 0 < iat < _IAT_LIMIT:
        raise NotSignable("iat_invalid")
    return iat


def _parties(who: str) -> str:
    if _is_tn(who):
        return f'{{"tn":["{who}"]}}'
    return f'{{"uri":["{_uri(who)}"]}}'


def _party(who: str, received: bool = False) -> str:
    """`received`: with the + that some write, since what is copied is compared with where it came from."""
    if _is_tn(who.removeprefix("+") if received else who):
        return f'{{"tn":"{who}"}}'
    return f'{{"uri":"{_uri(who)}"}}'


def _is_tn(who: str) -> bool:
    return 0 < len(who) <= _TN_LONGEST and _TN.issuperset(who)


def _uri(who: str) -> str:
    """An absolute URI. Raises NotSignable for anything else, a number that is not canonical among it."""
    if ":" not in who or len(who) > _URI_LONGEST or not _URI.issuperset(who):
        raise NotSignable("party_invalid")
    return who


def _is_uuid(text: str) -> bool:
    if len(text) != 36 or any(text[at] != "-" for at in _DASHES):
        return False
    digits = text.replace("-", "")
    return len(digits) == 32 and _HEX.issuperset(digits)
