/* Arrays as numpy files them without compression: a ZIP archive of .npy files. */
#pragma once

#include <map>

#include "tensor.h"

namespace edgesr {

/* The arrays by name. Throws Error for anything but little-endian arrays in C order that are stored as they are. */
std::map<std::string, Tensor> read_npz(std::string_view archive);

}  // namespace edgesr
