// The Python module `penstock._native`.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <omp.h>

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "reduce.h"
#include "stepper.h"

namespace nb = nanobind;

namespace penstock {

// The widest comes first.
#if defined(__x86_64__)
#define PENSTOCK_ISAS(X) X(v4) X(v3) X(v2)
#else
#define PENSTOCK_ISAS(X) X(native)
#endif

#define PENSTOCK_DECLARE(isa) const Table& table_##isa();
PENSTOCK_ISAS(PENSTOCK_DECLARE)

namespace {

struct InstructionSet {
    const char* name;
    const Table& (*table)();
};

bool runs_here(const std::string& name) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (name == "v4") {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl");
    }
    if (name == "v3") {
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2");
    }
    return name == "v2" && __builtin_cpu_supports("sse4.2");
#else
    return name == "native";
#endif
}

// A training step asks for the blocks of memory that the one before has freed. By itself glibc gives
// large ones back to the system in between, whose new pages cost as much time as a small loop.
void keep_freed_blocks() {
#ifdef __GLIBC__
    for (const char* own : {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"}) {
        if (std::getenv(own)) return;
    }
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 512 << 20);
#endif
}

// Whether products in bfloat16 are faster here than in float32: on tile registers, and on AMD's units
// for pairs. Intel's take as long for a pair as for two numbers.
bool multiplies_halves() {
#if defined(__x86_64__)
    if (!runs_here("v4") || !__builtin_cpu_supports("avx512bf16")) return false;
    return table_v4().has_tiles() || __builtin_cpu_is("amd");
#else
    return false;
#endif
}

// From the widest to the narrowest that this processor runs.
const std::vector<InstructionSet>& instruction_sets() {
#define PENSTOCK_LIST(isa) {#isa, table_##isa},
    static const std::vector<InstructionSet> here = [] {
        std::vector<InstructionSet> all{PENSTOCK_ISAS(PENSTOCK_LIST)};
        std::erase_if(all, [](const auto& set) { return !runs_here(set.name); });
        return all;
    }();
    return here;
}

const Table& find(const std::string& isa) {
    for (const auto& set : instruction_sets()) {
        if (set.name == isa) return set.table();
    }
    throw std::invalid_argument("Machine: this processor does not run " + isa);
}

using Instructions =
    std::vector<std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, double>>;
using Stretches = std::vector<std::tuple<bool, int64_t, int64_t>>;

// A program, and the instruction set it runs on.
class Machine {
  public:
    Machine(const std::string& isa, std::vector<int64_t> states, std::vector<int64_t> temps,
            std::vector<int64_t> sums, int64_t row_numbers, int64_t slots, bool apart,
            const std::vector<std::tuple<int64_t, int64_t, Stretches>>& panels,
            const std::vector<std::vector<std::tuple<int64_t, Instructions>>>& phases,
            const std::vector<int64_t>& gaze)
        : table_(find(isa)),
          program_{std::move(states), std::move(temps), std::move(sums), row_numbers, slots, apart, {}, {}, {}} {
        if (gaze.size() == 10) {
            program_.gaze = {gaze[0], gaze[1], gaze[2], gaze[3], gaze[4],
                             gaze[5], gaze[6], gaze[7], gaze[8], gaze[9]};
        }
        for (const auto& [width, members, stretches] : panels) {
            Panel panel{width, members, {}};
            for (const auto& [is_state, index, length] : stretches) {
                panel.stretches.push_back({{is_state, index}, length});
            }
            program_.panels.push_back(std::move(panel));
        }
        for (const auto& groups : phases) {
            auto& phase = program_.phases.emplace_back();
            for (const auto& [width, code] : groups) {
                auto& group = phase.emplace_back(Group{width, {}});
                for (const auto& [op, out, a, b, i, j, k, value] : code) {
                    if (op < 0 || op >= static_cast<int64_t>(Op::kCount)) {
                        throw std::invalid_argument("Machine: unknown instruction");
                    }
                    group.code.push_back({static_cast<Op>(op), out, a, b, i, j, k, value});
                }
            }
        }
    }

