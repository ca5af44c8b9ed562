// Large products of float32 on tile registers, which multiply bfloat16 at sixteen times the speed.
//
// The 24 bits of a float32 are three times the 8 of a bfloat16: a number is exactly the sum of three
// pieces. Of the nine products of pieces the three smallest are below the rounding of float32 and
// are left out (Henry, Tang & Heinecke 2019, arXiv 1904.06376). With one piece operands are rounded.
//
// A line is a row of the left operand or a column of the right one. Two tiles of 16 lines are a
// group; packed, it lies block by block of 32 depths, in each block piece by piece, tile by tile. A
// word of 32 bits holds the depths d and d + 16 of a block.
#pragma once

#include <omp.h>

#include <atomic>

#include "isa.h"
#include "memory.h"
#include "tiles.h"

// GCC 12 warns of what its own intrinsics leave undefined (its bug 105593).
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

constexpr int64_t kGroupLines = 2 * kTileRows, kDepths = 2 * kTileRows;
constexpr int64_t kTileWords = kTileRows * kTileRows;

template <int PIECES>
constexpr int64_t kBlockWords = PIECES * 2 * kTileWords;  // of a group and 32 depths

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

// 16 lines x 32 depths as pieces; gives whether these stand for the numbers.
template <int PIECES, bool ALONG_DEPTH, bool BY_LINE>
bool pack_tile(const Lines& lines, int64_t line, int64_t depth, uint32_t* out) {
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
            _mm512_store_si512(out + piece * 2 * kTileWords, pair(a, b));
        }
        // Infinity less itself is no number.
        wrong |= _mm512_cmp_ps_mask(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), _CMP_UNORD_Q);
    }
    return wrong == 0;
}

// Groups [from, to) at depths [depth, end), in the order in which their numbers lie in memory.
template <int PIECES, bool ALONG_DEPTH, bool BY_LINE>
bool pack_groups(const Lines& lines, int64_t from, int64_t to, int64_t depth, int64_t end,
                 uint32_t* out) {
    const int64_t groups = to - from, blocks = (end - depth + kDepths - 1) / kDepths;
    bool good = true;
    for (int64_t i = 0; i < groups * blocks; ++i) {
        const int64_t group = ALONG_DEPTH ? i / blocks : i % groups;
        const int64_t block = ALONG_DEPTH ? i % blocks : i / groups;
        const int64_t line = (from + group) * kGroupLines, d = depth + block * kDepths;
        uint32_t* to_block = out + (group * blocks + block) * kBlockWords<PIECES>;
        good &= pack_tile<PIECES, ALONG_DEPTH, BY_LINE>(lines, line, d, to_block);
        if (line + kTileRows >= lines.count) continue;
        good &= pack_tile<PIECES, ALONG_DEPTH, BY_LINE>(lines, line + kTileRows, d, to_block + kTileWords);
    }
    return good;
}

template <int PIECES>
bool pack_lines(const Lines& lines, bool is_left, int64_t from, int64_t to, int64_t depth,
                int64_t end, uint32_t* out) {
    if (lines.by_depth == 1) {
        return (is_left ? pack_groups<PIECES, true, true> : pack_groups<PIECES, true, false>)(
            lines, from, to, depth, end, out);
    }
    return (is_left ? pack_groups<PIECES, false, true> : pack_groups<PIECES, false, false>)(
        lines, from, to, depth, end, out);
}

// A group of each operand, each of one tile or two, added to `start` (or zero) into `out`.
template <int PIECES, int LEFT, int RIGHT>
PENSTOCK_TILES void multiply_pair(const uint32_t* left, const uint32_t* right, int64_t blocks,
                                  const float* start, int64_t start_by_row, float* out,
                                  int64_t by_row) {
    auto load_left = [&](int piece) PENSTOCK_TILES {
        _tile_loadd(4, left + piece * 2 * kTileWords, 64);
        if constexpr (LEFT == 2) _tile_loadd(5, left + (piece * 2 + 1) * kTileWords, 64);
    };
    auto load_right = [&](int piece) PENSTOCK_TILES {
        _tile_loadd(6, right + piece * 2 * kTileWords, 64);
        if constexpr (RIGHT == 2) _tile_loadd(7, right + (piece * 2 + 1) * kTileWords, 64);
    };
    auto multiply = []() PENSTOCK_TILES {
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
            load_left(2), load_right(0), multiply();
            load_left(1), multiply();
            load_right(1), multiply();
            load_left(0), multiply();
            load_right(2), multiply();
            load_right(0), multiply();
        } else {
            load_left(0), load_right(0), multiply();
        }
        left += kBlockWords<PIECES>;
        right += kBlockWords<PIECES>;
    }
    _tile_stored(0, out, by_row * 4);
    if constexpr (RIGHT == 2) _tile_stored(1, out + kTileRows, by_row * 4);
    out += kTileRows * by_row;
    if constexpr (LEFT == 2) _tile_stored(2, out, by_row * 4);
    if constexpr (LEFT == 2 && RIGHT == 2) _tile_stored(3, out + kTileRows, by_row * 4);
}

