"""Durations, shares and sizes as operators write them: `800ms`, `24h`, `5%`, `64MiB`.

Enters: what YAML gives. Leaves: seconds, percent, octets; ValueError says what to write instead.
Must not: guess a unit that is not written.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS: Final = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_WORDS: Final = {  # unit -> how it is spelt elsewhere
    "ms": ("msec", "msecs", "millisecond", "milliseconds"),
    "s": ("sec", "secs", "second", "seconds"),
    "m": ("min", "mins", "minute", "minutes"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
}
_OCTETS: Final = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "kB": 10**3, "MB": 10**6, "GB": 10**9, "B": 1}
_LONGEST_S: Final = 36_500 * 86_400.0  # timers and instants are reckoned with well within it
_LARGEST: Final = 1_000_000 * 2**30


def seconds(value: object) -> float:
    """Seconds of `800ms`, `60s`, `10m`, `24h`, `90d`; 0 needs no unit. Raises ValueError."""
    number, unit = _split(value)
    if number is not None and unit in _SECONDS and number * _SECONDS[unit] > _LONGEST_S:
        raise ValueError("is longer than 100 years|write at most 36500d")
    if number is not None and unit in _SECONDS:
        return number * _SECONDS[unit]
    if number == 0 and not unit:
        return 0.0
    raise ValueError(f"{value} is no duration|{_duration_meant(number, unit)}")


def _duration_meant(number: float | None, unit: str) -> str:
    """How a duration is written whose unit is a word, or is not there."""
    short = next((each for each, words in _WORDS.items() if unit.lower() in words), "")
    if number is not None and short:
        return f"write {number:g}{short}"
    if number and not unit:
        return f"write {number:g}s for seconds; us, ms, m, h and d are the other units"
    return "write a number with us, ms, s, m, h or d, such as 60s"


def percent(value: object) -> float:
    """Percent of `5%` or `0.5%`, 0 to 100. Raises ValueError."""
    number, unit = _split(value)
    if number is not None and unit == "%" and 0 <= number <= 100:
        return number
    bare = number is not None and not unit and 0 <= number <= 100
    raise ValueError(f"{value} is no share|write {f'{number:g}%' if bare else '0% to 100%'}")


def octets(value: object) -> int:
    """Octets of `64MiB`, `1GB`. Raises ValueError."""
    number, unit = _split(value)
    if number is not None and unit in _OCTETS and number * _OCTETS[unit] > _LARGEST:
        raise ValueError("is more than any disk holds|write at most 1000000GiB")
    if number is not None and unit in _OCTETS:
        return int(number * _OCTETS[unit])
    raise ValueError(f"{value} is no size|write a number with KiB, MiB or GiB, such as 64MiB")


def _split(value: object) -> tuple[float | None, str]:
    """(number, unit) of a text; a number None where it is none."""
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    end = len(text)
    while end and not text[end - 1].isdigit():
        end -= 1
    digits, unit = text[:end], text[end:].strip()
    if not digits.replace(".", "", 1).isdigit() or not digits.isascii():
        return None, unit
    return float(digits), unit


def _schema(pattern: str, example: str) -> Any:
    return WithJsonSchema({"type": ["string", "integer"], "pattern": pattern, "examples": [example]})


Duration = Annotated[float, BeforeValidator(seconds), _schema(r"^(0|[0-9.]+\s*(us|ms|s|m|h|d))$", "60s")]
Percent = Annotated[float, BeforeValidator(percent), _schema(r"^[0-9.]+\s*%$", "5%")]
Size = Annotated[int, BeforeValidator(octets), _schema(r"^[0-9.]+\s*([KMG]iB|[kMG]?B)$", "64MiB")]
