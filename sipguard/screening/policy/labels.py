"""Labels of rules: what may be written into a call that goes on.

Enters: `label:` as written. Leaves: LabelSpec values; problems. Must not: allow what would break the
message or the token: digits of numbers stay as they came, headers of the dialog are not a policy's to
write.
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.policy.errors import Path, Problem, meant, shown
from sipguard.screening.policy.model import LabelSpec, Vocabulary
from sipguard.sip.uri import TOKEN

LABEL_KEYS: Final = ("prefix", "max", "verstat", "headers")
_ELSEWHERE: Final = {"text": "prefix", "name": "prefix", "display": "prefix", "header": "headers", "length": "max"}
_OURS: Final = frozenset(
    {"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "route", "record-route"}
    | {"max-forwards", "content-length", "l", "content-type", "c", "content-encoding", "e", "identity", "y"}
    | {"p-asserted-identity", "p-preferred-identity", "require", "supported", "k", "proxy-require", "date"}
    | {"proxy-authorization", "authorization", "expires", "min-se", "session-expires", "x", "priority"}
)


def read_label(value: object, path: Path, vocabulary: Vocabulary, problems: list[Problem]) -> LabelSpec | None:
    """The label written as `value`; None where it cannot be read at all."""
    if not isinstance(value, dict) or not value:
        hint = f'write {{prefix: "{shown(value)} "}}' if isinstance(value, str) else 'such as {prefix: "SPAM? "}'
        problems.append(Problem(path, f"must be a map, not {shown(value)}", hint))
        return None
    for key in value:
        if key not in LABEL_KEYS:
            hint = f"did you mean {_ELSEWHERE[str(key)]}?" if key in _ELSEWHERE else meant(str(key), LABEL_KEYS)
            problems.append(Problem((*path, str(key)), f"unknown key {key}", hint))
    prefix = value.get("prefix", "")
    if not isinstance(prefix, str) or not prefix.isprintable() or '"' in prefix or "\\" in prefix:
        hint = "without quotes and backslashes within"
        if isinstance(prefix, int | float) and not isinstance(prefix, bool):
            hint = f'write "{prefix} " in quotes'
        problems.append(Problem((*path, "prefix"), "must be a printable text", hint))
        prefix = ""
    _template(prefix, (*path, "prefix"), {spec.name for spec in vocabulary.facts} | {"id"}, problems)
    longest = value.get("max", 0)
    if isinstance(longest, bool) or not isinstance(longest, int) or longest < 0:
        hint = f"write {longest} without quotes" if str(longest).isdecimal() else "such as 15"
        problems.append(Problem((*path, "max"), f"must be a number of characters, not {shown(longest)}", hint))
        longest = 0
    verstat = value.get("verstat", "")
    if not isinstance(verstat, str) or not set(verstat) <= TOKEN:
        problems.append(Problem((*path, "verstat"), f"{verstat} is no verstat", "such as TN-Validation-Failed"))
        verstat = ""
    headers = _headers(value.get("headers"), (*path, "headers"), vocabulary, problems)
    return LabelSpec(prefix, longest, verstat, headers)


def _headers(value: object, path: Path, vocabulary: Vocabulary, problems: list[Problem]) -> tuple[tuple[str, str], ...]:
    """`headers: {Name: template}` as pairs."""
    if value is None:
        return ()
    if not isinstance(value, dict):
        problems.append(
            Problem(path, "must map header names to values", 'such as {Attestation-Info: "{identity.attest}"}')
        )
        return ()
    known = {spec.name for spec in vocabulary.facts} | {"id"}
    headers = []
    for name, template in value.items():
        at = (*path, str(name))
        if not isinstance(name, str) or not name or not set(name) <= TOKEN:
            problems.append(
                Problem(at, f"{shown(name)} is no header name (RFC 3261 §25.1)", "write such as X-Screening")
            )
        elif name.lower() in _OURS:
            problems.append(Problem(at, f"{name} is not a policy's to write", "write another header"))
        elif not isinstance(template, str) or not template.isprintable():
            problems.append(Problem(at, "must be one line of text", "facts stand in braces, such as {identity.attest}"))
        else:
            _template(template, at, known, problems)
            headers.append((name, template))
    return tuple(headers)


def _template(template: str, path: Path, known: set[str], problems: list[Problem]) -> None:
    """Problems of the facts in braces of a template."""
    for piece in template.split("{")[1:]:
        name, closed, _ = piece.partition("}")
        if not closed:
            problems.append(Problem(path, "a brace is not closed", "facts stand in braces, such as {identity.attest}"))
        elif name not in known:
            problems.append(Problem(path, f"unknown fact {name}", meant(name, known)))


def read_words(value: object, path: Path, what: str, problems: list[Problem]) -> tuple[str, ...]:
    """One text or a list of them, as a tuple."""
    if value is None:
        return ()
    words = value if isinstance(value, list) else [value]
    for word in words:
        if not isinstance(word, str) or not word or not word.isprintable():
            hint = "write a text, or a list of texts"
            if isinstance(word, int | float) and not isinstance(word, bool):
                hint = f'write "{word}" in quotes'
            problems.append(Problem(path, f"{shown(word)} is not {what}", hint))
    return tuple(word for word in words if isinstance(word, str))


def read_tags(value: object, path: Path, problems: list[Problem]) -> tuple[str, ...]:
    """One word or a list of them, as a tuple."""
    words = read_words(value, path, "a tag", problems)
    for word in words:
        parts = word.split()
        if word.isprintable() and parts and parts != [word]:
            hint = f"write {'_'.join(parts)}" + (f", or [{', '.join(parts)}] for each of them" if parts[1:] else "")
            problems.append(Problem(path, f"{shown(word)} is not one word", hint))
    return words
