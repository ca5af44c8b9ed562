// Products with panels in fewer bits, which are expanded in registers or in the first cache.
//
// A word of 32 bits holds neighbouring depths of one of 16 columns: two of bfloat16, or four of
// int8, in the order that two halves of 16 bits are taken from it. Before those of int8 stand the
// scales of the 16 columns.
#pragma once

#include "product.h"
#include "program.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace penstock::PENSTOCK_ISA {

constexpr int kWords = PENSTOCK_VECTOR_BYTES / 4;  // of a vector
constexpr int kPerTile = kTile / kWords;           // vectors
typedef int16_t Shorts __attribute__((vector_size(PENSTOCK_VECTOR_BYTES)));

inline Ints load_words(const int32_t* from) {
    Ints v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

inline Vec<float> to_float(Ints v) { return __builtin_convertvector(v, Vec<float>); }

// Sums of the products of neighbouring halves.
inline Ints multiply_halves(Shorts a, Shorts b) {
#if defined(__AVX512BW__)
    return (Ints)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
    return (Ints)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__SSE2__)
    return (Ints)_mm_madd_epi16((__m128i)a, (__m128i)b);
#else
    const Ints x = (Ints)a, y = (Ints)b;
    return ((x << 16) >> 16) * ((y << 16) >> 16) + (x >> 16) * (y >> 16);
#endif
}

inline void put(float* to, Vec<float> value, bool add) { store(to, add ? load(to) + value : value); }

struct Bfloat16 {
    static constexpr int depths = 2;  // of a word
    static constexpr int64_t scales = 0;
    static constexpr int64_t most = 512;  // depths of a row at a time

    struct Row {
        const float* numbers = nullptr;
    };
    static void prepare(const float* row, int64_t, Row& out) { out.numbers = row; }

    static Vec<float> low(Ints words) { return (Vec<float>)(words << 16); }
    static Vec<float> high(Ints words) { return (Vec<float>)(words & ~0xffff); }

    static void multiply(const Row& row, const int32_t* words, const float*, int64_t length,
                         float* out, bool add) {
        constexpr int STEPS = 2;  // independent sums hide the latency
        Vec<float> sums[STEPS][2][kPerTile] = {};
        const float* x = row.numbers;
        auto pair = [&](int s, float first, float second) {
            const Vec<float> a = splat(first), b = splat(second);
            for (int v = 0; v < kPerTile; ++v) {
                const Ints word = load_words(words + v * kWords);
                sums[s][0][v] += a * low(word);
                sums[s][1][v] += b * high(word);
            }
            __builtin_prefetch(words + kAhead / sizeof *words);
            words += kTile;
        };
        int64_t d = 0;
        for (; d + 2 * STEPS <= length; d += 2 * STEPS) {
            for (int s = 0; s < STEPS; ++s) pair(s, x[d + 2 * s], x[d + 2 * s + 1]);
        }
        for (; d < length; d += 2) pair(0, x[d], d + 1 < length ? x[d + 1] : 0.0f);
        for (int v = 0; v < kPerTile; ++v) {
            const Vec<float> sum = sums[0][0][v] + sums[0][1][v] + (sums[1][0][v] + sums[1][1][v]);
            put(out + v * kWords, sum, add);
        }
    }

    static void expand(const int32_t* words, const float*, int64_t length, float* out) {
        for (int64_t d = 0; d < length; d += 2, words += kTile, out += 2 * kTile) {
            for (int v = 0; v < kTile; v += kWords) {
                const Ints word = load_words(words + v);
                store(out + v, low(word));
                store(out + kTile + v, high(word));
            }
        }
    }
};

struct Int8 {
    static constexpr int depths = 4;
    static constexpr int64_t scales = kTile;
    static constexpr int64_t most = 512;  // sums of more would not fit in 32 bits

    // A row in 16 bits, so that products with it are whole numbers.
    struct Row {
        alignas(64) int16_t numbers[most + 3];
        float scale;
    };

    static float largest_size(const float* row, int64_t length) {
        Vec<float> sizes{};
        int64_t d = 0;
        for (; d + kWords <= length; d += kWords) sizes = larger(absolute(load(row + d)), sizes);
        float largest = 0;
        for (; d < length; ++d) largest = larger_number(std::abs(row[d]), largest);
        for (int i = 0; i < kWords; ++i) largest = larger_number(sizes[i], largest);
        return largest;
    }

