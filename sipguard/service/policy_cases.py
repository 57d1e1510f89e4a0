"""Cases that a policy is tested by, as somebody wrote them beside it.

Enters: a YAML file, the words that it may use. Leaves: cases; every problem with its place. Must not: run one.

    call: {trunk: carrier-a, to: "+12125550123"}     # of every case that does not say otherwise
    tests:
      - name: a number that never calls
        call: {from: "+12025550111"}
        facts: {lists.shown: dno}
        expect: {verdict: reject, rule: dno, status: 403}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path as File
from typing import Any, Final

from sipguard.screening.checks import ALL_FACTS, CHECKS
from sipguard.screening.finding import FactValue
from sipguard.screening.policy.errors import Path, meant
from sipguard.screening.policy.errors import Problem as PolicyProblem
from sipguard.screening.policy.model import BASES
from sipguard.screening.policy.said import read_said
from sipguard.screening.question import Question
from sipguard.screening.verdict import ALLOW, LABEL, REDIRECT, REJECT, RESERVED_RULES
from sipguard.service import pasted
from sipguard.settings.document import Document
from sipguard.settings.problems import Problem

FILE_KEYS: Final = ("call", "tests")
CASE_KEYS: Final = ("name", "call", "invite", "facts", "failed", "expect")
CALL_KEYS: Final = ("from", "to", "trunk", "pai", "diversion", "at", "identity", "certificate", "priority")
EXPECT_KEYS: Final = ("verdict", "rule", "status", "basis", "tags", "label", "reported")
VERDICTS: Final = (ALLOW, LABEL, REJECT, REDIRECT)

Expected = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Words:
    """What cases may name: trunks that calls come in by, rules, lists with what they are asked about, other trunks.

    `lists` is None for cases of rules that several configurations include, not all of which have each list.
    """

    trunks: tuple[str, ...]
    rules: tuple[str, ...]
    lists: Mapping[str, tuple[str, ...]] | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One case. `expected` has the keys that were written, of EXPECT_KEYS; `place` is where it stands."""

    name: str
    question: Question
    trunk: str
    said: Mapping[str, FactValue]
    failed: tuple[str, ...]
    expected: Expected
    chains: tuple[bytes, ...]
    place: str


def read_cases(file: File, words: Words, now_at: float) -> tuple[list[Case], list[Problem]]:
    """The cases in a file, and all that is wrong with it. A case without `at` is of the time `now_at`."""
    document = Document(file)
    reader = _Reader(document, words, now_at)
    if not document.problems:
        reader.read()
    return reader.cases, [*document.problems, *reader.problems]


