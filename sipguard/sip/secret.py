"""A password or key that does not show itself, and the account that it belongs to.

Enters: octets. Leaves: them, to who asks for them by name. Must not: stand in a repr, so not in a log line, a
traceback or a bundle for support either.
"""

from __future__ import annotations


class Secret:
    """Octets that are only given by `reveal`. Equal to another with the same octets."""

    __slots__ = ("_octets",)

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def reveal(self) -> bytes:
        """The octets; do not keep them."""
        return self._octets

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._octets == other._octets

    def __hash__(self) -> int:
        return hash(self._octets)

    def __repr__(self) -> str:
        return "Secret(...)"

    def __reduce__(self) -> tuple[type[Secret], tuple[bytes]]:
        return Secret, (self._octets,)


class Account:
    """A user name and password for one realm; "" for the first realm that asks."""

    __slots__ = ("password", "realm", "username")

    def __init__(self, username: str, realm: str, password: Secret) -> None:
        self.username = username
        self.realm = realm
        self.password = password
