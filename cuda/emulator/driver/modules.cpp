#include "modules.h"

#include <dlfcn.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "../emulator.h"
#include "../memory.h"
#include "status.h"

namespace emulated_driver {
namespace {

constexpr int kCudaMachine = 190;  // EM_CUDA

std::size_t elf_bytes(const Elf64_Ehdr &header, const char *image) {
    std::size_t end = header.e_shoff + std::size_t(header.e_shnum) * header.e_shentsize;
    for (int i = 0; i < header.e_shnum; ++i) {
        Elf64_Shdr section;
        std::memcpy(&section, image + header.e_shoff + std::size_t(i) * header.e_shentsize, sizeof section);
        if (section.sh_type != SHT_NOBITS) end = std::max<std::size_t>(end, section.sh_offset + section.sh_size);
    }
    return end;
}

// The compute capability of a cubin, 87 for 8.7: its place in the flags moved with the eighth version of the format.
int capability_of(const Elf64_Ehdr &header) {
    return header.e_ident[EI_ABIVERSION] >= 8 ? header.e_flags >> 8 & 0xff : header.e_flags & 0xff;
}

std::string read_cubin(const char *image, const Description &device) {
    Elf64_Ehdr header;
    std::memcpy(&header, image, sizeof header);
    if (header.e_machine != kCudaMachine) throw Failure(Status::invalid_image, "the image is no cubin");
    const int made_for = capability_of(header);
    if (made_for / 10 != device.major || made_for % 10 > device.minor)
        throw Failure(Status::no_binary, "the image is for compute capability " + std::to_string(made_for) + ", the GPU has " +
                                             std::to_string(10 * device.major + device.minor));
    return std::string(image, elf_bytes(header, image));
}

std::string read_ptx(const char *image, const Description &device) {
    const std::string text(image);
    const std::size_t target = text.find(".target sm_");
    if (target == std::string::npos) throw Failure(Status::invalid_image, "the image is neither a cubin nor PTX");
    if (std::atoi(text.c_str() + target + 11) > 10 * device.major + device.minor)
        throw Failure(Status::no_binary, "the PTX is for a newer GPU");
    return text;
}

// The kernels' libraries stay loaded: a function's address is good for ever.
void *find_symbol(const std::string &name) {
    static std::vector<void *> libraries = [] {
        std::vector<void *> found;
        const char *folder = std::getenv("EDGE_SR_EMULATED_KERNELS");
        if (!folder) return found;
        for (const auto &entry : std::filesystem::directory_iterator(folder))
            if (entry.path().extension() == ".so" && entry.path().filename() != "libemulator.so")
                if (void *library = dlopen(entry.path().c_str(), RTLD_NOW)) found.push_back(library);
        return found;
    }();
    for (void *library : libraries)
        if (void *symbol = dlsym(library, name.c_str())) return symbol;
    return nullptr;
}

// What a launch touched, by runs of granules that were used alike.
void report_uses(const char *start, const Uses &uses) {
    std::size_t count = 0;
    const unsigned char *touched = emulator_touched(start, &count);
    for (std::size_t i = 0; i < count; ++i)
        if (touched[i])
            uses({reinterpret_cast<std::size_t>(start) + i * emulator::kGranule, emulator::kGranule},
                 touched[i] & emulator::kWritten);
}

}  // namespace

Module::Module(const void *image, const Description &device) {
    const char *text = static_cast<const char *>(image);
    image_ = std::memcmp(text, ELFMAG, SELFMAG) ? read_ptx(text, device) : read_cubin(text, device);
}

Function *Module::function(const std::string &name) {
    if (image_.find(name) == std::string::npos) throw Failure(Status::not_found, "the image has no kernel " + name);
    void *entry = find_symbol(name), *bytes = find_symbol(name + "_parameters");
    if (!entry || !bytes) throw Failure(Status::not_found, "EDGE_SR_EMULATED_KERNELS has no kernel " + name);
    const Function function = {name, reinterpret_cast<void (*)(const void *)>(entry), *static_cast<unsigned *>(bytes)};
    return &functions_.emplace(name, function).first->second;
}

Work work_of(const Function &function, const Launch &launch, const Description &device) {
    if (launch.shared_bytes > static_cast<unsigned>(function.shared_limit) ||
        launch.shared_bytes > static_cast<unsigned>(device.shared_bytes))
        throw Failure(Status::invalid_value, function.name + " asks for " + std::to_string(launch.shared_bytes) +
                                                 " bytes of shared memory, more than it may");
    if (launch.threads == 0 || launch.threads > 1024 || launch.threads % 32 || !launch.blocks_x || !launch.blocks_y)
        throw Failure(Status::invalid_value, function.name + " is launched with no whole number of warps, or no block");
    const auto *first = static_cast<const char *>(launch.parameters);
    const auto parameters = std::make_shared<std::vector<char>>(first, first + function.parameter_bytes);
    return {function.name, [function, launch, parameters, seed = device.seed](const Uses &uses) {
                const char *wrong = emulator_launch(function.entry, parameters->data(), launch.blocks_x, launch.blocks_y,
                                                    launch.threads, launch.shared_bytes, seed, 0);
                if (wrong) throw Failure(Status::launch_failed, function.name + ": " + wrong);
                emulator_each_buffer([](const void *start, void *to) {
                    report_uses(static_cast<const char *>(start), *static_cast<const Uses *>(to));
                }, const_cast<void *>(static_cast<const void *>(&uses)));
            }};
}

}  // namespace emulated_driver
