// The most probable symbols of a softmax: its logits are looked at where they are made, a tile of
// symbols for a block of rows at a time, and never written to memory.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "isa.h"
#include "machine.h"

namespace penstock::PENSTOCK_ISA {

// What is known of some rows after some symbols: the exponentials' sum and the largest logits.
template <class T>
class Leaders {
  public:
    Leaders(int64_t rows, int64_t number)
        : number_(number),
          peak_(rows, std::numeric_limits<T>::lowest()),
          sums_(rows, Vec<T>{}),
          logits_(rows * number, -std::numeric_limits<T>::infinity()),
          symbols_(rows * number, 0) {}

    // Sixteen logits of each of some rows, those of `symbol` and the next.
    void see(int64_t first, int64_t count, const T* logits, int64_t symbol) {
        constexpr int W = Vector<T>::width;
        for (int64_t r = 0; r < count; ++r) {
            const T worst = logits_[(first + r + 1) * number_ - 1];
            auto leads = load(logits + r * kTile) > worst;
            for (int i = W; i < kTile; i += W) leads |= load(logits + r * kTile + i) > worst;
            if (!any(leads)) continue;
            for (int i = 0; i < kTile; ++i) insert(first + r, logits[r * kTile + i], symbol + i);
        }
        for (int64_t r = 0; r < count; ++r) {
            Vec<T> sum = sums_[first + r];
            for (int i = 0; i < kTile; i += W) {
                sum += exp(load(logits + r * kTile + i) - peak_[first + r]);
            }
            sums_[first + r] = sum;
        }
    }

    // Those of other symbols, which come after.
    void merge(const Leaders& other, int64_t row) {
        for (int64_t i = row * number_; i < (row + 1) * number_; ++i) {
            insert(row, other.logits_[i], other.symbols_[i]);
        }
        const T peak = std::max(peak_[row], other.peak_[row]);
        raise(row, peak);
        sums_[row] += other.sums_[row] * std::exp(other.peak_[row] - peak);
    }

    void give(int64_t row, T* log_p, int64_t* symbols) const {
        const T log_sum = peak_[row] + std::log(whole<T>(sums_[row]));
        for (int64_t i = 0; i < number_; ++i) {
            log_p[i] = logits_[row * number_ + i] - log_sum;
            symbols[i] = symbols_[row * number_ + i];
        }
    }

  private:
    template <class Mask>
    static bool any(Mask mask) {
        uint64_t words[sizeof(Mask) / 8], all = 0;
        std::memcpy(words, &mask, sizeof mask);
        for (uint64_t word : words) all |= word;
        return all != 0;
    }

    // Of equal logits the first comes first; NaN is no logit.
    void insert(int64_t row, T logit, int64_t symbol) {
        T* logits = &logits_[row * number_];
        int64_t* symbols = &symbols_[row * number_];
        if (!(logit > logits[number_ - 1])) return;
        int64_t place = number_ - 1;
        for (; place > 0 && logit > logits[place - 1]; --place) {
            logits[place] = logits[place - 1];
            symbols[place] = symbols[place - 1];
        }
        logits[place] = logit;
        symbols[place] = symbol;
        if (logit > peak_[row]) raise(row, logit);
    }

    void raise(int64_t row, T peak) {
        sums_[row] *= splat(std::exp(peak_[row] - peak));
        peak_[row] = peak;
    }

    int64_t number_;
    std::vector<T> peak_;        // the exponentials' sum is of logits without it
    std::vector<Vec<T>> sums_;
    std::vector<T> logits_;      // the largest first
    std::vector<int64_t> symbols_;
};

// Work is cut so that threads share it: many rows in chunks, the symbols for few rows in parts, each
// with its own leaders. The cut does not depend on the number of threads, so that the numbers do not.
template <class T>
class BestOf {
  public:
    explicit BestOf(const BestSymbols<T>& given)
        : given_(given),
          tiles_((given.symbols + kTile - 1) / kTile),
          parts_(given.rows > kChunk ? 1 : 4, Leaders<T>(given.rows, given.number)) {}

    void run(int threads) {
        const int64_t parts = parts_.size(), chunks = (given_.rows + kChunk - 1) / kChunk;
#pragma omp parallel for num_threads(threads) schedule(static)
        for (int64_t unit = 0; unit < parts * chunks; ++unit) {
            const int64_t part = unit / chunks, chunk = unit % chunks;
            look(parts_[part], tiles_ * part / parts, tiles_ * (part + 1) / parts,
                 given_.rows * chunk / chunks, given_.rows * (chunk + 1) / chunks);
        }
        for (int64_t row = 0; row < given_.rows; ++row) {
            for (int64_t part = 1; part < parts; ++part) parts_[0].merge(parts_[part], row);
            parts_[0].give(row, given_.log_p + row * given_.number, given_.found + row * given_.number);
        }
    }

