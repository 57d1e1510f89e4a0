"""What somebody meant who wrote a rule, or what it does, in another form than ours.

Enters: what stands in the place of rules, a rule, a basis, a default, a redirect. Leaves: what is wrong with it, and
how it is written. Must not: take it for what was meant by itself.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sipguard.screening.policy.errors import shown
from sipguard.screening.policy.model import BASES
from sipguard.screening.policy.responses import lawful

_BASES: Final = f"one of {', '.join(BASES)}"
_ANSWERS: Final = ("status", "response", "answer", "code")
_LETS_PASS: Final = frozenset({"allow", "allowed", "accept", "pass", "permit", "forward", "continue", "yes", "true"})
_STOPS: Final = frozenset({"reject", "deny", "block", "drop", "decline", "refuse", "hangup", "no", "false"})
_URIS: Final = ("sip:", "sips:", "tel:")


def rules(value: object, keys: Collection[str]) -> tuple[str, str]:
    """(what is wrong, how it is written) of `rules:` that is no list; `keys` are those of a rule."""
    if not isinstance(value, dict):
        return "must be a list of rules", "begin each with a dash, as - name: NAME; for none write rules: []"
    if len(value) == 1 and "include" in value:
        return (
            "must be a list of rules, not a map",
            f"write a dash before include: - include: {shown(value['include'])}",
        )
    if any(key in keys for key in value):
        name = value["name"] if isinstance(value.get("name"), str) else "NAME"
        return "must be a list of rules, not one", f"write - name: {name}, and its other keys in the column of name"
    name = next(iter(value), "NAME")
    hint = f"write - name: {name}, and in the column of name when: and what to do"
    return "must be a list of rules, not a map of their names", hint


def rule(value: object) -> tuple[str, str]:
    """The same of a rule that is no map."""
    if value is None:
        return "a dash with nothing behind it", "write a rule there, or take the dash out"
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict):
            return "a rule is a map, not a list", "take one of its two dashes out"
        return "a rule is a map, not a list", "such as {name: NAME, when: {FACT: VALUE}, reject: BASIS}"
    text = shown(value)
    if text.endswith((".yaml", ".yml")):
        return f"a rule is a map, not {text}", f"write - include: {text}"
    return f"a rule is a map, not {text}", f"write - name: {text}, and in the column of name when: and what to do"


def named(key: str, beside: dict[str, object], keys: Collection[str]) -> str:
    """A hint for a key of a rule that is its name: `- dno: {when: ...}`, or `- dno:` before the others; "" else."""
    below = beside[key]
    if isinstance(below, dict) and len(beside) == 1 and any(each in keys for each in below):
        return f"write name: {key}, and what stands below it in the column of name"
    if below is None and "name" not in beside and len(beside) > 1:
        return f"write name: {key}"
    return ""


def basis(value: object, key: str = "reject: ") -> tuple[str, str]:
    """The same of what is no basis, behind `key`."""
    what = f"{key.strip(': ')} wants a basis, not {shown(value)}" if not isinstance(value, str | int) else ""
    name, answer = _with_answer(value)
    if name:
        hint = f"write {key}{name}"
        if answer is not None:
            hint += f", and {answered(name, answer)}"
        return what or f"unknown basis {shown(value)}", hint
    if isinstance(value, bool):
        what = f"{key.strip(': ')} wants a basis, not {shown(value)}"
    elif str(value)[:1].isdigit():
        return f"unknown basis {shown(value)}", f"write {_BASES}, and {answered('BASIS', value)}"
    return what or f"unknown basis {shown(value)}", f"write {_BASES}"


def answered(name: str, answer: object) -> str:
    """Where the answer of a basis is written, and that it cannot be this one where it cannot."""
    usable, why = lawful(name, answer)
    if usable:
        return f"the answer beside rules, in responses: {{{name}: {usable}}}"
    return f"the answer beside rules, in responses, but not {shown(answer)}: {why}"


def _with_answer(value: object) -> tuple[str, object]:
    """The basis in a map, list or text that says more, and the answer in it; ("", None) where there is none."""
    if isinstance(value, list):
        return (value[0], None) if len(value) == 1 and value[0] in BASES else ("", None)
    if isinstance(value, str):
        first, _, rest = value.replace(":", " ").partition(" ")
        return (first, rest.strip() or None) if first in BASES else ("", None)
    if not isinstance(value, dict):
        return "", None
    name = value.get("basis")
    if isinstance(name, str) and name in BASES:
        return name, next((value[each] for each in _ANSWERS if each in value), None)
    if len(value) == 1:
        ((name, answer),) = value.items()
        if isinstance(name, str) and name in BASES:
            return name, None if answer is True else answer
    return "", None


def default(value: object) -> str:
    """A hint for what is no default."""
    if isinstance(value, dict) and len(value) == 1 and "allow" in value:
        return "write default: allow"
    if isinstance(value, dict) and "reject" in value:
        return basis({**value, "basis": value["reject"]}, "default: reject ")[1]
    word = shown(value).lower()
    if word in _LETS_PASS:
        return "write default: allow"
    if word in BASES:
        return f"write default: reject {word}"
    stops = word in _STOPS or isinstance(value, dict)
    return f"write default: reject BASIS, {_BASES}" if stops else f"write allow, or reject BASIS, {_BASES}"


def redirect(value: object, routes: Collection[str]) -> str:
    """A hint for what is no redirect."""
    if isinstance(value, dict) and len(value) > 1:
        return "write one of them"
    target = next(iter(value.values())) if isinstance(value, dict) and value else value
    if isinstance(target, str) and target in routes:
        return f"write redirect: {{route: {target}}}"
    if isinstance(target, str) and target.startswith(_URIS):
        return f"write redirect: {{contact: {target}}}"
    return "such as {contact: sip:voicemail@pbx.example}, or {route: TRUNK}"


def action(value: object) -> str:
    """A hint for `action: VALUE`: `allow`, `reject`, `reject dno`; "" for another value."""
    first, _, rest = shown(value).replace(":", " ").partition(" ")
    if first.lower() in _LETS_PASS and not rest:
        return "write allow: true"
    if first.lower() in _STOPS:
        return f"write reject: {rest.strip()}" if rest.strip() in BASES else f"write reject: BASIS, {_BASES}"
    return ""