    static void prepare(const float* row, int64_t length, Row& out) {
        const float largest = largest_size(row, length);
        out.scale = largest / 32767;
        const float per_number = out.scale > 0 && largest < HUGE_VALF ? 32767 / largest : 0;
        for (int64_t d = 0; d < length; ++d) {
            const float x = per_number > 0 ? row[d] * per_number : 0;
            out.numbers[d] = static_cast<int16_t>(std::lrintf(x));
        }
        std::fill_n(out.numbers + length, 3, int16_t(0));
    }

    // Two numbers, over and over.
    static Shorts both(const int16_t* from) {
        int32_t pair;
        std::memcpy(&pair, from, sizeof pair);
        return (Shorts)(Ints{} + pair);
    }

    static void multiply(const Row& row, const int32_t* words, const float* scales, int64_t length,
                         float* out, bool add) {
        Ints sums[2][kPerTile] = {};
        for (int64_t d = 0; d < length; d += 4, words += kTile) {
            const Shorts x = both(row.numbers + d), y = both(row.numbers + d + 2);
            for (int v = 0; v < kPerTile; ++v) {
                const Shorts word = (Shorts)load_words(words + v * kWords);
                sums[0][v] += multiply_halves((word << 8) >> 8, x);
                sums[1][v] += multiply_halves(word >> 8, y);
            }
            __builtin_prefetch(words + kAhead / sizeof *words);
        }
        for (int v = 0; v < kPerTile; ++v) {
            const Vec<float> sum = to_float(sums[0][v] + sums[1][v]);
            put(out + v * kWords, sum * (row.scale * load(scales + v * kWords)), add);
        }
    }

    static void expand(const int32_t* words, const float* scales, int64_t length, float* out) {
        for (int64_t d = 0; d < length; d += 4, words += kTile, out += 4 * kTile) {
            for (int v = 0; v < kTile; v += kWords) {
                const Ints word = load_words(words + v);
                const Vec<float> scale = load(scales + v);
                store(out + v, to_float((word << 24) >> 24) * scale);
                store(out + kTile + v, to_float((word << 8) >> 24) * scale);
                store(out + 2 * kTile + v, to_float((word << 16) >> 24) * scale);
                store(out + 3 * kTile + v, to_float(word >> 24) * scale);
            }
        }
    }
};

// rows[r][0..depth) x some tiles of a panel -> out, tile by tile, row r of each at r * kTile, and
// every further member `slot` numbers on. One row is multiplied as the words are read; for several
// a piece of the panel is expanded first.
template <class Format>
void multiply_words(const float* const* rows, int64_t count, const int32_t* panel, int64_t tiles,
                    int64_t members, int64_t depth, float* out, int64_t slot) {
    constexpr int64_t PIECE = 256;
    alignas(64) float piece[PIECE * kTile];
    typename Format::Row row;
    const float* from[kRows];
    constexpr int64_t scales = Format::scales;
    const int64_t per_member = scales + (depth + Format::depths - 1) / Format::depths * kTile;
    const int64_t most = count == 1 ? Format::most : PIECE;
    for (int64_t low = 0; low < depth; low += most) {
        const int64_t length = std::min(most, depth - low);
        for (int64_t r = 0; r < count; ++r) from[r] = rows[r] + low;
        if (count == 1) Format::prepare(from[0], length, row);
        for (int64_t i = 0; i < tiles * members; ++i) {
            const int32_t* member = panel + i * per_member;
            const float* of_columns = reinterpret_cast<const float*>(member);
            const int32_t* words = member + scales + low / Format::depths * kTile;
            float* to = out + i / members * count * kTile + i % members * slot;
            if (count == 1) {
                Format::multiply(row, words, of_columns, length, to, low > 0);
            } else {
                Format::expand(words, of_columns, length, piece);
                multiply_block<float, kPerTile>(from, count, piece, length, to, slot, low > 0);
            }
        }
    }
}

}  // namespace penstock::PENSTOCK_ISA