class _Reader:
    """Reads one file; `cases` and `problems` grow."""

    def __init__(self, document: Document, words: Words, now_at: float) -> None:
        self.document = document
        self.words = words
        self.now_at = now_at
        self.cases: list[Case] = []
        self.problems: list[Problem] = []
        self._names: set[str] = set()

    def problem(self, path: Path, what: str, hint: str = "") -> None:
        """Notes a problem."""
        self.problems.append(self.document.problem(path, what, hint))

    def read(self) -> None:
        """All cases."""
        written = self.document.plain
        if not isinstance(written, dict) or not isinstance(written.get("tests"), list):
            self.problem((), "tests must be a list of cases", "write tests: and below it a dash for each case")
            return
        self._keys(written, FILE_KEYS, ())
        common = self._map(written.get("call"), ("call",), CALL_KEYS)
        for at, case in enumerate(written["tests"]):
            self._case(case, ("tests", at), common)

    def _keys(self, written: dict[Any, Any], known: tuple[str, ...], path: Path) -> None:
        for key in written:
            if key not in known:
                self.problem((*path, str(key)), f"unknown key {key}", meant(str(key), known))

    def _map(self, written: object, path: Path, known: tuple[str, ...]) -> dict[str, Any]:
        """A map of known keys; an empty one for what is none."""
        if written is None:
            return {}
        if not isinstance(written, dict):
            self.problem(path, "must be a map", f"of {', '.join(known)}")
            return {}
        self._keys(written, known, path)
        return {key: value for key, value in written.items() if key in known}

    def _case(self, written: object, path: Path, common: dict[str, Any]) -> None:
        """One case."""
        if not isinstance(written, dict):
            self.problem(path, "a case is a map", f"of {', '.join(CASE_KEYS)}")
            return
        before = len(self.problems)
        self._keys(written, CASE_KEYS, path)
        name = written.get("name")
        if not isinstance(name, str) or not name:
            self.problem(path, "a case without a name", "write name: and what must become of the call")
        elif name in self._names:
            self.problem((*path, "name"), f"a second case with the name {name}")
        self._names.add(str(name))
        call = {**common, **self._map(written.get("call"), (*path, "call"), CALL_KEYS)}
        found: list[PolicyProblem] = []
        said = read_said(written.get("facts"), ALL_FACTS, self.words.lists, (*path, "facts"), found)
        self.problems += [self.document.problem(each.path, each.what, each.hint) for each in found]
        failed = self._failed(written.get("failed"), (*path, "failed"))
        expected = self._expected(written.get("expect"), (*path, "expect"))
        trunks = self._trunks(call.get("trunk"), path)
        chains = [self._octets(each, (*path, "call", "certificate")) for each in _several(call.get("certificate"))]
        question = self._question(call, written.get("invite"), path)
        if len(self.problems) == before and question is not None:
            line, column = self.document.position(path)
            place = f"{self.document.file}:{line}:{column}"
            for trunk in trunks:
                told = str(name) if isinstance(call.get("trunk"), str) else f"{name}, by {trunk}"
                self.cases.append(Case(told, question, trunk, said, failed, expected, tuple(chains), place))

    # -------------------------------------------------------------------------------- the call

    def _trunks(self, written: object, path: Path) -> tuple[str, ...]:
        """By which trunks the call comes: the one that is named, of several those that there are, else each of all."""
        if written is None:
            return self.words.trunks
        names = tuple(map(str, _several(written)))
        known = tuple(name for name in names if name in self.words.trunks)
        if not known:
            what = "none of these is a trunk that calls come in by" if len(names) > 1 else f"{written} is no trunk"
            hint = meant(names[0] if names else "", self.words.trunks)
            if len(names) == 1 and names[0] in self.words.others:
                what = f"no calls come in by {names[0]}, which has no sources"
                hint = f"write one of {', '.join(self.words.trunks)}" if self.words.trunks else ""
            self.problem((*path, "call", "trunk"), what, hint)
        return known

    def _question(self, call: dict[str, Any], invite: object, path: Path) -> Question | None:
        """Who calls whom: of the case, else of its INVITE."""
        given = pasted.Pasted()
        if invite is not None:
            given = pasted.read(self._octets(invite, (*path, "invite")).decode("utf-8", "replace"))
        identity = list(given.identity)
        for file in _several(call.get("identity")):
            text = self._octets(file, (*path, "call", "identity")).decode("utf-8", "replace")
            identity += pasted.read(text).identity
        caller, called = _text(call.get("from")) or given.caller, _text(call.get("to")) or given.called
        for key, value in (("from", caller), ("to", called or given.request_uri)):
            if not value:
                self.problem(path, f"does not say {key} whom", f"write call: {{{key}: NUMBER}}, or invite: FILE")
                return None
        return Question(
            caller,
            called or given.request_uri,
            tuple(pasted.with_parameters(each) for each in identity),
            self._at(call.get("at"), (*path, "call", "at")),
            tuple(map(str, _several(call.get("pai")))) or tuple(given.asserted),
            given.request_uri if "to" not in call else "",
            given.date,
            tuple(map(str, _several(call.get("diversion")))) or tuple(given.diverting),
            _text(call.get("priority")) or given.priority,
            tuple(given.resource_priority),
        )

    def _at(self, written: object, path: Path) -> float:
        """Unix seconds."""
        if written is None:
            return self.now_at
        if isinstance(written, int | float) and not isinstance(written, bool):
            return float(written)
        if isinstance(written, date) and not isinstance(written, datetime):
            written = written.isoformat()
        try:
            found = written if isinstance(written, datetime) else datetime.fromisoformat(str(written))
            return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            self.problem(path, f"{written} is no time", "such as 2026-11-26T12:00:00Z")
            return self.now_at

    def _octets(self, file: object, path: Path) -> bytes:
        """What a file holds that stands beside this one."""
        target = self.document.file.parent / str(file)
        try:
            return target.read_bytes()
        except OSError as error:
            self.problem(path, f"{target} cannot be read: {error.strerror}")
            return b""

    def _failed(self, written: object, path: Path) -> tuple[str, ...]:
        """Names of checks that have failed."""
        for name in _several(written):
            if name not in CHECKS:
                self.problem(path, f"{name} is no check", meant(str(name), CHECKS))
        return tuple(map(str, _several(written)))

    # -------------------------------------------------------------------------------- what is expected

    def _expected(self, written: object, path: Path) -> Expected:
        expected = self._map(written, path, EXPECT_KEYS)
        if not expected:
            self.problem(path, "expects nothing", "write expect: {verdict: reject, rule: NAME}")
        verdict, rule, status = expected.get("verdict"), expected.get("rule"), expected.get("status", 0)
        if "verdict" in expected and verdict not in VERDICTS:
            self.problem((*path, "verdict"), f"{verdict} is no verdict", meant(str(verdict), VERDICTS))
        self._rule(rule, (*path, "rule"), (*self.words.rules, *RESERVED_RULES))
        basis = expected.get("basis") or None
        if basis is not None and basis not in BASES:
            self.problem((*path, "basis"), f"{basis} is no basis", meant(str(basis), BASES))
        if isinstance(status, bool) or not isinstance(status, int):
            hint = f"write {status} without quotes" if isinstance(status, str) and status.isdigit() else "such as 403"
            self.problem((*path, "status"), f"{status} is no SIP status", hint)
        for name in _several(expected.get("reported")):
            self._rule(name, (*path, "reported"), self.words.rules)
        label = expected.get("label", "")
        if label is not False and not isinstance(label, str):
            self.problem((*path, "label"), f"{label} is no prefix", 'write the prefix, such as "SPAM? ", or false')
        return expected

    def _rule(self, name: object, path: Path, known: tuple[str, ...]) -> None:
        if name is not None and name not in known:
            self.problem(path, f"{name} is no rule", meant(str(name), known))


def _text(value: object) -> str:
    """A number or URI as it was written; YAML reads digits without quotes as a number."""
    return "" if value is None else str(value)


def _several(value: object) -> list[Any]:
    """One value or a list of them."""
    return [] if value is None else value if isinstance(value, list) else [value]
