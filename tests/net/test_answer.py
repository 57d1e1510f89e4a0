"""One place asks over HTTPS: what it says of a failure is a closed list, which both that ask by it know.

What each failure comes to is in test_fetch.py and test_download.py, against servers.
"""

from __future__ import annotations

import ast
from pathlib import Path

from sipguard.net import answer
from sipguard.stir.reasons import OF_FETCHING

NET = Path(answer.__file__).parent


def test_its_reasons_are_all_that_it_gives_and_a_fetch_knows_each() -> None:
    calls = [node for node in ast.walk(ast.parse(Path(answer.__file__).read_text())) if isinstance(node, ast.Call)]
    given = {
        node.args[0].value
        for node in calls
        if isinstance(node.func, ast.Name) and node.func.id == "NoAnswer" and isinstance(node.args[0], ast.Constant)
    }
    assert given == set(answer.REASONS)
    assert {f"x5u_{reason}" for reason in given} <= set(OF_FETCHING)


def test_nobody_else_reads_a_body_or_names_the_errors_of_the_library() -> None:
    for file in sorted(NET.glob("*.py")):
        if file.name != "answer.py":
            text = file.read_text()
            assert "iter_chunked" not in text and "aiohttp.Client" not in text.replace(
                "aiohttp.ClientSession", ""
            ).replace("aiohttp.ClientResponse", ""), file.name
