"""What is wrong with text that is no YAML, in words of somebody who writes it, and where.

Enters: the error of the YAML reader, the text. Leaves: line, column, what, and how to mend it. Must not: read YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.tokens import (
    BlockEndToken,
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingEndToken,
    FlowMappingStartToken,
    FlowSequenceEndToken,
    FlowSequenceStartToken,
    ScalarToken,
    TagToken,
)

Said = tuple[int, int, str, str]  # line and column from 1, what, hint
_Begun = tuple[int, int, str]  # line and column from 1 of a map or list, its bracket, "" where it has none

_COMPARISONS: Final = {">": "over", "<": "under", ">=": "at_least", "<=": "at_most"}
_COMPARED: Final = re.compile(r"([<>]=?):?\s*([0-9.]+)")
_LEFT: Final = re.compile(r"expected ',' or '(.)'")
_LAST: Final = re.compile(r"[\w.-]+$")
_UNFIT: Final = re.compile(r"expected <block end>, but found '(.*)'")
_QUOTES: Final = "put the value in quotes"
_DENIED: Final = re.compile(r"([A-Za-z_.-]+[A-Za-z_.0-9-]*):\s*$")  # the key before a value that begins with !
_GLUED: Final = re.compile(r"( *)-([A-Za-z][\w.]*):")
_RULE: Final = re.compile(r" *- +name:")
_TOP: Final = re.compile(r"( *)(define|rules|default|responses|overrides):")  # keys of a policy
_TWO_COLONS: Final = re.compile(r"[ -]*(\w+): +([\w.]+): +([^:#]*[^:# ]) *")
_WIDE_COLONS: Final = ("\uff1a", "\ufe55", "\u2236")
_CURLY: Final = ("\u201c", "\u201d", "\u201e", "\u2018", "\u2019")
_BEGIN: Final = (
    BlockMappingStartToken,
    BlockSequenceStartToken,
    FlowMappingStartToken,
    FlowSequenceStartToken,
)
_END: Final = (BlockEndToken, FlowMappingEndToken, FlowSequenceEndToken)
_TOO_LONG: Final = re.compile(r"[0-9]{300,}")
_SIGN: Final = re.compile(r"!+=?(?:not\b)?")


def said_of(error: MarkedYAMLError, text: str) -> Said:
    """Where it is, what it is, what to do."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.split("\n")
    here = lines[line] if line < len(lines) else ""
    problem = (error.problem or error.context or "no YAML").split("\n")[0]
    if (dash := _dash(lines, line, problem)) is not None:
        return dash
    began = error.context_mark
    if "tag" in (error.context or "") and began is not None:
        return began.line + 1, began.column + 1, *_denied(lines[began.line], began.column)
    place = (line + 1, column + 1)
    if problem == "mapping values are not allowed here":
        return _colon(lines, line, column)
    if (unfit := _UNFIT.match(problem)) is not None:
        return _unfit(lines, here, place, unfit[1], error)
    key = _LAST.search(here[:column]) if problem.endswith("but got ':'") else None
    if key is not None and key[0].isdigit():
        value = re.split(r"[,}]", here[column:])[0].strip(" :")
        return line + 1, column + 1, f"a second colon behind {key[0]}", f"write {key[0]} {value}, or put it in quotes"
    if key is not None and here[: key.start()].rstrip()[-1:] == ";":
        return line + 1, here[: key.start()].rfind(";") + 1, f"a semicolon before {key[0]}", "write , instead of it"
    if key is not None and here[: key.start()].strip():  # else the map ends with the line before
        return line + 1, key.start() + 1, f"a comma is missing before {key[0]}", "write , before it"
    if problem == "expected the node content, but found '<stream end>'" and (still := _open_at_end(text)) is not None:
        return still
    if (left := _LEFT.match(problem)) is not None and began is not None:
        what = f"the {'{' if left[1] == '}' else '['} in line {began.line + 1}, column {began.column + 1} is not closed"
        return *place, f"{what} before this, or a comma is missing", f"write , or {left[1]} before this place"
    if problem == "could not find expected ':'" and began is not None:
        return _no_colon(lines[began.line], began.line + 1, began.column + 1)
    if problem == "found unexpected end of stream" and began is not None:
        return began.line + 1, began.column + 1, "a quote that begins here has no end", "write the same quote behind it"
    return *place, *_sign(error, problem, here, column)


def too_deep(text: str, deepest: int) -> Said | None:
    """Where more than `deepest` maps and lists lie in one another, None where they do not as they are written."""
    for begun in _nesting(text):
        if len(begun) > deepest:
            line, column, _ = begun[-1]
            what = f"more than {deepest} maps and lists lie in one another here"
            return line, column, what, "close those that are open, or write them beside one another"
    return None


