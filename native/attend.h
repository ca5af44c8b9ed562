// Looking at a source, a row at a time: shares of its words, what is read of it, and the way back.
#pragma once

#include "machine.h"

namespace penstock::PENSTOCK_ISA {

template <class T>
inline Vec<T> load_some(const T* from, int64_t count) {
    Vec<T> v{};
    if (count >= Vector<T>::width) return load(from);
    std::memcpy(&v, from, sizeof(T) * count);
    return v;
}

template <class T>
inline void store_some(T* to, Vec<T> v, int64_t count) {
    std::memcpy(to, &v, sizeof(T) * std::min<int64_t>(count, Vector<T>::width));
}

// The places of a row in turn, a vector at a time: `function(place, numbers left)`.
template <class T, class Function>
inline void along(int64_t width, Function function) {
    for (int64_t i = 0; i < width; i += Vector<T>::width) function(i, width - i);
}

template <class T>
inline T dot(const T* a, const T* b, int64_t width) {
    Vec<T> sum{};
    along<T>(width, [&](int64_t i, int64_t left) {
        sum += load_some(a + i, left) * load_some(b + i, left);
    });
    return whole<T>(sum);
}

// to += scale * from
template <class T>
inline void add_scaled(T* to, T scale, const T* from, int64_t width) {
    along<T>(width, [&](int64_t i, int64_t left) {
        store_some(to + i, load_some(to + i, left) + scale * load_some(from + i, left), left);
    });
}

// Energies become shares.
template <class T>
inline void soften(T* energies, int64_t count) {
    if (count == 0) return;
    T most = energies[0], sum = 0;
    for (int64_t s = 1; s < count; ++s) most = larger_number(most, energies[s]);
    for (int64_t s = 0; s < count; ++s) sum += energies[s] = std::exp(energies[s] - most);
    for (int64_t s = 0; s < count; ++s) energies[s] /= sum;
}

// Token n of row b reads the source.
template <class T>
void Run<T>::attend(int64_t n, int64_t b) {
    const Gaze& gaze = program_.gaze;
    const int64_t count = words(b), all = tensors_->source_steps;
    const int64_t A = gaze.key_width, M = gaze.value_width;
    const T* query = temps_[gaze.operand].row(b);
    const T* keys = tensors_->sequences[gaze.keys] + source(b) * all * A;
    const T* values = tensors_->sequences[gaze.values] + source(b) * all * M;
    const T* v = gaze.vector < 0 ? nullptr : tensors_->vectors[gaze.vector];
    T* shares = tensors_->outputs[gaze.shares] + n * all;
    for (int64_t s = 0; s < count; ++s) {
        const T* key = keys + s * A;
        if (!v) {
            shares[s] = dot(query, key, A);
            continue;
        }
        Vec<T> sum{};
        along<T>(A, [&](int64_t i, int64_t left) {
            sum += load_some(v + i, left) * tanh(load_some(query + i, left) + load_some(key + i, left));
        });
        shares[s] = whole<T>(sum);
    }
    soften(shares, count);
    std::fill(shares + count, shares + all, T(0));
    T* read = temps_[gaze.result].row(b);
    std::fill_n(read, temps_[gaze.result].stride, T(0));
    for (int64_t s = 0; s < count; ++s) add_scaled(read, shares[s], values + s * M, M);
}

// The gradient of what token n of row b read becomes that of its query; those of keys, values and
// vector grow.
template <class T>
void Run<T>::attend_back(int64_t n, int64_t b, T* slopes) {
    const Gaze& gaze = program_.gaze;
    const int64_t count = words(b), all = tensors_->source_steps;
    const int64_t A = gaze.key_width, M = gaze.value_width;
    const T* d_read = temps_[gaze.operand].row(b);
    T* d_query = temps_[gaze.result].row(b);
    const T* shares = tensors_->tokens[gaze.shares] + n * all;
    const T* d_shares = tensors_->tokens[gaze.d_shares] + n * all;
    const T* query = tensors_->tokens[gaze.query] + n * A;
    const T* keys = tensors_->sequences[gaze.keys] + b * all * A;
    const T* values = tensors_->sequences[gaze.values] + b * all * M;
    T* d_keys = tensors_->d_keys + b * all * A;
    T* d_values = tensors_->d_values + b * all * M;
    const T* v = gaze.vector < 0 ? nullptr : tensors_->vectors[gaze.vector];
    T* d_v = v ? tensors_->d_vector + b * A : nullptr;

    T mean = 0;
    for (int64_t s = 0; s < count; ++s) {
        slopes[s] = d_shares[s] + dot(d_read, values + s * M, M);
        mean += shares[s] * slopes[s];
        add_scaled(d_values + s * M, shares[s], d_read, M);
    }
    std::fill_n(d_query, temps_[gaze.result].stride, T(0));
    for (int64_t s = 0; s < count; ++s) {
        const T slope = shares[s] * (slopes[s] - mean);
        const T* key = keys + s * A;
        T* d_key = d_keys + s * A;
        if (!v) {
            add_scaled(d_query, slope, key, A);
            add_scaled(d_key, slope, query, A);
            continue;
        }
        along<T>(A, [&](int64_t i, int64_t left) {
            const Vec<T> t = tanh(load_some(query + i, left) + load_some(key + i, left));
            const Vec<T> part = slope * load_some(v + i, left) * (1 - t * t);
            store_some(d_query + i, load_some(d_query + i, left) + part, left);
            store_some(d_key + i, load_some(d_key + i, left) + part, left);
            store_some(d_v + i, load_some(d_v + i, left) + slope * t, left);
        });
    }
}

}  // namespace penstock::PENSTOCK_ISA
