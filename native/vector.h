// Vectors of the machine's width, and the functions of the language on them.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX512F__)
#include <immintrin.h>
#define PENSTOCK_VECTOR_BYTES 64
#define PENSTOCK_ACCUMULATORS 24
#elif defined(__AVX__)
#define PENSTOCK_VECTOR_BYTES 32
#define PENSTOCK_ACCUMULATORS 12
#else
#define PENSTOCK_VECTOR_BYTES 16
#define PENSTOCK_ACCUMULATORS 12
#endif

namespace penstock::PENSTOCK_ISA {

constexpr int kTile = 16;  // hidden units that are computed together

template <class T>
struct Vector {
    static constexpr int width = PENSTOCK_VECTOR_BYTES / sizeof(T);
    typedef T type __attribute__((vector_size(PENSTOCK_VECTOR_BYTES)));
};
template <class T>
using Vec = typename Vector<T>::type;
typedef int32_t Ints __attribute__((vector_size(PENSTOCK_VECTOR_BYTES)));

template <class T>
inline Vec<T> load(const T* from) {
    Vec<T> v;
    std::memcpy(&v, from, sizeof v);
    return v;
}

template <class T>
inline void store(T* to, Vec<T> v) {
    std::memcpy(to, &v, sizeof v);
}

// One row of a tile. Not std::copy, which becomes a call of memmove.
template <class T>
inline void copy_tile(const T* from, T* to) {
    for (int i = 0; i < kTile; i += Vector<T>::width) store(to + i, load(from + i));
}

// The same past the caches, into whole lines of theirs that are not read for long.
template <class T>
inline void stream_tile(const T* from, T* to) {
#if defined(__AVX512F__)
    if constexpr (std::is_same_v<T, float>) return _mm512_stream_ps(to, load(from));
#endif
    copy_tile(from, to);
}

template <class T>
inline Vec<T> splat(T x) {
    return x - Vec<T>{};  // not {} + x, which would turn -0 into 0 and cost an addition
}

// The sum of its numbers.
template <class T>
inline T whole(Vec<T> v) {
    T sum = v[0];
    for (int i = 1; i < Vector<T>::width; ++i) sum += v[i];
    return sum;
}

// float: polynomials after S. Moshier's Cephes library; the bounds are tested against float64.

inline Vec<float> exp(Vec<float> x) {
    const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
    Vec<float> z = x > 89.0f ? splat(89.0f) : x;
    z = z < -104.0f ? splat(-104.0f) : z;
    const Vec<float> shifted = z * 1.44269504088896341f + magic;
    const Vec<float> whole = shifted - magic;
    Vec<float> r = z - whole * 0.693359375f;
    r = r + whole * 2.12194440e-4f;
    Vec<float> p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r + 1.0f;
#if defined(__AVX512F__)
    return _mm512_scalef_ps(p, whole);
#else
    // 2^n in two factors: n reaches beyond the exponents of a float at both ends.
    const Ints n = (Ints)shifted - (Ints)splat(magic);
    const Ints half = n >> 1;
    const Vec<float> first = (Vec<float>)((half + 127) << 23);
    const Vec<float> second = (Vec<float>)((n - half + 127) << 23);
    return p * first * second;
#endif
}

// 1 / x for 1 <= x <= 2.
inline Vec<float> reciprocal(Vec<float> x) {
#if defined(__AVX512F__)
    const Vec<float> y = _mm512_rcp14_ps(x);
    return y + y * (1.0f - x * y);
#else
    return 1.0f / x;
#endif
}

inline Vec<float> sigmoid(Vec<float> x) {
    const Vec<float> e = exp(x < 0.0f ? x : -x), y = reciprocal(1.0f + e);
    return x < 0.0f ? e * y : y;
}

inline Vec<float> tanh(Vec<float> x) {
    const Vec<float> size = x < 0.0f ? -x : x;
    const Vec<float> e = exp(-2.0f * size), far = (1.0f - e) * reciprocal(1.0f + e);
    const Vec<float> z = x * x;
    Vec<float> p = z * -5.70498872745e-3f + 2.06390887954e-2f;
    p = p * z - 5.37397155531e-2f;
    p = p * z + 1.33314422036e-1f;
    p = p * z - 3.33332819422e-1f;
    const Vec<float> near = p * z * x + x;
    return size < 0.625f ? near : (x < 0.0f ? -far : far);
}

// double: the C library, element by element; this path is for tests and small work.

#define PENSTOCK_BY_ELEMENT(T, name, expression)                 \
    inline Vec<T> name(Vec<T> v) {                               \
        for (int i = 0; i < Vector<T>::width; ++i) {             \
            const T x = v[i];                                    \
            v[i] = expression;                                   \
        }                                                        \
        return v;                                                \
    }
#define PENSTOCK_BOTH(name, expression)           \
    PENSTOCK_BY_ELEMENT(float, name, expression)  \
    PENSTOCK_BY_ELEMENT(double, name, expression)

PENSTOCK_BY_ELEMENT(double, exp, std::exp(x))
PENSTOCK_BY_ELEMENT(double, sigmoid, 1 / (1 + std::exp(-x)))
PENSTOCK_BY_ELEMENT(double, tanh, std::tanh(x))
PENSTOCK_BOTH(log, std::log(x))
PENSTOCK_BOTH(log1p, std::log1p(x))
PENSTOCK_BOTH(expm1, std::expm1(x))
PENSTOCK_BOTH(sqrt, std::sqrt(x))
PENSTOCK_BOTH(sin, std::sin(x))
PENSTOCK_BOTH(cos, std::cos(x))
PENSTOCK_BOTH(erf, std::erf(x))
#undef PENSTOCK_BOTH
#undef PENSTOCK_BY_ELEMENT

// What follows keeps NaN: a comparison with it is false, and the operand itself is taken then.

template <class V>
inline V absolute(V x) {
    return x < 0 ? -x : x;
}

template <class T>
inline T larger_number(T a, T b) {
    return a != a || a > b ? a : b;
}

template <class V>
inline V relu(V x) {
    return x < 0 ? V{} : x;
}

template <class V>
inline V larger(V a, V b) {
    const V most = a > b ? a : b;
    return a != a ? a : most;
}

template <class V>
inline V smaller(V a, V b) {
    const V least = a < b ? a : b;
    return a != a ? a : least;
}

template <class V>
using Element = std::decay_t<decltype(V{}[0])>;

template <class V>
inline V between(V x, Element<V> low, Element<V> high) {
    const V lifted = x < low ? V{} + low : x;
    return lifted > high ? V{} + high : lifted;
}

template <class V>
inline V softplus(V x) {
    return relu(x) + log1p(exp(-absolute(x)));
}

template <class V>
inline V normal_share(V x) {  // of the standard normal distribution below x
    return (1 + erf(x * Element<V>(0.70710678118654752))) / 2;
}

template <class V>
inline V gelu_slope(V x) {
    return normal_share(x) + x * exp(x * x / -2) * Element<V>(0.39894228040143268);
}

}  // namespace penstock::PENSTOCK_ISA
