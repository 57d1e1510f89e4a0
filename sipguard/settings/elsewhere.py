"""Keys of the configuration as others call them: what is written instead.

Enters: the path of a key that there is none of. Leaves: ours, or how it is written; "" where nothing is certain.
Must not: take it for ours by itself.
"""

from __future__ import annotations

from typing import Final

from sipguard.screening.policy.errors import Path

_PLACES: Final = "write peers: [ADDRESS] for where calls go to, sources: [ADDRESS] for where they come from"
_CREDENTIALS: Final = "write credentials: {username: NAME, password: FILE}"
_KEYS: Final = {  # where -> key -> ours, or a hint
    "trunks": {
        "type": "kind",
        "host": _PLACES,
        "ip": _PLACES,
        "address": _PLACES,
        "server": _PLACES,
        "gateway": _PLACES,
        "to": "route",
        "destination": "route",
        "allow": "sources",
        "acl": "sources",
        "timeout": "try_timeout",
        "max_calls": "write limits: {calls: NUMBER}",
        "channels": "write limits: {calls: NUMBER}",
        "calls": "write limits: {calls: NUMBER}",
        "cps": "write limits: {cps: NUMBER}",
        "max_cps": "write limits: {cps: NUMBER}",
        "account": _CREDENTIALS,
        "auth": _CREDENTIALS,
        "username": _CREDENTIALS,
        "password": _CREDENTIALS,
        "transport": "write it at the peer: peers: [{host: ADDRESS, transport: tcp}]",
        "port": "write it at the peer: peers: [ADDRESS:PORT]",
        "attest": "write sign: {...}",
    },
    "peers": {"ip": "host", "address": "host", "name": "host", "protocol": "transport"},
    "listeners": {"ip": "address", "host": "address", "bind": "address", "protocol": "transport"},
    "lists": {
        "type": "kind",
        "path": "file",
        "filename": "file",
        "numbers": "members",
        "entries": "members",
        "items": "members",
        "url": "nothing is fetched: write file: PATH, or leave file out and use sipguard lists import",
        "description": "purpose",
        "fact": "bind",
        "on": "bind",
    },
    "": {
        "trunk": "trunks",
        "list": "lists",
        "listen": "listeners",
        "rules": "write policy: FILE, and rules: into that file",
        "log": "logs",
        "logging": "logs",
        "database": "write records: {database: FILE}",
        "name": "node",
    },
}


EXAMPLES: Final = {  # an entry of these, or their value
    "trunks": "{kind: interconnect, sources: [ADDRESS], route: TRUNK}",
    "lists": "{file: PATH, bind: [shown]}",
    "listeners": "{address: ADDRESS, port: 5060}",
    "bind": "[shown], or others of asserted, caller, diverting, callee, pair, upstream, signer",
}
VALUES: Final = {  # value -> ours
    "from": "shown",
    "pai": "asserted",
    "to": "callee",
    "called": "callee",
    "destination": "callee",
    "source": "caller",
    "diversion": "diverting",
    "trunk": "upstream",
    "carrier": "interconnect",
    "peer": "interconnect",
    "customer": "origination",
    "international": "gateway",
    "number": "numbers",
    "phone": "numbers",
    "ip": "networks",
    "text": "texts",
}


def key_of(path: Path) -> str:
    """The key beside it that was meant; "" where it is none."""
    found = _found(path)
    return "" if " " in found else found


def hint_of(path: Path) -> str:
    """How the key at `path` is written."""
    found = _found(path)
    return found if " " in found or not found else f"did you mean {found}?"


def _found(path: Path) -> str:
    words = [part for part in path[:-1] if isinstance(part, str)]
    where = "peers" if "peers" in words[1:] else words[0] if len(words) == 2 else "" if not words else "none"
    return _KEYS.get(where, {}).get(str(path[-1]).lower(), "")
