// Runs a program over a sequence: steps, phases, tiles.
#pragma once

#include <omp.h>

#include "barrier.h"
#include "fixed.h"
#include "halves.h"
#include "memory.h"
#include "reduced.h"

namespace penstock::PENSTOCK_ISA {

inline int64_t padded(int64_t width) { return (width + kTile - 1) / kTile * kTile; }

// Values of all rows, padded to whole tiles.
template <class T>
struct Rows {
    int64_t stride;
    Buffer<T> data;

    Rows(int64_t batch, int64_t width)
        : stride(padded(width)), data(make_buffer<T>(batch * stride)) {}
    T* row(int64_t b) const { return data.get() + b * stride; }
};

inline std::unique_ptr<TileRows> make_rows([[maybe_unused]] const Panel& panel,
                                           [[maybe_unused]] Precision precision,
                                           [[maybe_unused]] int64_t rows) {
#ifdef PENSTOCK_HAS_TILES
    if (precision == Precision::kFixed) return std::make_unique<FixedRows>(panel, rows);
    if (precision == Precision::kHalves) return std::make_unique<HalfRows>(panel, rows);
#endif
    throw std::invalid_argument("Machine: no tile registers");
}

// Runs of a batch, one at a time; what they need in memory is taken once.
template <class T>
class Run : public Runs<T> {
  public:
    Run(const Program& program, int64_t batch)
        : program_(program),
          batch_(batch),
          parts_(std::clamp<int64_t>(batch, 1, 8)) {
        for (int64_t width : program.states) {
            for (auto* states : {&now_, &next_}) states->emplace_back(batch, width);
        }
        for (int64_t width : program.temps) temps_.emplace_back(batch, width);
        for (int64_t width : program.sums) sums_.emplace_back(parts_, width);
        for (const auto& phase : program.phases) {
            for (const auto& group : phase) {
                for (const auto& i : group.code) looks_back_ |= i.op == Op::kPrevious;
            }
        }
        for (int64_t i = 0; i < program.row_numbers; ++i) numbers_.emplace_back(batch, program.tiles());
        for (int64_t b = 0; b < batch; ++b) {
            all_rows_.push_back(b);
            part_of_.push_back(b * parts_ / batch);
        }
    }

    void run(const Tensors<T>& tensors, int threads) override {
        tensors_ = &tensors;
        ++runs_;
        threads_ = useful(threads);
        divided_ = divides_rows();
        rows_of_block_ = rows_of_block();
        while (static_cast<int>(scratch_.size()) < threads_) {
            scratch_.push_back(make_buffer<T>(program_.slots * slot_size()));
        }
        if (tensors.precision >= Precision::kHalves) make_operands();
        registers_.resize(threads_);
        if (looks_back_) find_previous();
        for (auto& sum : sums_) std::fill_n(sum.data.get(), parts_ * sum.stride, T(0));
        take_first_states();
        Barrier barrier(threads_);
        if (threads_ == 1) {
            work(0, barrier);
        } else {
#pragma omp parallel num_threads(threads_)
            work(omp_get_thread_num(), barrier);
        }
        give_last_states();
        give_sums();
    }

  private:
    // What an instruction sees: some rows of some tiles of one step. A slot holds them tile by tile.
    struct Place {
        const int64_t* rows;  // the row of each token
        int64_t token, count;       // the first token, and how many there are
        int64_t first, all;         // the same of the whole step
        int64_t tile, tiles;
        int64_t left;         // units from the first of these tiles on
        int64_t ahead;        // numbers of a row from these tiles to the next that are taken
        T* slots;
        bool swapped;         // whether `next_` holds the present states
        int thread;

        int64_t size() const { return tiles * count * kTile; }
        Place only(int64_t t) const {
            return {rows, token, count, first, all, tile + t, 1, left - t * kTile, ahead,
                    slots + t * count * kTile, swapped, thread};
        }
        int units() const { return static_cast<int>(std::min<int64_t>(kTile, left)); }
    };

    int64_t slot_size() const { return kRows * kTile; }