    int64_t panel_size(size_t panel) const { return program_.panels.at(panel).size(); }

    // Packs the matrices of a panel; `members` are the addresses of their first numbers.
    void pack(size_t index, const Addresses& members, int64_t by_unit, int64_t by_depth, Address out,
              bool is_double) const {
        const Panel& panel = program_.panels.at(index);
        auto packing = [&](auto zero, auto function) {
            using T = decltype(zero);
            const auto from = pointers<T>(members);
            function(from.data(), panel.members, panel.width, panel.depth(), by_unit, by_depth,
                     reinterpret_cast<T*>(out));
        };
        nb::gil_scoped_release release;
        is_double ? packing(0.0, table_.of_double.pack) : packing(0.0f, table_.of_float.pack);
    }

    int64_t words(size_t panel, int64_t precision) const {
        return program_.panels.at(panel).words(static_cast<Precision>(precision));
    }

    // The same in fewer bits, from float32 whose numbers are rounded to that precision already.
    void reduce(size_t index, int64_t precision, const Addresses& members, int64_t by_unit,
                int64_t by_depth, Address out) const {
        const Panel& panel = program_.panels.at(index);
        if (panel.stretches.size() != 1) throw std::invalid_argument("Machine: one operand only");
        const auto from = pointers<float>(members);
        nb::gil_scoped_release release;
        penstock::reduce(panel, static_cast<Precision>(precision), from.data(), by_unit, by_depth,
                         reinterpret_cast<uint32_t*>(out));
    }

    // The same for operands in bfloat16, from matrices in bfloat16.
    void pack_halves(size_t index, const Addresses& members, int64_t by_unit, int64_t by_depth,
                     Address out) const {
        const auto from = pointers<uint16_t>(members);
        nb::gil_scoped_release release;
        penstock::pack_halves(program_.panels.at(index), from.data(), by_unit, by_depth,
                              reinterpret_cast<uint32_t*>(out));
    }

    bool prefers_fixed(int64_t rows) const { return table_.prefers_fixed(program_, rows); }

    // The same as whole numbers; false if these do not stand for the matrices' own.
    bool pack_fixed(size_t index, const Addresses& members, int64_t by_unit, int64_t by_depth,
                    Address out) const {
        const auto from = pointers<float>(members);
        nb::gil_scoped_release release;
        return table_.pack_fixed(program_.panels.at(index), from.data(), by_unit, by_depth,
                                 reinterpret_cast<uint32_t*>(out));
    }

    void run(int64_t steps, int64_t batch, bool reverse, Address offsets, Address rows,
             Address resets, int64_t source_steps, Address words, Address d_keys, Address d_values,
             Address d_vector, const Addresses& tokens, const std::vector<int64_t>& token_widths,
             const Addresses& sequences, const Addresses& vectors, const Addresses& panels,
             const Addresses& first, const Addresses& last, const Addresses& outputs,
             const std::vector<int64_t>& output_widths, const Addresses& sums, int64_t precision,
             bool is_double, int threads) const {
        auto running = [&](auto zero, auto function) {
            using T = decltype(zero);
            const Tensors<T> tensors{
                steps,
                batch,
                reverse,
                reinterpret_cast<const int64_t*>(offsets),
                reinterpret_cast<const int64_t*>(rows),
                reinterpret_cast<const bool*>(resets),
                source_steps,
                reinterpret_cast<const int64_t*>(words),
                nullptr,
                reinterpret_cast<T*>(d_keys),
                reinterpret_cast<T*>(d_values),
                reinterpret_cast<T*>(d_vector),
                static_cast<Precision>(precision),
                pointers<T>(tokens),
                pointers<T>(sequences),
                pointers<T>(vectors),
                pointers<T>(panels),
                pointers<T>(first),
                token_widths,
                output_widths,
                pointers<T, T*>(outputs),
                pointers<T, T*>(last),
                pointers<T, T*>(sums),
            };
            nb::gil_scoped_release release;
            function(program_, batch)->run(tensors, threads);
        };
        is_double ? running(0.0, table_.of_double.prepare) : running(0.0f, table_.of_float.prepare);
    }

