// What every instruction set offers.
#pragma once

#include "program.h"

namespace penstock {

template <class T>
struct Functions {
    void (*run)(const Program&, const Tensors<T>&, int threads);
    // Members of a panel, unit and depth strides of each, into `out`.
    void (*pack)(const T* const* members, int64_t count, int64_t width, int64_t depth,
                 int64_t by_unit, int64_t by_depth, T* out);
};

struct Table {
    Functions<float> of_float;
    Functions<double> of_double;
};

}  // namespace penstock
