"""Sets of IP networks.

Enters: networks. Leaves: a file, and answers to `address in set`. Must not: resolve a name.

One block for each version and length that there is (key: version << 8 | length), the networks sorted. An address is
looked for once in each, whatever their number. IPv4 are u32; IPv6 are the u64 of their first halves, then those of
their second.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final

from sipguard.numbers.errors import NumberSetError
from sipguard.numbers.setfile import NETWORKS, Block, SetFile, write
from sipguard.numbers.wide import NEVER

SORTED_NETWORKS: Final = 17  # kinds of block
NETWORK_ENDS: Final = 18  # text, `network end` to a line, of those that end
_64: Final = (1 << 64) - 1

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def address_of(text: str) -> Address | None:
    """The address that is written, without its zone, an IPv4 one out of its IPv6 form; None for what is none."""
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


def network_of(written: str) -> tuple[Network | None, str]:
    """The network or address that is written; else None and what was probably meant."""
    try:
        return ip_network(written), ""
    except ValueError:
        pass
    try:
        return None, str(ip_network(written, strict=False))
    except ValueError:
        return None, "192.0.2.0/24"


def build_networks(path: Path, networks: Mapping[Network, int]) -> int:
    """Write the set of `networks`, each with its end; how many it holds. Raises OSError."""
    return write(path, NETWORKS, _blocks(networks))


def _blocks(networks: Mapping[Network, int]) -> Iterator[Block]:
    for key, table in sorted(_tables(networks).items()):
        yield Block(SORTED_NETWORKS, key, _rows(key, table), table.tobytes())
    lines = sorted(f"{network} {end}" for network, end in networks.items() if end != NEVER)
    if lines:
        yield Block(NETWORK_ENDS, 0, 0, "\n".join(lines).encode("ascii"))


def _tables(networks: Iterable[Network]) -> dict[int, array[int]]:
    """The content of the blocks."""
    sorted_into: dict[int, list[int]] = {}
    for network in networks:
        key = network.version << 8 | network.prefixlen
        sorted_into.setdefault(key, []).append(int(network.network_address))
    tables: dict[int, array[int]] = {}
    for key, values in sorted_into.items():
        values.sort()
        if key >> 8 == 4:
            tables[key] = array("I", values)
        else:
            tables[key] = array("Q", [each >> 64 for each in values] + [each & _64 for each in values])
    return tables


def _rows(key: int, table: Sequence[int]) -> int:
    return len(table) if key >> 8 == 4 else len(table) // 2


class NetworkSet:
    """A set of networks."""

    __slots__ = ("_ends", "_tables", "ends")

    def __init__(self, tables: Mapping[int, Sequence[int]], ends: dict[str, int]) -> None:
        """`open` and `of` are the ways in. `tables` as in a file, narrow networks are asked first."""
        self._tables = tuple(
            (key >> 8, (32 if key >> 8 == 4 else 128) - (key & 0xFF), _rows(key, table), table)
            for key, table in sorted(tables.items(), reverse=True)
        )
        self._ends = ends
        self.ends = bool(ends)  # whether anything goes off the set some day

    @classmethod
    def open(cls, path: Path) -> NetworkSet:
        """Map the file at `path`. Raises NumberSetError with file and place, OSError."""
        tables: dict[int, Sequence[int]] = {}
        ends: dict[str, int] = {}
        for kind, key, count, octets in SetFile(path, NETWORKS).blocks:
            version, length = key >> 8, key & 0xFF
            size = {4: 4, 6: 16}.get(version, 0)
            if kind == SORTED_NETWORKS and len(octets) == size * count and length <= 8 * size:
                tables[key] = memoryview(octets).cast("I" if version == 4 else "Q")
            elif kind == NETWORK_ENDS:
                lines = (line.split(" ") for line in bytes(octets).decode("ascii", "replace").split("\n"))
                ends = {network: int(end) for network, end in lines}
            else:
                raise NumberSetError(str(path), f"block {key}: {len(octets)} octets of kind {kind}")
        return cls(tables, ends)

    @classmethod
    def of(cls, networks: Iterable[str]) -> NetworkSet:
        """A small set that stands in no file. Raises ValueError for what is no network."""
        return cls(_tables({ip_network(network) for network in networks}), {})

    def __len__(self) -> int:
        return sum(rows for _, _, rows, _ in self._tables)

    def __contains__(self, address: Address) -> bool:
        value, version = int(address), address.version
        return any(of == version and _holds(table, rows, value, host, of) for of, host, rows, table in self._tables)

    def until(self, address: Address) -> int:
        """The latest end of the networks that `address` is in, NEVER, or 0 where it is in none."""
        return max((self._ends.get(entry, NEVER) for entry in self.entries_of(address)), default=0)

    def end_of(self, entry: str) -> int:
        """The end of an entry that is there, NEVER for none."""
        return self._ends.get(entry, NEVER)

    def entries_of(self, address: Address) -> Iterator[str]:
        """The networks that `address` is in, the narrowest first."""
        value, version = int(address), address.version
        for of, host, rows, table in self._tables:
            if of == version and _holds(table, rows, value, host, of):
                yield str(_network(version, value >> host << host, host))

    def __iter__(self) -> Iterator[str]:
        """Every network, narrow ones first."""
        for version, host, rows, table in self._tables:
            for n in range(rows):
                value = table[n] if version == 4 else table[n] << 64 | table[rows + n]
                yield str(_network(version, value, host))


def _network(version: int, value: int, host: int) -> Network:
    return IPv4Network((value, 32 - host)) if version == 4 else IPv6Network((value, 128 - host))


def _holds(table: Sequence[int], rows: int, value: int, host: int, version: int) -> bool:
    """Whether one table holds the network of an address; `host` bits are not of the network."""
    network = value >> host << host
    if version == 4:
        at = bisect_left(table, network)
        return at < rows and table[at] == network
    first = bisect_left(table, network >> 64, 0, rows)
    last = bisect_right(table, network >> 64, first, rows)
    at = bisect_left(table, network & _64, rows + first, rows + last)
    return at < rows + last and table[at] == network & _64
