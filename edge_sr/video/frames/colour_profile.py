"""ICC colour profiles that say what every reader takes for granted."""

from __future__ import annotations

import functools
import io


@functools.lru_cache(maxsize=4)
def is_srgb(profile: bytes) -> bool:
    """Whether an ICC profile is sRGB's, by its primaries and its name: the name tells it from linear scRGB."""
    from PIL import ImageCms

    try:
        read, srgb = (
            ImageCms.ImageCmsProfile(source).profile
            for source in (io.BytesIO(profile), ImageCms.createProfile("sRGB"))
        )
    except (ImageCms.PyCMSError, OSError):
        return False
    if "srgb" not in (read.profile_description or "").lower():
        return False
    primaries = ("red_colorant", "green_colorant", "blue_colorant")
    pairs = [(getattr(read, name), getattr(srgb, name)) for name in primaries]
    return all(found and _near(found[0], wanted[0]) for found, wanted in pairs)


def _near(found: tuple[float, ...], wanted: tuple[float, ...]) -> bool:
    return all(abs(a - b) < 0.002 for a, b in zip(found, wanted, strict=True))
