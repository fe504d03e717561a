#include "npz.h"

#include <cstdlib>

#include "bytes.h"

namespace edgesr {
namespace {

/* Of APPNOTE.TXT, the description of ZIP: sections 4.3.7 and 4.3.12 are a file's header and its entry in the directory.
 */
constexpr std::uint32_t kEntry = 0x02014b50, kFile = 0x04034b50, kEnd = 0x06054b50;
constexpr std::size_t kEndSize = 22;

struct Entry {
    std::string name;
    std::uint64_t size = 0, offset = 0;
};

[[noreturn]] void fail() {
    throw Error("decoder.npz has another form than numpy.savez writes: export the bundle again");
}

Bytes directory(std::string_view archive) {
    if (archive.size() < kEndSize) fail();
    Bytes end(archive.substr(archive.size() - kEndSize));
    if (end.little(4) != kEnd) fail();
    end.take(12);
    const std::uint64_t start = end.little(4);
    if (start > archive.size()) fail();
    return Bytes(archive.substr(std::size_t(start)));
}

bool next_entry(Bytes &directory, Entry &entry) {
    if (directory.little(4) != kEntry) return false;
    directory.take(6);
    if (directory.little(2) != 0) fail();
    directory.take(8);
    const std::uint64_t packed = directory.little(4);
    entry.size = directory.little(4);
    const std::uint64_t name = directory.little(2), extra = directory.little(2), comment = directory.little(2);
    directory.take(8);
    entry.offset = directory.little(4);
    entry.name = std::string(directory.take(name));
    directory.take(extra + comment);
    if (packed != entry.size) fail();
    return true;
}

std::string_view content(std::string_view archive, const Entry &entry) {
    if (entry.offset > archive.size()) fail();
    Bytes file(archive.substr(std::size_t(entry.offset)));
    if (file.little(4) != kFile) fail();
    file.take(22);
    const std::uint64_t name = file.little(2), extra = file.little(2);
    file.take(name + extra);
    return file.take(entry.size);
}

std::string_view after(std::string_view header, std::string_view key) {
    const std::size_t at = header.find(key);
    if (at == header.npos) fail();
    return header.substr(at + key.size());
}

std::vector<std::int64_t> shape(std::string_view header) {
    std::string_view inside = after(header, "'shape': (");
    inside = inside.substr(0, inside.find(')'));
    std::vector<std::int64_t> sides;
    for (std::size_t at = 0; at < inside.size();) {
        const std::size_t comma = std::min(inside.find(',', at), inside.size());
        const std::string side(inside.substr(at, comma - at));
        if (side.find_first_of("0123456789") != side.npos) sides.push_back(std::atoll(side.c_str()));
        at = comma + 1;
    }
    return sides;
}

/* A .npy file, as numpy.lib.format describes it. */
Tensor array(std::string_view file) {
    Bytes bytes(file);
    if (bytes.take(6) != "\x93NUMPY") fail();
    const bool first_version = bytes.little(2) == 1;
    const std::string_view header = bytes.take(bytes.little(first_version ? 2 : 4));
    const std::string_view type = after(header, "'descr': '");
    if (type.size() < 3 || (type[0] != '<' && type[0] != '|')) fail();
    if (after(header, "'fortran_order': ").substr(0, 5) != "False") fail();
    Tensor tensor;
    tensor.kind = type[1];
    tensor.size = type[2] - '0';
    tensor.shape = shape(header);
    tensor.bytes = std::string(bytes.rest());
    return tensor;
}

}  // namespace

std::map<std::string, Tensor> read_npz(std::string_view archive) {
    constexpr std::string_view suffix = ".npy";
    std::map<std::string, Tensor> arrays;
    Bytes entries = directory(archive);
    for (Entry entry; next_entry(entries, entry);) {
        if (entry.name.size() <= suffix.size()) fail();
        arrays[entry.name.substr(0, entry.name.size() - suffix.size())] = array(content(archive, entry));
    }
    return arrays;
}

}  // namespace edgesr
