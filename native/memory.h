// Memory of numbers, and the caches before it.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>

namespace penstock::PENSTOCK_ISA {

template <class T>
using Buffer = std::unique_ptr<T[], void (*)(T*)>;

template <class T>
Buffer<T> make_buffer(int64_t size) {
    constexpr auto alignment = std::align_val_t(64);
    T* data = static_cast<T*>(::operator new(sizeof(T) * std::max<int64_t>(size, 1), alignment));
#ifdef PENSTOCK_POISON
    std::fill(data, data + size, std::numeric_limits<T>::quiet_NaN());
#endif
    return {data, [](T* p) { ::operator delete(p, alignment); }};
}

// Bytes of the second cache of a core, or a guess.
inline int64_t second_cache() {
#ifdef _SC_LEVEL2_CACHE_SIZE
    static const int64_t found = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (found > 0) return found;
#endif
    return 1 << 19;
}

}  // namespace penstock::PENSTOCK_ISA
