// The registers in which a processor multiplies tiles of bfloat16.
#pragma once

#include <cstdint>

#if defined(__AVX512F__) && defined(__x86_64__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define PENSTOCK_HAS_TILES 1
#define PENSTOCK_TILES __attribute__((target("amx-tile,amx-bf16")))
#endif

namespace penstock::PENSTOCK_ISA {

#ifdef PENSTOCK_HAS_TILES

constexpr int64_t kTileRows = 16;  // of a register

// The tile registers of a thread, from its first use of them to its end: 0 to 3 hold sums, 4 and 5
// rows of one operand, 6 and 7 columns of the other.
class TileRegisters {
  public:
    TileRegisters() = default;
    TileRegisters(const TileRegisters&) = delete;
    __attribute__((target("amx-tile"))) ~TileRegisters() {
        if (first_ > 0) _tile_release();
    }

    static bool exist() {
        static const bool found = ask_for_them();
        return found;
    }

    // Rows of 0, 1 and 4, and of 2, 3 and 5; no `second` means the same.
    __attribute__((target("amx-tile"))) void shape(int64_t first, int64_t second) {
        if (first == first_ && second == second_) return;
        first_ = first;
        second_ = second;
        struct alignas(64) {
            uint8_t palette = 1, start_row = 0, reserved[14] = {};
            uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            uint8_t rows[16] = {};
        } shapes;
        const int64_t other = second ? second : first;
        const int64_t rows[] = {first, first, other, other, first, other, kTileRows, kTileRows};
        for (int i = 0; i < 8; ++i) shapes.rows[i] = static_cast<uint8_t>(rows[i]);
        asm volatile("" ::: "memory");  // the shapes are written before they are read
        _tile_loadconfig(&shapes);
    }

  private:
    static bool ask_for_them() {
        constexpr long kAsk = 0x1023, kNumbers = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
        uint32_t a, b, c, d;
        asm volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
        const bool has = (d >> 22 & 1) && (d >> 24 & 1);  // AMX-BF16, AMX-TILE
        return has && syscall(SYS_arch_prctl, kAsk, kNumbers) == 0;
    }

    int64_t first_ = 0, second_ = 0;
};

#else  // no such units: the program is not asked for

struct TileRegisters {
    static bool exist() { return false; }
};

#endif

}  // namespace penstock::PENSTOCK_ISA
