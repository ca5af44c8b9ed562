// The machine compiled for one instruction set; CMake builds this file once for each.
#include "isa.h"

#include "instructions.h"

#define PENSTOCK_TABLE_(isa) table_##isa
#define PENSTOCK_TABLE(isa) PENSTOCK_TABLE_(isa)

namespace penstock {

namespace PENSTOCK_ISA {

template <class T>
void run(const Program& program, const Tensors<T>& tensors, int threads) {
    Run<T>(program, tensors, threads).run();
}

template <class T>
Functions<T> functions() {
    return {run<T>, pack<T>};
}

}  // namespace PENSTOCK_ISA

const Table& PENSTOCK_TABLE(PENSTOCK_ISA)() {
    static const Table table{PENSTOCK_ISA::functions<float>(), PENSTOCK_ISA::functions<double>()};
    return table;
}

}  // namespace penstock