  private:
    static constexpr int64_t kChunk = 4 * kRows, kCache = 131072 / sizeof(T);

    // Tiles go by in groups that stay in the second cache for all rows.
    void look(Leaders<T>& leaders, int64_t first, int64_t last, int64_t from, int64_t to) const {
        const int64_t group = std::max<int64_t>(1, kCache / (given_.depth * kTile));
        for (int64_t low = first; low < last; low += group) {
            for (int64_t row = from; row < to; row += kRows) {
                const int64_t count = std::min(kRows, to - row);
                for (int64_t tile = low; tile < std::min(low + group, last); ++tile) {
                    look_at_tile(leaders, tile, row, count);
                }
            }
        }
    }

    void look_at_tile(Leaders<T>& leaders, int64_t tile, int64_t row, int64_t count) const {
        alignas(64) T logits[kRows * kTile];
        const T* rows[kRows];
        for (int64_t r = 0; r < count; ++r) {
            rows[r] = given_.hidden + (row + r) * given_.depth;
            copy_tile(given_.bias + tile * kTile, logits + r * kTile);
        }
        constexpr int VECTORS = kTile / Vector<T>::width;
        multiply_block<T, VECTORS>(rows, count, given_.panel + tile * given_.depth * kTile,
                                   given_.depth, logits, 0, true);
        leaders.see(row, count, logits, tile * kTile);
    }

    const BestSymbols<T>& given_;
    const int64_t tiles_;
    std::vector<Leaders<T>> parts_;
};

// Threads that some operations are worth.
inline int worth(int64_t operations, int threads) {
    constexpr int64_t kOfThread = 200000;
    return static_cast<int>(std::clamp<int64_t>(operations / kOfThread, 1, threads));
}

// The rows of a softmax's matrix, (symbols, depth), as the columns of a panel: all, or those listed.
template <class T>
void pack_symbols(const T* matrix, const int64_t* listed, int64_t count, int64_t depth, T* out,
                  int threads) {
    const int64_t tiles = (count + kTile - 1) / kTile;
#pragma omp parallel for num_threads(worth(count * depth, threads)) schedule(static)
    for (int64_t tile = 0; tile < tiles; ++tile) {
        for (int64_t c = 0; c < kTile; ++c) {
            const int64_t column = tile * kTile + c;
            const int64_t symbol = listed && column < count ? listed[column] : column;
            T* to = out + tile * kTile * depth + c;
            for (int64_t d = 0; d < depth; ++d) {
                to[d * kTile] = column < count ? matrix[symbol * depth + d] : T(0);
            }
        }
    }
}

template <class T>
void best_symbols(const BestSymbols<T>& given, int threads) {
    BestOf<T>(given).run(worth(2 * given.rows * given.depth * given.symbols, threads));
}

// Rows of one list that follow each other are looked at together.
template <class T>
void best_listed(const ListedSymbols<T>& given, int threads) {
    const BestSymbols<T>& all = given.all;
    std::vector<int64_t> first;  // rows where another list begins, and the end
    int64_t work = 0;
    for (int64_t row = 0; row < all.rows; ++row) {
        const int64_t list = given.lists[row];
        if (row == 0 || list != given.lists[row - 1]) first.push_back(row);
        work += 2 * all.depth * (given.starts[list + 1] - given.starts[list]);
    }
    first.push_back(all.rows);
    const int64_t runs = first.size() - 1;
#pragma omp parallel for num_threads(worth(work, threads)) schedule(dynamic)
    for (int64_t run = 0; run < runs; ++run) {
        const int64_t row = first[run], column = given.starts[given.lists[row]];
        BestSymbols<T> own = all;
        own.rows = first[run + 1] - row;
        own.symbols = given.starts[given.lists[row] + 1] - column;
        own.hidden += row * all.depth;
        own.panel += column * all.depth;
        own.bias += column;
        own.log_p += row * all.number;
        own.found += row * all.number;
        BestOf<T>(own).run(1);
        for (int64_t i = 0; i < own.rows * all.number; ++i) {
            own.found[i] = given.symbols[column + own.found[i]];
        }
    }
}

}  // namespace penstock::PENSTOCK_ISA
