// Products of few rows of float32 with panels, both as whole numbers: see digits.h.
//
// A row and a column of a panel are as deep as all stretches together, each filled up with zeros to
// whole blocks of depths. Before the blocks of 16 columns stand their scales.
#pragma once

#include <omp.h>

#include <atomic>
#include <vector>

#include "digits.h"
#include "memory.h"
#include "operands.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

// Whether products with all panels are faster so: where tiles are filled, or fewer bytes come from
// beyond the second cache.
inline bool prefers_fixed(const Program& program, int64_t rows) {
    constexpr int64_t kFewest = 2, kWorth = 32768;  // rows, numbers
    int64_t numbers = 0;
    for (const auto& panel : program.panels) numbers += panel.size();
    const bool filled = rows >= kFewest && numbers >= kWorth;
    return TileRegisters::exist() && (filled || 4 * numbers > second_cache());
}

// 16 columns of a panel; how uneven they are.
template <bool ALONG_DEPTH>
float fix_columns(const Panel& panel, Lines columns, uint32_t* out) {
    const auto each_stretch = [&](auto function) {
        Lines lines = columns;
        for (const auto& [operand, length] : panel.stretches) {
            lines.depth = length;
            function(lines);
            lines.data += length * lines.by_depth;
        }
    };
    Sizes sizes;
    each_stretch([&](const Lines& lines) {
        (ALONG_DEPTH ? measure_along : measure_across)(lines, 0, 0, lines.depth, &sizes, 1);
    });
    const Scales scales(sizes);
    _mm512_storeu_ps(out, scales.back);
    out += kColumns;
    each_stretch([&](const Lines& lines) {
        for (int64_t d = 0; d < lines.depth; d += kFixedBlock, out += kBlockWords) {
            pack_digits<ALONG_DEPTH, false>(lines, 0, d, scales.whole, out);
        }
    });
    return sizes.unevenness(panel.depth());
}

// A panel; false if whole numbers do not stand for its own.
inline bool pack_fixed(const Panel& panel, const float* const* members, int64_t by_unit,
                       int64_t by_depth, uint32_t* out) {
    constexpr int64_t kDeepest = 32768;  // sums of more may not fit in 32 bits
    constexpr float kMost = 32;          // beside rows of any kind
    const int64_t columns = panel.tiles() * panel.members;
    const int64_t words = panel.words(Precision::kFixed) / std::max<int64_t>(columns, 1);
    std::atomic<bool> good{panel.filled_depth(kFixedBlock) <= kDeepest};
    const auto fix = by_depth == 1 ? fix_columns<true> : fix_columns<false>;
#pragma omp parallel for schedule(static) if (panel.size() > kWorthPacking)
    for (int64_t i = 0; i < columns; ++i) {
        const int64_t unit = i / panel.members * kColumns;
        const Lines lines{members[i % panel.members] + unit * by_unit,
                          std::min(kColumns, panel.width - unit), 0, by_unit, by_depth};
        if (fix(panel, lines, out + i * words) > kMost) good = false;
    }
    return good;
}

// A row with its own numbers, filled up stretch by stretch, x 16 columns of a panel.
inline void multiply_plainly(const float* row, const uint32_t* panel, int64_t blocks, float* out) {
    const __m512 scale = _mm512_loadu_ps(panel) * 0x1p-16f;
    __m512 sum{};
    for (const uint32_t* words = panel + kColumns; blocks > 0; --blocks, words += kBlockWords) {
        for (int64_t i = 0; i < kFixedBlock; ++i, ++row) {
            __m512i whole{};
            for (int digit = 0; digit < kDigits; ++digit) {
                const uint32_t* from = words + digit * kDigitBytes / 4 + i % 16 * kColumns;
                const __m512i byte = _mm512_slli_epi32(_mm512_loadu_si512(from), 24 - i / 16 * 8);
                whole = _mm512_add_epi32(_mm512_slli_epi32(whole, 8), _mm512_srai_epi32(byte, 24));
            }
            sum += _mm512_set1_ps(*row) * (_mm512_cvtepi32_ps(whole) * scale);
        }
    }
    _mm512_storeu_ps(out, sum);
}

// Rows lie block by block of depths and digit by digit, in each one after another.
class FixedRows : public TileRows {
  public:
    FixedRows(const Panel& panel, int64_t rows)
        : panel_(panel),
          blocks_(panel.filled_depth(kFixedBlock) / kFixedBlock),
          by_digit_(rows * kFixedBlock),
          digits_(make_buffer<int8_t>(blocks_ * kDigits * by_digit_)),
          scales_(make_buffer<float>(rows)),
          plain_(rows) {}

