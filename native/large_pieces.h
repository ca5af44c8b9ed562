// Operands of large products as pieces in bfloat16.
//
// The 24 bits of a float32 are three times the 8 of a bfloat16: a number is exactly the sum of three
// pieces. Of the nine products of pieces the three smallest are below the rounding of float32 and
// are left out (Henry, Tang & Heinecke 2019, arXiv 1904.06376). With one piece operands are rounded.
//
// In each block of 32 depths a tile lies piece by piece. A word of 32 bits holds the depths d and
// d + 16 of a block.
#pragma once

#include "packed.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

// The upper halves of two vectors' words, side by side.
inline __m512i pair(__m512i low, __m512i high) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    return _mm512_or_si512(_mm512_and_si512(high, upper), _mm512_srli_epi32(low, 16));
}

// What the upper half of each word leaves of a number.
inline __m512i rest(__m512i number) {
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000));
    const __m512 whole = _mm512_castsi512_ps(number);
    const __m512 piece = _mm512_castsi512_ps(_mm512_and_si512(number, upper));
    return _mm512_castps_si512(_mm512_sub_ps(whole, piece));
}

// The upper half of each word is then the nearest bfloat16, of two the even one; NaN stays.
inline __m512i round_upper(__m512i number) {
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(number, 16), _mm512_set1_epi32(1));
    const __m512i add = _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff));
    const __m512 value = _mm512_castsi512_ps(number);
    return _mm512_mask_add_epi32(number, _mm512_cmp_ps_mask(value, value, _CMP_ORD_Q), number, add);
}

template <int PIECES>
struct Pieces {
    static constexpr int64_t depths = 2 * kTileRows;  // of a block
    static constexpr float most = 1;                  // unevenness does not matter
    static constexpr int64_t row_tiles = 2;           // that are multiplied at once
    static constexpr int64_t together = 18 / PIECES;  // blocks that leave room in the first cache
    static constexpr int64_t kWords = PIECES * kTileWords;  // of a block

    static int64_t words(int64_t depth) { return blocks_of(depth, depths) * kWords; }

    // Tiles at depths [depth, end); infinity if there was NaN, or infinity, whose products are NaN then.
    template <bool ALONG_DEPTH, bool BY_LINE>
    static float pack(const Lines& lines, int64_t depth, int64_t end, const Packed& out) {
        bool good = true;
        each_tile<ALONG_DEPTH>(out.first, out.last, depth, end, depths,
                               [&](int64_t tile, int64_t block, int64_t d) {
            good &= pack_tile<ALONG_DEPTH, BY_LINE>(lines, tile * kTileRows, d, out[tile] + block * kWords);
        });
        return good ? 1 : HUGE_VALF;
    }

    // The products of a thread.
    class Products {
      public:
        // One tile of rows or two x one of columns or two, so many blocks from `first` on.
        void multiply(const Packed& left, int64_t row, const Packed& right, int64_t column, int64_t first,
                      int64_t blocks, const Corner& corner) {
            const auto function = kFunctions[corner.rows > kTileRows][corner.columns > kTileRows];
            const auto run = [&](const float* start, int64_t start_by_row, float* out, int64_t by_row) {
                function(left[row] + first * kWords, left.by_tile, right[column] + first * kWords,
                         right.by_tile, blocks, start, start_by_row, out, by_row);
            };
            if (corner.rows % kTileRows == 0 && corner.columns % kTileRows == 0) {
                return run(corner.start, corner.start_by_row, corner.out, corner.by_row);
            }
            constexpr int64_t kWidth = 2 * kTileRows;
            alignas(64) float edge[kWidth * kWidth] = {};
            for (int64_t r = 0; corner.start && r < corner.rows; ++r) {
                std::copy_n(corner.start + r * corner.start_by_row, corner.columns, edge + r * kWidth);
            }
            run(edge, kWidth, edge, kWidth);
            for (int64_t r = 0; r < corner.rows; ++r) {
                std::copy_n(edge + r * kWidth, corner.columns, corner.out + r * corner.by_row);
            }
        }

        void finish() {}
    };

