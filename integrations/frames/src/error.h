#pragma once

#include <stdexcept>

namespace edgesr {

/* Whatever keeps a bundle from being opened or a picture from being enlarged; the message is for the user. */
struct Error : std::runtime_error {
    using std::runtime_error::runtime_error;
};

}  // namespace edgesr
