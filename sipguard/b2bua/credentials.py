"""401 and 407 of a trunk that we have credentials for: answered here, so that the caller sees nothing of them.

Enters: requests that we composed for a leg, responses to them. Leaves: the same request once more with the next CSeq
number and credentials (RFC 3261 §22.2). Must not: answer for another realm, or twice where the answer was wrong.

A Login belongs to one leg: RFC 3261 §22.3 has a challenge hold for the requests of one Call-ID. Who sends a request
keeps it unsigned as long as it may be challenged; a leg of a trunk without credentials has no Login and pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.b2bua.counts import INDEX
from sipguard.sip.digest import Challenge, answer, challenges
from sipguard.sip.message import Response
from sipguard.sip.secret import Account
from sipguard.sip.timers import GIVE_UP_S
from sipguard.sip.transaction import ClientTransaction

if TYPE_CHECKING:
    from sipguard.b2bua.engine import Engine
    from sipguard.b2bua.leg import Leg
    from sipguard.screening.ruleset import Ruleset

CHALLENGED: Final = (401, 407)
ANSWERED: Final = (("www-authenticate", "Authorization"), ("proxy-authenticate", "Proxy-Authorization"))
MOST: Final = 3  # answers to one request: a proxy's challenge, a server's, one stale nonce

NOT_OURS: Final = "not_ours"  # for the caller
OURS: Final = "ours"  # it can be answered
REFUSED: Final = "refused"  # our credentials are wrong
WRONG: Final = (500, "Trunk Credentials Refused")  # our trouble, so the peer may go another way


class Login:
    """What one leg knows of the challenges that its trunk has sent."""

    __slots__ = ("_cnonces", "_counts", "_known", "account", "invited", "realm")

    def __init__(self, account: Account) -> None:
        self.account = account
        self.realm = account.realm
        self.invited = ""  # header lines of the last INVITE, which its ACK repeats (§22.1)
        self._known: dict[str, Challenge] = {}  # key of the challenge's header -> the last one
        self._counts: dict[str, int] = {}
        self._cnonces: dict[str, str] = {}

    def challenged(self, engine: Engine, response: Response, before: int) -> str:
        """NOT_OURS, OURS or REFUSED for a 401 or 407; `before` is how often this request was answered already."""
        outcome = NOT_OURS
        for key, _ in ANSWERED:
            challenge = self._ours(response.values(key) if key in response.at else [])
            if challenge is None:
                continue
            known = self._known.get(key)
            again = known is not None and (challenge.nonce == known.nonce or (before > 0 and not challenge.stale))
            if again or before >= MOST:
                engine.counts[INDEX["credentials_refused"]] += 1
                return REFUSED
            self._known[key] = challenge
            self._counts[key] = 0
            self._cnonces[key] = engine.ids.token()
            self.realm = challenge.realm  # the first one, where none is configured; no other from then on
            outcome = OURS
        return outcome

    def _ours(self, values: list[str]) -> Challenge | None:
        """The topmost challenge of our realm that can be answered (RFC 8760 §2.4)."""
        for challenge in challenges(values):
            if not self.realm or challenge.realm == self.realm:
                return challenge
        return None

    def signed(self, octets: bytes) -> bytes:
        """A request that we composed, with credentials for what was challenged before; nonces are used again."""
        if not self._known:
            return octets
        head, _, body = octets.partition(b"\r\n\r\n")
        method, _, rest = head[: head.find(b"\r\n")].decode("latin-1").partition(" ")
        uri = rest.partition(" ")[0]
        lines = ""
        for key, name in ANSWERED:
            challenge = self._known.get(key)
            if challenge is not None:
                self._counts[key] = count = self._counts[key] + 1
                account = self.account
                value = answer(
                    challenge,
                    account.username,
                    account.password.reveal(),
                    method,
                    uri,
                    body,
                    count,
                    self._cnonces[key],
                )
                lines += f"{name}: {value}\r\n"
        if method == "INVITE":
            self.invited = lines
        return b"".join((head, b"\r\n", lines.encode("latin-1"), b"\r\n", body))


def log_in(leg: Leg, ruleset: Ruleset, trunk: str) -> None:
    """Gives a leg its Login, where its trunk has given us credentials."""
    account = ruleset.accounts.get(trunk)
    if account is not None:
        leg.login = Login(account)


def once_more(unsigned: bytes, branch: str, cseq: int) -> bytes:
    """A request that we composed, with another branch and CSeq number: the rest stays (RFC 3261 §22.2)."""
    head, end, body = unsigned.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    for n, line in enumerate(lines):
        if line.startswith("Via: "):
            before, _, after = line.partition(";branch=")
            lines[n] = f"{before};branch={branch}{after[after.find(';') :] if ';' in after else ''}"
        elif line.startswith("CSeq: "):
            lines[n] = f"CSeq: {cseq} {line.rpartition(' ')[2]}"
    return "\r\n".join(lines).encode("latin-1") + end + body


class Own:
    """The user of a request of our own, such as a BYE, on a leg with a Login; it outlives the call."""

    __slots__ = ("_answered", "_engine", "_leg", "_unsigned")

    def __init__(self, engine: Engine, leg: Leg, unsigned: bytes) -> None:
        self._engine = engine
        self._leg = leg
        self._unsigned = unsigned
        self._answered = 0

    def responded(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A challenge is answered; any other response is the end of it."""
        engine, leg = self._engine, self._leg
        login = leg.login
        if login is None or response.status not in CHALLENGED:
            return
        if login.challenged(engine, response, self._answered) == OURS:
            self._answered += 1
            leg.cseq += 1
            branch = engine.ids.branch()
            octets = login.signed(once_more(self._unsigned, branch, leg.cseq))
            ClientTransaction(
                engine.layer, transaction.method, branch, leg.flow, octets, self, now, GIVE_UP_S, leg.anew
            )

    def unanswered(self, transaction: ClientTransaction, why: str, now: float) -> None:
        """Nobody waits for it."""
