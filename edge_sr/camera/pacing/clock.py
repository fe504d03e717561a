"""Times of a source brought to the run's own clock, its drift followed."""

from __future__ import annotations

# The two clocks part by more than this: a jump, not drift.
JUMP_SECONDS = 0.5
# After a jump sound is taken to be of the picture's clock again once it lies so near to the picture.
NEAR_SECONDS = 2.0
# Of the difference that is left, so much is made up for with each frame; slow enough not to be seen.
DRIFT_SHARE = 0.02
MOST_DRIFT_SECONDS = 0.002


class LiveTimeline:
    """Turns the source's seconds into seconds since the run began.

    Frames keep the spacing that the source gave them, whatever the network does to their arrival, and the
    whole is nudged after the run's clock. A source that jumps, or a new connection, starts a new mapping.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._shift: float | None = None
        self._seen = 0.0
        self._heard: float | None = None
        self._together = True

    def reset(self) -> None:
        self._shift = None

    def picture(self, seconds: float | None, captured: float) -> float:
        """When a frame is shown; ``captured`` is ``time.monotonic`` of its arrival."""
        now = captured - self._began
        if seconds is None:
            return now
        self._seen = seconds
        if self._shift is None:
            self._shift = now - seconds
        elif abs(now - seconds - self._shift) > JUMP_SECONDS:
            self._shift, self._together = now - seconds, False
        error = now - seconds - self._shift
        self._shift += max(-MOST_DRIFT_SECONDS, min(MOST_DRIFT_SECONDS, error * DRIFT_SHARE))
        return seconds + self._shift

    def sound(self, seconds: float) -> float | None:
        """The same for sound; None before a picture has told where the source stands, at first and after a jump."""
        if self._heard is not None and not 0 <= seconds - self._heard <= JUMP_SECONDS:
            self._together = False
        self._heard = seconds
        if abs(seconds - self._seen) <= NEAR_SECONDS:
            self._together = True
        return seconds + self._shift if self._shift is not None and self._together else None
