// Operands of large products as whole numbers: see digits.h.
#pragma once

#include <vector>

#include "digits.h"
#include "packed.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

struct Digits {
    static constexpr int64_t depths = kFixedBlock;  // of a block
    // Of both operands, multiplied. Errors beside a result are at most about a third of it, in units
    // of 2^-24.
    static constexpr float most = 128;
    static constexpr int64_t row_tiles = 1;  // that are multiplied at once
    static constexpr int64_t together = 16;  // blocks that leave room in the first cache

    static int64_t words(int64_t depth) { return words_of_lines(blocks_of(depth, depths)); }

    // Tiles at depths [depth, end); how uneven they are.
    template <bool ALONG_DEPTH, bool BY_LINE>
    static float pack(const Lines& lines, int64_t depth, int64_t end, const Packed& out) {
        const int64_t tiles = out.last - out.first;
        std::vector<Sizes> sizes(tiles);
        std::vector<Scales> scales;
        (ALONG_DEPTH ? measure_along : measure_across)(lines, out.first * kTileRows, depth, end,
                                                       sizes.data(), tiles);
        float uneven = 1;
        for (int64_t tile = out.first; tile < out.last; ++tile) {
            const Sizes& of_tile = sizes[tile - out.first];
            uneven = std::max(uneven, of_tile.unevenness(end - depth));
            _mm512_store_ps(out[tile], scales.emplace_back(of_tile).back);
        }
        each_tile<ALONG_DEPTH>(out.first, out.last, depth, end, depths,
                               [&](int64_t tile, int64_t block, int64_t d) {
            pack_digits<ALONG_DEPTH, BY_LINE>(lines, tile * kTileRows, d, scales[tile - out.first].whole,
                                              out[tile] + words_of_lines(block));
        });
        return uneven;
    }

    // The products of a thread. The sums of one become numbers while those of the next are added up.
    class Products {
      public:
        // One tile of rows x one of columns or two, so many blocks from `first` on.
        void multiply(const Packed& left, int64_t row, const Packed& right, int64_t column, int64_t first,
                      int64_t blocks, const Corner& corner) {
            const int64_t other = corner.columns > kTileRows ? column + 1 : column;
            const int64_t some = 2 * kTileRows / std::max<int64_t>(1, blocks) + 1;
            multiply_column_tiles(digits_of(left[row], first), digits_of(right[column], first),
                                  digits_of(right[other], first), blocks, sums_[turn_],
                                  [&] { give(some); });
            finish();
            targets_[0] = target(left[row], right[column], corner, 0);
            targets_[1] = target(left[row], right[other], corner, kTileRows);
            given_ = 0;
            turn_ = 1 - turn_;
        }

        void finish() { give(2 * kTileRows); }

      private:
        static Target target(const uint32_t* left, const uint32_t* right, const Corner& corner,
                             int64_t column) {
            return {
                .of_rows = reinterpret_cast<const float*>(left),
                .of_columns = reinterpret_cast<const float*>(right),
                .rows = corner.columns > column ? corner.rows : 0,
                .columns = first_of(corner.columns - column),
                .out = corner.out + column,
                .by_row = corner.by_row,
                .start = corner.start ? corner.start + column : nullptr,
                .start_by_row = corner.start_by_row,
            };
        }

        // Some more rows of the last product.
        void give(int64_t rows) {
            const int64_t end = std::min(given_ + rows, 2 * kTileRows);
            for (int64_t tile = 0; tile < 2; ++tile) {
                const int64_t before = tile * kTileRows;
                const int64_t from = std::max<int64_t>(given_ - before, 0);
                sums_[1 - turn_][tile].give(targets_[tile], from, end - before);
            }
            given_ = end;
        }

        Sums sums_[2][2];
        Target targets_[2];
        int64_t given_ = 2 * kTileRows;
        int turn_ = 0;
    };
};

#endif

}  // namespace penstock::PENSTOCK_ISA
