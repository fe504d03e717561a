// Preloaded: once NO_THREADS or NO_MEMORY is in the environment, no thread starts, and none but the first gets memory.
#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <new>
#include <sys/syscall.h>

extern "C" int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*begin)(void *), void *argument) {
    using Create = int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    static const Create create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
    return std::getenv("NO_THREADS") ? EAGAIN : create(thread, attributes, begin, argument);
}

void *operator new(std::size_t size) {
    if (std::getenv("NO_MEMORY") && getpid() != syscall(SYS_gettid)) throw std::bad_alloc();
    if (void *memory = std::malloc(size)) return memory;
    throw std::bad_alloc();
}

void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
