"""A policy as an operator wrote it, to a Policy.

Enters: plain maps, lists and scalars as YAML gives them, and the vocabulary. Leaves: a Policy and every
problem. Must not: open files, or know what an answer costs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from sipguard.screening.policy import mistaken, reworded
from sipguard.screening.policy.conditions import RULE_KEYS, ConditionReader
from sipguard.screening.policy.errors import ERROR, Path, Problem, flag_meant, meant, shown
from sipguard.screening.policy.labels import read_label, read_tags, read_words
from sipguard.screening.policy.model import BASES, AllOf, Condition, Override, Policy, Rule, Vocabulary
from sipguard.screening.policy.responses import read_responses
from sipguard.screening.trunk import KINDS
from sipguard.screening.verdict import RESERVED_RULES

POLICY_KEYS: Final = ("define", "rules", "default", "responses", "overrides")
OVERRIDE_KEYS: Final = ("mode", "rollout", "until")
_EPOCH: Final = date(1970, 1, 1)
_ALWAYS: Final = AllOf(())


def read_policy(document: object, vocabulary: Vocabulary) -> tuple[Policy, list[Problem]]:
    """The policy in `document`, and all that is wrong with it; with an error among that it is unusable."""
    problems: list[Problem] = []
    if not isinstance(document, dict):
        hint = "write rules: above it, and indent it" if isinstance(document, list) else "of " + ", ".join(POLICY_KEYS)
        return Policy(), [Problem((), f"a policy is a map, not {shown(document)}", hint)]
    strayed = [key for key in document if key in RULE_KEYS]
    for key in document:
        if key not in POLICY_KEYS:
            hint = meant(str(key), POLICY_KEYS)
            if isinstance(document[key], dict) and document.get("define", ()) is None:
                hint = "define above is empty: indent this below it by two columns"
            if key == "policy":
                hint = "take this line out, and begin what stands below it in column 1"
            elif key == "include":
                hint = f"it stands among the rules: write - include: {shown(document[key])} there"
            if key in strayed:
                hint = "it belongs to a rule: begin it in the column of that rule's name"
            problems.append(Problem((str(key),), f"unknown key {key}", hint))
    responses = read_responses(document.get("responses"), problems)
    conditions = ConditionReader(vocabulary, problems)
    conditions.define(document.get("define"))
    reader = _RuleReader(vocabulary, conditions, problems, bool(strayed))
    rules = reader.rules(document.get("rules"))
    default = reader.default(document.get("default", "allow"))
    overrides = reader.overrides(document.get("overrides"), rules)
    policy = Policy(rules, default, responses, vocabulary.redress, overrides)
    return policy, problems


def errors_of(problems: Iterable[Problem]) -> list[Problem]:
    """Those problems that make a policy unusable."""
    return [problem for problem in problems if problem.level == ERROR]


class _RuleReader:
    """Reads rules; `problems` grows."""

    def __init__(
        self, vocabulary: Vocabulary, conditions: ConditionReader, problems: list[Problem], strayed: bool = False
    ) -> None:
        self.vocabulary = vocabulary
        self.conditions = conditions
        self.problems = problems
        self._names: dict[str, int] = {}  # name -> index of the first rule that has it
        self._strayed = strayed  # keys of a rule stand elsewhere: what a rule lacks is not told

    def problem(self, path: Path, what: str, hint: str = "") -> None:
        """Notes a problem."""
        self.problems.append(Problem(path, what, hint))

    def rules(self, value: object) -> tuple[Rule, ...]:
        """The rules in their order."""
        if value is None:
            return ()
        if not isinstance(value, list):
            self.problem(("rules",), *reworded.rules(value, RULE_KEYS))
            return ()
        return tuple(self._rule(rule, ("rules", at)) for at, rule in enumerate(value))

    def default(self, value: object) -> str:
        """The basis that calls are rejected on which no rule stopped, "" to allow them."""
        path: Path = ("default",)
        if value == "allow":
            return ""
        if isinstance(value, dict) and list(value) == ["reject"]:
            return self._basis(value["reject"], ("default", "reject"))
        if isinstance(value, str) and value.startswith("reject "):
            return self._basis(value[7:].strip(), path, "default: reject ")
        self.problem(path, f"must be allow or reject BASIS, not {shown(value)}", reworded.default(value))
        return ""

    def overrides(self, value: object, rules: tuple[Rule, ...]) -> tuple[Override, ...]:
        """What is other about rules on single trunks."""
        if value is None:
            return ()
        if not isinstance(value, dict):
            self.problem(("overrides",), "must map trunks to rules", "such as {carrier-a: {dno: report}}")
            return ()
        names = tuple(rule.name for rule in rules)
        found: list[Override] = []
        for trunk, of_rules in value.items():
            path: Path = ("overrides", trunk)
            if trunk not in self.vocabulary.trunks:
                hint = meant(str(trunk), self.vocabulary.trunks) or "write the name of a trunk"
                self.problem(path, f"{shown(trunk)} is no trunk", hint)
            if not isinstance(of_rules, dict):
                self.problem(path, "must map rules to what is other", "such as {dno: report}")
                continue
            for name, written in of_rules.items():
                if name not in names:
                    hint = meant(str(name), names) or "write the name of a rule"
                    self.problem((*path, str(name)), f"{name} is no rule", hint)
                found.append(self._override(str(trunk), str(name), written, (*path, name)))
        return tuple(found)

    def _override(self, trunk: str, rule: str, written: object, path: Path) -> Override:
        """`report`, or `{mode: report, rollout: 10%, until: 2027-01-31}`."""
        if not isinstance(written, dict):
            written, at = {"mode": written}, path
        else:
            at = (*path, "mode")
            for key in written:
                if key not in OVERRIDE_KEYS:
                    hint = meant(str(key), OVERRIDE_KEYS)
                    if key in RULE_KEYS:
                        hint = f"for another {key} write a rule of its own with on: [{trunk}] before {rule}"
                    self.problem((*path, str(key)), f"unknown key {key}", hint)
        mode = written.get("mode")
        if "mode" in written and mode not in ("report", "enforce", "off"):
            self.problem(at, f"unknown mode {shown(mode)}", meant(shown(mode), ("report", "enforce", "off")))
        return Override(
            trunk,
            rule,
            off=mode == "off",
            report={"report": True, "enforce": False}.get(str(mode)),
            rollout=self._rollout(written["rollout"], (*path, "rollout")) if "rollout" in written else None,
            until_day=self._until(written.get("until"), (*path, "until")),
        )

    def _rule(self, value: object, path: Path) -> Rule:
        """One rule."""
        if not isinstance(value, dict):
            self.problem(path, *reworded.rule(value))
            return Rule("", _ALWAYS)
        value, whole = self._known(value, path)
        contact, route = self._redirect(value.get("redirect"), (*path, "redirect"))
        rule = Rule(
            name=self._name(value.get("name"), path, whole),
            when=self._when(value, path, whole),
            basis=self._basis(value["reject"], (*path, "reject")) if "reject" in value else "",
            contact=contact,
            route=route,
            label=read_label(value["label"], (*path, "label"), self.vocabulary, self.problems)
            if "label" in value
            else None,
            tags=read_tags(value.get("tag"), (*path, "tag"), self.problems),
            continues=self._flag(value, "continue", path),
            report=self._mode(value.get("mode", "enforce"), (*path, "mode")),
            rollout=self._rollout(value.get("rollout"), (*path, "rollout")),
            until_day=self._until(value.get("until"), (*path, "until")),
            on=self._on(value.get("on"), (*path, "on")),
        )
        self._one_action(value, rule, path, whole)
        return rule

    def _known(self, value: dict[str, object], path: Path) -> tuple[dict[str, object], bool]:
        """(the rule with its keys as they were meant, whether what it lacks can be told)."""
        found: dict[str, object] = {}
        when = value.get("when")
        whole = not self._strayed and not (isinstance(when, dict) and any(key in RULE_KEYS for key in when))
        for key, each in value.items():
            if key in RULE_KEYS:
                found[key] = each
                continue
            ours, hint = mistaken.rule_key(str(key), RULE_KEYS)
            if str(key) in self.conditions.words:
                ours, hint = "", f"it belongs to the condition: write it into when: {{...}}, as {key}: ..."
            elif key in POLICY_KEYS:
                ours, hint = "", "it stands beside rules: begin it in the column of rules"
            elif key in ("status", "response", "answer", "code"):
                basis = value.get("reject")
                basis = basis if isinstance(basis, str) and basis in BASES else "BASIS"
                ours, hint = "", f"write {reworded.answered(basis, each)}"
            elif key in ("action", "do", "then") and (as_action := reworded.action(each)):
                hint = as_action
            elif as_name := reworded.named(str(key), {str(each): below for each, below in value.items()}, RULE_KEYS):
                ours, hint = "", as_name
            self.problem((*path, str(key)), f"unknown key {key}", hint)
            if ours and ours not in value:
                found[ours] = each
                if ours in ("reject", "allow"):
                    whole = False
            else:
                whole = False
        return found, whole

    def _name(self, name: object, path: Path, whole: bool) -> str:
        """The name of a rule: a slug, used once, none that verdicts use themselves."""
        at = (*path, "name")
        if name is None:
            if whole:
                self.problem(
                    path, "a rule without a name", "write name: NAME; it stands in records, reports and metrics"
                )
            return ""
        if not isinstance(name, str) or not name or not all(c.isalnum() or c in "-_." for c in name):
            slug = "-".join(name.split()) if isinstance(name, str) else ""
            fits = slug and all(c.isalnum() or c in "-_." for c in slug)
            hint = f"write {slug}" if fits else "write letters, digits, - _ ."
            if isinstance(name, int) and not isinstance(name, bool):
                hint = f'write "{name}" in quotes, or a word'
            elif isinstance(name, str) and "#" in name:
                hint = "write a blank before the # of a comment"
            self.problem(at, f"{shown(name)} is no name", hint)
            return ""
        if name in RESERVED_RULES:
            self.problem(at, f"{name} names what sipguard decides by itself", "choose another name")
        if name in self._names:
            what, first = f"a second rule with the name {name}", ("rules", self._names[name], "name")
            self.problems.append(Problem(at, what, "give one of them another name", first=first))
        self._names.setdefault(name, int(path[1]))
        return name

    def _when(self, value: dict[str, object], path: Path, whole: bool) -> Condition:
        """The condition; it may be left out only where the rule is bound to trunks."""
        if "when" in value:
            return self.conditions.read(value["when"], (*path, "when"))
        if "on" not in value and whole:
            self.problem(
                path,
                "a rule without when",
                "for all calls of a trunk write on: [TRUNK], for all calls default:",
            )
        return _ALWAYS

    def _basis(self, basis: object, path: Path, key: str = "reject: ") -> str:
        """A basis; analytics needs a contact for the 603+ (ATIS-1000099)."""
        if not isinstance(basis, str) or basis not in BASES:
            what, hint = reworded.basis(basis, key)
            is_word = isinstance(basis, str) and " " not in basis and basis[:1].isalpha()
            self.problem(path, what, (meant(str(basis), BASES) if is_word else "") or hint)
            return ""
        if basis == "analytics" and not self.vocabulary.redress:
            self.problem(path, "a block by analytics needs a redress contact", "write redress: {url: https://...}")
        return basis

    def _redirect(self, value: object, path: Path) -> tuple[str, str]:
        """(contact, route), one of them set."""
        if value is None:
            return "", ""
        if not isinstance(value, dict) or len(value) != 1 or not {"contact", "route"} & set(value):
            hint = reworded.redirect(value, self.vocabulary.routes)
            self.problem(path, "must be {contact: sip:...} or {route: TRUNK}", hint)
            return "", ""
        ((key, target),) = value.items()
        if key == "contact":
            if not isinstance(target, str) or not _is_uri(target):
                self.problem((*path, "contact"), f"{target} is no URI", "such as sip:voicemail@pbx.example")
                return "", ""
            return target, ""
        if not isinstance(target, str) or target not in self.vocabulary.routes:
            known = self.vocabulary.routes
            what = "has no peers" if target in self.vocabulary.trunks else "is no trunk"
            self.problem((*path, "route"), f"{target} {what}", meant(str(target), known))
            return "", ""
        return "", target

    def _flag(self, value: dict[str, object], key: str, path: Path) -> bool:
        """A key that is true, false or left out."""
        flag = value.get(key, False)
        if isinstance(flag, bool):
            return flag
        meaning = flag_meant(flag)
        hint = f"write {meaning}" if meaning else f"write {key}: true, or take it out"
        self.problem((*path, key), f"must be true or false, not {shown(flag)}", hint)
        return meaning == "true"

    def _mode(self, mode: object, path: Path) -> bool:
        """Whether the rule only reports."""
        if mode not in ("report", "enforce"):
            hint = meant(str(mode), ("report", "enforce"))
            if shown(mode) in ("off", "false", "disabled"):
                hint = "write mode: report, or take the rule out; on one trunk overrides: turns it off"
            self.problem(path, f"unknown mode {shown(mode)}", hint)
        return mode == "report"

    def _rollout(self, value: object, path: Path) -> int:
        """A share of the callers, of 10,000."""
        if value is None:
            return 10_000
        if isinstance(value, str) and value.endswith("%"):
            try:
                share = round(float(value[:-1]) * 100)
            except (ValueError, OverflowError):
                share = -1
            if 0 <= share <= 10_000:
                return share
        self.problem(path, f"{value} is no share of callers", "write 25%")
        return 10_000

    def _until(self, value: object, path: Path) -> int | None:
        """The last day of the rule, in days of Unix time."""
        if value is None:
            return None
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                pass
        if isinstance(value, date) and not isinstance(value, datetime):
            return (date(value.year, value.month, value.day) - _EPOCH).days
        never = str(value).lower() in ("never", "none", "forever")
        if isinstance(value, datetime):
            self.problem(path, "must be a day, and holds until it is over in UTC", f"write {value.date()}")
            return None
        self.problem(path, f"{shown(value)} is no date", "take until out" if never else "write 2027-01-31")
        return None

    def _on(self, value: object, path: Path) -> tuple[str, ...]:
        """Ingress trunks that the rule is for."""
        names = read_words(value, path, "the name of a trunk", self.problems)
        for at, name in enumerate(names):
            if name not in self.vocabulary.trunks:
                where = (*path, at) if isinstance(value, list) else path
                hint = meant(name, self.vocabulary.trunks)
                if name in KINDS:
                    hint = f"it is a kind of trunk; write when: {{trunk.kind: {name}}}"
                elif name in ("all", "any", "*"):
                    hint = "take on: out: then the rule is for all of them"
                self.problem(where, f"{name} is no trunk", hint)
        return names

    def _one_action(self, value: dict[str, object], rule: Rule, path: Path, whole: bool) -> None:
        """A rule does one thing; a label belongs to a call that goes on."""
        allow = self._flag(value, "allow", path)
        ends = [key for key in ("reject", "redirect", "allow") if (allow if key == "allow" else key in value)]
        if len(ends) > 1:
            self.problem((*path, ends[1]), f"{ends[0]} and {ends[1]} in one rule", "take one of them out")
        if ends and rule.continues:
            self.problem((*path, "continue"), f"{ends[0]} ends the rules, it cannot continue", "take one of them out")
        if rule.label is not None and (ends[:1] == ["reject"] or rule.contact):
            self.problem((*path, "label"), f"a label on a call that does not go on ({ends[0]})", "take one of them out")
        wrong = ("tag" in value and not rule.tags) or not isinstance(value.get("allow", False), bool)
        if not whole or (wrong and not ends):  # told already
            return
        if value.get("allow") is False and not ends and not rule.tags and "label" not in value:
            self.problem((*path, "allow"), "allow: false does nothing", "write reject: BASIS")
            return
        if not ends and "label" not in value and not rule.continues:
            hint = (
                "write continue: true to go on with the rules, or allow: true"
                if rule.tags
                else ("write reject, redirect, allow, label or tag")
            )
            self.problem(path, "the rule does nothing" if not rule.tags else "a tag alone does not end the rules", hint)
        elif rule.continues and not ends and not rule.tags and "label" not in value:
            self.problem(path, "the rule does nothing", "write label or tag beside continue")


def _is_uri(text: str) -> bool:
    """Whether `text` can stand in a Contact as it is."""
    scheme, _, rest = text.partition(":")
    return scheme in ("sip", "sips", "tel") and bool(rest) and all("!" <= c <= "~" and c not in '<>"' for c in rest)
