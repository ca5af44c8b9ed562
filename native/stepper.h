// One step at a time, with weights and memory that are there already.
#pragma once

#include <memory>
#include <variant>

#include "isa.h"

namespace penstock {

using Address = uintptr_t;
using Addresses = std::vector<Address>;

// Into a vector that may have the room already.
template <class Pointer>
void assign(std::vector<Pointer>& to, const Addresses& addresses) {
    to.clear();
    for (Address address : addresses) to.push_back(reinterpret_cast<Pointer>(address));
}

template <class T, class Pointer = const T*>
std::vector<Pointer> pointers(const Addresses& addresses) {
    std::vector<Pointer> found;
    assign(found, addresses);
    return found;
}

// What the rows of a step look at: sequences of `words` at most, and which is each row's.
struct Source {
    Addresses sequences;
    int64_t steps;
    Address words, rows;
};

template <class T>
class Steps {
  public:
    Steps(const Program& program, const Functions<T>& functions, const Addresses& vectors,
          const Addresses& panels, Precision precision)
        : program_(program), functions_(functions) {
        tensors_.steps = 1;
        tensors_.batch = -1;
        tensors_.precision = precision;
        assign(tensors_.vectors, vectors);
        assign(tensors_.panels, panels);
    }

    // One token of width `width` for every row.
    void take(int64_t batch, Address x, int64_t width, const Addresses& first, const Addresses& last,
              const Addresses& outs, const std::vector<int64_t>& out_widths, const Source& source,
              int threads) {
        if (batch != tensors_.batch) {
            runs_ = functions_.prepare(program_, batch);
            tensors_.batch = batch;
        }
        tensors_.source_steps = source.steps;
        tensors_.words = reinterpret_cast<const int64_t*>(source.words);
        tensors_.source_rows = reinterpret_cast<const int64_t*>(source.rows);
        tensors_.tokens.assign(1, reinterpret_cast<const T*>(x));
        tensors_.token_widths.assign(1, width);
        assign(tensors_.sequences, source.sequences);
        assign(tensors_.first, first);
        assign(tensors_.last, last);
        assign(tensors_.outputs, outs);
        tensors_.output_widths = out_widths;
        runs_->run(tensors_, threads);
    }

  private:
    const Program& program_;
    const Functions<T>& functions_;
    Tensors<T> tensors_{};
    std::unique_ptr<Runs<T>> runs_;
};

}  // namespace penstock
