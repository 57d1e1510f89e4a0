"""The policy language once more, read from what is written, as plainly as it can be said, to compare with.

Enters: a policy as YAML gives it, the files it includes, a call. Leaves: what becomes of the call. Must not: use
anything of the reader, the compiler or the tests of conditions; it is slow, and plain enough to be believed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zlib import crc32
from zoneinfo import ZoneInfo, available_timezones

TRUTHS = ("false", "true", "pending", "failed")
WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

Files = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Call:
    """What is known of a call: facts, which checks have run, which of these have failed, who calls, when."""

    trunk: str
    kind: Any  # None where nothing is known of the trunk
    facts: Mapping[str, Any]
    ran: frozenset[str]
    failed: frozenset[str] = frozenset()
    caller: str = ""
    day: date = date(2026, 11, 26)

    def of_check(self, check: str) -> str:
        """`pending` or `failed` where that is what is known of a check, else ""."""
        return "failed" if check in self.failed else "" if check in self.ran else "pending"


# ------------------------------------------------------------------------------------------ conditions


def truth(when: Mapping[str, Any], call: Call, defined: Mapping[str, Any]) -> str:
    """One of TRUTHS, of a condition as it is written."""
    return both([entry(key, wanted, call, defined) for key, wanted in when.items()])


def both(found: list[str]) -> str:
    """Of parts that must all hold."""
    return next((each for each in ("false", "pending", "failed") if each in found), "true")


def either(found: list[str]) -> str:
    """Of parts of which one must hold."""
    return next((each for each in ("true", "pending", "failed") if each in found), "false")


def entry(key: str, wanted: Any, call: Call, defined: Mapping[str, Any]) -> str:
    """Of one key of a condition."""
    if key == "all":
        return both([truth(each, call, defined) for each in wanted])
    if key == "any":
        return either([truth(each, call, defined) for each in wanted])
    if key == "not":
        inner = truth(wanted, call, defined)
        return {"true": "false", "false": "true"}.get(inner, inner)
    if key == "is":
        names = wanted if isinstance(wanted, list) else [wanted]
        return either([truth(defined[name], call, defined) for name in names])
    if key == "time":
        return in_time(wanted, call)
    return of_fact(key, wanted, call)


def of_fact(name: str, wanted: Any, call: Call) -> str:
    """Of a fact and what is wanted of it."""
    if name in ("trunk.name", "trunk.kind"):
        value: Any = call.trunk if name == "trunk.name" else call.kind
    else:
        room = name.split(".")[0]
        check = "identity" if name.split(".")[1] == "signer" else room  # only that check knows the signer
        if room != "call" and call.of_check(check):
            return call.of_check(check)
        value = call.facts.get(name)
    if value is None:
        return "false"
    if isinstance(wanted, dict):
        return "true" if all(compares(value, how, bound) for how, bound in wanted.items()) else "false"
    values = value if isinstance(value, tuple) else (value,)
    wanted = wanted if isinstance(wanted, list) else [wanted]
    if any(fits(each, one) for each in values for one in wanted):
        return "true"
    if name.startswith("lists.") and any(f"?{one}" in values for one in wanted):
        return "failed"  # that list is missing
    return "false"


def compares(value: Any, how: str, bound: float) -> bool:
    """Whether a number is over, under, at least or at most a bound."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return {"over": value > bound, "under": value < bound, "at_least": value >= bound, "at_most": value <= bound}[how]


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value is the one that is wanted; a star stands for any text."""
    if isinstance(wanted, str) and isinstance(value, str) and "*" in wanted:
        return starred(value, wanted)
    return value == wanted and type(value) is type(wanted)


def starred(text: str, pattern: str) -> bool:
    """By trying every length of what the first star stands for."""
    before, star, behind = pattern.partition("*")
    if not star:
        return text == pattern
    if not text.startswith(before):
        return False
    rest = text[len(before) :]
    return any(starred(rest[n:], behind) for n in range(len(rest) + 1))


def in_time(time: Mapping[str, Any], call: Call) -> str:
    """Of a window of time, in every zone that is meant."""
    if call.of_check("time"):
        return call.of_check("time")
    at = call.facts.get("time.at")
    zones = (time["zone"],)
    if time["zone"] in ("callee", "caller"):
        if at is not None and call.of_check("plan"):
            return call.of_check("plan")
        zones = call.facts.get(f"plan.{time['zone']}.zones") or ()
    if at is None or not zones:
        return "failed"
    if not set(zones) <= {*available_timezones(), "utc"}:
        return "failed"
    found = {in_window(time, datetime.fromtimestamp(at, ZoneInfo(zone.replace("utc", "UTC")))) for zone in zones}
    return "failed" if len(found) > 1 else "true" if found == {True} else "false"


def in_window(time: Mapping[str, Any], local: datetime) -> bool:
    """Whether a local time is within hours, days and dates."""
    hours = time.get("inside") or time.get("outside") or "00:00-24:00"
    begin, end = hours.split("-")
    clock = f"{local.hour:02}:{local.minute:02}"
    day = local.date()
    if begin < end:
        within = begin <= clock < end
    else:
        within = clock >= begin or clock < end
        if clock < end and "outside" not in time:
            day -= timedelta(days=1)  # a night belongs to the day on which it begins
    if within is ("outside" in time):
        return False
    if "days" in time and WEEK[day.weekday()] not in [each for word in several(time["days"]) for each in span(word)]:
        return False
    return "dates" not in time or any(str(day).endswith(str(each)) for each in several(time["dates"]))


def span(word: str) -> list[str]:
    """Days of the week of `sat`, `mon-fri`, `fri-mon`."""
    first, _, last = word.partition("-")
    n, found = WEEK.index(first), [first]
    while last and found[-1] != last:
        n = (n + 1) % 7
        found.append(WEEK[n])
    return found


def several(written: Any) -> list[Any]:
    """One or several of them."""
    return [] if written is None else written if isinstance(written, list) else [written]


# ------------------------------------------------------------------------------------------ rules


def judge(policy: Mapping[str, Any], call: Call, files: Files | None = None) -> dict[str, Any]:
    """What becomes of a call of which all is known: action, rule, status, and what rules added to it."""
    defined: dict[str, Any] = {}
    rules = list(all_rules(policy, files or {}, defined))
    label: dict[str, Any] = {}
    labelled_by = ""
    tags: list[str] = []
    matched: list[str] = []
    reported: list[str] = []
    last: Mapping[str, Any] = {}
    for rule in rules:
        other = policy.get("overrides", {}).get(call.trunk, {}).get(rule["name"], {})
        rule = {**rule, **(other if isinstance(other, dict) else {"mode": other})}
        if not acts(rule, call) or truth(rule.get("when", {}), call, defined) != "true":
            continue
        if rule.get("mode") == "report":
            reported.append(rule["name"])
            continue
        matched.append(rule["name"])
        tags += [tag for tag in several(rule.get("tag")) if tag not in tags]
        if not rule.get("continue"):
            last = rule
            break
        if "label" in rule:
            label = with_more(label, rule["label"])
            labelled_by = labelled_by or rule["name"]
    found = {"rule": last.get("name", "default"), "tags": tags, "matched": matched, "reported": reported}
    basis = last.get("reject") or ("" if last else policy.get("default", "allow").removeprefix("allow")[7:])
    if basis:
        return {**found, "action": "reject", "basis": basis, "status": status(policy, basis, call)}
    redirect = last.get("redirect", {})
    if "contact" in redirect:
        return {**found, "action": "redirect", "status": 302, "contact": redirect["contact"]}
    label = with_more(label, last.get("label", {}))
    if "route" in redirect:
        return {**found, "action": "redirect", "status": 0, "route": redirect["route"], "label": label}
    if label and not last:
        found["rule"] = labelled_by
    return {**found, "action": "label" if label else "allow", "status": 0, "label": label}


def all_rules(policy: Mapping[str, Any], files: Files, defined: dict[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The rules in their order, those of included files in their places; gathers what is defined."""
    defined.update(policy.get("define", {}))
    found: list[Mapping[str, Any]] = []
    for rule in policy["rules"]:
        if "include" not in rule:
            found.append(rule)
        for name in several(rule.get("include")):
            found += all_rules(files[name], files, defined)
    yield from found


