"""Was this token seen in another call? (RFC 8224 §12.1, facts A1.3)

Enters: the token that a call passed by, the dialog it came in, the time; that a call was answered. Leaves: whether the
token is a replay. Must not: read a clock, grow without bound, take a call for a replay that came a second time by no
fault of its caller.

The rule, and its grounds. A *dialog* is a Call-ID with a From-tag, a token is known by its signature.

- The same dialog again is no replay before an answer: a retransmission, a branch of a fork, a spiral through proxies,
  another try with other credentials, or the same INVITE looked at twice.
- Another dialog is none as long as no call with this token was answered. Whoever fails over to another trunk or peer
  sends the token again under a new Call-ID, while the attempt before fails, is being cancelled, or is silent; a call
  that passes here twice by way of another B2BUA does so before it is answered, since the second passage is on the way
  to the answer; so does a call that is forwarded on busy or on no answer.
- Once an answer (2xx) crossed, the call that was signed has come through. Nobody honest sends its INVITE again, in
  whatever dialog: what comes within the dialog that stands has a To-tag, and never gets here.
- Before an answer up to DIALOGS dialogs are borne; no list of routes that is worked off within a minute is longer.

An attacker who is quicker than the answer gains DIALOGS - 1 calls from this caller to this called party.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipguard.screening.attempt import CallAttempt
from sipguard.screening.verification.result import Result
from sipguard.stir.passport import Passport

DIALOGS: Final = 5  # with one token before an answer
TOKENS: Final = 100_000  # kept at a time; about 500 octets each. At 1000 verified calls a second 65,000 are fresh


class _Seen:
    """One token: the dialogs that it came in, until when it is kept, whether a call with it was answered."""

    __slots__ = ("answered", "dialogs", "expires_at")

    def __init__(self, dialog: str, expires_at: float) -> None:
        self.dialogs: tuple[str, ...] = (dialog,)
        self.expires_at = expires_at
        self.answered = False


class Replays:
    """Tokens that verified lately. Of more than `most` the oldest go; a note forgets two that have expired."""

    __slots__ = ("_most", "_tokens")

    def __init__(self, most: int = TOKENS) -> None:
        self._tokens: dict[bytes, _Seen] = {}  # in the order they came
        self._most = most

    def __len__(self) -> int:
        return len(self._tokens)

    def note(self, key: bytes, dialog: str, unix_at: float, keep_s: float) -> bool:
        """Whether the token `key` is a replay in `dialog`; it is kept for `keep_s` from its first time on."""
        tokens = self._tokens
        seen = tokens.get(key)
        if seen is None or unix_at >= seen.expires_at:
            if seen is not None:
                del tokens[key]
            self._make_room(unix_at)
            tokens[key] = _Seen(dialog, unix_at + keep_s)
            return False
        if seen.answered:
            return True
        if dialog not in seen.dialogs:
            if len(seen.dialogs) >= DIALOGS:
                return True
            seen.dialogs = (*seen.dialogs, dialog)
        return False

    def answered(self, keys: Iterable[bytes]) -> None:
        """A 2xx crossed in the call that brought the tokens `keys`."""
        for key in keys:
            seen = self._tokens.get(key)
            if seen is not None:
                seen.answered = True

    def _make_room(self, unix_at: float) -> None:
        """Forgets two that have expired, or the oldest where there are too many: bounded work for each note."""
        tokens = self._tokens
        for _ in range(2):
            oldest = next(iter(tokens), None)
            if oldest is None or (len(tokens) < self._most and unix_at < tokens[oldest].expires_at):
                return
            del tokens[oldest]


def is_replay(result: Result, attempt: CallAttempt, replays: Replays, keep_s: float) -> bool:
    """Whether the token that `result` passed by was replayed. It counts as seen from now on.

    Where a chain of `div` tokens holds it is the outermost, whatever To says: the token that they carry may well come
    again, as in a transfer of an answered call (RFC 8946 §4.2 step 4).
    """
    way = result.diversion
    outermost = way.hops[0] if way is not None and way.holds else result
    passport = outermost.passport
    return passport is not None and note(passport, attempt, replays, keep_s)


def note(passport: Passport, attempt: CallAttempt, replays: Replays, keep_s: float) -> bool:
    """Whether a token of `attempt` is a replay; kept, and with the attempt, so that an answer can be told of it."""
    key = key_of(passport.signature)
    if key not in attempt.noted:
        attempt.noted += (key,)
    return replays.note(key, dialog_of(attempt), attempt.received_at, keep_s)


def key_of(signature: bytes) -> bytes:
    """r alone, 32 octets of r || s: (r, n - s) is a signature of the same, which anybody can write. Two signatures have
    one r only where a signer uses a nonce twice, which gives away the key (FIPS 186-5 §6.3)."""
    return signature[:32]


def dialog_of(attempt: CallAttempt) -> str:
    """Call-ID and From-tag of the caller; all of From where no tag is to be seen."""
    value = attempt.from_value
    return f"{attempt.call_id} {value.rpartition(';tag=')[2].partition(';')[0].rstrip()}"
