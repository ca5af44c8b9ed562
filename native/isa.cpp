// The machine compiled for one instruction set; CMake builds this file once for each.
#include "isa.h"

#include "attend.h"
#include "best.h"
#include "entropy.h"
#include "instructions.h"
#include "large.h"

#define PENSTOCK_TABLE_(isa) table_##isa
#define PENSTOCK_TABLE(isa) PENSTOCK_TABLE_(isa)

namespace penstock {

namespace PENSTOCK_ISA {

template <class T>
std::unique_ptr<Runs<T>> prepare(const Program& program, int64_t batch) {
    return std::make_unique<Run<T>>(program, batch);
}

template <class T>
Functions<T> functions() {
    return {prepare<T>, best_symbols<T>, best_listed<T>, pack_symbols<T>, pack<T>};
}

}  // namespace PENSTOCK_ISA

const Table& PENSTOCK_TABLE(PENSTOCK_ISA)() {
    using namespace PENSTOCK_ISA;
    static const Table table{TileRegisters::exist, multiply_large, prefers_fixed,      pack_fixed,
                             cross_entropy,        functions<float>(), functions<double>()};
    return table;
}

}  // namespace penstock