def too_long(text: str) -> Said | None:
    """Where a number stands that has too many digits to be read."""
    found = _TOO_LONG.search(text)
    if found is None:
        return None
    line, column = text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start())
    return line, column, "a number that is not finite", "write one such as 60; a text of digits stands in quotes"


def _open_at_end(text: str) -> Said | None:
    """The bracket that is still open where a text ends."""
    states = list(_nesting(text))  # one list, which has grown and shrunk
    still = [each for each in states[-1] if each[2]] if states else []
    if not still:
        return None
    line, column, sign = still[-1]
    return line, column, f"the {sign} that begins here is not closed", f"write {'}' if sign == '{' else ']'} behind it"


def _nesting(text: str) -> Iterator[list[_Begun]]:
    """The maps and lists that are open, from the outermost, behind each place where one begins or ends."""
    begun: list[_Begun] = []
    lines = text.split("\n")
    try:
        for token in YAML(typ="rt").scan(text):
            if isinstance(token, _BEGIN):
                mark = token.start_mark
                sign = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
                is_flow = isinstance(token, FlowMappingStartToken | FlowSequenceStartToken)
                begun.append((mark.line + 1, mark.column + 1, sign if is_flow else ""))
                yield begun
            elif isinstance(token, _END) and begun:
                begun.pop()
                yield begun
    except YAMLError:
        return  # no YAML: what is known so far is true


def tagged(text: str) -> Iterator[Said]:
    """Each ! that YAML takes for a type, and drops: `trunk.kind: ! gateway` would mean gateway. And each value in the
    quotes of a word processor, which are letters to YAML."""
    if not any(sign in text for sign in ("!", *_CURLY)):
        return
    lines = text.split("\n")
    try:
        for token in YAML(typ="rt").scan(text):
            if isinstance(token, TagToken):
                mark = token.start_mark
                what, hint = _denied(lines[mark.line], mark.column)
                yield mark.line + 1, mark.column + 1, what, hint
            elif isinstance(token, ScalarToken) and token.plain and token.value[:1] in _CURLY:
                mark, inner = token.start_mark, token.value.strip("".join(_CURLY))
                what = f"{token.value[0]} is no quote in YAML, but a letter"
                yield mark.line + 1, mark.column + 1, what, f'write "{inner}"'
    except YAMLError:
        return  # no YAML: told by who reads it


def _denied(here: str, column: int) -> tuple[str, str]:
    """What the ! at `column` of a line is, and how that is said."""
    key = _DENIED.search(here[:column])
    found = _SIGN.match(here[column:])
    sign = found[0] if found is not None else "!"
    if sign == "!!":  # a type that YAML has itself: !!str 202
        tag, _, value = re.split(r"[,}\]]", here[column:])[0].partition(" ")
        return f"{tag} is a type in YAML", f'write "{value.strip()}" in quotes' if value else _QUOTES
    if sign == "!" and here[column:].startswith("!include"):
        file = here[column + len("!include") :].strip() or "FILE"
        return "!include is no word of YAML", f"write - include: {file} among the rules"
    if key is None or ("." not in key[1] and key[1] != "is"):
        return "a text that begins with ! is a type in YAML", _QUOTES
    rest = here[column + len(sign) :].lstrip(" =")
    value = rest[: rest.find("]") + 1] if rest.startswith("[") else re.split(r"[,}#]", rest)[0].strip()
    return f"{sign} is no comparison in YAML", f"write not: {{{key[1]}: {value}}}"


def _sign(error: MarkedYAMLError, problem: str, here: str, column: int) -> tuple[str, str]:
    """A sign that means something else in YAML, or what the reader says."""
    if r"'\t'" in problem:
        return "a tab stands here", "indent with spaces, as YAML wants it"
    compared = _COMPARED.search(here)
    if compared is not None and ("block scalar" in (error.context or "") or here[column : column + 1] in "<>"):
        bound = f"{{{_COMPARISONS[compared[1]]}: {compared[2]}}}"
        return f"{compared[1]} is no comparison in YAML", f"write {bound}"
    if problem.startswith("found undefined alias"):
        return f"a text that begins with {here[column : column + 1]} is a reference in YAML", _QUOTES
    if "cannot start any token" in problem:
        return f"no value can begin with {here[column : column + 1]} in YAML", _QUOTES
    if problem.startswith("found unknown escape character"):
        return r"\ begins an escape in double quotes", r"write '...' or \\"
    if problem.startswith("but found another document"):
        return "a second document begins here", "take the line --- out, or write another file"
    return problem, ""