    const Program& program() const { return program_; }
    const Table& table() const { return table_; }

  private:
    const Table& table_;
    Program program_;
};

// A machine with its weights, for one step at a time. It does not let go of Python's lock, which
// keeps the memory of a step to one thread.
class Stepper {
  public:
    Stepper(const Machine& machine, const Addresses& vectors, const Addresses& panels,
            int64_t precision, bool is_double) {
        const auto& program = machine.program();
        const auto& table = machine.table();
        if (is_double) {
            steps_.emplace<Steps<double>>(program, table.of_double, vectors, panels, Precision::kFull);
        } else {
            steps_.emplace<Steps<float>>(program, table.of_float, vectors, panels,
                                         static_cast<Precision>(precision));
        }
    }

    // One token of width `width` to one output of width `out_width`, for every row.
    void step(int64_t batch, Address x, int64_t width, const Addresses& first,
              const Addresses& last, Address out, int64_t out_width) {
        take(batch, x, width, first, last, {out}, {out_width}, {}, omp_get_max_threads());
    }

    // The same with a source to look at.
    void look(int64_t batch, Address x, int64_t width, const Addresses& first,
              const Addresses& last, const Addresses& outs, const std::vector<int64_t>& out_widths,
              const Addresses& sequences, int64_t steps, Address words, Address rows, int threads) {
        take(batch, x, width, first, last, outs, out_widths, {sequences, steps, words, rows}, threads);
    }

  private:
    void take(int64_t batch, Address x, int64_t width, const Addresses& first, const Addresses& last,
              const Addresses& outs, const std::vector<int64_t>& out_widths, const Source& source,
              int threads) {
        std::visit(
            [&](auto& steps) {
                if constexpr (!std::is_same_v<std::decay_t<decltype(steps)>, std::monostate>) {
                    steps.take(batch, x, width, first, last, outs, out_widths, source, threads);
                }
            },
            steps_);
    }

