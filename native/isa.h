// What every instruction set offers.
#pragma once

#include <memory>

#include "program.h"

namespace penstock {

// Which symbols a softmax finds most probable; rows are one behind the other.
template <class T>
struct BestSymbols {
    int64_t rows, depth, symbols, number;
    const T* hidden;  // rows x depth
    const T* panel;   // the softmax's matrix, packed as one member
    const T* bias;    // padded to whole tiles with -infinity
    T* log_p;         // rows x number, the largest first
    int64_t* found;   // rows x number
};

// The same where each row has symbols of its own, a list of them: the columns of the lists stand one
// behind the other in the panel, each list in whole tiles.
template <class T>
struct ListedSymbols {
    BestSymbols<T> all;      // `symbols` counts the columns
    const int64_t* lists;    // of each row, its list
    const int64_t* starts;   // the first column of each list, and the end of the last
    const int64_t* symbols;  // of each column
};

template <class T>
struct Functions {
    // The program must outlive what is made of it.
    std::unique_ptr<Runs<T>> (*prepare)(const Program&, int64_t batch);
    void (*best)(const BestSymbols<T>&, int threads);
    void (*best_listed)(const ListedSymbols<T>&, int threads);
    void (*pack_symbols)(const T* matrix, const int64_t* listed, int64_t count, int64_t depth, T* out,
                         int threads);
    // Members of a panel, unit and depth strides of each, into `out`.
    void (*pack)(const T* const* members, int64_t count, int64_t width, int64_t depth,
                 int64_t by_unit, int64_t by_depth, T* out);
};

// The lines of a product's operand: rows of the left one, columns of the right one. Their numbers, or
// else the lines themselves, lie side by side.
struct Lines {
    const float* data;
    int64_t count, depth, by_line, by_depth;
};

// left (rows, depth) x right (depth, columns), added to `start` where there is one.
struct LargeProduct {
    Lines left, right;
    const float* start;
    int64_t start_by_row;  // 0 if all rows begin with the same numbers
    float* out;
    int64_t by_row;
    enum Way : int { kWhole, kExact, kRounded } way;  // whole numbers, pieces, operands in bfloat16
};

// Rows of logits of a softmax over symbols, one behind the other.
struct CrossEntropy {
    int64_t rows, symbols;
    float* logits;           // become the gradient by them, if `gradient`
    const int64_t* targets;  // of each row; less than 0: the row does not count
    float smoothing;         // share of a target's probability that is spread over all symbols
    bool gradient;
    float* losses;  // of each row
};

struct Table {
    bool (*has_tiles)();  // registers for products in bfloat16
    // With tiles only. False if there was NaN, or infinity, whose products are NaN then.
    bool (*multiply_large)(const LargeProduct&, int threads);
    // Whether a program's products of float32, of so many rows, are faster in whole numbers.
    bool (*prefers_fixed)(const Program&, int64_t rows);
    // A panel of these, as `Functions::pack` makes one. False if they do not stand for its own.
    bool (*pack_fixed)(const Panel&, const float* const* members, int64_t by_unit, int64_t by_depth,
                       uint32_t* out);
    void (*cross_entropy)(const CrossEntropy&, int threads);
    Functions<float> of_float;
    Functions<double> of_double;
};

}  // namespace penstock
