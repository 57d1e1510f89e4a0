"""aiohttp, without the authorities of the system that it reads twice when it is imported.

Enters: nothing. Leaves: the library. Must not: be passed by: who imports aiohttp first has it read them, which takes
60 ms of each start. Its own two TLS contexts trust nobody then; ours are given with each client (`client_of`).
"""

from __future__ import annotations

import os
from typing import Final

_FILE: Final = "SSL_CERT_FILE"  # OpenSSL's name for the file of authorities

_before: Final = os.environ.get(_FILE)
os.environ[_FILE] = os.devnull
try:
    import aiohttp
    from aiohttp import web
finally:
    del os.environ[_FILE]
    if _before is not None:
        os.environ[_FILE] = _before

__all__ = ["aiohttp", "web"]
