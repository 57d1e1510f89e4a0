"""The bench's configuration with lists and rules of a large operator: `python -m tests.bench.heavy DIR STATE`.

Writes DIR/heavy.json, a SUT of the side-by-side bench. STATE is a `state.directory` under which the Do-Not-Call list
was imported (`sipguard lists import dnc FILE`). A million blocked callers stand beside it, and rules up to RULES, which
ask for every fact of check `rate` and for facts of most other kinds; none of them matches a call of the bench.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from sipguard.screening.checks import ALL_FACTS

BENCH: Final = Path(__file__).parent
SHIPPED: Final = BENCH.parent.parent / "config"
RULES: Final = 200
BLOCKED: Final = 1_000_000
NEVER: Final = 1_000_000  # above every count, ratio and duration of the bench

_DNC: Final = """    file: "@CONF@/lists/dnc.txt"
    format: ftc
"""
_STATE: Final = '  directory: "@CONF@/var/state"\n'


def conditions() -> Iterator[dict[str, Any]]:
    """Conditions that hold for no call of the bench, each another one."""
    for spec in ALL_FACTS:
        if spec.name.startswith("rate."):
            yield {"is": "outside", spec.name: {"over": NEVER}}
    for n in count():
        npa = f"{202 + n % 700}"
        yield {"is": "outside", "number.caller.npa": npa, "plan.callee.country": "AG", "lists.callee": "dnc"}
        yield {"number.shown.npa": f"{npa[:2]}*", "plan.shared_digits": {"at_least": 6}, "call.priority": f"bulk-{n}"}
        yield {
            "any": [{"lists.caller": "blocked_million", "call.hour_utc": {"under": 0}}, {"plan.caller.line": "pager"}]
        }
        yield {"trunk.kind": "gateway", "identity.attest": "C", "number.callee.npa": [npa, "900"]}
        yield {
            "is": "outside",
            "rate.caller.attempts_1h": {"over": NEVER + n},
            "not": {"lists.caller": "complaints_30d"},
        }
        yield {"identity.result": "passed", "identity.signer": f"Example Provider {n}"}


def rules(there: int) -> list[dict[str, Any]]:
    """Rules that fill a policy which has `there` up to RULES."""
    made = enumerate(islice(conditions(), RULES - there))
    return [{"name": f"heavy-{n}", "when": when, "mode": "report", "reject": "analytics"} for n, when in made]


def replaced(text: str, old: str, new: str) -> str:
    """`text` with what must stand in it once replaced."""
    if text.count(old) != 1:
        raise SystemExit(f"the bench's configuration has changed: {old!r} is not in it once")
    return text.replace(old, new)


def configuration(blocked: Path, state: Path) -> str:
    """The bench's configuration on the imported list and the million."""
    text = (BENCH / "sipguard.yaml.in").read_text()
    text = replaced(text, _DNC, "")
    text = replaced(text, _STATE, f'  directory: "{state}"\n')
    return replaced(text, "lists:\n", f'lists:\n  blocked_million: {{file: "{blocked}", bind: [caller]}}\n')


def policy() -> str:
    """The bench's policy with its rules and, before the default, those that make it heavy."""
    text = (BENCH / "policy.yaml.in").read_text()
    yaml = YAML(typ="safe")
    there = 0
    for entry in yaml.load(text)["rules"]:
        there += sum(len(yaml.load(SHIPPED / name)["rules"]) for name in entry.get("include", ())) or 1
    more = "".join(f"  - {json.dumps(rule)}\n" for rule in rules(there))
    return replaced(text, "default: allow\n", f"{more}default: allow\n")


def write(directory: Path, state: Path) -> Path:
    """Everything of the SUT under `directory`; answers its JSON file."""
    directory.mkdir(parents=True, exist_ok=True)
    blocked = directory / "blocked_million.txt"
    with blocked.open("w") as file:
        file.writelines(f"+1{n // 8000 % 700 + 203}{n % 8000 + 2000:04d}{n % 997:03d}\n" for n in range(BLOCKED))
    (directory / "sipguard.yaml.in").write_text(configuration(blocked, state))
    (directory / "policy.yaml.in").write_text(policy())
    sut = json.loads((BENCH / "sipguard.json").read_text())
    sut["note"] = "as sipguard, with 250 million Do-Not-Call numbers, a million blocked callers, 200 rules, all shapes"
    own = {"policy.yaml": str(directory / "policy.yaml.in")}
    sut["template"] = str(directory / "sipguard.yaml.in")
    sut["files"] = {target: own.get(target, str(BENCH / source)) for target, source in sut["files"].items()}
    target = directory / "heavy.json"
    target.write_text(json.dumps(sut, indent=1))
    return target


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    print(write(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute()))