def acts(rule: Mapping[str, Any], call: Call) -> bool:
    """Whether a rule is asked at all: on this trunk, on this day, for this caller."""
    if rule.get("mode") == "off" or call.trunk not in several(rule.get("on", call.trunk)):
        return False
    if "until" in rule and str(call.day) > str(rule["until"]):
        return False
    share = float(rule.get("rollout", "100%").rstrip("%"))
    return crc32(f"{rule['name']}{call.caller}".encode()) % 10_000 < share * 100


def with_more(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """A label with what a later rule adds: what the first one leaves open."""
    if not first or not second:
        return dict(first or second)
    prefix = first if first.get("prefix") else second
    names = {name.lower() for name in first.get("headers", {})}
    headers = {name: text for name, text in second.get("headers", {}).items() if name.lower() not in names}
    return {
        "prefix": prefix.get("prefix", ""),
        "max": prefix.get("max", 0),
        "verstat": first.get("verstat") or second.get("verstat", ""),
        "headers": {**first.get("headers", {}), **headers},
    }


def status(policy: Mapping[str, Any], basis: str, call: Call) -> int:
    """The SIP answer of a basis."""
    usual = {"invalid": 404, "subscriber": 607, "anonymous": 433, "analytics": "603+", "identity": "auto"}
    written = str(policy.get("responses", {}).get(basis, usual.get(basis, 403))).split()[0]
    if written == "auto":
        told = None if call.of_check("identity") else call.facts.get("identity.status")
        return told if told in (403, 428, 436, 437, 438) else 403
    return int(written.rstrip("+"))
