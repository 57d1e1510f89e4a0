"""What is odd about the policy of a configuration, with the places where it stands.

Enters: what was loaded, the day. Leaves: Problems of level warning. Must not: read a clock.
"""

from __future__ import annotations

from pathlib import Path as File

from sipguard.screening.policy.lint import Surroundings, lint, names_used
from sipguard.screening.ruleset import do_not_call_of
from sipguard.settings.load import Loaded
from sipguard.settings.problems import WARNING, Problem


def remarks_on(loaded: Loaded, unix_day: int, mistakes_only: bool = False) -> list[Problem]:
    """All remarks, or those on what nobody can have meant; none where the policy could not be read."""
    text, words = loaded.text, loaded.vocabulary
    if text is None or words is None or loaded.errors:
        return []
    ruleset, document = loaded.ruleset, loaded.document
    lists, trunks = (ruleset.lists, ruleset.trunks) if ruleset is not None else ((), {})
    around = Surroundings(
        unix_day,
        trunks={name: trunk.kind for name, trunk in trunks.items() if trunk.sources},
        empty_lists=frozenset(  # that no order names a trunk is as it should be
            spec.name for spec in lists if spec.file and spec.kind != "trunks" and _is_empty(spec.file)
        ),
        missing_lists=frozenset(spec.name for spec in lists if spec.missing),
        used_elsewhere=names_used(document.plain) if document is not None else frozenset(),
        do_not_call=ruleset is None or bool(do_not_call_of(ruleset)),
    )
    return [
        text.problem(each.path, each.what, each.hint, WARNING)
        for each in lint(loaded.policy, text.plain, words, around)
        if each.mistake or not mistakes_only
    ]


def _is_empty(source: str) -> bool:
    """Whether a file has nothing but comments; one that cannot be read is not looked at here."""
    try:
        with File(source).open("rb") as lines:
            return not any(line.partition(b"#")[0].strip() for line in lines)
    except OSError:
        return False