    void take(int64_t row, const float* const* stretches) override {
        Sizes sizes;
        each_vector(stretches, [&](__m512i numbers, int64_t) { sizes.add(numbers); });
        sizes = sizes.of_line();
        const bool is_plain = !(_mm512_cvtss_f32(sizes.largest()) < kHuge);  // NaN too
        plain_[row].resize(is_plain ? blocks_ * kFixedBlock : 0);
        if (is_plain) {
            return each_vector(stretches, [&](__m512i numbers, int64_t depth) {
                _mm512_storeu_si512(plain_[row].data() + depth, numbers);
            });
        }
        const Scales scales(sizes);
        scales_[row] = _mm512_cvtss_f32(scales.back);
        int8_t* to = digits_.get() + row * kFixedBlock;
        __m512i four[4], digits[kDigits];
        each_vector(stretches, [&](__m512i numbers, int64_t depth) {
            const int64_t k = depth / 16 % 4;
            four[k] = numbers;
            if (k < 3) return;
            to_digits(four, scales.whole, digits);
            for (const __m512i& digit : digits) {
                _mm512_store_si512(to, digit);
                to += by_digit_;
            }
        });
    }

    void multiply(TileRegisters& registers, int64_t first, int64_t count, const uint32_t* words,
                  int64_t tiles, float* out, int64_t slot) const override {
        const bool two = count > kTileRows;
        const int64_t half = two ? (count + 1) / 2 : count, later = count - half;
        const auto r = static_cast<uint8_t>(half);
        registers.shape({r, r, r, r, r, r, r, kTileRows});
        const Tile rows{digits_.get() + first * kFixedBlock, by_digit_};
        const Tile others{rows.digits + later * kFixedBlock, by_digit_};
        const int64_t last = tiles * panel_.members;
        const auto columns = [&](int64_t i) { return words + i * words_of_lines(blocks_); };
        const auto target = [&](int64_t i, int64_t row) {
            return Target{
                .of_rows = scales_.get() + first + row,
                .of_columns = reinterpret_cast<const float*>(columns(i)),
                .rows = half,
                .out = out + (i / panel_.members * count + row) * kTileRows + i % panel_.members * slot,
                .by_row = kTileRows,
            };
        };
        Sums sums[2];
        const auto across = [&](int64_t i, int64_t row) {  // two tiles of columns
            const int64_t next = std::min(i + 1, last - 1);
            const Tile some{rows.digits + row * kFixedBlock, by_digit_};
            multiply_column_tiles(some, digits_of(columns(i)), digits_of(columns(next)), blocks_, sums,
                                  [] {});
            sums[0].give(target(i, row), 0, half);
            sums[1].give(target(next, row), 0, half);
        };
        for (int64_t i = 0; i < last;) {
            if (!two || (blocks_ >= kDeep && i + 1 < last)) {
                across(i, 0);
                if (two) across(i, later);
                i += 2;
            } else {
                multiply_row_tiles(rows, others, digits_of(columns(i)), blocks_, sums);
                sums[0].give(target(i, 0), 0, half);
                sums[1].give(target(i, later), 0, half);
                i += 1;
            }
        }
        const auto* plain = plain_.data() + first;
        for (int64_t b = 0; b < count; ++b) {
            for (int64_t i = 0; !plain[b].empty() && i < last; ++i) {
                multiply_plainly(plain[b].data(), columns(i), blocks_, target(i, b).out);
            }
        }
    }

  private:
    static constexpr int64_t kDeep = 8;  // blocks of which two tiles of rows fill the first cache

    // The numbers of a row and where they are in its depth, whole blocks with zeros where they end.
    template <class Function>
    void each_vector(const float* const* stretches, Function function) const {
        int64_t depth = 0;
        for (const auto& [operand, length] : panel_.stretches) {
            const float* from = *stretches++;
            for (int64_t d = 0; d < filled(length, kFixedBlock); d += 16, depth += 16) {
                function(_mm512_maskz_loadu_epi32(first_of(length - d), from + d), depth);
            }
        }
    }

    const Panel& panel_;
    const int64_t blocks_, by_digit_;
    Buffer<int8_t> digits_;
    Buffer<float> scales_;
    std::vector<std::vector<float>> plain_;  // rows whose numbers are infinite, NaN or huge
};

#else

inline bool prefers_fixed(const Program&, int64_t) { return false; }
inline bool pack_fixed(const Panel&, const float* const*, int64_t, int64_t, uint32_t*) { return false; }

#endif

}  // namespace penstock::PENSTOCK_ISA
