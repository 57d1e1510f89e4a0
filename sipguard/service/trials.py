"""Lists, edits and certificates of a configuration for calls that are only asked about, whether sipguard runs or not.

Enters: what was loaded. Leaves: an open Ruleset, a Context for one question. Must not: write anything that stays,
fetch, or read a clock.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sipguard.net.disk import Disk
from sipguard.numbers.formats import compile_list
from sipguard.numbers.rules import READ_AS_NANP
from sipguard.screening.counters import Counters
from sipguard.screening.finding import Context
from sipguard.screening.listspec import ListSpec
from sipguard.screening.overlay import Overlay
from sipguard.screening.policy.predicates import wants_plan
from sipguard.screening.question import Question, attempt_of
from sipguard.screening.ruleset import PlainRuleset, Ruleset
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.offline import fitting
from sipguard.screening.verification.replays import Replays
from sipguard.screening.verification.settings import Settings
from sipguard.service.trusted import trusted_on_disk
from sipguard.service.under import under
from sipguard.settings import numbering
from sipguard.settings.service import Service
from sipguard.stir.certificate import CertificateStore
from sipguard.store.edits import NAME, EditStore


@contextmanager
def opened(plain: PlainRuleset, state_directory: Path, now_at: float) -> Iterator[Ruleset]:
    """The Ruleset with its lists, those that were not built yet in a directory of its own, and the edits in force.

    Raises OSError, NumberSetError where a list changed since it was read, StoreError where its edits cannot be read.
    """
    overlay = Overlay()
    store = EditStore.reading(state_directory / NAME)
    if store is not None:
        with store:
            overlay.take(*store.whole(now_at))
    with tempfile.TemporaryDirectory(prefix="sipguard-") as directory:
        lists = tuple(_built(spec, Path(directory), plain.trunks) for spec in plain.lists)
        plan = _plan(plain, state_directory, Path(directory))
        yield Ruleset.open(replace(plain, lists=lists, plan_file=plan), overlay=overlay)


def _plan(plain: PlainRuleset, state_directory: Path, directory: Path) -> str:
    """The file of the numbering plan where a rule asks for it, compiled into `directory` where none was kept."""
    if plain.plan_file or not wants_plan(plain.policy, (trunk.sign for trunk in plain.trunks.values())):
        return plain.plan_file
    kept = numbering.kept_in(state_directory)
    return str(numbering.compiled(kept if numbering.is_there(kept) else directory))


def _built(spec: ListSpec, directory: Path, trunks: Collection[str]) -> ListSpec:
    """A list whose file is there."""
    if not spec.path or not spec.file or Path(spec.path).exists():
        return spec
    target = directory / f"{spec.name}.set"
    source = Path(spec.file)
    compile_list(source, target, spec.kind, spec.format, READ_AS_NANP, spec.per_trunk, trunks)
    return replace(spec, path=str(target))


def context_for(
    question: Question,
    trunk: Trunk,
    ruleset: Ruleset,
    service: Service | None,
    now_at: float,
    chains: Sequence[bytes] = (),
) -> Context:
    """What checks may read for one question: the certificates of its tokens, of `chains` or of those kept on disk.

    `now_at` says which of these are kept still, in Unix seconds; they are judged as of the question. Counters are
    empty, and no token was seen before. Raises StirError where the trust list cannot be used.
    """
    store = CertificateStore()
    if service is not None:
        store = under(store, service.anchors, trusted_on_disk(service.trust))
    if question.identity:
        verifying = ruleset.settings["identity"]
        assert isinstance(verifying, Settings)
        directory = service.fetch.directory if service is not None else ""
        for one in evaluate(attempt_of(question, trunk), verifying, store):
            passport = one.passport
            if passport is not None and one.host:
                octets = fitting(passport, list(chains)) or kept(directory, passport.x5u, now_at)
                if octets:
                    store.put(passport.x5u, octets, 0.0, question.at)
    return Context(ruleset.lists, Counters(), store, Replays(), ruleset.plan, ruleset.shapes)


def kept(directory: str, url: str, now_at: float) -> bytes:
    """The copy of a certificate that sipguard keeps there, b"" for none."""
    if not directory or not Path(directory).is_dir():
        return b""
    try:
        copy = Disk(Path(directory)).peek(url, now_at)
    except OSError:
        return b""
    return copy.octets if copy is not None and copy.alive else b""
