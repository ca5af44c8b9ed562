// Left operands of products as tile registers take them.
#pragma once

#include "program.h"
#include "tiles.h"

namespace penstock::PENSTOCK_ISA {

class TileRows {
  public:
    virtual ~TileRows() = default;
    // A row whose stretches begin here.
    virtual void take(int64_t row, const float* const* stretches) = 0;
    // Rows [first, first + count) x some tiles of the panel -> out, tile by tile, row r of each at
    // r * 16, and every further member `slot` numbers on.
    virtual void multiply(TileRegisters& registers, int64_t first, int64_t count, const uint32_t* words,
                          int64_t tiles, float* out, int64_t slot) const = 0;
};

}  // namespace penstock::PENSTOCK_ISA
