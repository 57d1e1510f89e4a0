"""Errors of the network room.

NetError
+-- CannotListen    a local address cannot be bound
"""

from __future__ import annotations

import errno


class NetError(Exception):
    """Root of the tree."""


class CannotListen(NetError):
    """Why a listener cannot be opened, and what to do about it."""

    def __init__(self, name: str, host: str, port: int, error: OSError) -> None:
        cures = {
            errno.EADDRINUSE: "another program has this port; stop it or choose another `port`",
            errno.EADDRNOTAVAIL: "no interface of this machine has this address; correct `address`",
            errno.EACCES: "this user may not use a port below 1024; choose another or grant CAP_NET_BIND_SERVICE",
        }
        cure = cures.get(error.errno or 0, error.strerror or str(error))
        super().__init__(f"listener {name}: cannot bind {host} port {port}: {cure}")