    // Threads that have something to do: to meet costs a microsecond or two, every phase of every
    // step.
    int useful(int threads) const {
        constexpr int64_t kWorth = 150000;  // operations of one thread in one step
        int64_t work = 0;
        for (const auto& panel : program_.panels) work += 2 * panel.size() * batch_;
        for (const auto& phase : program_.phases) {
            for (const auto& group : phase) {
                const int64_t looking = 2 * tensors_->source_steps * program_.gaze.key_width;
                const int64_t numbers = group.width ? group.width : looking;
                work += 4 * batch_ * numbers * static_cast<int64_t>(group.code.size());
            }
        }
        if (program_.apart) work *= tensors_->steps;  // they never meet on the way
        return static_cast<int>(std::clamp<int64_t>(work / kWorth, 1, threads));
    }

    // Threads divide the rows where all matrices fit in the cache of each. In full precision a thread of
    // fewer rows would add up products in another order.
    bool divides_rows() const {
        constexpr int64_t kFewest = 8;
        if (program_.apart || threads_ == 1 || threads_ > parts_) return false;
        if (batch_ < kFewest * threads_) return false;
        const bool full = tensors_->precision == Precision::kFull;
        if (tensors_->offsets && tensors_->precision < Precision::kHalves) return false;
        int64_t bytes = 0;
        for (const auto& panel : program_.panels) {
            bytes += full ? panel.size() * sizeof(T) : 4 * panel.words(tensors_->precision);
        }
        return bytes <= second_cache() / 2;
    }

    // Tile registers take 32 rows at once; other units take small blocks where there are few, so that
    // threads have equal work.
    int64_t rows_of_block() const {
        constexpr int64_t kMost = 24, kFew = 16;
        if (tensors_->precision >= Precision::kHalves) return kRows;
        return program_.tiles() * ((batch_ + kMost - 1) / kMost) < kFew ? kMost / 2 : kMost;
    }

    // Where the rows of a thread begin among those of a step: at a part of the batch, whose sums are its
    // own.
    int64_t first_row(int64_t first, int64_t count, int thread) const {
        const int64_t part = parts_ * thread / threads_;
        if (!tensors_->offsets) return (part * batch_ + parts_ - 1) / parts_;
        const int64_t* rows = tensors_->rows + first;
        int64_t n = count * thread / threads_;
        while (n > 0 && n < count && part_of_[rows[n]] == part_of_[rows[n - 1]]) --n;
        return n;
    }

    void work(int thread, Barrier& barrier) {
        // A nested or limited OpenMP region may give fewer threads than asked for.
        const int threads = threads_ == 1 ? 1 : omp_get_num_threads();
        TileRegisters registers;
        if (threads != threads_) {
            if (thread > 0) return;
            registers_.assign(threads_, &registers);
            for (int64_t s = 0; s < tensors_->steps; ++s) {
                for (size_t p = 0; p < program_.phases.size(); ++p) {
                    for (int t = 0; t < threads_; ++t) phase(s, p, t);
                }
            }
            return;
        }
        registers_[thread] = &registers;
        for (int64_t s = 0; s < tensors_->steps; ++s) {
            for (size_t p = 0; p < program_.phases.size(); ++p) {
                phase(s, p, thread);
                if (!program_.apart && !divided_) barrier.meet();
            }
            // On a busy machine threads that keep in step run side by side; others wait at the end.
            if (divided_) barrier.meet();
        }
        std::atomic_thread_fence(std::memory_order_seq_cst);  // of what went past the caches
    }

    // For each thread and panel.
    void make_operands() {
        operands_.resize(threads_);
        for (auto& of_thread : operands_) {
            for (size_t i = of_thread.size(); i < program_.panels.size(); ++i) {
                of_thread.push_back(make_rows(program_.panels[i], tensors_->precision, batch_));
            }
        }
    }

    // Each thread rounds the operands for itself: that costs less than to meet.
    void round_operands(const Group& group, int64_t first, int64_t low, int64_t high, bool swapped,
                        int thread) {
        std::vector<const T*> stretches;
        for (const auto& instruction : group.code) {
            if (instruction.op != Op::kMultiply) continue;
            for (int64_t n = low; n < high; ++n) {
                const int64_t b = tensors_->rows ? tensors_->rows[first + n] : n;
                stretches.clear();
                for (const auto& [operand, length] : program_.panels[instruction.i].stretches) {
                    stretches.push_back(values(operand, swapped).row(b));
                }
                operands_[thread][instruction.i]->take(n, stretches.data());
            }
        }
    }

