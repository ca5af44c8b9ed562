// Numbers of float32 as whole ones, on the processor's units for tiles of int8.
//
// The numbers of a line, a row of a product's left operand or a column of its right one, become whole
// ones of 24 bits by a factor that the largest of them says; each is three digits of eight bits
// with a sign. Products of digits are added up without rounding. Of nine the three smallest are left
// out, which are as small as the rounding of the operands (Ootomo, Ozaki & Yokota 2024, "DGEMM on
// integer matrix multiplication unit", arXiv 2306.11975).
//
// 16 lines begin with their scales; depths follow in blocks of 64, each digit by digit, the largest
// first. Of a row's word d, or of row d of 16 columns' words, the bytes are of the depths d, d + 16,
// d + 32 and d + 48.
#pragma once

#include <cmath>

#include "lines.h"
#include "tiles.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

constexpr int64_t kDigits = 3;
constexpr int64_t kDigitBytes = kTileRows * kFixedBlock;  // of 16 lines and a block
constexpr int64_t kBlockWords = kDigits * kDigitBytes / 4;
constexpr float kHuge = 0x1p60f, kTiny = 0x1p-100f;  // beyond: not for whole numbers

// What is known of the numbers of lines, in vectors of lines or of depths: the largest size, which is
// not less than kHuge if one is infinite or NaN, the squares' sum, and the lower bits of all.
struct Sizes {
    __m512i most{}, low{};
    __m512 squares{};

    void add(__m512i numbers) {
        const __m512i size = _mm512_and_si512(numbers, _mm512_set1_epi32(0x7fffffff));
        most = _mm512_max_epi32(most, size);  // of floats without a sign, whose order is the same
        squares = _mm512_fmadd_ps(_mm512_castsi512_ps(size), _mm512_castsi512_ps(size), squares);
        low = _mm512_or_si512(low, _mm512_and_si512(numbers, _mm512_set1_epi32(0xfff)));
    }
    void add(const Sizes& other) {
        most = _mm512_max_epi32(most, other.most);
        squares += other.squares;
        low = _mm512_or_si512(low, other.low);
    }
    // Of a line in vectors of its depths: the same everywhere.
    Sizes of_line() const {
        return {_mm512_set1_epi32(_mm512_reduce_max_epi32(most)),
                _mm512_set1_epi32(_mm512_reduce_or_epi32(low)),
                _mm512_set1_ps(_mm512_reduce_add_ps(squares))};
    }
    __m512 largest() const { return _mm512_castsi512_ps(most); }

    // The largest size beside their quadratic mean, in the most uneven line; infinity where whole
    // numbers do not stand for them.
    float unevenness(int64_t depth) const {
        const __m512 power = largest() * largest() * static_cast<float>(depth);
        const __mmask16 good = _mm512_cmp_ps_mask(largest(), _mm512_set1_ps(kHuge), _CMP_LT_OQ);
        const __mmask16 any = _mm512_cmp_ps_mask(squares, __m512{}, _CMP_GT_OQ);
        const __m512 ratio = _mm512_mask_div_ps(_mm512_set1_ps(1), any, power, squares);
        return good == 0xffff ? std::sqrt(_mm512_reduce_max_ps(ratio)) : HUGE_VALF;
    }
};

// By what the numbers of a line are multiplied to become whole, and what makes numbers of products of
// its digits again. Numbers of few bits, such as small whole ones, are to stay exact: powers of two.
struct Scales {
    __m512 whole, back;

    explicit Scales(const Sizes& sizes) {
        constexpr float kMost = 8355000;  // the first digit never passes 127
        const __mmask16 few = _mm512_cmpeq_epi32_mask(sizes.low, __m512i{});
        const __m512 full = kMost / _mm512_max_ps(sizes.largest(), _mm512_set1_ps(kTiny));
        whole = _mm512_mask_scalef_ps(full, few, _mm512_set1_ps(1), _mm512_getexp_ps(full));
        back = 65536.0f / whole;
    }
};

// The digits of four vectors of numbers.
inline void to_digits(const __m512i* numbers, __m512 scale, __m512i* digits) {
    const __m512i carry = _mm512_set1_epi32(0x808080), byte = _mm512_set1_epi32(0xff);
    __m512i whole[4];
    for (int i = 0; i < 4; ++i) {
        const __m512i rounded = _mm512_cvtps_epi32(_mm512_castsi512_ps(numbers[i]) * scale);
        whole[i] = _mm512_xor_si512(_mm512_add_epi32(rounded, carry), carry);
    }
    for (int digit = 0; digit < kDigits; ++digit) {
        const int down = 8 * (kDigits - 1 - digit);
        __m512i words = _mm512_slli_epi32(_mm512_srli_epi32(whole[3], down), 24);
        for (int i = 0; i < 3; ++i) {
            const __m512i part = _mm512_and_si512(_mm512_srli_epi32(whole[i], down), byte);
            words = _mm512_or_si512(words, _mm512_slli_epi32(part, 8 * i));
        }
        digits[digit] = words;
    }
}

