"""What the engine counts of calls: their shapes by caller, called number, called prefix, trunk and signer.

Enters: attempts, signers, answers and ends, each once, with their instant. Leaves: a Tally for each call, the Shapes of
keys. Must not: read a clock, know SIP, or grow without bound.

    tally = counters.begin("carrier", "12025550100", "12125550123", now)   None where no more than attempts is wanted
    counters.signed(tally, "709J")             once its signature was verified
    counters.answered(tally, now)              a 2xx
    counters.ended(tally, ENDED, now)          however it ended; what comes after that counts no more

`now` is in seconds of a clock that does not run backwards. A Tally holds the Shapes of its keys: a key that has made
room for others meanwhile gets what still comes of its calls, and nobody sees it.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import Final

from sipguard.screening.distinct import hash_of
from sipguard.screening.shape import (
    CALLEES,
    CALLERS,
    IN_SEQUENCE,
    MINUTE_MS,
    NEAR,
    OF_NUMBERS,
    ONE_RING_MS,
    TALKING,
    USUAL,
    Shape,
    Tally,
)
from sipguard.screening.usual import Usual

KEYS: Final = 60_000  # of each kind; 1 to 1.6 kB each with everything asked, 0.4 kB with attempts only
KEY_LONGEST: Final = 32  # characters of a key: no number is longer, and of a longer text its digest is the key
LONGEST_NUMBER: Final = 18  # digits that fit into 64 bits

# how an attempt ended
ENDED: Final = 1  # by its parties, or failed beyond us
GAVE_UP: Final = 2  # by the calling side, before an answer
BY_US: Final = 3  # refused, hung up or lost here: that says nothing of who called
ASKED: Final = 4  # for credentials, beyond us: it comes again with these

AGAIN: Final = 4  # INVITEs that are taken for the same attempt, beside the first
TRUNKS: Final = 2_000  # of which it is learned what is usual, 4 kB each
AWAITED: Final = 1_000  # dialogs that were asked for credentials


class Wanted:
    """What is counted: for each kind of key the bits of `shape`, 0 where nothing but attempts is.

    `do_not_call`: lists whose numbers the LISTED bit asks about.
    """

    __slots__ = ("callee", "caller", "do_not_call", "looks", "prefix", "signer", "trunk")

    def __init__(
        self,
        caller: int = 0,
        callee: int = 0,
        trunk: int = 0,
        signer: int = 0,
        do_not_call: tuple[str, ...] = (),
        prefix: int = 0,
    ) -> None:
        self.caller = caller
        self.callee = callee
        self.trunk = trunk
        self.signer = signer
        self.prefix = prefix
        self.do_not_call = do_not_call
        self.looks = caller | callee | trunk | signer | prefix  # all bits: 0 where only attempts are counted


NOTHING: Final = Wanted()


class Keys:
    """Shapes by key. Of more than `limit`, those go that were quiet for longest (to the minute)."""

    __slots__ = ("_shapes", "bits", "depth", "evicted", "limit", "texts")

    def __init__(self, limit: int = KEYS, bits: int = 7, depth: int = 8, texts: bool = False) -> None:
        """`bits` of sketches of different numbers, `depth` of remembered ones. Keys are numbers, or `texts`."""
        self.texts = texts
        self._shapes: OrderedDict[str, Shape] = OrderedDict()
        self.limit = limit
        self.bits = bits
        self.depth = depth
        self.evicted = 0

    def __len__(self) -> int:
        return len(self._shapes)

    def attempted(self, key: str, minute: int) -> Shape:
        """Counts one attempt of `key`."""
        if len(key) > KEY_LONGEST:
            key = self._shortened(key)
        shape = self._shapes.get(key)
        if shape is None:
            if len(self._shapes) >= self.limit:
                self._make_room(self.limit - 1)
            shape = self._shapes[key] = Shape(minute)
        elif shape.seen != minute:
            shape.seen = minute
            if shape.minute != minute:
                shape.turn(minute)
            self._shapes.move_to_end(key)
        shape.attempted()
        return shape

    def of(self, key: str) -> Shape | None:
        """What is known of a key."""
        return self._shapes.get(key if len(key) <= KEY_LONGEST else self._shortened(key))

    def _shortened(self, key: str) -> str:
        """What stands for a key that is too long. Names may have much in common, numbers end somewhere."""
        return sha256(key.encode()).hexdigest()[:KEY_LONGEST] if self.texts else key[:KEY_LONGEST]

    def shapes(self) -> list[Shape]:
        """Those of all keys."""
        return list(self._shapes.values())

    def limit_to(self, limit: int) -> None:
        """Keeps at most so many from now on."""
        self.limit = limit
        self._make_room(limit)

    def _make_room(self, most: int) -> None:
        while len(self._shapes) > most:
            self._shapes.popitem(last=False)
            self.evicted += 1


class Counters:
    """All of it, for one worker. `at_ms` is the instant of what was counted last: checks read at that instant, since a
    shape that was turned to a later one would begin anew.
    """

    __slots__ = (
        "_asked",
        "_learned",
        "_open",
        "_usual",
        "at_ms",
        "callees",
        "callers",
        "prefixes",
        "signers",
        "trunks",
        "wanted",
    )

    def __init__(self, limit: int = KEYS) -> None:
        self.callers = Keys(limit)
        self.callees = Keys(limit)
        self.prefixes = Keys(limit)
        self.trunks = Keys(limit, 10, 16, texts=True)
        self.signers = Keys(limit, 10, 16, texts=True)
        self._open: dict[str, Tally] = {}  # by dialog: attempts that were not answered yet
        self._asked: OrderedDict[str, Tally] = OrderedDict()  # by dialog: those that come again
        self._usual: dict[str, Usual] = {}  # by trunk
        self._learned: dict[str, Usual] = {}  # of these, those that have learned something since they were asked
        self.at_ms = 0
        self.wanted = NOTHING

    def use(self, wanted: Wanted, limit: int) -> None:
        """Counts something else from now on. What is counted already goes on."""
        if not wanted.trunk & USUAL:
            for usual in self._usual.values():
                usual.pause()
        self.wanted = wanted
        for keys in self._every():
            keys.limit_to(limit)

    def _every(self) -> tuple[Keys, ...]:
        return self.callers, self.callees, self.prefixes, self.trunks, self.signers

    def shapes(self) -> list[Shape]:
        """Those of all keys of all kinds."""
        return [shape for keys in self._every() for shape in keys.shapes()]

    def keys(self) -> tuple[int, int]:
        """How many are held, and how many made room for others so far."""
        every = self._every()
        return sum([len(keys) for keys in every]), sum([keys.evicted for keys in every])

    def count(self, trunk: str, caller: str, now: float) -> None:
        """Counts one attempt and nothing else; a caller without a number ("") counts for its trunk only."""
        self.at_ms = at_ms = int(now * 1000.0)
        minute = at_ms // MINUTE_MS
        self.trunks.attempted(trunk, minute)
        if caller:
            self.callers.attempted(caller, minute)

    def begin(
        self,
        trunk: str,
        caller: str,
        callee: str,
        now: float,
        shown: str = "",
        listed: bool = False,
        lasting: bool = True,
        dialog: str = "",
        prefix: str = "",
        via: str = "",
        abroad: bool = False,
        hour: int = -1,
    ) -> Tally | None:
        """Counts one attempt; None where no more than that is wanted, or where it has been counted.

        Numbers are TNs, "" for none. `shown`: the number in From; `listed`: the callee is on a list of
        `wanted.do_not_call`; not `lasting`: its end will not be seen, as that of a call that is given back. `prefix`:
        the first digits of the callee, "" where it is no complete number. `dialog` tells caller, Call-ID and From-tag.
        The same once more, to the same callee, is the same attempt where credentials were asked for, and before an
        answer where `via`, that of who sent it first, is the same as well: proxies add theirs to it, so it is a branch
        of a fork that meets the other here. Both up to AGAIN times. `abroad`: it is to another country, or premium;
        `hour`: of Unix time, -1 where it is not to be learned what is usual.
        """
        wanted = self.wanted
        if not wanted.looks:
            self.count(trunk, caller, now)
            return None
        self.at_ms = at_ms = int(now * 1000.0)
        if via and self._is_branch(dialog, callee, via):
            return None
        tally = Tally(at_ms, lasting)
        if dialog:
            tally.callee_tn, tally.dialog, tally.via = callee, dialog, via
            self._open[dialog] = tally
            if self._asked:
                first = self._asked.pop(dialog, None)
                if first is not None and first.callee_tn == callee and first.again < AGAIN:
                    _go_on(tally, first)
                    return tally
        tally.listed, tally.abroad = listed, abroad
        _read(tally, wanted.looks, caller, callee, shown)
        self._count(tally, trunk, caller, callee, prefix)
        if hour >= 0 and wanted.trunk & USUAL and tally.trunk is not None:
            tally.trunk.usual = self._usual_of(trunk, hour, abroad)
        return tally

    def _is_branch(self, dialog: str, callee: str, via: str) -> bool:
        """Whether an attempt is one that is under way, come by another branch.

        Each branch rings at the called number, and is an attempt there: whoever makes up branches hides no flood.
        """
        first = self._open.get(dialog)
        if first is None or first.via != via or first.again >= AGAIN or first.callee_tn != callee:
            return False
        first.again += 1
        if first.callee is not None:
            self.callees.attempted(callee, self.at_ms // MINUTE_MS)
        return True

    def _count(self, tally: Tally, trunk: str, caller: str, callee: str, prefix: str) -> None:
        """Counts a call that has begun for its keys, but the signer."""
        wanted, minute = self.wanted, tally.begun_ms // MINUTE_MS
        shape = self.trunks.attempted(trunk, minute)
        if wanted.trunk:
            tally.trunk = shape
            _add(shape, wanted.trunk, tally, self.trunks)
        if caller:
            shape = self.callers.attempted(caller, minute)
            if wanted.caller:
                tally.caller = shape
                _add(shape, wanted.caller, tally, self.callers)
        if callee and wanted.callee:
            shape = tally.callee = self.callees.attempted(callee, minute)
            _add(shape, wanted.callee, tally, self.callees)
        if prefix and wanted.prefix:
            shape = tally.prefix = self.prefixes.attempted(prefix, minute)
            _add(shape, wanted.prefix, tally, self.prefixes)

    def _usual_of(self, trunk: str, hour: int, abroad: bool) -> Usual:
        """What is usual on a trunk, an attempt in this hour counted."""
        usual = self._usual.get(trunk)
        if usual is None:
            usual = self._usual[trunk] = Usual()
            if len(self._usual) > TRUNKS:
                oldest = next(iter(self._usual))
                del self._usual[oldest]
                self._learned.pop(oldest, None)
        if usual.attempted(hour, abroad):
            self._learned[trunk] = usual
        return usual

    def recall(self, trunk: str, octets: bytes) -> None:
        """Goes on from what another process has learned of a trunk. Raises ValueError for what is none."""
        self._usual[trunk] = Usual.of(octets)

    def learned(self, most: int) -> list[tuple[str, bytes]]:
        """What is usual on trunks that have learned something since the last time, of `most` of them at a time."""
        found: list[tuple[str, bytes]] = []
        while self._learned and len(found) < most:
            trunk, usual = self._learned.popitem()
            found.append((trunk, usual.kept()))
        return found

    def signed(self, tally: Tally, signer: str) -> None:
        """The call is signed by `signer`. Counts once, and as it began."""
        wanted = self.wanted.signer
        if not wanted or not signer or tally.signer is not None or tally.over:
            return
        shape = tally.signer = self.signers.attempted(signer, self.at_ms // MINUTE_MS)
        _add(shape, wanted, tally, self.signers)
        if tally.answered_ms >= 0 and wanted & TALKING:
            turn(shape, self.at_ms)
            shape.talks(1, self.at_ms)
            tally.talking.append(shape)

    def answered(self, tally: Tally, now: float) -> None:
        """The call was answered."""
        if tally.over or not tally.lasting or tally.answered_ms >= 0:
            return
        self._close(tally)
        tally.answered_ms = self.at_ms = at_ms = int(now * 1000.0)
        for shape in tally.shapes():
            turn(shape, at_ms)
            shape.answered()
        if self.wanted.looks & TALKING:
            tally.talking = self._talking(tally)
            for shape in tally.talking:
                shape.talks(1, at_ms)

    def _talking(self, tally: Tally) -> list[Shape]:
        """Of the keys of a call those whose minutes are asked."""
        wanted = self.wanted
        every = (
            (tally.prefix, wanted.prefix), (tally.caller, wanted.caller), (tally.trunk, wanted.trunk),
            (tally.callee, wanted.callee), (tally.signer, wanted.signer),
        )  # fmt: skip
        return [shape for shape, asked in every if shape is not None and asked & TALKING]

    def ended(self, tally: Tally, how: int, now: float) -> None:
        """The call is over; `how` ENDED, GAVE_UP, BY_US or ASKED."""
        if tally.over:
            return
        tally.over = True
        self._close(tally)
        if how == ASKED and tally.dialog:
            self._asked[tally.dialog] = tally
            if len(self._asked) > AWAITED:
                self._asked.popitem(last=False)
        if not tally.lasting:
            return
        self.at_ms = at_ms = int(now * 1000.0)
        talked_ms = max(at_ms - tally.answered_ms, 0) if tally.answered_ms >= 0 else -1
        one_ring = how == GAVE_UP and at_ms - tally.begun_ms <= ONE_RING_MS
        for shape in tally.talking:
            turn(shape, at_ms)
            shape.talks(-1, at_ms)
        for shape in tally.shapes():
            shape.concurrent -= 1
            if how in (ENDED, GAVE_UP):
                turn(shape, at_ms)
                if talked_ms < 0:
                    shape.failed(one_ring)
                else:
                    shape.talked(talked_ms)

    def _close(self, tally: Tally) -> None:
        """The same dialog is another attempt from now on."""
        if self._open.get(tally.dialog) is tally:
            del self._open[tally.dialog]


def _read(tally: Tally, asked: int, caller: str, callee: str, shown: str) -> None:
    """Notes what is asked of the numbers of a call."""
    if asked & (CALLERS | CALLEES):
        if caller:
            tally.caller_hash = hash_of(caller[:KEY_LONGEST])
        if callee:
            tally.callee_hash = hash_of(callee[:KEY_LONGEST])
    if asked & IN_SEQUENCE and len(callee) <= LONGEST_NUMBER and callee.isdigit():
        tally.callee_number = int(callee)
    if asked & NEAR:
        tally.near = _is_near(shown or caller, callee)


def _add(shape: Shape, asked: int, tally: Tally, keys: Keys) -> None:
    """Counts a call that has begun for one of its keys."""
    if tally.lasting:
        shape.concurrent += 1
    asked &= OF_NUMBERS
    if asked:
        shape.look(tally, asked, keys.bits, keys.depth)


def _go_on(tally: Tally, first: Tally) -> None:
    """Has a call that comes again count for the keys that it counts for already."""
    tally.trunk, tally.caller, tally.signer = first.trunk, first.caller, first.signer
    tally.callee, tally.prefix = first.callee, first.prefix
    tally.caller_hash, tally.callee_hash = first.caller_hash, first.callee_hash
    tally.callee_number, tally.listed, tally.near = first.callee_number, first.listed, first.near
    tally.again, tally.abroad = first.again + 1, first.abroad
    if tally.lasting:
        for shape in tally.shapes():
            shape.concurrent += 1


def turn(shape: Shape, at_ms: int) -> None:
    """Brings the windows of a shape to an instant."""
    minute = at_ms // MINUTE_MS
    if shape.minute != minute:
        shape.turn(minute)


def _is_near(one: str, other: str) -> bool:
    """Whether two numbers of North America have area code and exchange in common."""
    return one[:7] == other[:7] and len(one) == len(other) == 11 and one[0] == "1"
