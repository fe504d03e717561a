"""What decoders attach to frames: captions, display matrices, encoder's parameters, HDR descriptions."""

from __future__ import annotations

import ctypes
import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import av


def side_data(frame: av.VideoFrame) -> dict[str, Any]:
    """The frame's side data by FFmpeg's name for each kind; kinds that PyAV has no name for are left out.

    PyAV builds a list of all of them with an enumeration that lacks the newer kinds, and fails as a whole.
    """
    _accept_unnamed_kinds()
    found: Any = frame.side_data
    for data in found:
        _leave_metadata_to_frame(data)
    return {data.type.name: data for data in found if not data.type.name.startswith(UNNAMED)}


def _leave_metadata_to_frame(data: Any) -> None:
    """Has PyAV not free what the frame frees too, such as the name of a PNG's colour profile.

    PyAV's object for it must never be freed, which costs 32 bytes a frame that has some.
    """
    from av.dictionary import Dictionary

    for held in gc.get_referents(data):
        if isinstance(held, Dictionary) and len(held):
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))


UNNAMED = "UNNAMED"


def _accept_unnamed_kinds() -> None:
    from av.sidedata.sidedata import Type

    if "_missing_" not in vars(Type):
        Type._missing_ = classmethod(_unnamed)  # type: ignore[method-assign,assignment]


def _unnamed(kinds: Any, number: object) -> Any:
    """A member of the enumeration for a number it does not know."""
    kind = object.__new__(kinds)
    kind._name_, kind._value_ = f"{UNNAMED}_{number}", number
    return kinds._value2member_map_.setdefault(number, kind)
