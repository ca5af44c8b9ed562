// Groups of lines of a large product's operands: two tiles each.
#pragma once

#include "lines.h"
#include "tiles.h"

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

constexpr int64_t kGroupLines = 2 * kTileRows;
constexpr int64_t kTileWords = kTileRows * kTileRows;

inline int64_t blocks_of(int64_t depth, int64_t block) { return (depth + block - 1) / block; }

// Calls `function(tile, line, block, depth)` for the tiles of groups [from, to) and blocks of depths
// of [depth, end), in the order in which their numbers lie in memory; tiles and blocks are counted
// from the first.
template <bool ALONG_DEPTH, class Function>
void each_tile(const Lines& lines, int64_t from, int64_t to, int64_t depth, int64_t end, int64_t size,
               Function function) {
    const int64_t groups = to - from, blocks = blocks_of(end - depth, size);
    for (int64_t i = 0; i < groups * blocks; ++i) {
        const int64_t group = ALONG_DEPTH ? i / blocks : i % groups;
        const int64_t block = ALONG_DEPTH ? i % blocks : i / groups;
        const int64_t line = (from + group) * kGroupLines, d = depth + block * size;
        function(2 * group, line, block, d);
        if (line + kTileRows < lines.count) function(2 * group + 1, line + kTileRows, block, d);
    }
}

#endif

}  // namespace penstock::PENSTOCK_ISA
