// The machine compiled for one instruction set; CMake builds this file once for each.
#include "isa.h"

#include "attend.h"
#include "best.h"
#include "instructions.h"

#define PENSTOCK_TABLE_(isa) table_##isa
#define PENSTOCK_TABLE(isa) PENSTOCK_TABLE_(isa)

namespace penstock {

namespace PENSTOCK_ISA {

// Threads that have something to do: to meet costs a microsecond or two, every phase of every step.
template <class T>
int useful_threads(const Program& program, const Tensors<T>& tensors, int threads) {
    constexpr int64_t kWorth = 100000;  // operations of one thread in one step
    int64_t work = 0;
    for (const auto& panel : program.panels) work += 2 * panel.size() * tensors.batch;
    for (const auto& phase : program.phases) {
        for (const auto& group : phase) {
            const int64_t numbers = group.width ? group.width : 2 * tensors.source_steps * program.gaze.key_width;
            work += 4 * tensors.batch * numbers * static_cast<int64_t>(group.code.size());
        }
    }
    if (program.apart) work *= tensors.steps;  // they never meet on the way
    return static_cast<int>(std::clamp<int64_t>(work / kWorth, 1, threads));
}

template <class T>
void run(const Program& program, const Tensors<T>& tensors, int threads) {
    Run<T>(program, tensors, useful_threads(program, tensors, threads)).run();
}

template <class T>
Functions<T> functions() {
    return {run<T>, best_symbols<T>, pack<T>};
}

}  // namespace PENSTOCK_ISA

const Table& PENSTOCK_TABLE(PENSTOCK_ISA)() {
    static const Table table{PENSTOCK_ISA::functions<float>(), PENSTOCK_ISA::functions<double>()};
    return table;
}

}  // namespace penstock
