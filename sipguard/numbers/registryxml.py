"""The Do-Not-Call registry's full file in XML, as lines of its text form.

Enters: octets, cut behind a `>`. Leaves: lines `201,5550123`. Must not: let an element through that it does not know,
or build a tree: a file may have hundreds of millions of elements.

    <list type='full' level='state' val='NJ'>
      <ac val='201'>
        <ph val='5550123' />

Files of changes are not read in this form: nobody here has seen one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sipguard.numbers.errors import NumbersError

_TAG: Final = re.compile(rb"<(/?)([A-Za-z?!][\w.-]*+)([^<>]*+)>")  # possessive: a name may have a MiB
_VAL: Final = re.compile(rb"""\bval\s*=\s*["']([^"']*)["']""")
_PH: Final = re.compile(rb"""<ph val=["']([0-9]{7})["'] ?/>""")
_AROUND: Final = frozenset((b"list", b"state", b"ac", b"ph", b"?xml", b"!DOCTYPE"))
_PLAIN: Final = re.compile(rb"""(?:<ph val=["'][0-9]{7}["'] ?/>\s*)+""")
NO_AREA: Final = 0


class BrokenXml(NumbersError):
    """What is wrong with the file."""


class RegistryXml:
    """Reads one file. `area` is the area code that it is in, NO_AREA for none; `ended` whether the list was closed."""

    __slots__ = ("area", "ended")

    def __init__(self, area: int = NO_AREA) -> None:
        self.area = area
        self.ended = False

    def lines(self, chunk: bytes) -> bytes:
        """The numbers of a chunk, one to a line. Raises BrokenXml."""
        return b"".join(self._parts(chunk))

    def _parts(self, chunk: bytes) -> Iterator[bytes]:
        at, size = 0, len(chunk)
        while at < size:
            if self.area:
                run = _PLAIN.match(chunk, at)
                if run is not None:
                    line = b"%03d," % self.area
                    yield line + (b"\n" + line).join(_PH.findall(run[0])) + b"\n"
                    at = run.end()
                    continue
            tag = _TAG.search(chunk, at)
            between = chunk[at : tag.start() if tag is not None else size]
            if between.strip():
                raise BrokenXml(f"text between the tags: {between.strip()[:40].decode('utf-8', 'replace')}")
            if tag is None:
                return
            at = tag.end()
            yield from self._tag(tag[1] == b"/", tag[2], tag[3])

    def _tag(self, closes: bool, name: bytes, attributes: bytes) -> Iterator[bytes]:
        """One tag; a line for a number that is written otherwise than usual."""
        if name not in _AROUND:
            raise BrokenXml(f"there is no element {name.decode('ascii', 'replace')} in a full file of the registry")
        value = _VAL.search(attributes)
        written = value[1].strip() if value is not None else b""
        if name == b"ph" and not closes:
            if not self.area:
                raise BrokenXml("a number stands outside an area code")
            yield b"%03d,%s\n" % (self.area, written or b"?")
        elif name == b"ac":
            if not closes and not (written.isdigit() and len(written) == 3 and written != b"000"):
                raise BrokenXml(f"{written.decode('utf-8', 'replace')[:20]} is no area code")
            self.area = NO_AREA if closes or attributes.endswith(b"/") else int(written)
        elif name == b"list":
            if not closes and b"change" in attributes.lower():
                raise BrokenXml("it is a file of changes, which is read in its text form only")
            self.ended = closes or attributes.endswith(b"/")
