"""A policy as it was written, in its own file or in the configuration, and where each thing in it stands.

Enters: a Document and the path of the policy in it, or a file. Leaves: plain values with the rules and definitions of
included files in their places, and the dates of files where `dates` of a time names them; problems with their places.
Must not: know what else a rule says.
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Any, Final

from sipguard.screening.policy.errors import ERROR, Path, meant
from sipguard.screening.policy.errors import Problem as PolicyProblem
from sipguard.screening.policy.times import days_named
from sipguard.settings.document import Document
from sipguard.settings.problems import Problem

INCLUDE: Final = "include"
INCLUDED_KEYS: Final = ("define", "rules")

_Place = tuple[Document, Path]


class PolicyText:
    """What was written. `plain` is None where it cannot be read; `problems` says why, and what is wrong of includes."""

    def __init__(self, document: Document, written: object, at: Path = ()) -> None:
        """`written` stands at the path `at` of `document`."""
        self.document = document
        self.problems = [] if at else list(document.problems)
        self.plain: Any = written
        self._at = at
        self._included: list[Document] = []
        self._rules: list[_Place] = []  # of each rule, as they stand in `plain`
        self._definitions: dict[str, _Place] = {}
        self._rules_taken: list[object] = []
        self._definitions_taken: dict[object, object] = {}
        self._dates: dict[File, tuple[bytes, list[str]]] = {}
        if isinstance(written, dict) and isinstance(written.get("rules"), list):
            self._take(document, written, at, (document.file,))
            self.plain = {**written, "rules": self._rules_taken}
            if self._definitions_taken:
                self.plain["define"] = self._definitions_taken

    @classmethod
    def of_file(cls, file: File) -> PolicyText:
        """The policy that is a file by itself."""
        document = Document(file)
        return cls(document, document.plain)

    @property
    def has_file(self) -> bool:
        """Whether it stands in a file of its own."""
        return not self._at

    @property
    def files(self) -> tuple[File, ...]:
        """The files that it includes, each once."""
        return tuple(dict.fromkeys(each.file for each in self._included))

    @property
    def date_files(self) -> tuple[File, ...]:
        """The files that its dates stand in."""
        return tuple(self._dates)

    @property
    def octets(self) -> tuple[bytes, ...]:
        """What stands in the files that were read for it, besides the configuration's."""
        own = () if self._at else (self.document.text,)
        return (*own, *(each.text for each in self._included), *(octets for octets, _ in self._dates.values()))

    def problem(self, path: Path, what: str, hint: str = "", level: str = ERROR) -> Problem:
        """A problem of the value at `path` of the policy, in the file where it stands."""
        document, here = self._where(path)
        return document.problem(here, what, hint, level)

    def _where(self, path: Path) -> _Place:
        """The file in which the value at `path` of the policy stands, and its path there."""
        document, here = self.document, (*self._at, *path)
        if len(path) > 1:
            place: _Place | None = None
            if path[0] == "rules" and isinstance(path[1], int) and path[1] < len(self._rules):
                place = self._rules[path[1]]
            elif path[0] == "define":
                place = self._definitions.get(str(path[1]))
            if place is not None:
                document, here = place[0], (*place[1], *path[2:])
        return document, here

    def placed(self, problem: PolicyProblem) -> Problem:
        """The same problem with its place in a file, and that of the first where it is a second one."""
        what = problem.what
        if problem.first:
            document, here = self._where(problem.first)
            line, column = document.position(here)
            what += f"; the first stands in {document.file}:{line}:{column}"
        return self.problem(problem.path, what, problem.hint, problem.level)

    # -------------------------------------------------------------------------------- includes

    def _take(self, document: Document, written: dict[Any, Any], at: Path, within: tuple[File, ...]) -> None:
        """Takes the rules and definitions of one file in; `within`: the files that include it."""
        defined = written.get("define")
        for name, condition in defined.items() if isinstance(defined, dict) else ():
            before = self._definitions.get(str(name))
            if before is not None:
                line, column = before[0].position(before[1])
                what = f"is defined in {before[0].file}:{line}:{column} already"
                self.problems.append(document.problem((*at, "define", name), what, "write it in one of them"))
                continue
            self._definitions[str(name)] = (document, (*at, "define", name))
            self._definitions_taken[name] = self._filled(condition, document, (*at, "define", name))
        listed = written.get("rules")
        if listed is not None and not isinstance(listed, list):
            self.problems.append(document.problem((*at, "rules"), "must be a list of rules", "begin each with a dash"))
        for n, rule in enumerate(listed if isinstance(listed, list) else ()):
            here = (*at, "rules", n)
            if isinstance(rule, dict) and INCLUDE in rule:
                self._include(document, rule, here, within)
            else:
                self._rules.append((document, here))
                self._rules_taken.append(self._filled(rule, document, here))

    def _include(self, document: Document, entry: dict[Any, Any], here: Path, within: tuple[File, ...]) -> None:
        """The files that an `include` names, one after the other."""
        for key in entry:
            if key != INCLUDE:
                self.problems.append(document.problem((*here, key), f"{key} beside include", "write a rule of its own"))
        names = entry[INCLUDE] if isinstance(entry[INCLUDE], list) else [entry[INCLUDE]]
        for at, name in enumerate(names):
            place = (*here, INCLUDE, at) if isinstance(entry[INCLUDE], list) else (*here, INCLUDE)
            if not isinstance(name, str) or not name:
                self.problems.append(document.problem(place, f"{name} is no file", "write its path"))
                continue
            file = (document.file.parent / name).resolve()
            if file in [each.resolve() for each in within]:
                self.problems.append(document.problem(place, f"{file} includes itself"))
                continue
            found = Document(file)
            self._included.append(found)
            if found.problems:
                self.problems += found.problems_for(document, place)
            elif not isinstance(found.plain, dict):
                what = "an included file is a map"
                self.problems.append(found.problem((), what, f"of {' and '.join(INCLUDED_KEYS)}"))
            else:
                for key in found.plain:
                    if key not in INCLUDED_KEYS:
                        hint = meant(str(key), INCLUDED_KEYS)
                        self.problems.append(found.problem((key,), f"{key} cannot stand in an included file", hint))
                self._take(found, found.plain, (), (*within, file))

    # -------------------------------------------------------------------------------- dates

    def _filled(self, written: Any, document: Document, at: Path) -> Any:
        """What is written, with the dates of files that a time in it names."""
        if isinstance(written, list):
            return [self._filled(each, document, (*at, n)) for n, each in enumerate(written)]
        if not isinstance(written, dict):
            return written
        found = {key: self._filled(each, document, (*at, key)) for key, each in written.items()}
        time = found.get("time")
        if isinstance(time, dict) and "dates" in time:
            found["time"] = {**time, "dates": self._dates_of(time["dates"], document, (*at, "time", "dates"))}
        return found

    def _dates_of(self, written: Any, document: Document, at: Path) -> Any:
        """Dates, those of `{file: PATH}` in its place."""
        listed = isinstance(written, list)
        found: list[object] = []
        for n, each in enumerate(written if listed else [written]):
            if isinstance(each, dict) and list(each) == ["file"] and isinstance(each["file"], str):
                found += self._dates_in(document.file.parent / each["file"], document, (*at, n) if listed else at)
            elif not listed:
                return written
            else:
                found.append(each)
        return found

    def _dates_in(self, file: File, document: Document, at: Path) -> list[str]:
        """The dates in the lines of a file; what follows # is for people."""
        if file not in self._dates:
            try:
                octets = file.read_bytes()
            except OSError as error:
                self.problems.append(document.problem(at, f"{file} cannot be read: {error.strerror}", "write its path"))
                return ["01-01"]  # one problem is enough
            dates = []
            for n, line in enumerate(octets.decode(errors="replace").splitlines(), 1):
                word = line.partition("#")[0].strip()
                if word and not days_named(word):
                    hint = "write 2027-01-31, or 12-25 for every year"
                    self.problems.append(Problem(str(file), n, 1, (), f"{word[:40]} is no date", hint))
                elif word:
                    dates.append(word)
            if not dates and not any(each.file == str(file) for each in self.problems):
                self.problems.append(Problem(str(file), 1, 1, (), "no date stands here", "write one in each line"))
            self._dates[file] = octets, dates or ["01-01"]
        return self._dates[file][1]
