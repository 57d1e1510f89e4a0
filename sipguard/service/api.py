"""HTTP for an SBC that asks off the call path: POST /stir/v1/verification and signing, in the shape of ATIS-1000082.

Enters: requests with a bearer token. Leaves: JSON. Must not: say anything but 401 to who has no token, fetch past the
guard, verify by itself (`sipguard.screening.verification` does, as for calls), or sign (`signatures` does).
"""

from __future__ import annotations

import asyncio
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
import structlog

from sipguard.net.fetch import CertificateFetcher, FetchError
from sipguard.net.http import web
from sipguard.screening.question import ASKED_FROM, Question, attempt_of, readings_of
from sipguard.screening.signingkey import SigningKey
from sipguard.screening.trunk import Trunk
from sipguard.screening.verification.evaluate import evaluate
from sipguard.screening.verification.offline import document, verdict
from sipguard.screening.verification.result import PASSED, Result, judged
from sipguard.screening.verification.settings import Settings
from sipguard.service.door import BODY_S, Door, body_of
from sipguard.service.errors import BadRequest
from sipguard.service.outcomes import WHY_REFUSED
from sipguard.service.signatures import Signatures
from sipguard.service.trusting import Trusted
from sipguard.service.under import under
from sipguard.sip.secret import Secret
from sipguard.stir.certificate import CertificateStore
from sipguard.stir.errors import PHRASES, BadIdentityInfo, NotSignable, StirError
from sipguard.stir.reasons import REASONS

log: Final = structlog.get_logger("sipguard")

VERIFICATION: Final = "/stir/v1/verification"
SIGNING: Final = "/stir/v1/signing"
BODY_LIMIT: Final = 128 * 1024  # octets: ten Identity values of 8 KiB and what stands around them
FAILURES: Final = 20  # wrong tokens of one address in FAILURES_S; more are answered 429 unread
FAILURES_S: Final = 60.0
ADDRESSES_LIMIT: Final = 1024
NO_VALUE_STATUS: Final = 428
_VERSTAT: Final = {"passed": "TN-Validation-Passed", "failed": "TN-Validation-Failed"}  # of all else: none
_NUMBER: Final = re.compile(r"\+?[0-9*#().\- ]{1,64}")
_URI: Final = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*:|[^\s<>\",@:]+@)[^\s<>\",]{1,1024}")
WITHHELD: Final = frozenset({"anonymous", "unavailable", "restricted"})
_YEAR_10000: Final = 253_402_300_800  # Unix seconds, from which on no calendar has a name for a day
_WAITING: Final = "its certificate did not come within the budget; ask again"


