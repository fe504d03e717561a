// Surfaces of NVDEC and NVENC to and from the pictures that the networks take: bytes for 8 bits, floats for 10.
#include "surface.h"

KERNEL(128, 4, surface_nv12_to_bytes, Surface, p) { surface::to_picture<surface::Nv12, u8>(p); }
KERNEL(128, 4, surface_nv12_from_bytes, Surface, p) { surface::from_picture<surface::Nv12, u8>(p); }
KERNEL(128, 4, surface_p010_to_floats, Surface, p) { surface::to_picture<surface::P010, float>(p); }
KERNEL(128, 4, surface_p010_from_floats, Surface, p) { surface::from_picture<surface::P010, float>(p); }
