"""Pillow's switch for damaged files is one for the whole process: whoever minds damage waits for who does not."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_SWITCH = threading.RLock()


@contextlib.contextmanager
def minding_damage() -> Iterator[None]:
    """Reading inside raises at what is damaged, unless this thread is lenient around it."""
    with _SWITCH:
        yield


@contextlib.contextmanager
def lenient() -> Iterator[None]:
    """Reading inside goes as far as it decodes."""
    from PIL import ImageFile

    with _SWITCH:
        ImageFile.LOAD_TRUNCATED_IMAGES = True
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = False
