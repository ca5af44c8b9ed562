// Products on the processor's own units for bfloat16: operands in bfloat16, sums in float32.
//
// A row and a column of a panel are as deep as all stretches together, each filled up with zeros to
// whole blocks of depths. A word of 32 bits of a panel holds two neighbouring depths of one of 16
// columns.
#pragma once

#include "memory.h"
#include "operands.h"
#include "product.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

// Rounds a row; gives the end of what is written.
__attribute__((target("avx512bf16"))) inline uint16_t* to_halves(const float* row, int64_t length,
                                                                 uint16_t* out) {
    for (int64_t d = 0; d < filled(length); d += 16) {
        const int64_t left = std::clamp<int64_t>(length - d, 0, 16);
        const __m512 numbers = _mm512_maskz_loadu_ps((1u << left) - 1, row + d);
        const __m256bh halves = _mm512_cvtneps_pbh(numbers);
        std::memcpy(out + d, &halves, sizeof halves);
    }
    return out + filled(length);
}

constexpr int kPairRows = 24;  // whose sums fit in registers

// Some rows with one member: each product of the unit takes a pair of depths.
template <int ROWS>
__attribute__((target("avx512bf16"))) void multiply_pairs(const uint16_t* rows, int64_t depth,
                                                          const uint32_t* words, float* out) {
    __m512 sums[ROWS] = {};
    for (int64_t d = 0; d < depth; d += 2, words += kTile) {
        const __m512i column = _mm512_loadu_si512(words);
        for (int r = 0; r < ROWS; ++r) {
            int32_t pair;
            std::memcpy(&pair, rows + r * depth + d, sizeof pair);
            sums[r] = _mm512_dpbf16_ps(sums[r], (__m512bh)_mm512_set1_epi32(pair), (__m512bh)column);
        }
    }
    for (int r = 0; r < ROWS; ++r) _mm512_storeu_ps(out + r * kTile, sums[r]);
}

template <int ROWS>
void multiply_some_pairs(const uint16_t* rows, int64_t count, int64_t depth, const uint32_t* words,
                         float* out) {
    if constexpr (ROWS > 0) {
        if (count == ROWS) return multiply_pairs<ROWS>(rows, depth, words, out);
        multiply_some_pairs<ROWS - 1>(rows, count, depth, words, out);
    }
}

// One group of rows with up to four members.
template <int MEMBERS>
PENSTOCK_TILES void multiply_group(const uint16_t* rows, int64_t depth, const uint32_t* words,
                                   int64_t per_member, float* out, int64_t slot) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t d = 0; d < depth; d += kBlock, words += kBlock / 2 * kTile) {
        _tile_loadd(4, rows + d, depth * 2);
        _tile_loadd(6, words, 64);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (MEMBERS > 1) {
            _tile_loadd(7, words + per_member, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (MEMBERS > 2) {
            _tile_loadd(6, words + 2 * per_member, 64);
            _tile_dpbf16ps(2, 4, 6);
        }
        if constexpr (MEMBERS > 3) {
            _tile_loadd(7, words + 3 * per_member, 64);
            _tile_dpbf16ps(3, 4, 7);
        }
    }
    _tile_stored(0, out, 64);
    if constexpr (MEMBERS > 1) _tile_stored(1, out + slot, 64);
    if constexpr (MEMBERS > 2) _tile_stored(2, out + 2 * slot, 64);
    if constexpr (MEMBERS > 3) _tile_stored(3, out + 3 * slot, 64);
}

// Two groups of rows with up to two members.
template <int MEMBERS>
PENSTOCK_TILES void multiply_groups(const uint16_t* rows, int64_t first, int64_t depth,
                                    const uint32_t* words, int64_t per_member, float* out,
                                    int64_t slot) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    const uint16_t* others = rows + first * depth;
    for (int64_t d = 0; d < depth; d += kBlock, words += kBlock / 2 * kTile) {
        _tile_loadd(4, rows + d, depth * 2);
        _tile_loadd(6, words, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, others + d, depth * 2);
        _tile_dpbf16ps(2, 5, 6);
        if constexpr (MEMBERS > 1) {
            _tile_loadd(7, words + per_member, 64);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    float* below = out + first * kTile;
    _tile_stored(0, out, 64);
    _tile_stored(2, below, 64);
    if constexpr (MEMBERS > 1) {
        _tile_stored(1, out + slot, 64);
        _tile_stored(3, below + slot, 64);
    }
}

// rows (count, depth) x a tile of a panel -> out, row r at r * kTile, and every further member
// `slot` numbers on.
inline void multiply_halves(TileRegisters& registers, const uint16_t* rows, int64_t count,
                            int64_t depth, const uint32_t* words, int64_t members, float* out,
                            int64_t slot) {
    const int64_t per_member = depth / 2 * kTile;
    if (!TileRegisters::exist()) {
        for (int64_t m = 0; m < members; ++m, words += per_member, out += slot) {
            for (int64_t r = 0; r < count; r += kPairRows) {
                multiply_some_pairs<kPairRows>(rows + r * depth, std::min<int64_t>(kPairRows, count - r),
                                               depth, words, out + r * kTile);
            }
        }
        return;
    }
    const int64_t first = count > kTileRows ? (count + 1) / 2 : count;
    const auto one = static_cast<uint8_t>(first);
    const auto other = static_cast<uint8_t>(count > kTileRows ? count - first : first);
    registers.shape({one, one, other, other, one, other, kTileRows, kTileRows});
    for (int64_t m = 0; m < members;) {
        const uint32_t* from = words + m * per_member;
        float* to = out + m * slot;
        if (count > kTileRows) {
            const int64_t together = std::min<int64_t>(2, members - m);
            (together == 2 ? multiply_groups<2> : multiply_groups<1>)(rows, first, depth, from,
                                                                      per_member, to, slot);
            m += together;
        } else {
            const int64_t together = std::min<int64_t>(4, members - m);
            constexpr decltype(&multiply_group<1>) functions[] = {
                multiply_group<1>, multiply_group<2>, multiply_group<3>, multiply_group<4>};
            functions[together - 1](rows, depth, from, per_member, to, slot);
            m += together;
        }
    }
}

class HalfRows : public TileRows {
  public:
    HalfRows(const Panel& panel, int64_t rows)
        : panel_(panel), depth_(panel.filled_depth()), rows_(make_buffer<uint16_t>(rows * depth_)) {}

    void take(int64_t row, const float* const* stretches) override {
        uint16_t* to = rows_.get() + row * depth_;
        for (const auto& [operand, length] : panel_.stretches) to = to_halves(*stretches++, length, to);
    }

    void multiply(TileRegisters& registers, int64_t first, int64_t count, const uint32_t* words,
                  int64_t tiles, float* out, int64_t slot) const override {
        for (int64_t t = 0; t < tiles; ++t) {
            multiply_halves(registers, rows_.get() + first * depth_, count, depth_,
                            words + t * panel_.members * depth_ / 2 * kTile, panel_.members,
                            out + t * count * kTile, slot);
        }
    }

  private:
    const Panel& panel_;
    const int64_t depth_;
    Buffer<uint16_t> rows_;
};

#endif

}  // namespace penstock::PENSTOCK_ISA
