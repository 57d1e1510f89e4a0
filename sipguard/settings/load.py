"""A configuration file, those of `conf.d` beside it and those it names, to a PlainRuleset and the service's settings.

Enters: a path. Leaves: what was loaded, and every problem at once. Must not: stop at the first problem, or
give a Ruleset where there is an error.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path as File
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from sipguard.numbers.errors import PlanError
from sipguard.numbers.formats import ListReader
from sipguard.numbers.plan import Plan, PlanDate
from sipguard.records.judged_by import JudgedBy
from sipguard.screening.checks import ALL_FACTS
from sipguard.screening.guard import Settings as GuardSettings
from sipguard.screening.listspec import ListSpec
from sipguard.screening.policy.errors import ERROR, WARNING, Path, dotted, meant
from sipguard.screening.policy.model import Policy, Redress, Vocabulary
from sipguard.screening.policy.predicates import wants_plan
from sipguard.screening.policy.read import read_policy
from sipguard.screening.ruleset import CLOSED, PlainRuleset
from sipguard.screening.trunk import SignRules
from sipguard.settings import build, numbering, secret, signing
from sipguard.settings.bases import is_imported, with_base
from sipguard.settings.directories import unwritable
from sipguard.settings.document import Document
from sipguard.settings.entries import BY_TRUNK
from sipguard.settings.fits import misfits
from sipguard.settings.merged import Merged
from sipguard.settings.model import Config, CrlShape, ListShape, TrustListShape
from sipguard.settings.policytext import PolicyText
from sipguard.settings.problems import Problem
from sipguard.settings.secretplaces import secrets_of
from sipguard.settings.service import Service
from sipguard.settings.shape import read_shape
from sipguard.settings.sources import BUILD, READ, SKIP, ListBuilder, problems_of, read_anchors
from sipguard.settings.tls import public_part, tls_problems
from sipguard.settings.zones import MachineZones

_OF_SERVICE: Final = frozenset(
    {
        "site",
        "node",
        "run",
        "state",
        "journal",
        "records",
        "metrics",
        "logs",
        "drain",
        "api",
        "hep",
        "dns",
        "identity.fetch",
        "identity.trust_list",
        "identity.crl",
    }
)


@dataclass(frozen=True)
class Loaded:
    """What was loaded: no `ruleset` where there is an error, no `service` where its own keys have one."""

    ruleset: PlainRuleset | None
    service: Service | None
    problems: tuple[Problem, ...] = field(default=())
    trunks: tuple[str, ...] = ()  # names in the configuration, whatever else is wrong with it
    policy: Policy = field(default_factory=Policy)  # as far as it could be read
    document: Document | None = None  # where things stand in the files
    text: PolicyText | None = None  # the policy as it was written
    vocabulary: Vocabulary | None = None  # the words that it may use
    kinds: Mapping[str, str] = field(default_factory=dict)  # name of a list -> its kind, or BY_TRUNK
    npas: frozenset[str] = frozenset()  # area codes in service by a report, empty without one
    judged_by: JudgedBy | None = None  # what explanations need of it; None where there is an error
    plan_file: str = ""  # that numbering.plan names

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the configuration from being used."""
        return tuple(problem for problem in self.problems if problem.level == ERROR)


def load(path: File, lists: str = BUILD, at_start: bool = False) -> Loaded:
    """The configuration in `path` and in `conf.d` beside it, and everything that is wrong with it.

    A list whose file is not there is an error, `at_start` a warning: nothing else runs that could go on without it.

    `lists`: build those that changed into the state directory, read them for their problems only, take them as they
    were built, or skip them; without building there is no Ruleset that can be opened, and with skip there is none.
    """
    document = Merged(path)
    if document.plain is None and document.problems:
        return Loaded(None, None, tuple(document.problems))
    config, problems = read_shape(document)
    problems += document.problems
    if config is None:
        return Loaded(None, None, tuple(problems))
    return _Load(path, document, config, problems, lists, at_start).run()


