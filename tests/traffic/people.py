"""Numbers that are nobody's, and how calls go that people make and take.

Enters: a source of chance. Leaves: TNs; what comes of a call. Must not: hold a number that somebody may have.

Area codes are such that no exchange is in service there, so that traffic may spread over area codes and exchanges as
real traffic does. Numbers abroad are those that Ofcom keeps for drama.
"""

from __future__ import annotations

from random import Random
from typing import Final

from tests.traffic.calls import ANSWERED, GIVEN_UP, REFUSED

_AREAS = (
    "221 230 232 237 238 241 243 245 247 258 259 261 265 271 275 278 280 282 285 286 287 328 335 338 342 348 349 356 "
    "358 359 362 381 383 384 387 389 421 426 427 429 436 439 446 449 451 452 453 454 459 461 462 465 467 471 476 481 "
    "482 483 485 486 487 489 535 536 537 538 542 543 545 546 547 549 550 552 553 554 556 558 560 565 568 569"
)
AREAS: Final = tuple(_AREAS.split())
OFFICES: Final = tuple(
    f"1202555{line:04}" for line in range(100, 200)
)  # fiction in Washington: its local time is known

Outcome = tuple[str, float, float]  # what came of it, seconds until then, seconds of talk


def exchange(chance: Random) -> str:
    """An area code with an exchange of it, with the country code: seven digits."""
    return f"1{chance.choice(AREAS)}{chance.randrange(220, 999) // 10 * 10 + chance.choice((0, 2, 3, 4, 5))}"


def line(chance: Random, within: str = "") -> str:
    """A number of an exchange, of any if none is said."""
    return f"{within or exchange(chance)}{chance.randrange(10_000):04}"


def abroad(chance: Random) -> str:
    """A number of another country: there are a thousand of them."""
    return f"441632960{chance.randrange(1000):03}"


CITIES: Final = ("441134960", "441144960", "441174960", "441214960", "441314960", "441414960", "442079460", "447700900")


def hotel(chance: Random) -> str:
    """A number of one of some cities of another country."""
    return f"{chance.choice(CITIES)}{chance.randrange(1000):03}"


def bridge(chance: Random) -> str:
    """A number for conferences in another country."""
    return f"441154960{chance.randrange(1000):03}"


def premium(chance: Random) -> str:
    """A number that is dear to call."""
    return f"449098790{chance.randrange(1000):03}"


def refused(chance: Random) -> Outcome:
    """Busy, or no such number."""
    return REFUSED, chance.uniform(0.1, 2.0), 0.0


def nobody_answers(chance: Random) -> Outcome:
    """The caller lets it ring, then gives up."""
    return GIVEN_UP, min(max(chance.gauss(24.0, 6.0), 9.0), 60.0), 0.0


def answered(chance: Random, talks_s: float, after_s: float = 12.0) -> Outcome:
    """Somebody, or a machine, answers after about `after_s` of ringing."""
    return ANSWERED, max(1.0, chance.gauss(after_s, after_s / 3.0)), talks_s


def conversation(chance: Random) -> float:
    """Seconds that people talk: a few hang up at once, some speak to a voice mail, most talk. 3.1 min in the mean."""
    kind = chance.random()
    if kind < 0.08:
        return chance.uniform(1.5, 6.0)
    if kind < 0.25:
        return chance.uniform(12.0, 40.0)
    return min(chance.lognormvariate(4.85, 1.1), 7200.0) + 8.0


def as_usual(chance: Random) -> Outcome:
    """What comes of a call between people: 55 of 100 are answered; three hang up at once, having misdialled."""
    kind = chance.random()
    if kind < 0.55:
        return answered(chance, conversation(chance))
    if kind < 0.58:
        return GIVEN_UP, chance.uniform(0.8, 4.5), 0.0
    return nobody_answers(chance) if kind < 0.80 else refused(chance)


def by_machine(chance: Random, answers: float, short: float, message_s: float) -> Outcome:
    """What comes of a recorded message: `answers` and `short` are the shares of calls that are answered, and of those
    that end within seconds; others hear the message, or most of it, and one of twelve asks for a person."""
    if chance.random() >= answers:
        return nobody_answers(chance) if chance.random() < 0.5 else refused(chance)
    if chance.random() < short:
        return answered(chance, chance.uniform(0.7, 5.5))
    if chance.random() < 0.08:
        return answered(chance, message_s + chance.expovariate(1 / 60.0))
    return answered(chance, 6.5 + chance.random() * message_s)
