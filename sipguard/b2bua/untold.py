"""Reason: STIR taken out of what goes to a trunk that does not want to be told (RFC 9410, facts A1.6).

Enters: header lines as they would cross. Leaves: the same without Reason values of protocol STIR. Must not: touch any
other value (Q.850, SIP, that of a 603+), or a text that only speaks of STIR.
"""

from __future__ import annotations

from sipguard.sip.uri import quoted_end


def lines_untold(text: str) -> str:
    """Header lines, joined; of Reason lines that hold nothing else none is left."""
    if "stir" not in text.lower():
        return text
    unfolded: list[str] = []
    for line in text.split("\r\n"):
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1] = f"{unfolded[-1]}\r\n{line}"
        else:
            unfolded.append(line)
    kept = [_line_untold(line) for line in unfolded]
    return "\r\n".join([line for line in kept if line])


def _line_untold(line: str) -> str:
    """One header line, folded or not, "" where nothing of it is left."""
    name, colon, value = line.partition(":")
    if name.strip().lower() != "reason":
        return line
    said = _values(value)
    kept = [each for each in said if each.partition(";")[0].strip().lower() != "stir"]
    if len(kept) == len(said):
        return line
    return f"{name}{colon}{','.join(kept)}" if any(each.strip() for each in kept) else ""


def _values(text: str) -> list[str]:
    """The values of one line: cut at commas outside quotes; a quote left open is none (RFC 3326 §2)."""
    pieces: list[str] = []
    start = i = 0
    while i < len(text):
        if text[i] == '"':
            i = max(quoted_end(text, i), i)
        elif text[i] == ",":
            pieces.append(text[start:i])
            start = i + 1
        i += 1
    return [*pieces, text[start:]]
