"""What is done with a call: the verdict, and what it writes into answers and forwarded INVITEs.

Enters: what `policy.decide` or the guard found. Leaves: values that b2bua executes and the journal keeps.
Must not: change after they were built (one Verdict object serves many calls), or read facts that are not
given.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from sipguard.screening.finding import FactValue

ALLOW: Final = "allow"
LABEL: Final = "label"
REJECT: Final = "reject"
REDIRECT: Final = "redirect"

EMERGENCY_RULE: Final = "emergency"
DEFAULT_RULE: Final = "default"
BYPASS_RULE: Final = "bypass"
UNSCREENED_RULE: Final = "unscreened"
LIMIT_RULE: Final = "trunk_limit"
RESERVED_RULES: Final = (EMERGENCY_RULE, DEFAULT_RULE, BYPASS_RULE, UNSCREENED_RULE, LIMIT_RULE)

ENFORCE: Final = "enforce"
REPORT: Final = "report"
BYPASS: Final = "bypass"
MODES: Final = (ENFORCE, REPORT, BYPASS)

FACT_LIMIT: Final = 512  # characters of a fact in a template: a message must fit a datagram, an x5u must not be cut
DECISION_ID: Final = "{id}"  # stands in header lines where the id of the decision belongs


class Label:
    """What a labelled call carries on: display-name prefix, its longest length, headers, verstat.

    `max` is the longest display name with its prefix, 0 for no bound. `headers` are (name, template); a
    template may hold fact names in braces, `{identity.attest}`, and `{id}`. `verstat` "" means by
    verification.
    """

    __slots__ = ("headers", "max", "prefix", "verstat")

    def __init__(
        self, prefix: str = "", max: int = 0, headers: tuple[tuple[str, str], ...] = (), verstat: str = ""
    ) -> None:
        self.prefix = prefix
        self.max = max
        self.headers = headers
        self.verstat = verstat

    def header_lines(self, facts: Mapping[str, FactValue], decision_id: str) -> list[str]:
        """The header lines of this label, without CRLF; a fact that is not known is written as nothing."""
        return [f"{name}: {filled(template, facts, decision_id, header=True)}" for name, template in self.headers]


class Redirect:
    """Where a redirected call goes: a Contact for a 302, or another trunk as its route; the other is ""."""

    __slots__ = ("contact", "route")

    def __init__(self, contact: str = "", route: str = "") -> None:
        self.contact = contact
        self.route = route


class Verdict:
    """What is done with a call and why. Shared between calls: nobody may change one."""

    __slots__ = (
        "action",  # allow | label | reject | redirect
        "basis",  # of a rejection, "" otherwise
        "headers",  # header lines of the final response, without CRLF; `{id}` stands for the decision id
        "label",  # Label | None
        "matched",  # names of all rules that matched and count, in order, continuing ones included
        "phrase",  # reason phrase of the final response, "" where the call goes on
        "redirect",  # Redirect | None
        "reported",  # names of rules that would have acted but stand in mode report
        "rule",  # the rule that decided; "default", "emergency"
        "status",  # SIP status of the final response, 0 where the call goes on
        "tags",
    )

    def __init__(
        self,
        action: str,
        rule: str,
        *,
        basis: str = "",
        status: int = 0,
        phrase: str = "",
        headers: tuple[str, ...] = (),
        label: Label | None = None,
        redirect: Redirect | None = None,
        tags: tuple[str, ...] = (),
        reported: tuple[str, ...] = (),
        matched: tuple[str, ...] = (),
    ) -> None:
        self.action = action
        self.rule = rule
        self.basis = basis
        self.status = status
        self.phrase = phrase
        self.headers = headers
        self.label = label
        self.redirect = redirect
        self.tags = tags
        self.reported = reported
        self.matched = matched

    @property
    def goes_on(self) -> bool:
        """Whether the call is forwarded: no final response is due."""
        return not self.status

    def header_lines(self, decision_id: str) -> list[str]:
        """The header lines of the final response with the id of this decision in them."""
        return [line.replace(DECISION_ID, decision_id) for line in self.headers]


def unscreened(verdict: Verdict, rejection: Verdict) -> Verdict:
    """The rejection of a call whose check must not fail, with what the rules have added to the verdict it replaces."""
    return Verdict(
        rejection.action,
        rejection.rule,
        basis=rejection.basis,
        status=rejection.status,
        phrase=rejection.phrase,
        headers=rejection.headers,
        tags=verdict.tags,
        reported=verdict.reported,
        matched=verdict.matched,
    )


def filled(template: str, facts: Mapping[str, FactValue], decision_id: str, header: bool = False) -> str:
    """`template` with each `{fact}` replaced by its value (sets joined by commas), `{id}` by the decision id.

    Facts may hold what the caller wrote: of each value FACT_LIMIT printable characters are taken. In a header value
    they end no quoted string, URI, parameter or list that the template has begun (RFC 3261 §25.1).
    """
    if "{" not in template:
        return template
    head, pieces = _pieces(template)
    parts = [head]
    for name, place, text in pieces:
        value = decision_id if name == "id" else facts.get(name)
        if value is not None:
            values = value if isinstance(value, tuple) else (str(value),)
            parts.append(_written(values, place if header else _ANYWHERE))
        parts.append(text)
    return "".join(parts)


_ANYWHERE: Final = ""
_QUOTED: Final = "quoted"
_BRACKETED: Final = "bracketed"  # a URI
_BARE: Final = "bare"
_UNBARED: Final = str.maketrans({'"': "'", "\\": " ", "<": " ", ">": " ", ";": " ", ",": " "})


def _written(values: tuple[str, ...], place: str) -> str:
    """What is written of a fact at a place of a template."""
    if place == _BARE:
        values = tuple([value.translate(_UNBARED) for value in values])
    text = "".join([char for char in ",".join(values)[:FACT_LIMIT] if char.isprintable()])
    if place == _QUOTED:
        return text.replace("\\", "\\\\").replace('"', '\\"')
    return quote(text, safe=":/?#[]@!$&'()*+,;=%") if place == _BRACKETED else text


@lru_cache(maxsize=1024)
def _pieces(template: str) -> tuple[str, tuple[tuple[str, str, str], ...]]:
    """Its text before the first brace; then for each (name in braces, place of it, text behind it)."""
    head, *rest = template.split("{")
    place = _place_behind(head, _BARE)
    pieces = []
    for piece in rest:
        name, _, text = piece.partition("}")
        pieces.append((name, place, text))
        place = _place_behind(text, place)
    return head, tuple(pieces)


def _place_behind(text: str, place: str) -> str:
    """Where in a header value one is behind `text` that began at `place`."""
    escaped = False
    for char in text:
        if place == _QUOTED:
            if char == '"' and not escaped:
                place = _BARE
            escaped = char == "\\" and not escaped
        elif char == '"' and place == _BARE:
            place = _QUOTED
        elif char == "<":
            place = _BRACKETED
        elif char == ">":
            place = _BARE
    return place