// What is known of tiles of lines from `line` on, at depths [depth, end), line by line.
inline void measure_along(const Lines& lines, int64_t line, int64_t depth, int64_t end, Sizes* sizes,
                          int64_t tiles) {
    for (int64_t tile = 0; tile < tiles; ++tile) {
        Sizes some[16];
        __m512i numbers[16], most[16], low[16], squares[16];
        for (int64_t d = depth; d < end; d += 16) {
            take<true, true>(lines, line + tile * kTileRows, d, numbers);
            for (int i = 0; i < 16; ++i) some[i].add(numbers[i]);
        }
        for (int i = 0; i < 16; ++i) {
            most[i] = some[i].most;
            low[i] = some[i].low;
            squares[i] = _mm512_castps_si512(some[i].squares);
        }
        turn(most), turn(low), turn(squares);
        for (int i = 0; i < 16; ++i) sizes[tile].add({most[i], low[i], _mm512_castsi512_ps(squares[i])});
    }
}

// The same depth by depth, as the numbers lie then.
inline void measure_across(const Lines& lines, int64_t line, int64_t depth, int64_t end, Sizes* sizes,
                           int64_t tiles) {
    constexpr int64_t kTogether = 4;
    for (int64_t d = depth; d < end; d += kTogether) {
        const int64_t last = std::min(end, d + kTogether);
        for (int64_t tile = 0; tile < tiles; ++tile) {
            const int64_t first = line + tile * kTileRows;
            const __mmask16 mask = first_of(lines.count - first);
            Sizes some = sizes[tile];
            for (int64_t i = d; i < last; ++i) {
                some.add(_mm512_maskz_loadu_epi32(mask, lines.data + first + i * lines.by_depth));
            }
            sizes[tile] = some;
        }
    }
}

// The digits of 16 lines in a block of depths.
template <bool ALONG_DEPTH, bool BY_LINE>
void pack_digits(const Lines& lines, int64_t line, int64_t depth, __m512 scales, uint32_t* out) {
    alignas(64) float of_line[16];
    _mm512_store_ps(of_line, scales);
    __m512i some[4][16], digits[kDigits];
    for (int k = 0; k < 4; ++k) take<ALONG_DEPTH, BY_LINE>(lines, line, depth + 16 * k, some[k]);
    for (int i = 0; i < 16; ++i, out += kTileRows) {
        const __m512i four[] = {some[0][i], some[1][i], some[2][i], some[3][i]};
        to_digits(four, BY_LINE ? _mm512_set1_ps(of_line[i]) : scales, digits);
        for (int digit = 0; digit < kDigits; ++digit) {
            _mm512_store_si512(out + digit * kDigitBytes / 4, digits[digit]);
        }
    }
}

// Where 16 lines begin, and the bytes from digit to digit.
struct Tile {
    const int8_t* digits;
    int64_t by_digit;

    const int8_t* operator[](int digit) const { return digits + digit * by_digit; }
    void advance() { digits += kDigits * by_digit; }
};

// 16 lines as `pack_digits` leaves them, behind their scales: the words of all, and a block.
inline int64_t words_of_lines(int64_t blocks) { return kTileRows + blocks * kBlockWords; }

inline Tile digits_of(const uint32_t* lines, int64_t block = 0) {
    return {reinterpret_cast<const int8_t*>(lines + words_of_lines(block)), kDigitBytes};
}

// Where a tile of sums goes, and the scales of its lines.
struct Target {
    const float *of_rows = nullptr, *of_columns = nullptr;  // scales
    int64_t rows = 0;
    __mmask16 columns = 0xffff;
    float* out = nullptr;
    int64_t by_row = 0;
    const float* start = nullptr;  // what they are added to
    int64_t start_by_row = 0;
};

// Sums of products of digits, by the place of their last bits.
struct Sums {
    alignas(64) int32_t of[kDigits][kTileRows * kTileRows];

