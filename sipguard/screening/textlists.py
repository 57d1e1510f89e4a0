"""Lists of texts and of networks, asked about who brings a call or who signed it.

Enters: texts that the call names, an address. Leaves: names of lists. Must not: be there where no such list is
configured: a call asks nothing then.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_network

from sipguard.numbers.networkset import Address, NetworkSet, address_of
from sipguard.numbers.textset import TextSet, folded
from sipguard.screening.overlay import ADDED, SILENT, Edits, Overlay


class TextLists:
    """The lists of texts, and of networks, that are bound to one thing."""

    __slots__ = ("_networks", "_texts", "names")

    def __init__(
        self, texts: Iterable[tuple[str, TextSet]], networks: Iterable[tuple[str, NetworkSet]], overlay: Overlay
    ) -> None:
        self._texts = tuple([(name, members, overlay.of(name)) for name, members in texts])
        self._networks = tuple([(name, members, overlay.of(name)) for name, members in networks])
        self.names = tuple([name for name, _, _ in self._texts]) + tuple([name for name, _, _ in self._networks])

    def of(self, texts: Iterable[str], address: str, at: float) -> tuple[str, ...]:
        """Names of the lists that hold one of `texts`, or the IP address, at Unix seconds `at`; "" is on none."""
        found: tuple[str, ...] = ()
        asked = [folded(text) for text in texts if text] if self._texts else []
        for name, members, edits in self._texts:
            for text in asked:
                if _holds_text(members, edits, text, at):
                    found += (name,)
                    break
        if self._networks and address:
            value = address_of(address)
            if value is not None:
                for name, networks, edits in self._networks:
                    if _holds_address(networks, edits, value, at):
                        found += (name,)
        return found


def _holds_text(members: TextSet, edits: Edits, text: str, at: float) -> bool:
    said = edits.says(text, at, 1) if edits.entries else SILENT
    if said != SILENT:
        return said == ADDED
    return text in members and (not members.ends or members.until(text) > at)


def _holds_address(members: NetworkSet, edits: Edits, address: Address, at: float) -> bool:
    """The edit of the narrowest network speaks."""
    if edits.entries:
        for length in range(address.max_prefixlen, -1, -1):
            said = edits.says(str(ip_network((int(address), length), strict=False)), at)
            if said != SILENT:
                return said == ADDED
    return address in members and (not members.ends or members.until(address) > at)
