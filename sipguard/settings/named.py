"""The files that make up a configuration: its own, and those it names that hold no secret; directories that it names.

Enters: the path of a configuration. Leaves: paths that exist. Must not: name a file with a key or a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as File

from sipguard.settings.build import at
from sipguard.settings.document import Document
from sipguard.settings.merged import Merged
from sipguard.settings.model import Config
from sipguard.settings.policytext import PolicyText
from sipguard.settings.shape import read_shape

_KEY: bytes = b"PRIVATE KEY-----"
_CASES = "*_tests.yaml"  # of `sipguard policy test`


def kept_files(path: File) -> tuple[list[File], list[str]]:
    """The files, with those of cases that stand beside policies and are no part of what runs; and what is left out
    because it holds or may hold a secret. Raises OSError."""
    cases = case_files(path)
    return _without_secrets([*_named(path), *cases, *(file for each in cases for file in _of_cases(each))])


def named_files(path: File) -> list[File]:
    """The files that are read by who runs sipguard. Raises OSError."""
    return _without_secrets(_named(path))[0]


def case_files(path: File) -> list[File]:
    """Files of cases beside the policy and beside the files that it includes. Raises OSError."""
    document = Merged(path)
    config, _ = read_shape(document)
    if config is None:
        return []
    text = _policy_text(config, document, path.resolve().parent)
    folders = dict.fromkeys(file.parent for file in (text.document.file.resolve(), *text.files))
    return [file for folder in folders for file in sorted(folder.glob(_CASES))]


def _of_cases(file: File) -> Iterator[File]:
    """INVITEs, Identity headers and certificates that the cases of a file name; what is no such name is passed over."""
    written = Document(file).plain
    tests = written.get("tests") if isinstance(written, dict) else None
    for case in (written, *tests) if isinstance(tests, list) else ():
        if isinstance(case, dict):
            call = case.get("call")
            call = call if isinstance(call, dict) else {}
            for name in (case.get("invite"), call.get("identity"), call.get("certificate")):
                for each in name if isinstance(name, list) else [name]:
                    if isinstance(each, str):
                        yield (file.parent / each).resolve()


def _named(path: File) -> list[File]:
    document = Merged(path)
    config, _ = read_shape(document)
    base = path.resolve().parent
    named = [path.resolve(), *document.further]
    if config is not None:
        written = [shape.file for shape in config.lists.values()]
        written += [config.identity.fetch.ca_file, config.numbering.npa_report or ""]
        written += [config.emergency.psap_callers] if isinstance(config.emergency.psap_callers, str) else []
        written += [listener.tls.ca for listener in config.listeners.values() if listener.tls is not None]
        named += [at(base, name) for name in written if name]
        named += _of_policy(config, document, base)
        for name in config.identity.anchors:
            anchor = at(base, name)
            named += sorted(anchor.glob("*.pem")) if anchor.is_dir() else [anchor]
    return named


def _without_secrets(named: list[File]) -> tuple[list[File], list[str]]:
    """Those that there are, each once, and what is left out."""
    found, left_out = [], ["secrets, keys and certificates of listeners"]
    for file in dict.fromkeys(named):
        if not file.is_file():
            continue
        if _KEY in file.read_bytes():
            left_out.append(f"{file}: it holds a private key")
        else:
            found.append(file)
    return found, left_out


def _of_policy(config: Config, document: Merged, base: File) -> list[File]:
    """The file of the policy, and those that it includes or takes dates from."""
    text = _policy_text(config, document, base)
    return [text.document.file] * text.has_file + [*text.files, *text.date_files]


def _policy_text(config: Config, document: Merged, base: File) -> PolicyText:
    """The policy, in its own file or in the configuration."""
    if isinstance(config.policy, str):
        return PolicyText.of_file(at(base, config.policy))
    return PolicyText(document, config.policy, ("policy",))


def named_directories(path: File) -> list[File]:
    """The directories that a configuration names and that must be there, were they empty. Raises OSError."""
    config, _ = read_shape(Merged(path))
    named = [at(path.resolve().parent, name) for name in config.identity.anchors] if config is not None else []
    return [directory for directory in named if directory.is_dir()]
