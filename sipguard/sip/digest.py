"""Digest authentication as a client: challenges read, answers computed (RFC 7616, RFC 8760, RFC 3261 §22).

Enters: values of WWW-Authenticate and Proxy-Authenticate, a user name, a password. Leaves: values of Authorization
and Proxy-Authorization. Must not: show a password, choose whom it is for.

Quoted values are carried as they stand between the quotes: that is what both sides hash (RFC 7616 §3.4.2 `unq`).
"""

from __future__ import annotations

import hashlib
from typing import Final

from sipguard.sip.errors import MalformedMessage
from sipguard.sip.uri import TOKEN, split_outside

ALGORITHMS: Final = {  # IANA, Hash Algorithms for HTTP Digest Authentication; the name that hashlib has for it
    "MD5": "md5",
    "SHA-256": "sha256",
    "SHA-512-256": "sha512_256",
}
_SESS: Final = "-SESS"
_CANONICAL: Final = {name.upper(): name for name in ALGORITHMS}


class Challenge:
    """One Digest challenge. `algorithm` is a key of ALGORITHMS, `session` whether it is its -sess form.

    `qop` is "auth", "auth-int", or "" where the server is older than RFC 2617 and wants none.
    """

    __slots__ = ("algorithm", "nonce", "opaque", "qop", "realm", "session", "stale", "userhash", "written")

    def __init__(self, realm: str, nonce: str, algorithm: str = "MD5", qop: str = "", session: bool = False) -> None:
        self.realm = realm
        self.nonce = nonce
        self.algorithm = algorithm
        self.session = session
        self.qop = qop
        self.written = ""  # the algorithm as the server wrote it, "" where it did not
        self.opaque: str | None = None
        self.stale = False
        self.userhash = False


def challenges(values: list[str]) -> list[Challenge]:
    """The Digest challenges that can be answered, topmost first (RFC 8760 §2.4); others are passed over.

    `values` are those of the header lines; several challenges in one line are tolerated (RFC 7616 §3.3).
    """
    found = []
    for value in values:
        for pairs in _split(value):
            challenge = _challenge(pairs)
            if challenge is not None:
                found.append(challenge)
    return found


def _split(value: str) -> list[dict[str, str]]:
    """Parameters by lower-case name of each Digest challenge in one header value, quotes taken off."""
    try:
        pieces = split_outside(value, ",")
    except MalformedMessage:
        return []
    found: list[dict[str, str]] = []
    digest = False
    for piece in pieces:
        name, equal, text = piece.partition("=")
        scheme, space, after = name.strip().partition(" ")
        if space:
            digest = scheme.lower() == "digest"
            if digest:
                found.append({})
            name = after
        if digest and equal:
            text = text.strip()
            found[-1][name.strip().lower()] = text[1:-1] if text[:1] == '"' else text
    return found


def _challenge(pairs: dict[str, str]) -> Challenge | None:
    """A challenge out of its parameters, None where it cannot be answered."""
    realm, nonce = pairs.get("realm"), pairs.get("nonce")
    written = pairs.get("algorithm", "")
    name = (written or "MD5").upper()
    session = name.endswith(_SESS)
    algorithm = _CANONICAL.get(name.removesuffix(_SESS), "")
    offered = [each.strip().lower() for each in pairs.get("qop", "").split(",") if each.strip()]
    qop = "auth" if "auth" in offered else "auth-int" if "auth-int" in offered else ""
    if realm is None or nonce is None or not algorithm or (offered and not qop):
        return None
    challenge = Challenge(realm, nonce, algorithm, qop, session)
    challenge.written = written if TOKEN.issuperset(written) else ""
    challenge.opaque = pairs.get("opaque")
    challenge.stale = pairs.get("stale", "").lower() == "true"
    challenge.userhash = pairs.get("userhash", "").lower() == "true"
    return challenge


def answer(
    challenge: Challenge, username: str, password: bytes, method: str, uri: str, body: bytes, count: int, cnonce: str
) -> str:
    """The value of Authorization or Proxy-Authorization (RFC 7616 §3.4).

    `count` is how often the nonce has been answered, this time included; `cnonce` is ours.
    """
    name = ALGORITHMS[challenge.algorithm]
    user, qop, nc = username.encode(), challenge.qop, f"{count:08x}"
    realm = challenge.realm.encode("latin-1")
    secret = _hashed(name, b":".join((user, realm, password)))
    if challenge.session:
        secret = _hashed(name, f"{secret}:{challenge.nonce}:{cnonce}".encode("latin-1"))
    what = f"{method}:{uri}"
    if qop == "auth-int":
        what += f":{_hashed(name, body)}"
    what = _hashed(name, what.encode("latin-1"))
    middle = f"{challenge.nonce}:{nc}:{cnonce}:{qop}" if qop else challenge.nonce
    response = _hashed(name, f"{secret}:{middle}:{what}".encode("latin-1"))
    shown = _hashed(name, b":".join((user, realm))) if challenge.userhash else _quotable(username)
    pieces = [
        f'Digest username="{shown}"',
        f'realm="{challenge.realm}"',
        f'nonce="{challenge.nonce}"',
        f'uri="{uri}"',
        f'response="{response}"',
    ]
    if challenge.written:
        pieces.append(f"algorithm={challenge.written}")
    if challenge.opaque is not None:
        pieces.append(f'opaque="{challenge.opaque}"')
    if qop:
        pieces += [f"qop={qop}", f"nc={nc}"]
    if qop or challenge.session:
        pieces.append(f'cnonce="{cnonce}"')
    if challenge.userhash:
        pieces.append("userhash=true")
    return ", ".join(pieces)


def _hashed(name: str, octets: bytes) -> str:
    return hashlib.new(name, octets, usedforsecurity=False).hexdigest()


def _quotable(text: str) -> str:
    """What stands between quotes, UTF-8, one character an octet."""
    return text.replace("\\", "\\\\").replace('"', '\\"').encode().decode("latin-1")
