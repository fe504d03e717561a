// Bank conflicts of shared memory and sectors of global memory, counted by the line that made the access.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "shadow.h"

namespace emulator {

// Addresses of a warp's lanes in one request; -1 for a lane that makes none.
typedef std::vector<long> Addresses;

struct Count {
    long requests = 0, taken = 0, ideal = 0;
};

class Traffic {
public:
    bool on = false;
    void clear();
    // A lane's own access: the n-th execution of a line by each lane belongs to one request.
    void note(const std::string &where, int warp, int lane, long address, int bytes, bool global);
    void add_shared(const std::string &where, const Addresses &addresses, int bytes);
    // Counts what the lanes of the block that has ended noted.
    void settle();
    // A line for each: "shared FILE:LINE requests R wavefronts W ideal I", or "global ... sectors ...".
    std::string report() const;

private:
    struct Pending {
        std::vector<Addresses> requests;
        int executed[kWarp] = {};
        int bytes = 0;
    };
    void add_global(const std::string &where, const Addresses &addresses, int bytes);
    std::map<std::string, Count> shared_, global_;
    std::map<std::tuple<int, bool, std::string>, Pending> pending_;
};

}  // namespace emulator
