// The registers in which a processor multiplies tiles of bfloat16 and of int8.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#if defined(__AVX512F__) && defined(__x86_64__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define PENSTOCK_HAS_TILES 1
#define PENSTOCK_TILES __attribute__((target("amx-tile,amx-bf16,amx-int8")))
#endif

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

constexpr int64_t kTileRows = 16;  // of a register

// The tile registers of a thread, from its first use of them to its end.
class TileRegisters {
  public:
    TileRegisters() = default;
    TileRegisters(const TileRegisters&) = delete;
    __attribute__((target("amx-tile"))) ~TileRegisters() {
        if (rows_[0] > 0) _tile_release();
    }

    static bool exist() {
        static const bool found = ask_for_them();
        return found;
    }

    using Shape = std::array<uint8_t, 8>;  // rows of each register

    static constexpr Shape full() {
        constexpr uint8_t all = kTileRows;
        return {all, all, all, all, all, all, all, all};
    }

    __attribute__((target("amx-tile"))) void shape(const Shape& rows) {
        if (rows == rows_) return;
        rows_ = rows;
        struct alignas(64) {
            uint8_t palette = 1, start_row = 0, reserved[14] = {};
            uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            uint8_t rows[16] = {};
        } shapes;
        std::copy(rows.begin(), rows.end(), shapes.rows);
        asm volatile("" ::: "memory");  // the shapes are written before they are read
        _tile_loadconfig(&shapes);
    }

  private:
    static bool ask_for_them() {
        constexpr long kAsk = 0x1023, kNumbers = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
        uint32_t a, b, c, d;
        asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
        const bool has = (d >> 22 & 1) && (d >> 24 & 3) == 3;  // AMX-BF16, AMX-TILE, AMX-INT8
        return has && syscall(SYS_arch_prctl, kAsk, kNumbers) == 0;
    }

    Shape rows_{};
};

#else  // no such units: the program is not asked for

struct TileRegisters {
    static bool exist() { return false; }
};

#endif

}  // namespace penstock::PENSTOCK_ISA
