// Everything of one call that does not depend on content, worked out once for all blocks and threads.
#pragma once

#include <optional>
#include <vector>

#include "decoder/base_image.h"
#include "common/buffer.h"
#include "decoder/columns.h"
#include "esr_native.h"
#include "decoder/kernel.h"
#include "decoder/packing.h"

namespace esr {

// Whether sizes are sane, indices lie inside the maps and every array that will be read is there.
bool valid(const esr_request &request, const PackedNetwork &network);

class Preparation {
public:
    Preparation(const esr_request &request, const PackedNetwork &network, const Kernel &kernel, Spares &spares);

    const Request &view() const { return view_; }
    const std::vector<WorkItem> &items() const { return items_; }

private:
    void tabulate_rows(const esr_request &request, const PackedNetwork &network, const Kernel &kernel);
    void tabulate_columns(const esr_request &request, const PackedNetwork &network, const Kernel &kernel);
    void divide(const esr_request &request);

    Columns columns_;
    std::optional<BaseImage> base_;
    Buffer<float> row_table_, column_table_;
    std::vector<WorkItem> items_;
    Request view_{};
};

}  // namespace esr
