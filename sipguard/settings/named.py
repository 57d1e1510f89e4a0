"""The files that make up a configuration: its own, and those it names that hold no secret; directories that it names.

Enters: the path of a configuration. Leaves: paths that exist. Must not: name a file with a key or a password.
"""

from __future__ import annotations

from pathlib import Path as File

from sipguard.settings.build import at
from sipguard.settings.merged import Merged
from sipguard.settings.model import Config
from sipguard.settings.policytext import PolicyText
from sipguard.settings.shape import read_shape

_KEY: bytes = b"PRIVATE KEY-----"


def named_files(path: File) -> tuple[list[File], list[str]]:
    """The files, and what is left out because it holds or may hold a secret. Raises OSError."""
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
    if isinstance(config.policy, str):
        text = PolicyText.of_file(at(base, config.policy))
        return [text.document.file, *text.files, *text.date_files]
    text = PolicyText(document, config.policy, ("policy",))
    return [*text.files, *text.date_files]


def named_directories(path: File) -> list[File]:
    """The directories that a configuration names and that must be there, were they empty. Raises OSError."""
    config, _ = read_shape(Merged(path))
    named = [at(path.resolve().parent, name) for name in config.identity.anchors] if config is not None else []
    return [directory for directory in named if directory.is_dir()]
