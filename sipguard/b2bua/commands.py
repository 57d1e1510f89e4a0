"""What goes into the engine besides octets, and what it returns.

Enters and leaves: values only. `Send` stands in sip/flow, journal frames in b2bua/frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sipguard.b2bua.frames import Frame
from sipguard.screening.finding import Need
from sipguard.screening.ruleset import Ruleset
from sipguard.sip.flow import Address, Flow, Send
from sipguard.sip.locate import Answer, Query
from sipguard.stir.certificate import Anchors
from sipguard.stir.revocation import Crl
from sipguard.stir.signer import Signer


class Clock:
    """The time of one turn: monotonic and Unix seconds, and for how long the socket has not been empty."""

    __slots__ = ("backlog_s", "now", "unix")

    def __init__(self, now: float, unix: float, backlog_s: float = 0.0) -> None:
        self.now = now
        self.unix = unix
        self.backlog_s = backlog_s


class Record:
    """A frame for the journal; it is executed before the Sends that follow it in the list."""

    __slots__ = ("frame",)

    def __init__(self, frame: Frame) -> None:
        self.frame = frame


class Fetch:
    """Something is needed from outside; the answer comes back by `Engine.answered`.

    `anew`: no copy of before will do. `used_at`: it is renewed in the background, and was used then (Unix seconds);
    0.0 where a call waits for it.
    """

    __slots__ = ("anew", "need", "used_at")

    def __init__(self, need: Need, anew: bool = False, used_at: float = 0.0) -> None:
        self.need = need
        self.anew = anew
        self.used_at = used_at


class Keep:
    """What was fetched for `url` has validated and may be kept on disk; it was used last at Unix seconds `used_at`."""

    __slots__ = ("url", "used_at")

    def __init__(self, url: str, used_at: float) -> None:
        self.url = url
        self.used_at = used_at


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was fetched `age_s` ago, and for how many seconds the server lets it be kept (0.0: it does not say).

    `kept`: it comes from disk.
    """

    octets: bytes
    lifetime_s: float = 0.0
    age_s: float = 0.0
    kept: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A certificate that lies on disk from an earlier life, for calls to come."""

    url: str
    octets: bytes
    lifetime_s: float
    age_s: float
    used_at: float


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """Why nothing was fetched, as a reason slug."""

    reason: str


class Reuse:
    """The connection `flow` may carry requests of ours to `address` (RFC 5923)."""

    __slots__ = ("address", "flow")

    def __init__(self, flow: Flow, address: Address) -> None:
        self.flow = flow
        self.address = address


class Trouble:
    """Something broke that nobody expected: where and for whom, "" where the same was told of lately."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what


Command = Send | Record | Fetch | Keep | Reuse | Trouble


@dataclass(frozen=True, slots=True)
class Reload:
    """Another Ruleset for the calls that begin from now on."""

    ruleset: Ruleset


@dataclass(frozen=True, slots=True)
class Drain:
    """No new calls but emergency calls; OPTIONS are answered 503."""


@dataclass(frozen=True, slots=True)
class Mode:
    """enforce | report | bypass for one trunk, or for all where `trunk` is ""."""

    mode: str
    trunk: str = ""


@dataclass(frozen=True, slots=True)
class Hangup:
    """End a call, or all where `decision_id` is ""."""

    decision_id: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """Where a name of peers leads, for the calls that begin from now on; None where nobody could say: `why`."""

    query: Query
    answer: Answer | None
    age_s: float = 0.0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Trust:
    """Another list of authorities or another CRL, for all certificates from now on.

    `listed` are trusted beside the anchors of the Ruleset. `crl` is None where none is wanted. `version` names both;
    `notes` go into the journal.
    """

    listed: Anchors
    crl: Crl | None
    crl_required: bool = False
    version: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rekey:
    """Signers by name, as their files are now, for the calls that are signed from now on."""

    signers: Mapping[str, Signer]


Control = Held | Rekey | Resolved | Trust | Reload | Drain | Mode | Hangup


class Identifiers:
    """Tags, branches and Call-IDs, unguessable (RFC 3261 §19.3), each with the worker's digit in front.

    `random` answers n random octets; it is asked for many at once.
    """

    __slots__ = ("_at", "_pool", "_random", "worker")

    def __init__(self, random: Callable[[int], bytes], worker: int = 0) -> None:
        self._random = random
        self._pool = ""
        self._at = 0
        self.worker = f"{worker:x}"

    def token(self) -> str:
        """The worker's digit and 16 random hexadecimal digits."""
        at = self._at
        if at >= len(self._pool):
            self._pool = self._random(4096).hex()
            at = 0
        self._at = at + 16
        return self.worker + self._pool[at : at + 16]

    def below(self, n: int) -> int:
        """A random number from 0 to n - 1, as good as evenly spread for any n that matters here."""
        return int(self.token()[len(self.worker) :], 16) % n

    def branch(self) -> str:
        """A branch for a Via of ours (RFC 3261 §8.1.1.7)."""
        return "z9hG4bK" + self.token()
