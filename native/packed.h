// Operands of large products, packed tile by tile of 16 lines.
#pragma once

#include "lines.h"
#include "tiles.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

constexpr int64_t kTileWords = kTileRows * kTileRows;

inline int64_t blocks_of(int64_t depth, int64_t block) { return (depth + block - 1) / block; }

// Tiles [first, last) of an operand.
struct Packed {
    uint32_t* words;  // of the first
    int64_t by_tile, first, last;

    uint32_t* operator[](int64_t tile) const { return words + (tile - first) * by_tile; }
};

// Where the product of some tiles goes, what it is added to, if anything, and how much of it there is.
struct Corner {
    float* out;
    int64_t by_row;
    const float* start;
    int64_t start_by_row, rows = 0, columns = 0;
};

// Calls `function(tile, block, depth)` for the tiles [first, last) and blocks of depths of [depth, end),
// in the order in which their numbers lie in memory; blocks are counted from the first.
template <bool ALONG_DEPTH, class Function>
void each_tile(int64_t first, int64_t last, int64_t depth, int64_t end, int64_t size, Function function) {
    const int64_t tiles = last - first, blocks = blocks_of(end - depth, size);
    for (int64_t i = 0; i < tiles * blocks; ++i) {
        const int64_t tile = first + (ALONG_DEPTH ? i / blocks : i % tiles);
        const int64_t block = ALONG_DEPTH ? i % blocks : i / tiles;
        function(tile, block, depth + block * size);
    }
}

#endif

}  // namespace penstock::PENSTOCK_ISA