  private:
    // Some blocks of one tile or two of each operand, added to `start` (or zero) into `out`.
    template <int LEFT, int RIGHT>
    PENSTOCK_TILES static void multiply(const uint32_t* left, int64_t next_left, const uint32_t* right,
                                        int64_t next_right, int64_t blocks, const float* start,
                                        int64_t start_by_row, float* out, int64_t by_row) {
        auto load_left = [&](int piece) PENSTOCK_TILES {
            _tile_loadd(4, left + piece * kTileWords, 64);
            if constexpr (LEFT == 2) _tile_loadd(5, left + next_left + piece * kTileWords, 64);
        };
        auto load_right = [&](int piece) PENSTOCK_TILES {
            _tile_loadd(6, right + piece * kTileWords, 64);
            if constexpr (RIGHT == 2) _tile_loadd(7, right + next_right + piece * kTileWords, 64);
        };
        auto add_products = []() PENSTOCK_TILES {
            _tile_dpbf16ps(0, 4, 6);
            if constexpr (RIGHT == 2) _tile_dpbf16ps(1, 4, 7);
            if constexpr (LEFT == 2) _tile_dpbf16ps(2, 5, 6);
            if constexpr (LEFT == 2 && RIGHT == 2) _tile_dpbf16ps(3, 5, 7);
        };
        if (start) {
            _tile_loadd(0, start, start_by_row * 4);
            if constexpr (RIGHT == 2) _tile_loadd(1, start + kTileRows, start_by_row * 4);
            start += kTileRows * start_by_row;
            if constexpr (LEFT == 2) _tile_loadd(2, start, start_by_row * 4);
            if constexpr (LEFT == 2 && RIGHT == 2) _tile_loadd(3, start + kTileRows, start_by_row * 4);
        } else {
            _tile_zero(0);
            _tile_zero(1);
            _tile_zero(2);
            _tile_zero(3);
        }
        for (int64_t block = 0; block < blocks; ++block) {
            if constexpr (PIECES == 3) {  // the small products first, few tiles loaded twice
                load_left(2), load_right(0), add_products();
                load_left(1), add_products();
                load_right(1), add_products();
                load_left(0), add_products();
                load_right(2), add_products();
                load_right(0), add_products();
            } else {
                load_left(0), load_right(0), add_products();
            }
            left += kWords;
            right += kWords;
        }
        _tile_stored(0, out, by_row * 4);
        if constexpr (RIGHT == 2) _tile_stored(1, out + kTileRows, by_row * 4);
        out += kTileRows * by_row;
        if constexpr (LEFT == 2) _tile_stored(2, out, by_row * 4);
        if constexpr (LEFT == 2 && RIGHT == 2) _tile_stored(3, out + kTileRows, by_row * 4);
    }

    static constexpr decltype(&multiply<1, 1>) kFunctions[2][2] = {{multiply<1, 1>, multiply<1, 2>},
                                                                   {multiply<2, 1>, multiply<2, 2>}};

    // 16 lines x 32 depths as pieces; gives whether these stand for the numbers.
    template <bool ALONG_DEPTH, bool BY_LINE>
    static bool pack_tile(const Lines& lines, int64_t line, int64_t depth, uint32_t* out) {
        __m512i low[16], high[16];
        take<ALONG_DEPTH, BY_LINE>(lines, line, depth, low);
        take<ALONG_DEPTH, BY_LINE>(lines, line, depth + kTileRows, high);
        __mmask16 wrong = 0;
        for (int i = 0; i < 16; ++i, out += kTileRows) {
            __m512i a = low[i], b = high[i];
            if constexpr (PIECES == 1) {
                _mm512_store_si512(out, pair(round_upper(a), round_upper(b)));
                continue;
            }
            for (int piece = 0; piece < PIECES; ++piece, a = rest(a), b = rest(b)) {
                _mm512_store_si512(out + piece * kTileWords, pair(a, b));
            }
            // Infinity less itself is no number.
            wrong |= _mm512_cmp_ps_mask(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), _CMP_UNORD_Q);
        }
        return wrong == 0;
    }
};

#endif

}  // namespace penstock::PENSTOCK_ISA
