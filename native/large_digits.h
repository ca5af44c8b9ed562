// Operands of large products as whole numbers: see digits.h.
//
// A group of lines begins with their scales; in each block of depths it lies digit by digit, tile by
// tile.
#pragma once

#include <vector>

#include "digits.h"
#include "groups.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

struct Digits {
    static constexpr int64_t depths = kFixedBlock;  // of a block
    // Of both operands, multiplied. Errors beside a result are at most about a third of it, in units
    // of 2^-24.
    static constexpr float most = 128;
    static constexpr int64_t kWords = kDigits * 2 * kTileWords;  // of a group and a block

    static int64_t words(int64_t depth) { return kGroupLines + blocks_of(depth, depths) * kWords; }

    // Groups [from, to) at depths [depth, end); how uneven they are.
    template <bool ALONG_DEPTH, bool BY_LINE>
    static float pack(const Lines& lines, int64_t from, int64_t to, int64_t depth, int64_t end,
                      uint32_t* out) {
        const int64_t group_words = words(end - depth);
        std::vector<Sizes> sizes(2 * (to - from));
        (ALONG_DEPTH ? measure_along : measure_across)(lines, from * kGroupLines, depth, end, sizes);
        float uneven = 1;
        for (int64_t tile = 0; tile < 2 * (to - from); ++tile) {
            uneven = std::max(uneven, sizes[tile].unevenness(end - depth));
            auto* scales = reinterpret_cast<float*>(out + tile / 2 * group_words + tile % 2 * kTileRows);
            _mm512_store_ps(scales, Scales(sizes[tile]).back);
        }
        each_tile<ALONG_DEPTH>(lines, from, to, depth, end, depths,
                               [&](int64_t tile, int64_t line, int64_t block, int64_t d) {
            uint32_t* group = out + tile / 2 * group_words + kGroupLines;
            pack_tile<ALONG_DEPTH, BY_LINE>(lines, line, d, Scales(sizes[tile]).whole,
                                            group + block * kWords + tile % 2 * kTileWords);
        });
        return uneven;
    }

    // Some blocks of a group of each operand, of one tile or two, added to `start` (or zero) into `out`.
    template <int LEFT, int RIGHT>
    static void multiply(const uint32_t* left, const uint32_t* right, int64_t first, int64_t blocks,
                         const float* start, int64_t start_by_row, float* out, int64_t by_row) {
        const auto* of_rows = reinterpret_cast<const float*>(left);
        Sums sums[2];
        if constexpr (LEFT == 1) {
            multiply_column_tiles(at(left, first, 0), at(right, first, 0), at(right, first, RIGHT - 1),
                                  blocks, sums);
        }
        for (int tile = 0; tile < RIGHT; ++tile) {
            const auto* of_columns = reinterpret_cast<const float*>(right) + tile * kTileRows;
            if constexpr (LEFT == 2) {
                multiply_row_tiles(at(left, first, 0), at(left, first, 1), at(right, first, tile),
                                   blocks, sums);
                const float* below = start ? start + kTileRows * start_by_row : nullptr;
                sums[1].give(of_rows + kTileRows, kTileRows, of_columns, out + kTileRows * by_row,
                             by_row, below, start_by_row);
            }
            sums[LEFT == 1 ? tile : 0].give(of_rows, kTileRows, of_columns, out, by_row, start,
                                            start_by_row);
            out += kTileRows;
            if (start) start += kTileRows;
        }
    }

  private:
    static Tile at(const uint32_t* group, int64_t block, int tile) {
        const uint32_t* words = group + kGroupLines + block * kWords + tile * kTileWords;
        return {reinterpret_cast<const int8_t*>(words), 2 * kDigitBytes};
    }

    // Tiles of lines from `first` on, at depths [depth, end), line by line.
    static void measure_along(const Lines& lines, int64_t first, int64_t depth, int64_t end,
                              std::vector<Sizes>& sizes) {
        for (size_t tile = 0; tile < sizes.size(); ++tile) {
            Sizes some[16];
            __m512i numbers[16], most[16], low[16], squares[16];
            for (int64_t d = depth; d < end; d += 16) {
                take<true, true>(lines, first + tile * kTileRows, d, numbers);
                for (int i = 0; i < 16; ++i) some[i].add(numbers[i]);
            }
            for (int i = 0; i < 16; ++i) {
                most[i] = some[i].most;
                low[i] = some[i].low;
                squares[i] = _mm512_castps_si512(some[i].squares);
            }
            turn(most), turn(low), turn(squares);
            for (int i = 0; i < 16; ++i) {
                sizes[tile].add({most[i], low[i], _mm512_castsi512_ps(squares[i])});
            }
        }
    }

    // The same depth by depth, as the numbers lie then.
    static void measure_across(const Lines& lines, int64_t first, int64_t depth, int64_t end,
                               std::vector<Sizes>& sizes) {
        constexpr int64_t kTogether = 4;
        for (int64_t d = depth; d < end; d += kTogether) {
            const int64_t last = std::min(end, d + kTogether);
            for (size_t tile = 0; tile < sizes.size(); ++tile) {
                const int64_t line = first + tile * kTileRows;
                const __mmask16 mask = first_of(lines.count - line);
                Sizes some = sizes[tile];
                for (int64_t i = d; i < last; ++i) {
                    some.add(_mm512_maskz_loadu_epi32(mask, lines.data + line + i * lines.by_depth));
                }
                sizes[tile] = some;
            }
        }
    }

    // 16 lines x a block of depths.
    template <bool ALONG_DEPTH, bool BY_LINE>
    static void pack_tile(const Lines& lines, int64_t line, int64_t depth, __m512 scales,
                          uint32_t* out) {
        alignas(64) float of_line[16];
        _mm512_store_ps(of_line, scales);
        __m512i some[4][16], digits[kDigits];
        for (int k = 0; k < 4; ++k) take<ALONG_DEPTH, BY_LINE>(lines, line, depth + 16 * k, some[k]);
        for (int i = 0; i < 16; ++i, out += kTileRows) {
            const __m512i four[] = {some[0][i], some[1][i], some[2][i], some[3][i]};
            to_digits(four, BY_LINE ? _mm512_set1_ps(of_line[i]) : scales, digits);
            for (int digit = 0; digit < kDigits; ++digit) {
                _mm512_store_si512(out + digit * 2 * kTileWords, digits[digit]);
            }
        }
    }
};

#endif

}  // namespace penstock::PENSTOCK_ISA