class Api:
    """What is served. A reload may replace settings, anchors and trunks; without `signatures` nothing is signed."""

    def __init__(
        self, token: Secret, settings: Settings, anchors: tuple[bytes, ...], fetcher: CertificateFetcher,
        trunks: Mapping[str, Trunk], signatures: Signatures | None = None,
    ) -> None:  # fmt: skip
        self._token = sha256(token.reveal()).digest()
        self._settings = settings
        self._anchors = anchors
        self._trunks = trunks
        self._trusted = Trusted()
        self._store = under(CertificateStore(), anchors, self._trusted)
        self._fetcher = fetcher
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, list[float]] = {}
        self._served: dict[str, Callable[[bytes], Awaitable[web.Response]]] = {VERIFICATION: self._verification}
        self._signatures = signatures
        if signatures is not None:
            self._served[SIGNING] = self._signing

    def take(self, settings: Settings, anchors: tuple[bytes, ...]) -> None:
        """Settings and anchors of a configuration that was loaded again."""
        self._settings = settings
        self._anchors = anchors
        self._store = under(self._store, anchors, self._trusted)
        if self._signatures is not None:
            self._signatures.reckon(settings.freshness_s, settings.future_s)

    def use_trunks(self, trunks: Mapping[str, Trunk]) -> None:
        """The trunks by whose rules numbers may be read from now on."""
        self._trunks = trunks

    def trust(self, trusted: Trusted) -> None:
        """Another trust list or CRL."""
        self._trusted = trusted
        self._store = under(self._store, self._anchors, trusted)

    def rekey(self, keys: tuple[SigningKey, ...]) -> None:
        """The keys that are in force now."""
        if self._signatures is not None:
            self._signatures.take(keys)

    def door(self) -> Door:
        """What serves it to connections."""
        return Door(self._answered, BODY_LIMIT)

    async def close(self) -> None:
        """Ends what is being fetched."""
        for task in self._fetching.values():
            task.cancel()
        await self._fetcher.close()

    # ------------------------------------------------------------------ who may ask

    async def _answered(self, request: web.BaseRequest) -> web.Response:
        """Lets who has the token pass; everybody else is told the same, whatever there is."""
        if not self._knows(request.headers.get("Authorization", "")):
            refused = self._refused(request.remote or "")
            refused.force_close()  # its body stays unread
            return refused
        served = self._served.get(request.path)
        if served is None:
            return _error(404, "not_served", f"there is no {request.path}")
        if request.method != "POST":
            return _error(405, "not_served", "only POST is served")
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            return _error(415, "encoded", "a body is read without Content-Encoding only")
        try:
            return await served(await body_of(request))
        except BadRequest as error:
            return _error(400, "malformed", str(error))
        except NotSignable as error:
            status, text = WHY_REFUSED[error.reason]
            return _error(status, error.reason, text)
        except web.HTTPRequestEntityTooLarge:
            return _error(413, "too_large", f"a request has at most {BODY_LIMIT} octets")
        except TimeoutError:
            return _error(408, "too_slow", f"a body comes within {BODY_S:.0f} s")

    def _knows(self, authorization: str) -> bool:
        scheme, _, given = authorization.partition(" ")
        digest = sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
        return hmac.compare_digest(digest, self._token) and scheme.lower() == "bearer"

    def _refused(self, address: str) -> web.Response:
        """401, or 429 for an address that guesses."""
        now = time.monotonic()
        before = [at for at in self._failures.pop(address, ()) if now - at < FAILURES_S]
        if len(before) >= FAILURES:
            self._failures[address] = before
            return web.Response(status=429, headers={"Retry-After": str(int(FAILURES_S))})
        if len(before) == FAILURES - 1:
            log.warning("api_token_guessed", address=address, advice="wrong tokens of this address are answered 429")
        self._failures[address] = [*before, now]
        if len(self._failures) > ADDRESSES_LIMIT:
            del self._failures[next(iter(self._failures))]
        return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})

    async def _signing(self, octets: bytes) -> web.Response:
        assert self._signatures is not None  # else it is not served
        return web.json_response(self._signatures.signed(json_in(octets), time.time()))

    # ------------------------------------------------------------------ verification

    async def _verification(self, octets: bytes) -> web.Response:
        body = json_in(octets)
        question = question_in(body, time.time())
        results = await self._evaluated(question, self._trunk_in(body))
        return web.json_response(
            {"verificationResponse": response_of(results), "details": document(results, question.at, self._store)}
        )

    def _trunk_in(self, body: object) -> Trunk:
        """The trunk that a request names, else one without rules of its own. Raises BadRequest."""
        asked = body.get("verificationRequest") if isinstance(body, dict) else None
        name = asked.get("trunk", "") if isinstance(asked, dict) else ""
        found = self._trunks.get(name, ASKED_FROM if name == "" else None) if isinstance(name, str) else None
        if found is None:
            raise BadRequest("trunk names none that is configured")
        return found

    async def _evaluated(self, question: Question, trunk: Trunk) -> list[Result]:
        """The results, with certificates that came within the budget; fetching goes on behind it."""
        results = self._read_each_way(question, trunk)
        for url in self._store.due(time.time()):  # they grow old, or were revoked
            self._fetch_of(url, anew=True)
        if verdict(results) != "waiting":
            return results
        urls = {one.passport.x5u for one in results if one.outcome == "waiting" and one.passport is not None}
        await asyncio.wait([self._fetch_of(url) for url in urls], timeout=self._settings.budget_s)
        return self._read_each_way(question, trunk)

    def _read_each_way(self, question: Question, trunk: Trunk) -> list[Result]:
        """The results by the reading of its numbers that passes, or waits for a certificate; else by rules of `trunk`.

        Certificates are those of now, whatever time the question is about.
        """
        store = self._store.as_of(time.time())
        first: list[Result] = []
        waiting: list[Result] = []
        for each in readings_of(question, trunk):
            results = evaluate(attempt_of(each, trunk), self._settings, store)
            come_to = verdict(results)
            if come_to == PASSED:
                return results
            first = first or results
            if come_to == "waiting" and not waiting:
                waiting = results
        return waiting or first

    def _fetch_of(self, url: str, anew: bool = False) -> asyncio.Task[None]:
        task = self._fetching.get(url)
        if task is None:
            task = self._fetching[url] = asyncio.create_task(self._fetch(url, anew))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        return task

    async def _fetch(self, url: str, anew: bool) -> None:
        """As for calls: a copy of before serves unless it is known to be of no use; kept is only what is valid."""
        try:
            fetched = await self._fetcher.fetch(url, anew or self._store.wants_anew(url))
        except FetchError as error:
            self._store.put_failure(url, BadIdentityInfo(error.reason), time.time())
            return
        found = self._store.put(url, fetched.octets, fetched.lifetime_s, time.time(), fetched.age_s)
        if not fetched.kept and not isinstance(found, StirError):
            self._fetcher.keep(url, self._store.used_at(url))


