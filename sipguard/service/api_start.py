"""The HTTP API as a configuration has it.

Enters: settings, trunks, keys. Leaves: the API, ready to be served. Must not: be imported where none is served: it
brings along what verifies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from sipguard.net.fetch import CertificateFetcher
from sipguard.screening.signingkey import SigningKey
from sipguard.screening.trunk import Trunk
from sipguard.service.api import Api
from sipguard.service.signatures import Limits, Signatures
from sipguard.settings.secret import read as read_secret
from sipguard.settings.service import Service


def api_of(
    service: Service, trunks: Mapping[str, Trunk], keys: Iterable[SigningKey], count: Callable[[str], None]
) -> Api:
    """The API; `count` is told what signing comes to. Raises OSError where its token or authorities cannot be read."""
    token = read_secret(Path(service.api_token_file))
    if not token.reveal():
        raise OSError(0, "it is empty")
    fetcher = CertificateFetcher(service.fetch)
    return Api(token, service.verification, service.anchors, fetcher, trunks, _signatures(service, keys, count))


def _signatures(service: Service, keys: Iterable[SigningKey], count: Callable[[str], None]) -> Signatures | None:
    """What signs over HTTP, None where the operator named no signers for it."""
    if not service.api_signers:
        return None
    limits = Limits(
        service.api_signers,
        service.api_attest_at_most,
        service.verification.freshness_s,
        service.verification.future_s,
        whole_numbers=not service.logs_mask,
    )
    return Signatures(limits, keys, count)
