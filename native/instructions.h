// What each instruction does to a tile: rows x 16 numbers, one row after another.
#pragma once

#include "machine.h"

namespace penstock::PENSTOCK_ISA {

template <class T>
void Run<T>::execute(const Group& group, const Place& place) {
    for (const auto& instruction : group.code) {
        if (instruction.op == Op::kMultiply) {
            multiply(instruction, place);
        } else if (instruction.op > Op::kSelect && instruction.op != Op::kAddVector &&
                   instruction.op != Op::kMulVector) {
            T* out = place.slots + instruction.out * slot_size();
            const T* a = place.slots + instruction.a * slot_size();
            compute(instruction, place.size(), out, a, place.slots + instruction.b * slot_size());
        } else {
            for (int64_t t = 0; t < place.tiles; ++t) on_tile(instruction, place.only(t));
        }
    }
}

// What depends on the units or rows of a tile.
template <class T>
void Run<T>::on_tile(const Instruction& instruction, const Place& place) {
    T* out = place.slots + instruction.out * slot_size();
    const T* a = place.slots + instruction.a * slot_size();
    if (instruction.op < Op::kMultiply) {
        read(instruction, place, out);
    } else if (instruction.op < Op::kSelect) {
        write(instruction, place, a);
    } else if (instruction.op == Op::kSelect) {
        const T* b = place.slots + instruction.b * slot_size();
        for (int64_t r = 0; r < place.count; ++r) {
            const T* from = tensors_->resets && tensors_->resets[place.token + r] ? a : b;
            copy_tile(from + r * kTile, out + r * kTile);
        }
    } else {
        with_vector(instruction, place, out, a);
    }
}

template <class T>
void Run<T>::multiply(const Instruction& instruction, const Place& place) {
    const Panel& panel = program_.panels[instruction.i];
    const int64_t depth = panel.depth(), per_tile = depth * panel.members * kTile;
    const T* data = tensors_->panels[instruction.i];
    T* out = place.slots + instruction.out * slot_size();
    if (tensors_->precision >= Precision::kHalves) return multiply_tiles(instruction, place, out);
    const T* rows[kRows];
    int64_t from = 0;
    for (const auto& [operand, length] : panel.stretches) {
        const Rows<T>& of_operand = values(operand, place.swapped);
        for (int64_t r = 0; r < place.count; ++r) rows[r] = of_operand.row(place.rows[r]);
        if (tensors_->precision != Precision::kFull) {
            return multiply_reduced(rows, panel, data, place, out);
        }
        for (int64_t t = 0; t < place.tiles; ++t) {
            multiply_tile(rows, place.count, data + (place.tile + t) * per_tile, panel.members,
                          depth, from, length, out + t * place.count * kTile, slot_size());
        }
        from += length;
    }
}

// With operands as tile registers take them.
template <class T>
void Run<T>::multiply_tiles(const Instruction& instruction, const Place& place, T* out) {
    if constexpr (std::is_same_v<T, float>) {
        const Panel& panel = program_.panels[instruction.i];
        const int64_t per_tile = panel.words(tensors_->precision) / panel.tiles();
        const auto* words = reinterpret_cast<const uint32_t*>(tensors_->panels[instruction.i]);
        operands_[place.thread][instruction.i]->multiply(
            *registers_[place.thread], place.token - place.first, place.count,
            words + place.tile * per_tile, place.tiles, out, slot_size());
    }
}

// A panel in fewer bits has one stretch.
template <class T>
void Run<T>::multiply_reduced(const T* const* rows, const Panel& panel, const T* data,
                              const Place& place, T* out) {
    if constexpr (std::is_same_v<T, float>) {
        const Precision precision = tensors_->precision;
        const int64_t words = panel.words(precision) / panel.tiles() * place.tile;
        const int32_t* from = reinterpret_cast<const int32_t*>(data) + words;
        const auto function =
            precision == Precision::kInt8 ? multiply_words<Int8> : multiply_words<Bfloat16>;
        function(rows, place.count, from, place.tiles, panel.members, panel.depth(), out, slot_size());
    }
}

// One row of a tile from memory: all its units, or one number for all of them.
template <class T>
inline void take(const T* from, bool one, int units, T* out) {
    if (one) {
        for (int i = 0; i < kTile; i += Vector<T>::width) store(out + i, splat(*from));
    } else if (units == kTile) {
        copy_tile(from, out);
    } else {
        std::fill(std::copy_n(from, units, out), out + kTile, T(0));
    }
}

// The same from a large tensor: what is `ahead` will be wanted soon.
template <class T>
inline void take_ahead(const T* from, int64_t ahead, bool one, int units, T* out) {
    __builtin_prefetch(from + ahead, 0, 2);
    take(from, one, units, out);
}

template <class T>
void Run<T>::read(const Instruction& in, const Place& place, T* out) {
    if (in.op == Op::kTiled) {
        const T* from = tensors_->tokens[in.i] + tiled(place, tensors_->token_widths[in.i]);
        for (int64_t r = 0; r < place.count; ++r) {
            take_ahead(from + r * kTile, place.ahead * place.all, false, kTile, out + r * kTile);
        }
        return;
    }
    const bool one = in.value != 0;
    const int64_t u = one ? 0 : place.tile * kTile;
    for (int64_t r = 0; r < place.count; ++r, out += kTile) {
        const int64_t b = place.rows[r];
        switch (in.op) {
            case Op::kToken:
                take_ahead(tensors_->tokens[in.i] + (place.token + r) * tensors_->token_widths[in.i] +
                               in.j + u,
                           place.ahead, one, place.units(), out);
                break;
            case Op::kPrevious:
                take_ahead(before(in, place, r) + u, place.ahead, one, place.units(), out);
                break;
            case Op::kSequence:
                take(tensors_->sequences[in.i] + source(b) * in.j + u, one, place.units(), out);
                break;
            case Op::kVector:
                take(tensors_->vectors[in.i] + u, one, place.units(), out);
                break;
            case Op::kState:
                take((place.swapped ? next_ : now_)[in.i].row(b) + u, one, kTile, out);
                break;
            case Op::kTemp:
                take(temps_[in.i].row(b) + in.j + u, one, in.k ? place.units() : kTile, out);
                break;
            case Op::kConstant:
                std::fill_n(out, kTile, T(in.value));
                break;
            default:
                reduce(in, b, out);
        }
    }
}

// The parts that the tiles of a row have left, in their order.
template <class T>
void Run<T>::reduce(const Instruction& in, int64_t b, T* out) {
    const T* parts = numbers_[in.i].row(b);
    T whole = parts[0];
    for (int64_t tile = 1; tile < in.j; ++tile) {
        whole = in.op == Op::kRowSum ? whole + parts[tile] : larger_number(whole, parts[tile]);
    }
    std::fill_n(out, kTile, whole);
}

template <class T>
void Run<T>::write(const Instruction& in, const Place& place, const T* a) {
    if (in.op == Op::kStoreTiled) {
        T* to = tensors_->outputs[in.i] + tiled(place, tensors_->output_widths[in.i]);
        for (int64_t r = 0; r < place.count; ++r) stream_tile(a + r * kTile, to + r * kTile);
        return;
    }
    const int64_t u = place.tile * kTile;
    for (int64_t r = 0; r < place.count; ++r, a += kTile) {
        const int64_t b = place.rows[r];
        switch (in.op) {
            case Op::kStoreToken: {
                T* to = tensors_->outputs[in.i] + (place.token + r) * tensors_->output_widths[in.i] + in.j + u;
                __builtin_prefetch(to + place.ahead, 1);
                if (place.units() == kTile) {
                    copy_tile(a, to);
                } else {
                    std::copy_n(a, place.units(), to);
                }
                break;
            }
            case Op::kStoreState:
                copy_tile(a, (place.swapped ? now_ : next_)[in.i].row(b) + u);
                break;
            case Op::kStoreTemp:
                copy_tile(a, temps_[in.i].row(b) + u);
                break;
            case Op::kAccumulate: {
                T* sum = sums_[in.i].row(part_of_[b]) + u;
                for (int c = 0; c < kTile; c += Vector<T>::width) {
                    store(sum + c, load(sum + c) + load(a + c));
                }
                break;
            }
            default: {
                T whole = a[0];
                for (int c = 1; c < place.units(); ++c) {
                    whole = in.op == Op::kStoreRowSum ? whole + a[c] : larger_number(whole, a[c]);
                }
                numbers_[in.i].row(b)[place.tile] = whole;
            }
        }
    }
}

template <class T>
void Run<T>::with_vector(const Instruction& in, const Place& place, T* out, const T* a) {
    alignas(64) T vector[kTile];
    take(tensors_->vectors[in.i] + (in.value != 0 ? 0 : place.tile * kTile), in.value != 0,
         place.units(), vector);
    for (int c = 0; c < kTile; c += Vector<T>::width) {
        const Vec<T> v = load(vector + c);
        for (int64_t i = c; i < place.size(); i += kTile) {
            store(out + i, in.op == Op::kAddVector ? load(a + i) + v : load(a + i) * v);
        }
    }
}

template <class T, class Function>
inline void each(int64_t size, T* out, const T* a, Function function) {
    for (int64_t i = 0; i < size; i += Vector<T>::width) store(out + i, function(load(a + i)));
}

template <class T, class Function>
inline void each(int64_t size, T* out, const T* a, const T* b, Function function) {
    for (int64_t i = 0; i < size; i += Vector<T>::width) {
        store(out + i, function(load(a + i), load(b + i)));
    }
}

template <class T>
void Run<T>::compute(const Instruction& in, int64_t size, T* out, const T* a, const T* b) {
    using V = Vec<T>;
    const T c = T(in.value);
    const V none{}, one = splat(T(1)), half = splat(T(0.5));
    switch (in.op) {
        case Op::kAdd: return each(size, out, a, b, [](V x, V y) { return x + y; });
        case Op::kSub: return each(size, out, a, b, [](V x, V y) { return x - y; });
        case Op::kMul: return each(size, out, a, b, [](V x, V y) { return x * y; });
        case Op::kDiv: return each(size, out, a, b, [](V x, V y) { return x / y; });
        case Op::kMaximum: return each(size, out, a, b, [](V x, V y) { return larger(x, y); });
        case Op::kMinimum: return each(size, out, a, b, [](V x, V y) { return smaller(x, y); });
        case Op::kWins:
            return each(size, out, a, b, [=](V x, V y) { return x > y ? one : (x == y ? half : none); });
        case Op::kDsigmoid: return each(size, out, a, b, [](V dy, V y) { return dy * y * (1 - y); });
        case Op::kDtanh: return each(size, out, a, b, [](V dy, V y) { return dy * (1 - y * y); });
        case Op::kAddNumber: return each(size, out, a, [=](V x) { return x + c; });
        case Op::kMulNumber: return each(size, out, a, [=](V x) { return x * c; });
        case Op::kFromNumber: return each(size, out, a, [=](V x) { return c - x; });
        case Op::kNeg: return each(size, out, a, [](V x) { return -x; });
        case Op::kSigmoid: return each(size, out, a, [](V x) { return sigmoid(x); });
        case Op::kTanh: return each(size, out, a, [](V x) { return tanh(x); });
        case Op::kRelu: return each(size, out, a, [](V x) { return relu(x); });
        case Op::kExp: return each(size, out, a, [](V x) { return exp(x); });
        case Op::kLog: return each(size, out, a, [](V x) { return log(x); });
        case Op::kSqrt: return each(size, out, a, [](V x) { return sqrt(x); });
        case Op::kAbs: return each(size, out, a, [](V x) { return absolute(x); });
        case Op::kSin: return each(size, out, a, [](V x) { return sin(x); });
        case Op::kCos: return each(size, out, a, [](V x) { return cos(x); });
        case Op::kSquare: return each(size, out, a, [](V x) { return x * x; });
        case Op::kSoftplus: return each(size, out, a, [](V x) { return softplus(x); });
        case Op::kSoftsign: return each(size, out, a, [](V x) { return x / (1 + absolute(x)); });
        case Op::kHardSigmoid:
            return each(size, out, a, [](V x) { return between(x + 3, T(0), T(6)) / 6; });
        case Op::kHardTanh: return each(size, out, a, [](V x) { return between(x, T(-1), T(1)); });
        case Op::kLeakyRelu: return each(size, out, a, [](V x) { return x < 0 ? x * T(0.01) : x; });
        case Op::kElu: return each(size, out, a, [](V x) { return x > 0 ? x : expm1(x); });
        case Op::kSilu: return each(size, out, a, [](V x) { return x * sigmoid(x); });
        case Op::kGelu: return each(size, out, a, [](V x) { return x * normal_share(x); });
        case Op::kGeluSlope: return each(size, out, a, [](V x) { return gelu_slope(x); });
        case Op::kPositive: return each(size, out, a, [=](V x) { return x > 0 ? one : none; });
        case Op::kSign:
            return each(size, out, a, [=](V x) { return x > 0 ? one : (x < 0 ? -one : none); });
        default: return;
    }
}

}  // namespace penstock::PENSTOCK_ISA
