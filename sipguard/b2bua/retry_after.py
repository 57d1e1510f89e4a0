"""The Retry-After header of a response (RFC 3261 §20.33).

Enters: a response. Leaves: seconds. Must not: judge them; `peers` has the cap.
"""

from __future__ import annotations

from sipguard.sip.message import Response


def retry_after_of(response: Response) -> float:
    """Seconds that Retry-After asks for; a comment and parameters may follow. 0.0 where it is absent or no number."""
    if "retry-after" not in response.at:
        return 0.0
    text = response.value("retry-after").partition("(")[0].partition(";")[0].strip()
    return float(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0.0
