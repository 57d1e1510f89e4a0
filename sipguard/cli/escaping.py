"""Text of strangers on a terminal: what is no visible character is written as JSON writes it.

Enters: text. Leaves: text without control characters, line ends, and marks that turn the direction of writing. It is
the same JSON where it was JSON. Must not: change anything else.
"""

from __future__ import annotations

import click


def say(text: str = "", err: bool = False) -> None:
    """Prints text whose lines may quote what strangers wrote."""
    click.echo("\n".join([escaped(line) for line in text.split("\n")]), err=err)


def escaped(text: str) -> str:
    """`text` with \\uXXXX in the place of each character that cannot be printed."""
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else _escape(char) for char in text])


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join([f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2)])
