"""Headers as the host sends them: frames of id, length and value, one behind the other (wit/header-parser.wit)."""

from collections import defaultdict


def values(frames: bytes) -> dict[int, list[str]]:
    """The values of the headers by their ids, in the order in which they were sent."""
    found, at = defaultdict(list), 0
    while at + 3 <= len(frames):
        start = at + 3
        end = start + int.from_bytes(frames[at + 1 : start], "little")
        found[frames[at]].append(frames[start:end].decode("latin-1"))
        at = end
    return found


def count(text: str) -> int | None:
    """A count of decimal digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None
