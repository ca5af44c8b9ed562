// Where threads wait for each other.
#pragma once

#include <atomic>
#include <thread>

namespace penstock::PENSTOCK_ISA {

inline void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

// Threads meet here at the end of every phase. They spin a while: a phase takes
// microseconds.
class Barrier {
  public:
    explicit Barrier(int threads) : threads_(threads) {}
    void meet() {
        if (threads_ == 1) return;
        const int turn = turn_.load(std::memory_order_relaxed);
        if (arrived_.fetch_add(1, std::memory_order_acq_rel) == threads_ - 1) {
            arrived_.store(0, std::memory_order_relaxed);
            turn_.store(turn + 1, std::memory_order_release);
            return;
        }
        for (int spins = 0; turn_.load(std::memory_order_acquire) == turn; ++spins) {
            if (spins < 300) {
                pause();
            } else {  // the other thread may be waiting for this processor
                std::this_thread::yield();
            }
        }
    }

  private:
    const int threads_;
    alignas(64) std::atomic<int> arrived_{0};
    alignas(64) std::atomic<int> turn_{0};
};

}  // namespace penstock::PENSTOCK_ISA