// The groups of the longer operand are divided among threads, and each packs so many of its own as
// fill half of its second cache; the other operand is packed once for all. An entry of the result is
// added up in one order, whoever computes it.
template <int PIECES>
class Large {
  public:
    Large(const LargeProduct& product, int threads)
        : product_(product),
          cuts_left_(product.left.count > product.right.count),
          own_(cuts_left_ ? product.left : product.right),
          shared_(cuts_left_ ? product.right : product.left),
          own_groups_(groups(own_)),
          shared_groups_(groups(shared_)),
          depth_(piece_of_depth(product.left.depth)),
          at_a_time_(std::max<int64_t>(1, second_cache() / 2 / (4 * group_words(depth_)))),
          threads_(threads),
          packed_(make_buffer<uint32_t>(shared_groups_ * group_words(depth_))),
          packed_own_(make_buffer<uint32_t>(threads * at_a_time_ * group_words(depth_))) {}

    // False if there was NaN, or infinity, whose products are NaN then.
    bool run() {
        std::atomic<bool> good{true};
#pragma omp parallel num_threads(threads_)
        if (!work(omp_get_thread_num(), omp_get_num_threads())) good = false;
        return good;
    }

  private:
    static int64_t groups(const Lines& lines) { return (lines.count + kGroupLines - 1) / kGroupLines; }
    static int64_t group_words(int64_t depth) {
        return (depth + kDepths - 1) / kDepths * kBlockWords<PIECES>;
    }
    // Depths are cut into equal pieces: a group is to leave room for others in the cache.
    static int64_t piece_of_depth(int64_t depth) {
        constexpr int64_t kMost = 1024;
        const int64_t cuts = std::max<int64_t>(1, (depth + kMost - 1) / kMost);
        return ((depth + cuts - 1) / cuts + kDepths - 1) / kDepths * kDepths;
    }

    bool work(int thread, int threads) {
        TileRegisters registers;
        registers.shape(kTileRows, 0);
        const int64_t begin = own_groups_ * thread / threads;
        const int64_t mine = own_groups_ * (thread + 1) / threads - begin;
        const int64_t turns = (mine + at_a_time_ - 1) / at_a_time_;
        uint32_t* own = packed_own_.get() + thread * at_a_time_ * group_words(depth_);
        bool good = true;
        for (int64_t depth = 0; depth == 0 || depth < product_.left.depth; depth += depth_) {
            const int64_t end = std::min(depth + depth_, product_.left.depth);
            const int64_t words = group_words(end - depth);
            const int64_t from = shared_groups_ * thread / threads;
            good &= pack_lines<PIECES>(shared_, !cuts_left_, from,
                                         shared_groups_ * (thread + 1) / threads, depth, end,
                                         packed_.get() + from * words);
#pragma omp barrier
            for (int64_t turn = 0; turn < turns; ++turn) {
                const int64_t first = begin + mine * turn / turns;
                const int64_t last = begin + mine * (turn + 1) / turns;
                good &= pack_lines<PIECES>(own_, cuts_left_, first, last, depth, end, own);
                for (int64_t s = 0; s < shared_groups_; ++s) {
                    for (int64_t g = first; g < last; ++g) {
                        multiply(g, own + (g - first) * words, s, packed_.get() + s * words, words,
                                 depth > 0);
                    }
                }
            }
#pragma omp barrier
        }
        return good;
    }

    void multiply(int64_t own_group, const uint32_t* own, int64_t shared_group, const uint32_t* shared,
                  int64_t words, bool add) {
        const int64_t row = (cuts_left_ ? own_group : shared_group) * kGroupLines;
        const int64_t column = (cuts_left_ ? shared_group : own_group) * kGroupLines;
        const int64_t rows = std::min(kGroupLines, product_.left.count - row);
        const int64_t columns = std::min(kGroupLines, product_.right.count - column);
        const uint32_t *left = cuts_left_ ? own : shared, *right = cuts_left_ ? shared : own;
        const int64_t blocks = words / kBlockWords<PIECES>;
        const auto function = kFunctions[rows > kTileRows][columns > kTileRows];
        float* out = product_.out + row * product_.by_row + column;
        const float* start = add ? out : product_.start;
        const int64_t by_row = add ? product_.by_row : product_.start_by_row;
        if (start && !add) start += row * by_row + column;
        if (rows % kTileRows == 0 && columns % kTileRows == 0) {
            return function(left, right, blocks, start, by_row, out, product_.by_row);
        }
        alignas(64) float edge[kGroupLines * kGroupLines] = {};
        for (int64_t r = 0; start && r < rows; ++r) {
            std::copy_n(start + r * by_row, columns, edge + r * kGroupLines);
        }
        function(left, right, blocks, edge, kGroupLines, edge, kGroupLines);
        for (int64_t r = 0; r < rows; ++r) {
            std::copy_n(edge + r * kGroupLines, columns, out + r * product_.by_row);
        }
    }

    static constexpr decltype(&multiply_pair<PIECES, 1, 1>) kFunctions[2][2] = {
        {multiply_pair<PIECES, 1, 1>, multiply_pair<PIECES, 1, 2>},
        {multiply_pair<PIECES, 2, 1>, multiply_pair<PIECES, 2, 2>}};

    const LargeProduct& product_;
    const bool cuts_left_;
    const Lines &own_, &shared_;
    const int64_t own_groups_, shared_groups_;
    const int64_t depth_;      // of a piece
    const int64_t at_a_time_;  // own groups that are packed together
    const int threads_;
    Buffer<uint32_t> packed_, packed_own_;
};

inline bool multiply_large(const LargeProduct& product, int threads) {
    return product.pieces == 1 ? Large<1>(product, threads).run() : Large<3>(product, threads).run();
}

#else

inline bool multiply_large(const LargeProduct&, int) { return false; }

#endif

}  // namespace penstock::PENSTOCK_ISA
