"""Whether mypyc can translate the core: `python -m tests.compilable`, in seconds where `make compiled` takes minutes.

What mypyc cannot read is found here, what goes wrong at run time by `make compiledtest`.
"""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path

from mypyc.build import mypyc_build
from mypyc.options import CompilerOptions


def compiled_files(root: Path) -> list[str]:
    """The files that pyproject.toml wants compiled."""
    targets = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    hook = targets["wheel"]["hooks"]["mypyc"]
    chosen = [root / each.lstrip("/") for each in hook["include"]]
    files = [found for each in chosen for found in (sorted(each.rglob("*.py")) if each.is_dir() else [each])]
    left_out = {root / each.lstrip("/") for each in hook["exclude"]}
    return [str(each.relative_to(root)) for each in files if each not in left_out and each.name not in hook["exclude"]]


def main() -> None:
    """Translates to C, which nobody reads. mypyc says where it cannot, and exits."""
    with tempfile.TemporaryDirectory() as directory:
        options = CompilerOptions(target_dir=directory)
        mypyc_build([f"--cache-dir={directory}", *compiled_files(Path())], options)


if __name__ == "__main__":
    main()