    const Rows<T>& values(const Operand& operand, bool swapped) const {
        return operand.is_state ? (swapped ? next_ : now_)[operand.index] : temps_[operand.index];
    }

    void phase(int64_t s, size_t p, int thread) {
        const Tensors<T>& tensors = *tensors_;
        const int64_t step = tensors.reverse ? tensors.steps - 1 - s : s;
        const int64_t first = tensors.offsets ? tensors.offsets[step] : step * batch_;
        const int64_t end = tensors.offsets ? tensors.offsets[step + 1] : first + batch_;
        const int64_t count = end - first;
        const int64_t low = divided_ ? first_row(first, count, thread) : 0;
        const int64_t high = divided_ ? first_row(first, count, thread + 1) : count;
        const int64_t share = divided_ ? 0 : thread, shares = divided_ ? 1 : threads_;  // of these rows
        // What is small is cut finer, so that threads have equal work; numbers do not depend on it.
        const int64_t blocks = (high - low + rows_of_block_ - 1) / rows_of_block_;
        for (const auto& group : program_.phases[p]) {
            if (group.width == 0) {
                look(group.code[0].op, first, low + (high - low) * share / shares,
                     low + (high - low) * (share + 1) / shares);
                continue;
            }
            if constexpr (std::is_same_v<T, float>) {
                if (tensors.precision >= Precision::kHalves) {
                    round_operands(group, first, low, high, s % 2 == 1, thread);
                }
            }
            const int64_t tiles = group.tiles();
            // Where threads do not meet, or rows are added up, each keeps to its own units.
            const bool adds_up = group.adds_up(), apart = program_.apart || adds_up;
            const int64_t cut = apart ? tiles : tiles * blocks, scale = apart ? blocks : 1;
            const int64_t from = cut * share / shares, to = cut * (share + 1) / shares;
            // Few rows leave room for several tiles, whose chains of operations overlap: one, or pairs.
            const int64_t room = blocks == 1 ? kRows / (high - low) : 1, most = room > 1 ? room / 2 * 2 : 1;
            const int64_t turns = ((to - from) * scale + most - 1) / most;
            for (int64_t turn = 0; turn < turns; ++turn) {
                // There and back: what the last step read last is in the cache.
                const bool back = (s + runs_) % 2 && !adds_up;
                const int64_t item = from * scale + (back ? turns - 1 - turn : turn) * most;
                const int64_t tile = item / blocks, block = item % blocks;
                const int64_t row = low + (high - low) * block / blocks;
                const int64_t end_row = low + (high - low) * (block + 1) / blocks;
                const int64_t tiles_now = std::min(most, to * scale - item);
                execute(group, {tensors.rows ? tensors.rows + first + row : all_rows_.data() + row,
                                first + row, end_row - row, first, count, tile, tiles_now,
                                group.width - tile * kTile, (back ? -most : most) * kTile,
                                scratch_[thread].get(), s % 2 == 1, thread});
            }
        }
        if (p + 1 == program_.phases.size() && count < batch_) keep_others(s, first, end, thread);
    }

    // Looks at the source for some of the rows of a step.
    void look(Op op, int64_t first, int64_t low, int64_t high) {
        std::vector<T> slopes(op == Op::kAttendBack ? tensors_->source_steps : 0);
        for (int64_t i = low; i < high; ++i) {
            const int64_t n = first + i, b = tensors_->rows ? tensors_->rows[n] : i;
            op == Op::kAttend ? attend(n, b) : attend_back(n, b, slopes.data());
        }
    }

    int64_t source(int64_t b) const { return tensors_->source_rows ? tensors_->source_rows[b] : b; }
    int64_t words(int64_t b) const {
        return tensors_->words ? tensors_->words[source(b)] : tensors_->source_steps;
    }
    void attend(int64_t n, int64_t b);
    void attend_back(int64_t n, int64_t b, T* slopes);

    // A row without a token keeps its states.
    void keep_others(int64_t s, int64_t first, int64_t end, int thread) {
        std::vector<bool> real(batch_, false);
        for (int64_t n = first; n < end; ++n) real[tensors_->rows[n]] = true;
        for (size_t i = 0; i < now_.size(); ++i) {
            const auto& from = s % 2 ? next_[i] : now_[i];
            const auto& to = s % 2 ? now_[i] : next_[i];
            const int64_t tiles = from.stride / kTile;
            const int64_t low = tiles * thread / threads_ * kTile;
            const int64_t high = tiles * (thread + 1) / threads_ * kTile;
            for (int64_t b = 0; b < batch_; ++b) {
                if (!real[b]) std::copy(from.row(b) + low, from.row(b) + high, to.row(b) + low);
            }
        }
    }