def json_in(octets: bytes) -> object:
    """The JSON of a body. Raises BadRequest."""
    try:
        return msgspec.json.decode(octets)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest("the body is no JSON") from None


def question_in(body: object, now: float) -> Question:
    """The question in a verificationRequest. Raises BadRequest.

    `from` is {"tn": ...} or {"uri": ...}, `to` the same with an array or one of them, `identity` one value or several,
    `time` Unix seconds, now if it is left out; `pai`, `requestUri` (else the second of `to`), `date`, `priority` and
    `resourcePriority` (header values; of the last one or several) are ours, and `trunk`, which the Api reads.
    """
    asked = body.get("verificationRequest") if isinstance(body, dict) else None
    if not isinstance(asked, dict):
        raise BadRequest("there is no object verificationRequest")
    called = _parties(asked.get("to"), "to")
    at = asked.get("time", now)
    if isinstance(at, bool) or not isinstance(at, int | float) or not 0 <= at < _YEAR_10000:
        raise BadRequest("time is not Unix seconds")
    uri = asked.get("requestUri", "")
    if not isinstance(uri, str) or not (uri == "" or is_uri(uri) or is_number(uri)):
        raise BadRequest("requestUri is no URI")
    return Question(
        caller=_parties(asked.get("from"), "from")[0],
        called=called[0],
        identity=tuple(_texts(asked.get("identity"), "identity")),
        at=float(at),
        asserted=tuple(_parties(asked["pai"], "pai")) if "pai" in asked else (),
        request_uri=uri or (called[1] if len(called) > 1 else ""),
        date=_text(asked, "date"),
        priority=_text(asked, "priority"),
        resource_priority=tuple(_texts(asked["resourcePriority"], "resourcePriority"))
        if "resourcePriority" in asked
        else (),
    )


def _text(asked: dict[str, Any], name: str) -> str:
    """The header value in a member, "" where it is left out."""
    if name not in asked:
        return ""
    if not isinstance(asked[name], str):
        raise BadRequest(f"{name} is no text")
    return _texts(asked[name], name)[0]


def _parties(value: object, name: str) -> list[str]:
    """Numbers and URIs in a member."""
    if not isinstance(value, dict):
        texts = _texts(value, name)
        if not all(is_number(text) or is_uri(text) for text in texts):
            raise BadRequest(f"{name} is neither number nor URI")
        return texts
    numbers = _texts(value["tn"], f"{name}.tn") if "tn" in value else []
    uris = _texts(value["uri"], f"{name}.uri") if "uri" in value else []
    if not all(is_number(text) for text in numbers):
        raise BadRequest(f"{name}.tn is no number")
    if not all(is_uri(text) for text in uris):
        raise BadRequest(f"{name}.uri is no URI")
    if not numbers and not uris:
        raise BadRequest(f"{name} has neither tn nor uri")
    return numbers + uris


def _texts(value: object, name: str) -> list[str]:
    found = value if isinstance(value, list) else [value]
    texts = [text for text in found if isinstance(text, str) and text.strip() and text.isprintable()]
    if not texts or len(texts) != len(found):
        raise BadRequest(f"{name} is missing, or no text")
    return texts


def is_number(text: str) -> bool:
    """Whether a text is a number as written, with its separators, or a word for none (anonymous)."""
    return _NUMBER.fullmatch(text.strip()) is not None or text.strip().lower() in WITHHELD


def is_uri(text: str) -> bool:
    """Whether a text is a URI, or a user part with its host: nothing that ends one in a header."""
    return _URI.fullmatch(text.strip()) is not None


def response_of(results: list[Result]) -> dict[str, Any]:
    """The verificationResponse: verstat always, a reason where it is not Passed."""
    come_to, best = verdict(results), judged(results)
    found: dict[str, Any] = {"verstat": _VERSTAT.get(come_to, "No-TN-Validation")}
    if best is None or come_to == PASSED:
        if best is not None and best.passport is not None:
            found |= {"attest": best.passport.attest, "origid": best.passport.origid}
        return found
    if come_to == "waiting":
        return found | {"reasonCode": 436, "reasonText": PHRASES[436], "reasonDesc": _WAITING}
    return found | {
        "reasonCode": best.status,
        "reasonText": PHRASES.get(best.status, ""),
        "reasonDesc": f"{best.reason}: {REASONS[best.reason][1]}",
    }


def _error(status: int, message: str, text: str) -> web.Response:
    return web.json_response(
        {"requestError": {"serviceException": {"messageId": message, "text": text}}}, status=status
    )
