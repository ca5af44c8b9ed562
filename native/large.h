// Large products of float32 on tile registers, which multiply smaller numbers many times as fast.
//
// A line is a row of the left operand or a column of the right one. 16 lines are a tile, which is
// packed in a format (large_digits.h, large_pieces.h).
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
float pack_lines(const Lines& lines, bool is_left, int64_t depth, int64_t end, const Packed& out) {
    const auto along = is_left ? Format::template pack<true, true> : Format::template pack<true, false>;
    const auto across = is_left ? Format::template pack<false, true> : Format::template pack<false, false>;
    return (lines.by_depth == 1 ? along : across)(lines, depth, end, out);
}

// The tiles of the longer operand are divided among threads, and each packs so many of its own as
// fill a third of its second cache; the other operand is packed once for all. An entry of the result is
// added up in one order, whoever computes it.
template <class Format>
class Large {
  public:
    Large(const LargeProduct& product, int threads)
        : product_(product),
          cuts_left_(product.left.count > product.right.count),
          own_(cuts_left_ ? product.left : product.right),
          shared_(cuts_left_ ? product.right : product.left),
          unit_(cuts_left_ ? Format::row_tiles : kColumnTiles),
          depth_(piece_of_depth(product.left.depth)),
          at_a_time_(std::max<int64_t>(1, second_cache() / 3 / (4 * Format::words(depth_) * 2)) * 2),
          threads_(threads),
          uneven_(threads),
          packed_(make_buffer<uint32_t>(tiles(shared_) * Format::words(depth_))),
          packed_own_(make_buffer<uint32_t>(threads * at_a_time_ * Format::words(depth_))) {}

    // False if the format does not stand for the operands.
    bool run() {
#pragma omp parallel num_threads(threads_)
        work(omp_get_thread_num(), omp_get_num_threads());
        return good_;
    }

  private:
    static constexpr int64_t kColumnTiles = 2;  // that are multiplied at once

    static int64_t tiles(const Lines& lines) { return blocks_of(lines.count, kTileRows); }
    // Depths are cut into equal pieces: a tile is to leave room for others in the cache.
    static int64_t piece_of_depth(int64_t depth) {
        constexpr int64_t kMost = 768;
        const int64_t cuts = std::max<int64_t>(1, (depth + kMost - 1) / kMost);
        return blocks_of((depth + cuts - 1) / cuts, Format::depths) * Format::depths;
    }

    // Where the own tiles of a thread begin.
    int64_t first_own(int thread, int threads) const {
        const int64_t units = blocks_of(tiles(own_), unit_);
        return std::min(units * thread / threads * unit_, tiles(own_));
    }

    // Whether what is left need not be computed: it would be no result.
    bool stops() const { return !good_ && product_.start != product_.out; }

    void work(int thread, int threads) {
        TileRegisters registers;
        registers.shape(TileRegisters::full());
        const auto products = std::make_unique<typename Format::Products>();
        const int64_t begin = first_own(thread, threads), end_own = first_own(thread + 1, threads);
        const int64_t from = tiles(shared_) * thread / threads, to = tiles(shared_) * (thread + 1) / threads;
        for (int64_t depth = 0; depth == 0 || depth < product_.left.depth; depth += depth_) {
            const int64_t end = std::min(depth + depth_, product_.left.depth);
            const int64_t words = Format::words(end - depth);
            const Packed shared{packed_.get(), words, 0, tiles(shared_)};
            const Packed share{shared[from], words, from, to};
            uneven_[thread] = pack_lines<Format>(shared_, !cuts_left_, depth, end, share);
#pragma omp barrier
            const float uneven = *std::max_element(uneven_.begin(), uneven_.begin() + threads);
            for (int64_t first = begin; first < end_own && !stops(); first += at_a_time_) {
                uint32_t* to_own = packed_own_.get() + thread * at_a_time_ * Format::words(depth_);
                const Packed own{to_own, words, first, std::min(first + at_a_time_, end_own)};
                const float of_own = pack_lines<Format>(own_, cuts_left_, depth, end, own);
                if (uneven * of_own > Format::most) good_ = false;
                if (stops()) break;
                multiply(*products, cuts_left_ ? own : shared, cuts_left_ ? shared : own, depth, end);
            }
#pragma omp barrier
            if (stops()) return;
        }
    }

    // Rows stay in the first cache while columns pass that stay in the second.
    void multiply(typename Format::Products& products, const Packed& left, const Packed& right,
                  int64_t depth, int64_t end) const {
        const int64_t blocks = blocks_of(end - depth, Format::depths);
        const int64_t cuts = std::max<int64_t>(1, blocks_of(blocks, Format::together));
        const int64_t step = std::max<int64_t>(1, blocks_of(blocks, cuts));
        for (int64_t first = right.first; first < right.last; first += at_a_time_) {
            const int64_t last = std::min(first + at_a_time_, right.last);
            for (int64_t row = left.first; row < left.last; row += Format::row_tiles) {
                for (int64_t block = 0; block == 0 || block < blocks; block += step) {
                    for (int64_t column = first; column < last; column += kColumnTiles) {
                        products.multiply(left, row, right, column, block, std::min(step, blocks - block),
                                          corner(row, column, depth + block > 0));
                    }
                }
            }
        }
        products.finish();
    }

    Corner corner(int64_t row_tile, int64_t column_tile, bool add) const {
        const int64_t row = row_tile * kTileRows, column = column_tile * kTileRows;
        Corner corner{product_.out, product_.by_row, product_.start, product_.start_by_row};
        if (add) corner.start = corner.out, corner.start_by_row = corner.by_row;
        corner.out += row * corner.by_row + column;
        if (corner.start) corner.start += row * corner.start_by_row + column;
        corner.rows = std::min(Format::row_tiles * kTileRows, product_.left.count - row);
        corner.columns = std::min(kColumnTiles * kTileRows, product_.right.count - column);
        return corner;
    }

    const LargeProduct& product_;
    const bool cuts_left_;
    const Lines &own_, &shared_;
    const int64_t unit_;       // own tiles that stay together
    const int64_t depth_;      // of a piece
    const int64_t at_a_time_;  // tiles that stay in the second cache
    const int threads_;
    std::vector<float> uneven_;  // the shared tiles that each thread packs
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
