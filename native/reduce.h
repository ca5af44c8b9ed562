// Matrices in fewer bits: how they are packed. native/reduced.h multiplies with them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

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

// Two neighbouring depths of some columns to each word.
template <class Stride>
void pack_pairs(const uint16_t* from, int64_t columns, int64_t length, Stride by_unit,
                int64_t by_depth, uint32_t* out) {
    for (int64_t d = 0; d < length; d += 2, from += 2 * by_depth, out += kColumns) {
        const int64_t high = d + 1 < length ? by_depth : 0;
        const uint32_t kept = high ? 0xffff0000u : 0;
        for (int64_t c = 0; c < columns; ++c) {
            const uint16_t* low = from + c * by_unit;
            out[c] = low[0] | (static_cast<uint32_t>(low[high]) << 16 & kept);
        }
    }
}

// The same of all stretches, each filled up.
inline void pack_stretches(const Panel& panel, const uint16_t* from, int64_t columns, int64_t by_unit,
                           int64_t by_depth, uint32_t* out) {
    for (const auto& [operand, length] : panel.stretches) {
        const int64_t words = filled(length) / 2 * kColumns;
        std::fill_n(out, words, 0);
        if (by_unit == 1) {
            pack_pairs(from, columns, length, std::integral_constant<int64_t, 1>(), by_depth, out);
        } else {
            pack_pairs(from, columns, length, by_unit, by_depth, out);
        }
        out += words;
        from += length * by_depth;
    }
}

// The words of a panel for operands in bfloat16, from matrices in bfloat16.
inline void pack_halves(const Panel& panel, const uint16_t* const* members, int64_t by_unit,
                        int64_t by_depth, uint32_t* out) {
    const int64_t words = panel.filled_depth() / 2 * kColumns;
#pragma omp parallel for schedule(static) if (panel.size() > kWorthPacking)
    for (int64_t i = 0; i < panel.tiles() * panel.members; ++i) {
        const int64_t unit = i / panel.members * kColumns;
        const int64_t columns = std::min(kColumns, panel.width - unit);
        const uint16_t* from = members[i % panel.members] + unit * by_unit;
        pack_stretches(panel, from, columns, by_unit, by_depth, out + i * words);
    }
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
