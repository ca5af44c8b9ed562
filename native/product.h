// Products of a few rows with packed panels: the inner loops of every cell.
#pragma once

#include <algorithm>

#include "program.h"
#include "vector.h"

namespace penstock::PENSTOCK_ISA {

constexpr int kAhead = 2048;   // bytes
constexpr int64_t kRows = 32;  // rows of a tile at most

// A panel is packed tile by tile; the 16 x members columns of a tile lie in chunks that fill the
// accumulators, each chunk as depth x columns.
template <class T>
constexpr int chunk_columns(int64_t members, int64_t chunk_start) {
    constexpr int widest = PENSTOCK_VECTOR_BYTES == 64 ? 4 * Vector<T>::width : kTile;
    const int64_t left = members * kTile - chunk_start;
    return static_cast<int>(std::min<int64_t>(left, std::max(widest, kTile)));
}

// Some units of a matrix as 16 columns, every depth `next` numbers after the one before.
template <class T>
void pack_columns(const T* from, int64_t units, int64_t depth, int64_t by_unit, int64_t by_depth,
                  int64_t next, T* out) {
    for (int64_t d = 0; d < depth; ++d, from += by_depth, out += next) {
        if (units < kTile) {
            std::fill_n(out, kTile, T(0));
            for (int64_t u = 0; u < units; ++u) out[u] = from[u * by_unit];
        } else if (by_unit == 1) {
            copy_tile(from, out);
        } else {
            for (int u = 0; u < kTile; ++u) out[u] = from[u * by_unit];
        }
    }
}

template <class T>
void pack(const T* const* members, int64_t count, int64_t width, int64_t depth, int64_t by_unit,
          int64_t by_depth, T* out) {
#pragma omp parallel for schedule(static) if (width * depth * count > kWorthPacking)
    for (int64_t unit = 0; unit < width; unit += kTile) {
        const int64_t units = std::min<int64_t>(kTile, width - unit);
        T* tile = out + unit * count * depth;
        for (int64_t start = 0; start < count * kTile;) {
            const int columns = chunk_columns<T>(count, start);
            for (int c = 0; c < columns; c += kTile) {
                const T* member = members[(start + c) / kTile] + unit * by_unit;
                pack_columns(member, units, depth, by_unit, by_depth, columns, tile + c);
            }
            start += columns;
            tile += depth * columns;
        }
    }
}

// rows[r][0..depth) x panel (depth x VECTORS vectors) -> out, row r at r * kTile, and every
// further 16 columns `slot` numbers on.
template <class T, int ROWS, int VECTORS>
void multiply(const T* const* rows, const T* panel, int64_t depth, T* out, int64_t slot, bool add) {
    constexpr int W = Vector<T>::width;
    constexpr int STEPS = ROWS * VECTORS <= 4 ? 4 : 1;  // independent sums hide the latency
    Vec<T> sums[STEPS][ROWS][VECTORS] = {};
    int64_t d = 0;
    for (; d + STEPS <= depth; d += STEPS) {
        for (int s = 0; s < STEPS; ++s) {
            if constexpr (ROWS == 1) {  // nothing but reading the panel takes time
                __builtin_prefetch(panel + (s * VECTORS) * W + kAhead / sizeof(T));
            }
            Vec<T> column[VECTORS];
            for (int v = 0; v < VECTORS; ++v) column[v] = load(panel + (s * VECTORS + v) * W);
            for (int r = 0; r < ROWS; ++r) {
                const Vec<T> x = splat(rows[r][d + s]);
                for (int v = 0; v < VECTORS; ++v) sums[s][r][v] += x * column[v];
            }
        }
        panel += STEPS * VECTORS * W;
    }
    for (; d < depth; ++d, panel += VECTORS * W) {
        for (int r = 0; r < ROWS; ++r) {
            const Vec<T> x = splat(rows[r][d]);
            for (int v = 0; v < VECTORS; ++v) sums[0][r][v] += x * load(panel + v * W);
        }
    }
    for (int r = 0; r < ROWS; ++r) {
        for (int v = 0; v < VECTORS; ++v) {
            Vec<T> sum = sums[0][r][v];
            for (int s = 1; s < STEPS; ++s) sum += sums[s][r][v];
            T* to = out + (v * W / kTile) * slot + r * kTile + v * W % kTile;
            store(to, add ? load(to) + sum : sum);
        }
    }
}

template <class T, int VECTORS, int ROWS>
void multiply_rows(const T* const* rows, int64_t count, const T* panel, int64_t depth, T* out,
                   int64_t slot, bool add) {
    if constexpr (ROWS > 0) {
        if (count == ROWS) return multiply<T, ROWS, VECTORS>(rows, panel, depth, out, slot, add);
        multiply_rows<T, VECTORS, ROWS - 1>(rows, count, panel, depth, out, slot, add);
    }
}

// All rows of a block with one chunk, as few and as equal groups of rows as the registers allow.
// The depth is cut so that a piece of the chunk stays in the first cache for all of them.
template <class T, int VECTORS>
void multiply_block(const T* const* rows, int64_t count, const T* panel, int64_t depth, T* out,
                    int64_t slot, bool add) {
    constexpr int MOST = std::max(1, std::min(12, PENSTOCK_ACCUMULATORS / VECTORS));
    constexpr int64_t PIECE = 16384 / (VECTORS * PENSTOCK_VECTOR_BYTES);
    constexpr int columns = VECTORS * Vector<T>::width;
    const int64_t groups = (count + MOST - 1) / MOST;
    const int64_t pieces = (depth + PIECE - 1) / PIECE;
    const T* from_column[MOST];
    for (int64_t piece = 0; piece < pieces; ++piece) {
        const int64_t low = depth * piece / pieces, high = depth * (piece + 1) / pieces;
        for (int64_t g = 0; g < groups; ++g) {
            const int64_t from = count * g / groups, to = count * (g + 1) / groups;
            for (int64_t r = from; r < to; ++r) from_column[r - from] = rows[r] + low;
            multiply_rows<T, VECTORS, MOST>(from_column, to - from, panel + low * columns,
                                            high - low, out + from * kTile, slot, add || piece > 0);
        }
    }
}

// The products of one tile: all members, one stretch of the depth.
template <class T>
void multiply_tile(const T* const* rows, int64_t count, const T* tile, int64_t members,
                   int64_t whole_depth, int64_t from, int64_t length, T* out, int64_t slot) {
    constexpr int W = Vector<T>::width;
    const T* chunk = tile;
    for (int64_t start = 0; start < members * kTile;) {
        const int columns = chunk_columns<T>(members, start);
        const T* panel = chunk + from * columns;
        T* to = out + start / kTile * slot;
        switch (columns / W) {
            case 1: multiply_block<T, 1>(rows, count, panel, length, to, slot, from > 0); break;
            case 2: multiply_block<T, 2>(rows, count, panel, length, to, slot, from > 0); break;
            case 3: multiply_block<T, 3>(rows, count, panel, length, to, slot, from > 0); break;
            case 4: multiply_block<T, 4>(rows, count, panel, length, to, slot, from > 0); break;
            case 8: multiply_block<T, 8>(rows, count, panel, length, to, slot, from > 0); break;
        }
        chunk += whole_depth * columns;
        start += columns;
    }
}

}  // namespace penstock::PENSTOCK_ISA