    std::variant<std::monostate, Steps<float>, Steps<double>> steps_;
};

// left (rows, depth) x right (depth, columns) -> out; see `LargeProduct`.
bool multiply_large(Address left, int64_t rows, int64_t left_by_row, int64_t left_by_depth,
                    Address right, int64_t columns, int64_t right_by_column, int64_t right_by_depth,
                    int64_t depth, Address start, int64_t start_by_row, Address out, int64_t by_row,
                    int way, int threads) {
    const LargeProduct product{
        {reinterpret_cast<const float*>(left), rows, depth, left_by_row, left_by_depth},
        {reinterpret_cast<const float*>(right), columns, depth, right_by_column, right_by_depth},
        reinterpret_cast<const float*>(start),
        start_by_row,
        reinterpret_cast<float*>(out),
        by_row,
        static_cast<LargeProduct::Way>(way)};
    nb::gil_scoped_release release;
    return instruction_sets().front().table().multiply_large(product, threads);
}

// Losses of rows of logits; see `CrossEntropy`.
void cross_entropy(const std::string& isa, int64_t rows, int64_t symbols, Address logits,
                   Address targets, float smoothing, bool gradient, Address losses, int threads) {
    const CrossEntropy given{rows,
                             symbols,
                             reinterpret_cast<float*>(logits),
                             reinterpret_cast<const int64_t*>(targets),
                             smoothing,
                             gradient,
                             reinterpret_cast<float*>(losses)};
    nb::gil_scoped_release release;
    find(isa).cross_entropy(given, threads);
}

// Packs the matrix of a softmax, (symbols, depth), for `best_symbols`: all of it, or the rows listed.
void pack_symbols(const std::string& isa, Address matrix, Address listed, int64_t count, int64_t depth,
                  Address out, bool is_double, int threads) {
    auto packing = [&](auto zero, auto function) {
        using T = decltype(zero);
        nb::gil_scoped_release release;
        function(reinterpret_cast<const T*>(matrix), reinterpret_cast<const int64_t*>(listed), count,
                 depth, reinterpret_cast<T*>(out), threads);
    };
    const Table& table = find(isa);
    is_double ? packing(0.0, table.of_double.pack_symbols)
              : packing(0.0f, table.of_float.pack_symbols);
}

// Those of all symbols; or where `lists` tells the list of each row, those of its list.
void best_symbols(const std::string& isa, int64_t rows, int64_t depth, int64_t symbols, int64_t number,
                  Address hidden, Address panel, Address bias, Address log_p, Address found,
                  Address lists, Address starts, Address listed, bool is_double, int threads) {
    auto finding = [&](auto zero, const auto& functions) {
        using T = decltype(zero);
        const BestSymbols<T> given{rows,
                                   depth,
                                   symbols,
                                   number,
                                   reinterpret_cast<const T*>(hidden),
                                   reinterpret_cast<const T*>(panel),
                                   reinterpret_cast<const T*>(bias),
                                   reinterpret_cast<T*>(log_p),
                                   reinterpret_cast<int64_t*>(found)};
        nb::gil_scoped_release release;
        if (!lists) return functions.best(given, threads);
        functions.best_listed({given,
                               reinterpret_cast<const int64_t*>(lists),
                               reinterpret_cast<const int64_t*>(starts),
                               reinterpret_cast<const int64_t*>(listed)},
                              threads);
    };
    const Table& table = find(isa);
    is_double ? finding(0.0, table.of_double) : finding(0.0f, table.of_float);
}

}  // namespace
}  // namespace penstock

NB_MODULE(_native, m) {
    using penstock::Machine;
    nb::set_leak_warnings(false);  // machines live as long as the caches that hold them
    penstock::keep_freed_blocks();
    m.doc() = "The time loop of any cell, compiled for several instruction sets.";
    m.def("instruction_sets", [] {
        std::vector<std::string> names;
        for (const auto& set : penstock::instruction_sets()) names.emplace_back(set.name);
        return names;
    });
    m.def("multiplies_halves", &penstock::multiplies_halves);
    m.def("has_tiles", [] { return penstock::instruction_sets().front().table().has_tiles(); });
    m.def("multiply_large", &penstock::multiply_large);
    m.def("cross_entropy", &penstock::cross_entropy);
    m.def("pack_symbols", &penstock::pack_symbols);
    m.def("best_symbols", &penstock::best_symbols);
    nb::class_<Machine>(m, "Machine")
        .def(nb::init<const std::string&, std::vector<int64_t>, std::vector<int64_t>,
                      std::vector<int64_t>, int64_t, int64_t, bool,
                      const std::vector<std::tuple<int64_t, int64_t, penstock::Stretches>>&,
                      const std::vector<std::vector<std::tuple<int64_t, penstock::Instructions>>>&,
                      const std::vector<int64_t>&>())
        .def("panel_size", &Machine::panel_size)
        .def("pack", &Machine::pack)
        .def("words", &Machine::words)
        .def("reduce", &Machine::reduce)
        .def("pack_halves", &Machine::pack_halves)
        .def("prefers_fixed", &Machine::prefers_fixed)
        .def("pack_fixed", &Machine::pack_fixed)
        .def("run", &Machine::run);
    using penstock::Stepper;
    nb::class_<Stepper>(m, "Stepper")
        .def(nb::init<const Machine&, penstock::Addresses, penstock::Addresses, int64_t, bool>(),
             nb::keep_alive<1, 2>())
        .def("step", &Stepper::step)
        .def("look", &Stepper::look);
}
