"""Starting points: configurations that are shipped to begin with, each complete, and how one is put into a directory.

Enters: the name of a start, a directory. Leaves: its files there: the configuration, its policy with cases, the files
that these name. Must not: write over a file, or know what a configuration says beyond the files that it names.

What several starts need stands once, in the directory of the shipped configuration, and they name it by `../../`. In
the directory that is written all of it lies side by side.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any, Final

from sipguard.service.errors import ServiceError
from sipguard.settings.document import Document
from sipguard.settings.policytext import PolicyText

STARTS: Final = {
    "us-provider": "calls to and of subscribers in the USA: do-not-originate, 603+, labels, customers, telemarketers",
    "transit": "wholesale: calls of one carrier go on to another",
    "gateway": "calls from abroad enter the country",
    "origination": "customers place calls: know them by their numbers (not-their-number)",
    "report-only": "the policy of us-provider, decided and recorded, nothing carried out",
}
CONFIGURATION: Final = "sipguard.yaml"
TESTS: Final = "policy_tests.yaml"
_SHARED: Final = "../../"  # before what several starts name
_VAR: Final = "../var/"  # before what a start that is tried writes
_SYSTEM: Final = (("../var/run", "/run/sipguard"), ("../var/state", "/var/lib/sipguard"), (_VAR, "/var/lib/sipguard/"))


class Exists(ServiceError):
    """Files that a start would have to write over."""

    def __init__(self, files: list[File]) -> None:
        super().__init__(f"there already: {', '.join(str(file) for file in files)}; nothing was written")
        self.files = files


def shipped() -> File:
    """The directory of the shipped configuration: in a clone, else where it was installed. Raises FileNotFoundError."""
    found = (File(__file__).parents[2] / "config", File(sys.prefix) / "share/sipguard/config")
    for directory in found:
        if (directory / CONFIGURATION).is_file():
            return directory
    raise FileNotFoundError(2, "the shipped configuration is not there", str(found[-1]))


def configuration_of(name: str) -> File:
    """The configuration of a start as it is shipped; it runs as it stands."""
    first = next(iter(STARTS))
    return shipped() / CONFIGURATION if name == first else shipped() / "starts" / name / CONFIGURATION


def write(name: str, directory: File, system: bool = False) -> list[File]:
    """Puts a start into `directory`, which is made where it is not there; the files that were written.

    What it writes while it runs lies in `var` there, or with `system` where the unit of systemd has it. Raises Exists,
    OSError.
    """
    sources = dict(_files_of(configuration_of(name)))
    targets = {directory / at: source for at, source in sources.items()}
    there = [target for target in targets if target.exists()]
    if there:
        raise Exists(there)
    for target, source in targets.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        if source.suffix == ".yaml":
            text = _moved(text, system)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    return list(targets)


def _moved(text: str, system: bool) -> str:
    """A file of a start as it stands in its new directory."""
    text = text.replace(_SHARED, "")
    for before, after in _SYSTEM if system else ((_VAR, "var/"),):
        text = text.replace(before, after)
    return text


def _files_of(configuration: File) -> Iterator[tuple[str, File]]:
    """(path in the new directory, file) of a configuration and all files that it names."""
    plain = Document(configuration).plain
    yield CONFIGURATION, configuration
    policy = configuration.parent / plain["policy"]
    yield policy.name, policy
    yield TESTS, policy.with_name(TESTS)
    text = PolicyText.of_file(policy)
    for file in text.date_files:
        yield file.name, file
    for file in text.files:
        yield file.name, file
        cases = file.with_name(f"{file.stem}_tests.yaml")
        if cases.is_file():
            yield cases.name, cases
    for name in _named(plain):
        source = configuration.parent / name
        at = name.removeprefix(_SHARED)
        for file in sorted(source.iterdir()) if source.is_dir() else [source]:
            yield (f"{at}/{file.name}" if source.is_dir() else at), file


def _named(plain: dict[str, Any]) -> Iterator[str]:
    """Lists and anchors, as the configuration names them."""
    yield from plain.get("identity", {}).get("anchors", ())
    for shape in plain["lists"].values():
        if "file" in shape:
            yield shape["file"]
    callers = plain["emergency"]["psap_callers"]
    if isinstance(callers, str):
        yield callers