    void execute(const Group& group, const Place& place);
    void on_tile(const Instruction& instruction, const Place& place);
    void multiply(const Instruction& instruction, const Place& place);
    void multiply_tiles(const Instruction& instruction, const Place& place, T* out);
    void multiply_reduced(const T* const* rows, const Panel& panel, const T* data,
                          const Place& place, T* out);
    void read(const Instruction& instruction, const Place& place, T* out);
    void write(const Instruction& instruction, const Place& place, const T* a);
    void reduce(const Instruction& instruction, int64_t b, T* out);
    void with_vector(const Instruction& instruction, const Place& place, T* out, const T* a);
    static void compute(const Instruction& instruction, int64_t size, T* out, const T* a, const T* b);

    // Where a tile lies in a tiled tensor of some width.
    static int64_t tiled(const Place& place, int64_t width) {
        return place.first * width + (place.tile * place.all + place.token - place.first) * kTile;
    }

    const T* before(const Instruction& instruction, const Place& place, int64_t r) const {
        const int64_t n = previous_[place.token + r];
        const int64_t width = tensors_->token_widths[instruction.i];
        if (n < 0) return tensors_->sequences[instruction.k] + place.rows[r] * width;
        return tensors_->tokens[instruction.i] + n * width;
    }

    // The token before each token of its row, in the order opposite to this run's; -1 at the first.
    void find_previous() {
        const int64_t B = batch_, T_ = tensors_->steps;
        previous_.resize(tensors_->offsets ? tensors_->offsets[T_] : T_ * B);
        std::vector<int64_t> last(B, -1);
        for (int64_t s = 0; s < T_; ++s) {
            const int64_t step = tensors_->reverse ? s : T_ - 1 - s;
            const int64_t from = tensors_->offsets ? tensors_->offsets[step] : step * B;
            const int64_t to = tensors_->offsets ? tensors_->offsets[step + 1] : from + B;
            for (int64_t n = from; n < to; ++n) {
                const int64_t b = tensors_->rows ? tensors_->rows[n] : n - from;
                previous_[n] = last[b];
                last[b] = n;
            }
        }
    }

    void take_first_states() {
        for (size_t i = 0; i < now_.size(); ++i) {
            const int64_t width = program_.states[i];
            for (int64_t b = 0; b < batch_; ++b) {
                T* to = std::copy_n(tensors_->first[i] + b * width, width, now_[i].row(b));
                std::fill(to, now_[i].row(b) + now_[i].stride, T(0));
            }
        }
    }

    void give_last_states() {
        for (size_t i = 0; i < now_.size(); ++i) {
            const auto& states = tensors_->steps % 2 ? next_[i] : now_[i];
            for (int64_t b = 0; b < batch_; ++b) {
                std::copy_n(states.row(b), program_.states[i], tensors_->last[i] + b * program_.states[i]);
            }
        }
    }

    void give_sums() {
        for (size_t i = 0; i < sums_.size(); ++i) {
            std::fill_n(tensors_->sums[i], program_.sums[i], T(0));
            for (int64_t part = 0; part < parts_; ++part) {
                for (int64_t u = 0; u < program_.sums[i]; ++u) tensors_->sums[i][u] += sums_[i].row(part)[u];
            }
        }
    }

    const Program& program_;
    const Tensors<T>* tensors_ = nullptr;  // of the present run
    const int64_t batch_;
    const int64_t parts_;  // of the batch, each with sums of its own
    int64_t rows_of_block_ = kRows, runs_ = 0;
    int threads_ = 1;
    bool divided_ = false, looks_back_ = false;
    std::vector<Rows<T>> now_, next_, temps_, sums_, numbers_;
    std::vector<Buffer<T>> scratch_;  // the slots of each thread
    std::vector<std::vector<std::unique_ptr<TileRows>>> operands_;
    std::vector<TileRegisters*> registers_;
    std::vector<int64_t> previous_, all_rows_, part_of_;
};

}  // namespace penstock::PENSTOCK_ISA
