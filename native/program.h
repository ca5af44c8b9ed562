// A loop as the machine runs it: instructions on tiles of rows x 16 units.
#pragma once

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace penstock {

// The order is that of penstock/engines/instructions.py.
enum class Op : int64_t {
    // reads: out <- tensor `i`, column `j`; a value of 1 takes one number for all units of a row.
    // A tiled tensor holds the tiles of a step one after another, each as its slots would.
    kToken, kTiled, kPrevious, kSequence, kVector, kState, kTemp, kConstant, kRowSum, kRowLargest,
    // products: slots out, out + 1, ... <- panel `i` times its operands
    kMultiply,
    // writes of slot a
    kStoreToken, kStoreTiled, kStoreState, kStoreTemp, kStoreRowSum, kStoreRowLargest, kAccumulate,
    // element-wise
    kSelect, kAdd, kSub, kMul, kDiv, kMaximum, kMinimum, kWins, kDsigmoid, kDtanh,
    kAddNumber, kMulNumber, kFromNumber, kAddVector, kMulVector,
    kNeg, kSigmoid, kTanh, kRelu, kExp, kLog, kSqrt, kAbs, kSin, kCos, kSquare, kSoftplus,
    kSoftsign, kHardSigmoid, kHardTanh, kLeakyRelu, kElu, kSilu, kGelu, kGeluSlope,
    kPositive, kSign,
    // row by row
    kAttend, kAttendBack,
    kCount
};

struct Instruction {
    Op op;
    int64_t out, a, b;  // slots
    int64_t i, j, k;    // tensors, columns, flags
    double value;
};

// The operand of a product: a state as the step began, or a value computed in it.
struct Operand {
    bool is_state;
    int64_t index;
};

// In what a panel's numbers are held: the machine's own type or, in float32, fewer bits. With kHalves
// the operands of products are in bfloat16 too, with kFixed both are whole numbers of 24 bits.
enum class Precision : int64_t { kFull, kBfloat16, kInt8, kHalves, kFixed };

constexpr int64_t kColumns = 16;  // of a panel in fewer bits, side by side

constexpr int64_t kWorthPacking = 200000;  // numbers that are worth several threads
// Depths that tile registers multiply together where operands are halves, or of whole numbers.
constexpr int64_t kBlock = 32, kFixedBlock = 64;

// A length filled up to whole blocks.
inline int64_t filled(int64_t length, int64_t block = kBlock) {
    return (length + block - 1) / block * block;
}

inline int64_t depths_of_word(Precision precision) { return precision == Precision::kInt8 ? 4 : 2; }

// One stretch of a panel: products of one operand, K numbers long.
struct Stretch {
    Operand operand;
    int64_t length;
};

// Matrices packed for the tiles of one result: `members` results side by side.
struct Panel {
    int64_t width, members;
    std::vector<Stretch> stretches;

    int64_t tiles() const { return (width + 15) / 16; }
    int64_t depth() const {
        int64_t sum = 0;
        for (const auto& stretch : stretches) sum += stretch.length;
        return sum;
    }
    int64_t size() const { return tiles() * depth() * members * 16; }
    // Of a row in whole blocks.
    int64_t filled_depth(int64_t block = kBlock) const {
        int64_t sum = 0;
        for (const auto& stretch : stretches) sum += filled(stretch.length, block);
        return sum;
    }

    // Words of 32 bits in which a precision holds it: for whole numbers, 16 scales before each 16
    // columns.
    int64_t words(Precision precision) const {
        const int64_t columns = tiles() * members * kColumns;
        if (precision == Precision::kHalves) return columns * filled_depth() / 2;
        if (precision == Precision::kFixed) return columns * (1 + filled_depth(kFixedBlock) * 3 / 4);
        const int64_t step = depths_of_word(precision);
        const int64_t scales = precision == Precision::kInt8;
        return columns * ((depth() + step - 1) / step + scales);
    }
};

// How a program looks at a source. Places are numbers of sequences, vectors, temps, and of outputs
// or, on the way back, tokens; -1: there is none.
struct Gaze {
    int64_t keys, values, vector, key_width, value_width;
    int64_t operand, result;  // temps: query and what is read, or their gradients the other way
    int64_t shares, d_shares, query;
};

struct Group {
    int64_t width;  // 0: not tile by tile, but row by row
    std::vector<Instruction> code;

    int64_t tiles() const { return (width + 15) / 16; }
    // Whether it adds up what rows give, which must be in their order.
    bool adds_up() const {
        return std::any_of(code.begin(), code.end(), [](const auto& i) { return i.op == Op::kAccumulate; });
    }
};

struct Program {
    std::vector<int64_t> states, temps, sums;  // widths
    int64_t row_numbers;                       // sums and maxima over rows
    int64_t slots;
    bool apart;  // no unit reads another: threads need not meet
    std::vector<Panel> panels;
    std::vector<std::vector<Group>> phases;
    Gaze gaze;

    // Of the widest group.
    int64_t tiles() const {
        int64_t most = 1;
        for (const auto& phase : phases) {
            for (const auto& group : phase) most = std::max(most, group.tiles());
        }
        return most;
    }
};

// Tensors of one run. Every pointer is to numbers of the machine's type.
template <class T>
struct Tensors {
    int64_t steps, batch;
    bool reverse;
    const int64_t* offsets;  // (steps + 1,) first token of each step, or none: all rows are real
    const int64_t* rows;     // (N,) the row of each token
    const bool* resets;      // (N,) or none
    int64_t source_steps;    // words of the longest source
    const int64_t* words;    // (sources,) words of each source, or none: all are as long
    const int64_t* source_rows;       // (batch,) the source of each row, or none: its own
    T *d_keys, *d_values, *d_vector;  // gradients to add to; the last (batch, key width)
    Precision precision;              // of the panels
    std::vector<const T*> tokens, sequences, vectors, panels, first;
    std::vector<int64_t> token_widths, output_widths;
    std::vector<T*> outputs, last, sums;
};

// Runs of one program and batch, one after another.
template <class T>
struct Runs {
    virtual ~Runs() = default;
    virtual void run(const Tensors<T>& tensors, int threads) = 0;
};

}  // namespace penstock
