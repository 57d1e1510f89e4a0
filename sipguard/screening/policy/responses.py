"""Which SIP answer a basis may have.

Enters: `responses:` as written. Leaves: Response values. Must not: allow a pair that the law or the
protocol forbids.

The law is facts of 47 CFR 64.1200(k)(9): analytics is answered 603+ and nothing else is; 607 says that the
callee does not want the caller (RFC 8197). 408 and 5xx make a peer try its next route, which goes round the
screening.
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.policy.errors import Problem, meant, shown
from sipguard.screening.policy.model import BASES, DEFAULT_RESPONSES, Response

PHRASES: Final[dict[int, str]] = {
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    406: "Not Acceptable",
    410: "Gone",
    428: "Use Identity Header",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    480: "Temporarily Unavailable",
    484: "Address Incomplete",
    486: "Busy Here",
    488: "Not Acceptable Here",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
}
_PLUS: Final = Response(603, "Network Blocked", plus=True)
# answers that tell the peer to do something: authenticate, retry, repair
_PROTOCOL: Final = frozenset({401, 407, 420, 421, 422, 423, 469, 470, 481, 482, 483, 487, 491, 493, 494})


def read_responses(value: object, problems: list[Problem]) -> dict[str, Response]:
    """The response of every basis; what is not written is by DEFAULT_RESPONSES. Adds to `problems`."""
    responses = dict(DEFAULT_RESPONSES)
    if value is None:
        return responses
    if not isinstance(value, dict):
        problems.append(Problem(("responses",), "must map a basis to a SIP answer", "such as {dno: 403}"))
        return responses
    for basis, written in value.items():
        path = ("responses", shown(basis))
        if basis not in BASES:
            turned = isinstance(written, str) and written in BASES
            hint = f"write {written}: {shown(basis)}" if turned else meant(shown(basis), BASES)
            problems.append(Problem(path, f"unknown basis {shown(basis)}", hint))
            continue
        response = _read(written)
        what, hint = _unlawful(basis, response, written)
        if what:
            problems.append(Problem(path, what, hint))
        elif response is not None:
            responses[basis] = response
    return responses


def _read(written: object) -> Response | None:
    """A Response from `403`, `603+`, `auto` or `404 No Such Caller`; None where it is none of these."""
    if isinstance(written, int) and not isinstance(written, bool):
        return Response(written, PHRASES.get(written, "Rejected"))
    if not isinstance(written, str):
        return None
    code, _, phrase = written.strip().partition(" ")
    phrase = phrase.strip()
    if not phrase.isprintable():
        return None
    if code == "auto" and not phrase:
        return Response(0)
    if code == "603+" and not phrase:
        return _PLUS
    if code.isascii() and code.isdigit():
        return Response(int(code), phrase or PHRASES.get(int(code), "Rejected"))
    return None


def _unlawful(basis: str, response: Response | None, written: object) -> tuple[str, str]:
    """What forbids `response` for `basis`, and what to write instead; ("", "") where nothing does."""
    if response is None:
        return f"{shown(written)} is no SIP answer", _answer_meant(written)
    code = response.status
    if basis == "analytics":
        return (
            ("", "")
            if response.plus
            else (f"{written} must not answer a block by analytics (47 CFR 64.1200(k)(9))", "write 603+")
        )
    if response.plus:
        return (
            f"603+ says that analytics blocked the call, not {basis}",
            "write 403 or another code without +",
        )
    if not code:
        return ("", "") if basis == "identity" else ("auto is for the basis identity only", "write a code such as 403")
    if code == 607 and basis != "subscriber":
        return (
            "607 says that the callee does not want the caller (RFC 8197)",
            "it is for the basis subscriber",
        )
    if code == 608:
        return "608 was replaced by 603+ for analytics and needs a signed contact", "write 403"
    return _unusable(code)


def _answer_meant(written: object) -> str:
    """How an answer is written that was written otherwise."""
    if isinstance(written, dict):
        words = [shown(each) for each in written.values()]
        code = next((each for each in words if each.isdecimal()), "403")
        phrase = " ".join(each for each in words if not each.isdecimal())
        return f"write {code} {phrase}".rstrip()
    said = shown(written).lower().replace("_", " ").replace("-", " ")
    code = next((str(code) for code, phrase in PHRASES.items() if phrase.lower() == said), "")
    if said.endswith("+"):
        code = "603+"
    return f"write {code}" if code else "write a code such as 403, 603+, or auto for identity"


def lawful(basis: str, written: object) -> tuple[str, str]:
    """(what may stand behind `basis`, why not what was written): the answer itself and "" where it may; else "" and the
    reason with what to write. A basis that is not known yet is taken for one that may have any answer."""
    response = _read(written)
    if basis not in BASES:
        what, hint = _unusable(response.status) if response is not None and response.status else ("", "")
    else:
        what, hint = _unlawful(basis, response, written)
    return ("", f"{what}; {hint}") if what else (shown(written), "")


def _unusable(code: int) -> tuple[str, str]:
    """What forbids `code` for any basis."""
    if code == 408 or 500 <= code <= 599:
        return f"{code} makes the peer try another route, round the screening", "write a 4xx or 6xx code"
    if 300 <= code <= 399:
        return f"{code} redirects", "write a rule with redirect: {contact: ...}"
    if not 400 <= code <= 699:
        return f"{code} does not reject a call", "write a 4xx or 6xx code"
    if code in _PROTOCOL:
        return f"{code} asks the peer to repair its request", "write 403"
    return "", ""