def _dash(lines: list[str], line: int, problem: str) -> Said | None:
    """A dash without a space, or one in another column than those of its list; None where it is something else."""
    if problem != "mapping values are not allowed here" and not _UNFIT.match(problem):
        return None
    for at in (line, line - 1):
        glued = _GLUED.match(lines[at]) if 0 <= at < len(lines) else None
        if glued is not None:
            column = len(glued[1]) + 1
            return at + 1, column, f"a dash and {glued[2]} without a space", f"write - {glued[2]}: ..."
    here = lines[line] if line < len(lines) else ""
    indent = len(here) - len(here.lstrip(" "))
    if not _RULE.match(here):
        return None
    for at in range(line - 1, -1, -1):
        if _RULE.match(lines[at]):
            above = len(lines[at]) - len(lines[at].lstrip(" "))
            if above == indent:
                return None
            what = f"a rule begins here in column {indent + 1}, the one in line {at + 1} in column {above + 1}"
            return line + 1, indent + 1, what, f"move this dash, and what belongs to it, to column {above + 1}"
    return None


def _colon(lines: list[str], line: int, column: int) -> Said:
    """A colon behind what cannot be a key: the key before it is wrong, or indented otherwise, or a value has colons."""
    here = lines[line]
    indent = len(here) - len(here.lstrip(" "))
    at = next((n for n in range(line - 1, -1, -1) if lines[n].strip() and not lines[n].strip().startswith("#")), line)
    above = lines[at]
    begins = len(above) - len(above.lstrip(" -"))
    first = here.find(": ")
    if 0 <= first < column:
        return line + 1, first + 3, "a second colon in one value", _braced(here)
    if at < line and ": " not in above and not above.rstrip().endswith(":"):
        return _no_colon(above, at + 1, begins + 1)
    if indent > begins:
        what = f"{_name(here)} is indented deeper than {_name(above)} above it, which has its value"
        return line + 1, indent + 1, what, f"begin it in column {begins + 1}"
    return line + 1, column + 1, "a colon where none can stand", _QUOTES


def _no_colon(text: str, line: int, column: int) -> Said:
    """A line that begins like a key, without the colon of one."""
    name = _name(text)
    if name.startswith("//"):
        return line, column, "// begins no comment in YAML", "write # instead"
    if name[-1:] in _WIDE_COLONS:
        return line, column + len(name) - 1, f"{name[-1]} is no colon in YAML", "type a plain : instead"
    return line, column, f"{name} has no colon", f"write {name}: VALUE, with a space after the colon"


def _braced(here: str) -> str:
    """How `KEY: A: B` is written."""
    said = _TWO_COLONS.fullmatch(here)
    if re.fullmatch(r"default: +reject: *", here):
        return "write default: reject BASIS, without a colon behind reject"
    if said is None:
        return "put a text in quotes, a map in braces"
    key, name, value = said.groups()
    if key == "default" and name == "reject":
        return f"write default: reject {value}"
    if key == "reject":
        return f"write reject: {name}, and the answer beside rules, in responses: {{{name}: {value}}}"
    if key in ("when", "not") or "." in name:
        return f"write {key}: {{{name}: {value}}}"
    return "put a text in quotes, a map in braces"


def _unfit(lines: list[str], here: str, place: tuple[int, int], found: str, error: MarkedYAMLError) -> Said:
    """A line that belongs to nothing above it, or something behind a value that is complete."""
    line, column = place
    if column != len(here) - len(here.lstrip(" ")) + 1:
        what = f"{here[column - 1 : column]} behind a value that is complete"
        return line, column, what, _QUOTES if found == "<scalar>" else "take it out"
    if found == "-":
        return line, column, "a dash in the place of a key", "take it out, or indent it deeper than the key above"
    begins = error.context_mark.column + 1 if error.context_mark is not None else 1
    top = _TOP.match(here)
    first = next((each for each in map(_TOP.match, lines[: line - 1]) if each is not None), None)
    if top is not None and first is not None and len(first[1]) + 1 < column:
        what = f"{top[2]} is indented deeper than {first[2]}, and belongs beside it"
        return line, column, what, f"begin it in column {len(first[1]) + 1}"
    what = f"{_name(here)} is indented as nothing that it could belong to"
    if "collection" in (error.context or ""):  # a list: the keys of its entries stand behind a dash
        begun = column == begins and _name(here) == "name"
        hint = "write a dash before it" if begun else f"begin it in column {begins + 2}"
        return line, column, what, hint
    return line, column, what, f"begin it in column {begins}, or in that of the key above it"


def _name(line: str) -> str:
    """The key of a line, as far as there is one; never a value, since that may be a secret."""
    return re.split(r"[\s:=]", line.strip(" -"), maxsplit=1)[0]
