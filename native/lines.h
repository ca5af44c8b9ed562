// Lines of numbers in vectors of 16 words, whichever way they lie in memory.
#pragma once

#include "isa.h"

#if defined(__AVX512F__) && defined(__x86_64__)
#include <immintrin.h>

// GCC 12 warns of what its own intrinsics leave undefined (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace penstock::PENSTOCK_ISA {

inline __mmask16 first_of(int64_t count) {
    return static_cast<__mmask16>(count >= 16 ? 0xffff : count > 0 ? (1 << count) - 1 : 0);
}

// 16 x 16 words: columns become rows.
inline void turn(__m512i* v) {
    __m512i w[16];
    for (int i = 0; i < 16; i += 2) {
        w[i] = _mm512_unpacklo_epi32(v[i], v[i + 1]);
        w[i + 1] = _mm512_unpackhi_epi32(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        v[i] = _mm512_unpacklo_epi64(w[i], w[i + 2]);
        v[i + 1] = _mm512_unpackhi_epi64(w[i], w[i + 2]);
        v[i + 2] = _mm512_unpacklo_epi64(w[i + 1], w[i + 3]);
        v[i + 3] = _mm512_unpackhi_epi64(w[i + 1], w[i + 3]);
    }
    for (int i = 0; i < 16; i += 8) {
        for (int j = i; j < i + 4; ++j) {
            w[j] = _mm512_shuffle_i32x4(v[j], v[j + 4], 0x88);
            w[j + 4] = _mm512_shuffle_i32x4(v[j], v[j + 4], 0xdd);
        }
    }
    for (int i = 0; i < 8; ++i) {
        v[i] = _mm512_shuffle_i32x4(w[i], w[i + 8], 0x88);
        v[i + 8] = _mm512_shuffle_i32x4(w[i], w[i + 8], 0xdd);
    }
}

// 16 lines x 16 depths, a vector for each line or, where `BY_LINE` is false, for each depth. What is
// beyond the end is zero.
template <bool ALONG_DEPTH, bool BY_LINE>
void take(const Lines& lines, int64_t line, int64_t depth, __m512i* out) {
    const int64_t lines_left = lines.count - line, depths_left = lines.depth - depth;
    const float* from = lines.data + line * lines.by_line + depth * lines.by_depth;
    const int64_t next = ALONG_DEPTH ? lines.by_line : lines.by_depth;
    const int64_t vectors = ALONG_DEPTH ? lines_left : depths_left;
    const __mmask16 mask = first_of(ALONG_DEPTH ? depths_left : lines_left);
    for (int i = 0; i < 16; ++i) {
        out[i] = i < vectors ? _mm512_maskz_loadu_epi32(mask, from + i * next) : __m512i{};
    }
    if constexpr (ALONG_DEPTH != BY_LINE) turn(out);
}

}  // namespace penstock::PENSTOCK_ISA

#endif
