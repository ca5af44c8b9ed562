// Matrices in fewer bits: how they are packed. native/reduced.h multiplies with them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>

#include "program.h"

namespace penstock {

inline uint32_t as_bfloat16(float x) { return std::bit_cast<uint32_t>(x) >> 16; }

inline uint32_t as_int8(float x, float scale) {
    if (!(scale > 0) || std::isinf(scale)) return 0;
    return static_cast<uint32_t>(std::lrintf(std::clamp(x / scale, -127.0f, 127.0f))) & 0xff;
}

// The words of 16 columns of a matrix whose numbers are rounded already. `at` gives a number.
template <class At>
uint32_t* reduce_columns(Precision precision, int64_t depth, At at, uint32_t* out) {
    float scales[kColumns] = {};
    if (precision == Precision::kInt8) {
        for (int64_t c = 0; c < kColumns; ++c) {
            for (int64_t d = 0; d < depth; ++d) {
                const float size = std::abs(at(c, d));
                if (!(size <= scales[c] * 127)) scales[c] = size / 127;  // NaN too
            }
            *out++ = std::bit_cast<uint32_t>(scales[c]);
        }
    }
    constexpr int shifts[] = {0, 16, 8, 24};
    const int64_t step = depths_of_word(precision);
    for (int64_t d = 0; d < depth; d += step) {
        for (int64_t c = 0; c < kColumns; ++c) {
            uint32_t word = 0;
            for (int64_t k = 0; k < std::min(step, depth - d); ++k) {
                const float x = at(c, d + k);
                word |= precision == Precision::kInt8 ? as_int8(x, scales[c]) << shifts[k]
                                            : as_bfloat16(x) << (16 * k);
            }
            *out++ = word;
        }
    }
    return out;
}

inline void reduce(const Panel& panel, Precision precision, const float* const* members,
                   int64_t by_unit, int64_t by_depth, uint32_t* out) {
    for (int64_t tile = 0; tile < panel.tiles(); ++tile) {
        for (int64_t m = 0; m < panel.members; ++m) {
            auto at = [&](int64_t column, int64_t d) {
                const int64_t unit = tile * kColumns + column;
                return unit < panel.width ? members[m][unit * by_unit + d * by_depth] : 0.0f;
            };
            out = reduce_columns(precision, panel.depth(), at, out);
        }
    }
}

}  // namespace penstock
