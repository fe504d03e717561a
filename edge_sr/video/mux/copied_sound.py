"""Sound that is copied: without what an edit list cuts away, every packet with its length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class SoundCopier:
    """Packets as they are, but those that an edit list cuts away, which not every container can mark.

    The last one before the sound begins stays: a decoder needs it to begin well. A packet that does not say how long
    it lasts, lasts until the next, and the last one as long as the one before: MP4 would end the sound at its time.
    """

    def __init__(self) -> None:
        self._has_begun = False
        self._held: Any = None
        self._latest = 0

    def __call__(self, packet: Any | None) -> Iterator[Any]:
        """The packets that are ready; all that are left for None."""
        if packet is not None and packet.is_discard and self._has_begun:
            return
        held, self._held = self._held, None
        if held is not None and not _is_cut(held, packet):
            yield self._lasting(held, packet)
        if packet is None:
            return
        self._has_begun = not packet.is_discard
        if packet.is_discard or not packet.duration:
            self._held = packet
        else:
            yield packet

    def _lasting(self, packet: Any, following: Any | None) -> Any:
        if not packet.duration:
            if following is not None and None not in (packet.dts, following.dts):
                self._latest = max(0, following.dts - packet.dts)
            packet.duration = self._latest
        return packet


def _is_cut(held: Any, following: Any | None) -> bool:
    return bool(held.is_discard and (following is None or following.is_discard))
