"""What is told of an error that nobody expected: where it broke, for which call, and how often since.

Enters: errors as they were met. Leaves: one line each, "" where the same was told of lately. Must not: hold an
error, since its frames hold the call.
"""

from __future__ import annotations

from typing import Final

AGAIN_S: Final = 60.0  # an error of the same kind at the same place is told of once in this time
_LONGEST: Final = 200  # characters of what an error or a Call-ID says; strangers may have written it
_MOST: Final = 1000  # places; then all are forgotten


class Troubles:
    """Which errors were told of, when last (monotonic seconds), and how many times they were met since."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[str, tuple[float, int]] = {}

    def line(self, error: BaseException, about: str, now: float) -> str:
        """`KeyError: 'x'; Call-ID abc; engine.py:231 received > within.py:60 within`, "" if it was told of lately."""
        way = _way(error)
        kind = f"{type(error).__name__} {way[-1] if way else ''}"
        at, since = self._told.get(kind, (now - AGAIN_S, 0))
        if now - at < AGAIN_S:
            self._told[kind] = (at, since + 1)
            return ""
        if len(self._told) >= _MOST:
            self._told.clear()
        self._told[kind] = (now, 0)
        met = f"; met {since} times since it was told of last" if since else ""
        whose = f"; Call-ID {about[:_LONGEST]}" if about else ""
        return f"{type(error).__name__}: {str(error)[:_LONGEST]}{whose}; {' > '.join(way)}{met}"


def _way(error: BaseException) -> list[str]:
    """Where it came from, from the outermost function in: `room/module.py:line function`."""
    way: list[str] = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        place = "/".join(code.co_filename.rsplit("/", 2)[-2:])
        way.append(f"{place}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return way
