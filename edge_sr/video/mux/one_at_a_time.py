"""Subtitles for a track that shows one at a time, as those of MP4 and MOV do."""

from __future__ import annotations

# More at once than anyone reads.
MOST = 64
# When it is shown and for how long, in the track's unit, and its words.
Shown = tuple[int, int, str]


class OneAtATime:
    """Of subtitles that are shown at once it makes one of all their words, for as long as all of them are."""

    def __init__(self) -> None:
        self._ends: list[tuple[int, str]] = []
        self._told = 0

    def add(self, begins: int, lasts: int, words: str) -> list[Shown]:
        """What is to be shown now that one more begins; one that does not say how long it lasts stands alone."""
        rest = self.rest(begins)
        if lasts <= 0:
            return [*rest, (begins, lasts, words)]
        going_on = [one for one in self._ends if one[0] > begins]
        self._ends = [*going_on, (begins + lasts, words)][-MOST:]
        return [*rest, self._at(begins)]

    def rest(self, before: int | None = None) -> list[Shown]:
        """What goes on longer than others that ended, as far as it begins ``before`` a time."""
        parts = []
        while before is None or self._told < before:
            self._ends = [one for one in self._ends if one[0] > self._told]
            if not self._ends:
                break
            parts.append(self._at(self._told))
        return parts

    def _at(self, begins: int) -> Shown:
        """All that are shown from ``begins`` on, up to the first end; the same words in several layers count once."""
        self._told = min(end for end, _ in self._ends)
        return begins, self._told - begins, "\n".join(dict.fromkeys(words for _, words in self._ends))