class _Load:
    """One loading. `problems` grows."""

    def __init__(
        self, path: File, document: Document, config: Config, problems: list[Problem], lists: str, at_start: bool
    ) -> None:
        self.base = path.resolve().parent
        self.document = document
        self.config = config
        self.problems = problems
        self.mode = lists
        self.at_start = at_start
        self.digest = sha256(document.text)
        self.plan_dates: list[PlanDate] = []
        self.defined: object = None  # conditions that the policy has names for
        self.text: PolicyText | None = None
        self.sign: dict[str, SignRules] = {}
        self.unusable: set[Path] = set()  # secrets of signers
        self.zones = MachineZones()

    def run(self) -> Loaded:
        """Everything in its order."""
        self._zone()
        wrong = [problem.path for problem in self.problems]
        for problem in misfits(self.config, self.document):
            if not any(path[: len(problem.path)] == problem.path or _is_below(problem.path, path) for path in wrong):
                self.problems.append(problem)
        for path, each in secrets_of(self.config):
            for what, hint, level in secret.flaws(self.base, each, for_use=self.mode == BUILD):
                self._secret(path, what, hint, level)
        token = self.config.api.token
        if token is not None and (short := secret.guessable(self.base, token)) is not None:
            self._problem(("api", "token"), *short, WARNING)
        if self.mode == BUILD:
            self._directories()
        policy = self._policy()
        anchors = self._anchors()
        self._tls_files()
        self._signing(wrong)
        emergency = self.config.emergency
        guard = replace(
            self._emergency(),
            priority_namespaces=frozenset(emergency.signed_priority),
            priority_signers=frozenset(emergency.priority_signers),
        )
        lists = () if self.mode == SKIP else self._lists()
        npas = self._npas()
        plan_file = self._plan(policy)
        service = None
        if not any(dotted(path[:depth]) in _OF_SERVICE for path in wrong for depth in (1, 2)):
            service = build.service(self.config, self.base, anchors)
        wrong = [problem.path for problem in self.problems if problem.level == ERROR]
        self.problems = [  # what is only odd because something in it is wrong
            each
            for each in self.problems
            if each.level == ERROR or not each.path or not any(path[: len(each.path)] == each.path for path in wrong)
        ]
        self.problems.sort(key=lambda each: (each.file != str(self.document.file), each.file, each.line, each.column))
        ruleset = judged_by = None
        if not any(problem.level == ERROR for problem in self.problems):
            judged_by = self._judged_by(policy)
        if self.mode != SKIP and judged_by is not None:
            ruleset = replace(self._ruleset(policy, lists, anchors, guard), plan_file=plan_file, npas=npas)
            ruleset = replace(ruleset, plan_dates=tuple(self.plan_dates))
        return Loaded(
            ruleset,
            service,
            tuple(self.problems),
            tuple(self.config.trunks),
            policy,
            self.document,
            self.text,
            self._vocabulary(),
            {name: BY_TRUNK if shape.per_trunk else shape.kind for name, shape in self.config.lists.items()},
            npas,
            judged_by,
            str(build.at(self.base, self.config.numbering.plan)) if self.config.numbering.plan is not None else "",
        )

    def _judged_by(self, policy: Policy) -> JudgedBy:
        """What verdicts are made of, without what is in files."""
        config = self.config
        trunks = build.trunks(config, self.base)
        lists = {name: _spec(name, shape) for name, shape in config.lists.items()}
        closed = frozenset([name for name, said in build.on_failure(config).items() if said == CLOSED])
        return JudgedBy(policy, trunks, lists, closed, as_then=False)

    def _ruleset(
        self, policy: Policy, lists: tuple[ListSpec, ...], anchors: tuple[bytes, ...], guard: GuardSettings
    ) -> PlainRuleset:
        """The snapshot; its revision is the digest of all files that it was made of."""
        config = self.config
        return PlainRuleset(
            revision=self.digest.hexdigest()[:12],
            policy=policy,
            trunks=signing.with_rules(build.trunks(config, self.base), self.sign),
            listeners=build.listeners(config, self.base),
            settings=build.check_settings(config),
            on_failure=build.on_failure(config),
            complete_percent=config.screening.complete,
            emergency=guard,
            emergency_route=config.emergency.route,
            mode=config.mode,
            redress=build.redress(config),
            overload=build.overload(config),
            stale_s=config.dns.stale_for,
            site=config.site,
            node=config.node,
            lists=lists,
            anchors=anchors,
            signers=signing.files_of(config, self.base),
        )

    def _problem(self, path: Path, what: str, hint: str = "", level: str = ERROR) -> None:
        self.problems.append(self.document.problem(path, what, hint, level))

    # -------------------------------------------------------------------------------- parts

    def _secret(self, path: Path, what: str, hint: str, level: str) -> None:
        """What is wrong with a secret. That of a signer keeps nothing from running: calls go on unsigned."""
        if path[0] == "signers" and level == ERROR:
            self.unusable.add(path)
            if self.mode == BUILD:
                hint, level = signing.goes_on(hint), WARNING
        self._problem(path, what, hint, level)

    def _zone(self) -> None:
        """The time zone must be known to this machine."""
        name = self.config.records.zone
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):  # not there, no name, a directory
            hint = meant(name, sorted(available_timezones())) or "write America/New_York"
            self._problem(("records", "zone"), f"{name} is no time zone of this machine", hint)

    def _directories(self) -> None:
        """Where it shall write, this user must be able to; lists are only read where there is an error."""
        for path, what, hint, level in unwritable(self.config, self.base):
            self._problem(path, what, hint, level)
            if level == ERROR:
                self.mode = READ

    def _policy(self) -> Policy:
        """The policy, from a file of its own or from here."""
        if isinstance(self.config.policy, str):
            text = PolicyText.of_file(build.at(self.base, self.config.policy))
            if text.document.problems:
                self.problems += text.document.problems_for(self.document, ("policy",))
                return Policy()
        else:
            text = PolicyText(self.document, self.config.policy, ("policy",))
        for octets in text.octets:
            self.digest.update(octets)
        self.problems += text.problems
        self.text = text
        self.defined = text.plain.get("define") if isinstance(text.plain, dict) else None
        policy, found = read_policy(text.plain, self._vocabulary())
        self.problems += [text.placed(each) for each in found]
        return policy

    def _signing(self, wrong: list[Path]) -> None:
        """Signers with their files, and how trunks sign."""
        known = {problem.path for problem in self.problems if problem.level == ERROR} | self.unusable
        found = list(signing.signer_problems(self.config, self.base, known, for_use=self.mode == BUILD))
        self.sign = signing.sign_rules(self.config, self._vocabulary(), self.defined, found)
        for each in found:
            if not any(path[: len(each.path)] == each.path for path in wrong):
                self._problem(each.path, each.what, each.hint, each.level)

    def _vocabulary(self) -> Vocabulary:
        """The words a policy may use. A redress that was wrong counts: one problem is enough."""
        redress = build.redress(self.config)
        if not redress and self.document.plain.get("redress"):
            redress = Redress(url="https://provider.example")
        trunks = self.config.trunks
        return Vocabulary(
            facts=ALL_FACTS,
            lists={name: tuple(shape.bind) for name, shape in self.config.lists.items()},
            trunks=tuple(trunks),
            routes=tuple(name for name, trunk in trunks.items() if trunk.peers),
            redress=redress,
            zones=self.zones,
        )

    def _npas(self) -> frozenset[str]:
        """Area codes in service by a report, empty without one."""
        shape = self.config.numbering
        if shape.npa_report is None:
            return frozenset()
        path: Path = ("numbering", "npa_report")
        file = build.at(self.base, shape.npa_report)
        try:
            report = numbering.read_report(file)
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            self._problem(path, f"{file} cannot be used: {why}", "download the NPA report of NANPA as CSV")
            return frozenset()
        self.digest.update(",".join(sorted(report.npas)).encode())
        day_at = datetime(report.day.year, report.day.month, report.day.day, tzinfo=UTC).timestamp()
        self._dated("npa_report", day_at, path, f"{file} is")
        return report.npas

    def _plan(self, policy: Policy) -> str:
        """The file of the numbering plan: compiled where a rule asks for it and none is configured, "" for none."""
        shape = self.config.numbering
        is_asked = wants_plan(policy, self.sign.values())
        try:
            if shape.plan is not None:
                file = build.at(self.base, shape.plan)
                Plan.open(str(file))
                self.digest.update(sha256(file.read_bytes()).digest())
                self._dated("plan", numbering.dated_at(file), ("numbering", "plan"), f"{file} is")
                return str(file) if is_asked else ""
            if self.mode != BUILD or not is_asked:
                return ""
            file = numbering.compiled(numbering.kept_in(build.at(self.base, self.config.state.directory)))
            self.digest.update(file.name.encode())
            self._dated("plan", numbering.dated_at(file), ("numbering",), "the library phonenumbers was installed")
            return str(file)
        except (OSError, PlanError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            if shape.plan is not None:
                self._problem(
                    ("numbering", "plan"), f"cannot be used: {why}", "sipguard numbers --compile FILE makes one"
                )
            else:
                self._problem(("state", "directory"), f"{why}", "rules ask for it; plan.* is what they ask")
            return ""

    def _dated(self, source: str, at: float, path: Path, what: str) -> None:
        """Keeps of when something is, and warns where it is too old."""
        max_age_s = self.config.numbering.max_age
        self.plan_dates.append(PlanDate(source, at, max_age_s))
        age_s = time.time() - at
        if age_s > max_age_s:
            hint = "download it again" if source == "npa_report" else "a newer version of the library is a newer plan"
            ago = "days ago" if what.endswith("installed") else "days old"
            self._problem(path, f"{what} {age_s / 86_400:.0f} {ago}", hint, WARNING)

    def _anchors(self) -> tuple[bytes, ...]:
        """PEM octets of the trust anchors."""
        octets: list[bytes] = []
        count = flaws = 0
        for at, name in enumerate(self.config.identity.anchors):
            read, certificates, found = read_anchors(build.at(self.base, name))
            octets += read
            count += certificates
            flaws += len(found)
            for what, anchors_hint in found:
                self._problem(("identity", "anchors", at), what, anchors_hint)
        for pem in octets:
            self.digest.update(pem)
        self._signers()
        verifies = self.config.api.token is not None or any(
            each.verify for each in self.config.trunks.values() if each.sources
        )
        if not count and not flaws and self.config.identity.trust_list is None and verifies:
            hint = "put the certificates of the authorities you trust there"
            self._problem(("identity", "anchors"), "no anchors: no Identity header can pass", hint, WARNING)
        ca_file = self.config.identity.fetch.ca_file
        if ca_file and not build.at(self.base, ca_file).is_file():
            self._problem(("identity", "fetch", "ca_file"), f"there is no file {build.at(self.base, ca_file)}")
        return tuple(octets)

    def _signers(self) -> None:
        """The files that trust list and CRL are made of, and those of who signs them."""
        identity = self.config.identity
        shapes: tuple[tuple[str, TrustListShape | CrlShape | None], ...]
        shapes = (("trust_list", identity.trust_list), ("crl", identity.crl))
        for name, shape in shapes:
            if shape is None:
                continue
            for at, file in enumerate(shape.signers):
                for what, hint in read_anchors(build.at(self.base, file))[2]:
                    self._problem(("identity", name, "signers", at), what, hint)
            if shape.file and not build.at(self.base, shape.file).is_file():
                what = f"there is no file {build.at(self.base, shape.file)}"
                self._problem(("identity", name, "file"), what, "it is read as soon as it is there", WARNING)

    def _tls_files(self) -> None:
        """Looks at the files of TLS listeners; what of them is public goes into the revision."""
        for name, listener in self.config.listeners.items():
            if listener.tls is not None and listener.transport == "tls":
                path: Path = ("listeners", name, "tls")
                known = {problem.path for problem in self.problems if problem.level == ERROR}
                try:
                    found = list(tls_problems(build.tls(listener.tls, self.base)))
                except OSError:  # the key is a credential that is not there, as is said already
                    continue
                for key, file, what in found:
                    if (*path, key) not in known:
                        self._problem((*path, key), f"{file} {what}")
                for file in (listener.tls.certificate, listener.tls.ca):
                    if file and build.at(self.base, file).is_file():
                        self.digest.update(public_part(build.at(self.base, file)))

    def _emergency(self) -> GuardSettings:
        """Numbers that always pass, and of those who call back."""
        shape = self.config.emergency
        numbers = self._numbers(shape.numbers, ("emergency", "numbers"))
        path: Path = ("emergency", "psap_callers")
        callers = shape.psap_callers
        if isinstance(callers, list):
            return GuardSettings(frozenset(numbers), frozenset(self._numbers(callers, path)))
        if not isinstance(callers, str):
            self._problem(path, "must be a list of numbers, or a file with them", "such as [+12025550190]")
            return GuardSettings(frozenset(numbers))
        file = build.at(self.base, callers)
        reader = ListReader()
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            self._problem(path, f"{file} cannot be read: {error.strerror}")
            return GuardSettings(frozenset(numbers))
        self.digest.update(text.encode())
        found = frozenset(reader.numbers(text.splitlines()))
        for each in reader.problems:
            self.problems.append(Problem(str(file), each.line, each.column, (), each.what, each.hint))
        if reader.prefixes:
            self._problem(path, "prefixes cannot stand among numbers of PSAPs", "write the numbers")
        return GuardSettings(frozenset(numbers), found)

    def _numbers(self, written: list[Any], path: Path) -> list[str]:
        """Canonical numbers of a list in the configuration itself."""
        found: list[str] = []
        for at, value in enumerate(written):
            reader = ListReader()
            tns = list(reader.numbers([str(value)]))
            for each in reader.problems:
                self._problem((*path, at), each.what, each.hint)
            if reader.prefixes:
                self._problem((*path, at), "a prefix cannot stand here", "write it into a file")
            found += tns
        return found

    # -------------------------------------------------------------------------------- lists

    def _lists(self) -> tuple[ListSpec, ...]:
        """The lists, built as far as the mode says."""
        directory = build.at(self.base, self.config.state.directory) / "lists"
        builder = ListBuilder(directory, self.mode, frozenset(self.config.trunks))
        specs = []
        for name, shape in self.config.lists.items():
            specs.append(self._list(_spec(name, shape), shape, builder))
        builder.close()
        self.problems += builder.problems
        return tuple(specs)

    def _list(self, spec: ListSpec, shape: ListShape, builder: ListBuilder) -> ListSpec:
        """One list with its members or the path of its built file."""
        path: Path = ("lists", spec.name)
        if not shape.file:
            if is_imported(shape):
                return self._imported(spec, path)
            return replace(spec, members=self._members(spec, shape, (*path, "members")))
        source = build.at(self.base, shape.file)
        if not source.is_file():
            hint, level = _file_meant(source, shape.file), ERROR
            if self.at_start:
                hint, level = (
                    "until it is there and sipguard reloads, no condition on it holds, not even under not",
                    WARNING,
                )
            what = f"{source} is a directory" if source.is_dir() else f"there is no file {source}"
            self._problem((*path, "file"), what, hint, level)
            self.digest.update(f"{spec.name} absent".encode())
            return replace(spec, file=str(source), absent=True)
        spec = replace(spec, file=str(source))
        if spec.kind != "trunks":
            spec, digest = builder.build(spec)
            self.digest.update(f"{spec.name} {digest}".encode())
            return spec
        return replace(spec, members=self._trunk_names(source))

    def _imported(self, spec: ListSpec, path: Path) -> ListSpec:
        """A list with the base that was imported last, without one where that cannot be used."""
        found, why = with_base(build.at(self.base, self.config.state.directory) / "lists", spec)
        if why:
            hint = f"sipguard lists import {spec.name} FILE; until then no condition on it holds, not even under not"
            self._problem(path, why, hint, WARNING)
        return found

    def _members(self, spec: ListSpec, shape: ListShape, path: Path) -> tuple[str, ...]:
        """Members that stand in the configuration."""
        if spec.kind == "trunks":
            return tuple(shape.members)
        found: list[str] = []
        for at, member in enumerate(shape.members):
            reader = ListReader(kind=spec.kind, per_trunk=spec.per_trunk, trunks=self.config.trunks)
            entries = list(reader.entries([member]))
            for each in reader.problems:
                self._problem((*path, at), each.what, each.hint)
            if not reader.problems and (len(entries) != 1 or not _is_single(spec.kind, entries[0], reader)):
                what = "only numbers that never end" if spec.kind == "numbers" else "only one entry that never ends"
                self._problem((*path, at), f"{what} can stand here", "write it into a file")
            found += entries
        return tuple(found)

    def _trunk_names(self, source: File) -> tuple[str, ...]:
        """Names of trunks in a file."""
        reader = ListReader(kind="trunks", trunks=self.config.trunks)
        with source.open(encoding="utf-8", errors="replace") as lines:
            names = tuple(reader.names(lines))
        self.problems += problems_of(source, reader)
        self.digest.update("\n".join(names).encode())
        return names


def _is_below(path: Path, above: Path) -> bool:
    """Whether `path` is of an entry of trunks, listeners or lists that are wrong as a whole."""
    return len(above) == 1 and path[:1] == above


def _spec(name: str, shape: ListShape) -> ListSpec:
    """A list without what stands on it."""
    return ListSpec(
        name=name,
        kind=shape.kind,
        bind=tuple(shape.bind),
        format=shape.format,
        per_trunk=shape.per_trunk,
        owner=shape.owner,
        purpose=shape.purpose,
        source=shape.source,
        version=shape.version,
        max_age_s=shape.max_age,
    )


def _file_meant(source: File, written: str) -> str:
    """How the file of a list is written that is not there."""
    if "://" in written:
        return "nothing is fetched: write the path of a file, or take file out and use sipguard lists import"
    try:
        near = get_close_matches(source.name, [each.name for each in source.parent.iterdir() if each.is_file()], 1)
    except OSError:
        return f"there is no directory {source.parent} either"
    return f"did you mean {source.with_name(near[0])}?" if near else "write the path of a file that is there"


def _is_single(kind: str, entry: str, reader: ListReader) -> bool:
    """Whether an entry is no prefix and no range, and never ends."""
    return not reader.ending_pairs and (kind != "numbers" or entry.rpartition(",")[2].isdigit())
