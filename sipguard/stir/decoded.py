"""What stands in an Identity value, broken ones too, without a word about whether it is true.

Enters: a value as received, or a bare token. Leaves: plain members: parameters, JSON, the length of the signature, the
first thing that is wrong, deviations. Must not: verify, fetch, raise on garbage.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from typing import Final

from sipguard.stir import identity, passport
from sipguard.stir.errors import StirError
from sipguard.stir.identity import ES256
from sipguard.stir.reasons import REASONS

_TOKEN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/.")


def is_bare(value: str) -> bool:
    """Whether this is a token without the parameters that make it an Identity value."""
    return value.count(".") == 2 and _TOKEN.issuperset(value)


def completed(value: str) -> str:
    """A bare token with the parameters that its own header has; any other value as it is."""
    if not is_bare(value):
        return value
    header = _json(value.partition(".")[0])
    found = header if isinstance(header, dict) else {}
    x5u, ppt = found.get("x5u"), found.get("ppt", "")
    if not isinstance(x5u, str):
        return value
    return f"{value};info=<{x5u}>;alg={found.get('alg', ES256)}" + (f";ppt={ppt}" if ppt else "")


def decoded(value: str) -> dict[str, object]:
    """Members of a JSON object about one value. `problem` is a reason of verification, "" where it can be read."""
    bare = is_bare(value)
    problem, detail = "", ""
    deviations: tuple[str, ...] = ()
    token = value.partition(";")[0].strip()
    parameters: dict[str, str] | None = None
    try:
        header = identity.read(completed(value))
        parameters = None if bare else {"info": header.info, "alg": header.alg, "ppt": header.ppt}
        token = header.token
        found = passport.read(token)
        deviations = found.deviations
        passport.require_agreement(header, found)
    except StirError as error:
        problem, detail = error.reason, error.detail
    first, second, third = [*token.split("."), "", "", ""][:3]
    signature = _octets(third)
    return {
        "parameters": parameters,
        "header": _json(first),
        "claims": _json(second),
        "signature_octets": len(signature) if signature is not None else None,
        "deviations": list(deviations),
        "problem": problem,
        "meaning": REASONS[problem][1] if problem in REASONS else "",
        "detail": detail,
    }


def _octets(part: str) -> bytes | None:
    """The octets of a part in base64url, leniently; None where it is none."""
    try:
        return urlsafe_b64decode(part.rstrip("=") + "=" * (-len(part.rstrip("=")) % 4))
    except ValueError:
        return None


def _json(part: str) -> object:
    """The JSON in a part of a token: an object or what it is; the text where it is no JSON; None for nothing."""
    octets = _octets(part)
    if not octets:
        return None
    try:
        return json.loads(octets)
    except (ValueError, RecursionError):
        return octets.decode("utf-8", "replace")