    // Some rows as numbers.
    void give(const Target& to, int64_t first, int64_t last) const {
        last = std::min(last, to.rows);
        if (first >= last) return;
        const __m512 scales = _mm512_loadu_ps(to.of_columns), less = _mm512_set1_ps(0x1p-8f);
        for (int64_t r = first; r < last; ++r) {
            auto part = [&](int i) { return _mm512_cvtepi32_ps(_mm512_load_si512(of[i] + r * kTileRows)); };
            const __m512 sum = _mm512_fmadd_ps(_mm512_fmadd_ps(part(2), less, part(1)), less, part(0));
            const __m512 scale = scales * _mm512_set1_ps(to.of_rows[r]);
            const float* start = to.start + r * to.start_by_row;
            const __m512 before = to.start ? _mm512_maskz_loadu_ps(to.columns, start) : __m512{};
            _mm512_mask_storeu_ps(to.out + r * to.by_row, to.columns, _mm512_fmadd_ps(sum, scale, before));
        }
    }
};

// Registers 0 to 5 hold the sums of two pairs of tiles.
PENSTOCK_TILES inline void zero_sums() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
}

PENSTOCK_TILES inline void store_sums(Sums* sums) {
    _tile_stored(0, sums[0].of[0], 64);
    _tile_stored(1, sums[0].of[1], 64);
    _tile_stored(2, sums[0].of[2], 64);
    _tile_stored(3, sums[1].of[0], 64);
    _tile_stored(4, sums[1].of[1], 64);
    _tile_stored(5, sums[1].of[2], 64);
}

// One tile of rows x two of columns, which go past the first cache, where the rows are to stay. Between
// blocks of depths `meanwhile` has a turn, for which the units need not wait.
template <class Meanwhile>
PENSTOCK_TILES inline void multiply_column_tiles(Tile rows, Tile columns, Tile others, int64_t blocks,
                                                 Sums* sums, Meanwhile meanwhile) {
    zero_sums();
    for (int64_t block = 0; block < blocks; ++block) {
        _tile_stream_loadd(7, columns[0], 64);
        _tile_loadd(6, rows[0], 64);
        _tile_dpbssd(0, 6, 7);
        _tile_loadd(6, rows[1], 64);
        _tile_dpbssd(1, 6, 7);
        _tile_loadd(6, rows[2], 64);
        _tile_dpbssd(2, 6, 7);
        _tile_stream_loadd(7, others[0], 64);
        _tile_dpbssd(5, 6, 7);
        _tile_loadd(6, rows[1], 64);
        _tile_dpbssd(4, 6, 7);
        _tile_loadd(6, rows[0], 64);
        _tile_dpbssd(3, 6, 7);
        _tile_stream_loadd(7, columns[1], 64);
        _tile_dpbssd(1, 6, 7);
        _tile_loadd(6, rows[1], 64);
        _tile_dpbssd(2, 6, 7);
        _tile_stream_loadd(7, others[1], 64);
        _tile_dpbssd(5, 6, 7);
        _tile_loadd(6, rows[0], 64);
        _tile_dpbssd(4, 6, 7);
        _tile_stream_loadd(7, columns[2], 64);
        _tile_dpbssd(2, 6, 7);
        _tile_stream_loadd(7, others[2], 64);
        _tile_dpbssd(5, 6, 7);
        rows.advance();
        columns.advance();
        others.advance();
        meanwhile();
    }
    store_sums(sums);
}

// Two tiles of as many rows, which may share some, x 16 columns.
PENSTOCK_TILES inline void multiply_row_tiles(Tile rows, Tile others, Tile columns, int64_t blocks,
                                              Sums* sums) {
    auto add_large = [&](int digit) PENSTOCK_TILES {
        _tile_loadd(6, rows[digit], 64);
        _tile_dpbssd(0, 6, 7);
        _tile_loadd(6, others[digit], 64);
        _tile_dpbssd(3, 6, 7);
    };
    auto add_middle = [&](int digit) PENSTOCK_TILES {
        _tile_loadd(6, rows[digit], 64);
        _tile_dpbssd(1, 6, 7);
        _tile_loadd(6, others[digit], 64);
        _tile_dpbssd(4, 6, 7);
    };
    auto add_small = [&](int digit) PENSTOCK_TILES {
        _tile_loadd(6, rows[digit], 64);
        _tile_dpbssd(2, 6, 7);
        _tile_loadd(6, others[digit], 64);
        _tile_dpbssd(5, 6, 7);
    };
    zero_sums();
    for (int64_t block = 0; block < blocks; ++block) {
        _tile_loadd(7, columns[0], 64);
        add_large(0), add_middle(1), add_small(2);
        _tile_loadd(7, columns[1], 64);
        add_middle(0), add_small(1);
        _tile_loadd(7, columns[2], 64);
        add_small(0);
        rows.advance();
        others.advance();
        columns.advance();
    }
    store_sums(sums);
}

#endif

}  // namespace penstock::PENSTOCK_ISA
