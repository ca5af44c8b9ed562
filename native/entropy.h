// The cross entropy of a softmax, and its gradient in place of the logits, while a row is in the cache.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "isa.h"
#include "vector.h"

namespace penstock::PENSTOCK_ISA {

// What a row of logits comes to: their largest, and of what they are less than it the sum, and the
// sum of the exponentials.
struct RowSums {
    float largest, sum, exponentials;
};

inline float largest_of(const float* row, int64_t size) {
    constexpr int W = Vector<float>::width;
    float found = row[0];
    int64_t i = 0;
    if (size >= W) {
        Vec<float> most = load(row);
        for (i = W; i + W <= size; i += W) most = larger(most, load(row + i));
        found = most[0];
        for (int lane = 1; lane < W; ++lane) found = larger_number(found, most[lane]);
    }
    for (; i < size; ++i) found = larger_number(found, row[i]);
    return found;
}

// Puts the exponentials in place of the logits where `keep`.
inline RowSums exponentials(float* row, int64_t size, bool keep) {
    constexpr int W = Vector<float>::width;
    const float largest = largest_of(row, size);
    Vec<float> sums = {}, totals = {};
    int64_t i = 0;
    for (; i + W <= size; i += W) {
        const Vec<float> less = load(row + i) - largest;
        const Vec<float> e = exp(less);
        sums += less;
        totals += e;
        if (keep) store(row + i, e);
    }
    float sum = whole<float>(sums), total = whole<float>(totals);
    for (; i < size; ++i) {
        const float less = row[i] - largest, e = std::exp(less);
        sum += less;
        total += e;
        if (keep) row[i] = e;
    }
    return {largest, sum, total};
}

inline void cross_entropy_of(float* row, const CrossEntropy& given, int64_t r) {
    const int64_t target = given.targets[r];
    if (target < 0) {
        given.losses[r] = 0;
        if (given.gradient) std::fill_n(row, given.symbols, 0.0f);
        return;
    }
    const float chosen = row[target], share = given.smoothing / static_cast<float>(given.symbols);
    const RowSums sums = exponentials(row, given.symbols, given.gradient);
    float reached = (1 - given.smoothing) * (chosen - sums.largest);
    if (given.smoothing > 0) reached += share * sums.sum;
    given.losses[r] = std::log(sums.exponentials) - reached;
    if (!given.gradient) return;
    const float scale = 1 / sums.exponentials;
    for (int64_t i = 0; i < given.symbols; ++i) row[i] = row[i] * scale - share;
    row[target] -= 1 - given.smoothing;
}

inline void cross_entropy(const CrossEntropy& given, int threads) {
    constexpr int64_t kWorth = 1 << 16;
    for (int64_t r = 0; r < given.rows; ++r) {
        if (given.targets[r] >= given.symbols) throw std::out_of_range("target is out of range");
    }
#pragma omp parallel for num_threads(threads) schedule(static) if (given.rows * given.symbols > kWorth)
    for (int64_t r = 0; r < given.rows; ++r) {
        cross_entropy_of(given.logits + r * given.symbols, given, r);
    }
}

}  // namespace penstock::PENSTOCK_ISA
