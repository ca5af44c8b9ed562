// Large products of float32 on tile registers, which multiply smaller numbers many times as fast.
//
// A line is a row of the left operand or a column of the right one. Two tiles of 16 lines are a
// group, which is packed in a format (large_digits.h, large_pieces.h).
#pragma once

#include <omp.h>

#include <atomic>
#include <vector>

#include "large_digits.h"
#include "large_pieces.h"
#include "memory.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

template <class Format>
float pack_lines(const Lines& lines, bool is_left, int64_t from, int64_t to, int64_t depth, int64_t end,
                 uint32_t* out) {
    const auto along = is_left ? Format::template pack<true, true> : Format::template pack<true, false>;
    const auto across = is_left ? Format::template pack<false, true> : Format::template pack<false, false>;
    return (lines.by_depth == 1 ? along : across)(lines, from, to, depth, end, out);
}

// The groups of the longer operand are divided among threads, and each packs so many of its own as
// fill half of its second cache; the other operand is packed once for all. An entry of the result is
// added up in one order, whoever computes it.
template <class Format>
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
          at_a_time_(std::max<int64_t>(1, second_cache() / 2 / (4 * Format::words(depth_)))),
          threads_(threads),
          uneven_(threads),
          packed_(make_buffer<uint32_t>(shared_groups_ * Format::words(depth_))),
          packed_own_(make_buffer<uint32_t>(threads * at_a_time_ * Format::words(depth_))) {}

    // False if the format does not stand for the operands.
    bool run() {
#pragma omp parallel num_threads(threads_)
        work(omp_get_thread_num(), omp_get_num_threads());
        return good_;
    }

  private:
    // Blocks of a shared group that stay in the first cache while own groups pass.
    static constexpr int64_t kBlocks = 36864 / (4 * Format::kWords);

    static int64_t groups(const Lines& lines) { return (lines.count + kGroupLines - 1) / kGroupLines; }
    // Depths are cut into equal pieces: a group is to leave room for others in the cache.
    static int64_t piece_of_depth(int64_t depth) {
        constexpr int64_t kMost = 1024;
        const int64_t cuts = std::max<int64_t>(1, (depth + kMost - 1) / kMost);
        return blocks_of((depth + cuts - 1) / cuts, Format::depths) * Format::depths;
    }

    // Whether what is left need not be computed: it would be no result.
    bool stops() const { return !good_ && product_.start != product_.out; }

    void work(int thread, int threads) {
        TileRegisters registers;
        registers.shape(TileRegisters::full());
        const int64_t begin = own_groups_ * thread / threads;
        const int64_t mine = own_groups_ * (thread + 1) / threads - begin;
        const int64_t turns = (mine + at_a_time_ - 1) / at_a_time_;
        const int64_t from = shared_groups_ * thread / threads;
        const int64_t to = shared_groups_ * (thread + 1) / threads;
        uint32_t* own = packed_own_.get() + thread * at_a_time_ * Format::words(depth_);
        for (int64_t depth = 0; depth == 0 || depth < product_.left.depth; depth += depth_) {
            const int64_t end = std::min(depth + depth_, product_.left.depth);
            const int64_t words = Format::words(end - depth);
            uneven_[thread] = pack_lines<Format>(shared_, !cuts_left_, from, to, depth, end,
                                                 packed_.get() + from * words);
#pragma omp barrier
            const float uneven = *std::max_element(uneven_.begin(), uneven_.begin() + threads);
            for (int64_t turn = 0; turn < turns; ++turn) {
                const int64_t first = begin + mine * turn / turns;
                const int64_t last = begin + mine * (turn + 1) / turns;
                const float of_own = pack_lines<Format>(own_, cuts_left_, first, last, depth, end, own);
                if (uneven * of_own > Format::most) good_ = false;
                if (stops()) break;
                const int64_t blocks = blocks_of(end - depth, Format::depths);
                const int64_t cuts = std::max<int64_t>(1, blocks_of(blocks, kBlocks));
                const int64_t step = std::max<int64_t>(1, blocks_of(blocks, cuts));
                for (int64_t s = 0; s < shared_groups_; ++s) {
                    for (int64_t block = 0; block < blocks; block += step) {
                        for (int64_t g = first; g < last; ++g) {
                            multiply(g, own + (g - first) * words, s, packed_.get() + s * words, block,
                                     std::min(step, blocks - block), depth + block > 0);
                        }
                    }
                }
            }
#pragma omp barrier
            if (stops()) return;
        }
    }

    void multiply(int64_t own_group, const uint32_t* own, int64_t shared_group, const uint32_t* shared,
                  int64_t first, int64_t blocks, bool add) {
        const int64_t row = (cuts_left_ ? own_group : shared_group) * kGroupLines;
        const int64_t column = (cuts_left_ ? shared_group : own_group) * kGroupLines;
        const int64_t rows = std::min(kGroupLines, product_.left.count - row);
        const int64_t columns = std::min(kGroupLines, product_.right.count - column);
        const uint32_t *left = cuts_left_ ? own : shared, *right = cuts_left_ ? shared : own;
        const auto function = kFunctions[rows > kTileRows][columns > kTileRows];
        float* out = product_.out + row * product_.by_row + column;
        const float* start = add ? out : product_.start;
        const int64_t by_row = add ? product_.by_row : product_.start_by_row;
        if (start && !add) start += row * by_row + column;
        if (rows % kTileRows == 0 && columns % kTileRows == 0) {
            return function(left, right, first, blocks, start, by_row, out, product_.by_row);
        }
        alignas(64) float edge[kGroupLines * kGroupLines] = {};
        for (int64_t r = 0; start && r < rows; ++r) {
            std::copy_n(start + r * by_row, columns, edge + r * kGroupLines);
        }
        function(left, right, first, blocks, edge, kGroupLines, edge, kGroupLines);
        for (int64_t r = 0; r < rows; ++r) {
            std::copy_n(edge + r * kGroupLines, columns, out + r * product_.by_row);
        }
    }

    static constexpr decltype(&Format::template multiply<1, 1>) kFunctions[2][2] = {
        {Format::template multiply<1, 1>, Format::template multiply<1, 2>},
        {Format::template multiply<2, 1>, Format::template multiply<2, 2>}};

    const LargeProduct& product_;
    const bool cuts_left_;
    const Lines &own_, &shared_;
    const int64_t own_groups_, shared_groups_;
    const int64_t depth_;      // of a piece
    const int64_t at_a_time_;  // own groups that are packed together
    const int threads_;
    std::vector<float> uneven_;  // the shared groups that each thread packs
    std::atomic<bool> good_{true};
    Buffer<uint32_t> packed_, packed_own_;
};

// False if there was NaN, or infinity, whose products are NaN then.
inline bool multiply_large(const LargeProduct& product, int threads) {
    if (product.way == LargeProduct::kRounded) return Large<Pieces<1>>(product, threads).run();
    // What whole numbers do not stand for is made once more, if its start is still there.
    const bool whole = product.way == LargeProduct::kWhole && product.start != product.out;
    if (whole && Large<Digits>(product, threads).run()) return true;
    return Large<Pieces<3>>(product, threads).run();
}

#else

inline bool multiply_large(const LargeProduct&, int) { return false; }

#endif

}  // namespace penstock::PENSTOCK_ISA
