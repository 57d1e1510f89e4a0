"""What one Identity value came to.

Enters: what the steps of verification find. Leaves: a Result with separate facts for each step.
Must not: decide about the call; one good value among several is enough (RFC 8224 §6.2.1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sipguard.stir.errors import BadIdentityInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipguard.stir.credential import Credential
    from sipguard.stir.passport import Passport

PASSED: Final = "passed"
FAILED: Final = "failed"
UNSUPPORTED: Final = "unsupported"  # a type that is not verified here: no failure (RFC 8224 §6.2 step 1)
WAITING: Final = "waiting"  # a certificate has to be fetched, its own or one of the chain that carries it
UNUSED: Final = "unused"  # a `div` token that nothing depends on; it was not looked at further
NOT_FETCHED: Final = BadIdentityInfo.status


class Result:
    """One Identity value. `reason` is a slug, `status` the SIP status of a rejection for it, 0 where it passed.

    The flags say how each step came out and are None where it was not taken: `orig_ok`, `dest_ok`, `fresh`,
    `chain_ok`, `signature_ok`. They are told apart from `reason`, which names the first step that failed.
    """

    __slots__ = (
        "chain_ok",
        "credential",  # Credential | None
        "date_differs",  # whether Date is another time than `iat`; None where there is no Date
        "dest_ok",
        "dest_source",  # to | request_uri | both: where the called party is that the token names, "" for nowhere
        "deviations",  # tuple[str, ...]: out of reasons.DEVIATIONS, those of the token among them
        "diversion",  # Diversion | None: how it is carried to the target where it does not name it
        "fresh",
        "host",  # of the x5u, lower case, "" where that may not be fetched
        "orig_ok",
        "outcome",
        "passport",  # Passport | None where it could not be read
        "ppt",  # as far as it could be read, of a type that is not verified here too
        "reason",
        "replayed",  # whether its token came in another call before; None where that was not asked
        "signature_ok",
        "source",  # from | pai | both: which caller the token vouches for, "" for none
        "status",
        "step",  # how far it came; of several that failed the furthest is reported
        "tn",  # canonical number of the caller that the token names, "" where it names none
        "value",  # as received
    )

    def __init__(self, value: str) -> None:
        self.value = value
        self.outcome = FAILED
        self.reason = ""
        self.status = 0
        self.step = 0
        self.passport: Passport | None = None
        self.credential: Credential | None = None
        self.host = ""
        self.diversion: Diversion | None = None
        self.source = ""
        self.dest_source = ""
        self.tn = ""
        self.orig_ok: bool | None = None
        self.dest_ok: bool | None = None
        self.fresh: bool | None = None
        self.chain_ok: bool | None = None
        self.replayed: bool | None = None
        self.date_differs: bool | None = None
        self.deviations: tuple[str, ...] = ()
        self.ppt = ""
        self.signature_ok: bool | None = None


def vouches(result: Result) -> bool:
    """Whether its token says who calls: not how the call came here, how urgent it is, or what the caller is named."""
    return result.passport is not None and result.passport.ppt in ("", "shaken")


def passes(result: Result) -> bool:
    """Whether it passed and says who calls."""
    return result.outcome == PASSED and vouches(result)


def judged(results: Sequence[Result]) -> Result | None:
    """The value that counts: the first that passes (RFC 8224 §6.2.1), else the furthest; None where there is none."""
    for result in results:
        if passes(result):
            return result
    return furthest(results)


def furthest(results: Sequence[Result]) -> Result | None:
    """Of values that did not pass the one that came furthest, which is reported; None where there is none.

    One that says nothing of the caller only where all do, and one whose certificate could not be had only where that
    is so of all others (RFC 8224 §6.2.2, of 436).
    """
    best: Result | None = None
    most = 0
    for result in results:
        step = result.step if result.passport is None or vouches(result) else -1
        if best is None or step > most:
            best, most = result, step
    if best is None or best.status != NOT_FETCHED or len(results) == 1:
        return best
    for result in results:
        further = best.status == NOT_FETCHED or result.step > best.step
        fetched = result.outcome == FAILED and result.status != NOT_FETCHED
        if further and fetched and (result.passport is None or vouches(result)):
            best = result
    return best


class Diversion:
    """How a token gets from its own `dest` to the target: `hops`, the outermost first; `reason` "" where they hold.

    Where they do not hold, `hops` is the way that came nearest, or (). `waits` is a hop whose certificate must be
    fetched before more can be said.
    """

    __slots__ = ("hops", "reason", "waits")

    def __init__(self, hops: tuple[Result, ...], reason: str, waits: Result | None = None) -> None:
        self.hops = hops
        self.reason = reason
        self.waits = waits

    @property
    def holds(self) -> bool:
        """Whether every hop was proven."""
        return not self.reason and self.waits is None
