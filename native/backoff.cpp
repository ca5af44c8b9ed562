// The Python module `penstock._backoff`: what tokens cost under an n-gram model.
//
// It reads the arrays of penstock/counting/levels.py and table.py as they lie in memory. Look-ups
// of many tokens are begun together, so that they wait for memory together.
#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace nb = nanobind;

namespace penstock {
namespace {

using Address = uintptr_t;
constexpr uint64_t kGolden = 0x9E3779B97F4A7C15;
constexpr int kBlock = 256;  // tokens whose look-ups are under way together
constexpr int32_t kNone = -1;

inline uint64_t mixed(uint64_t key) {
    key *= kGolden;
    key ^= key >> 32;
    return key * kGolden;
}

inline uint64_t slot_of(uint64_t mixed, uint64_t start) { return ((mixed >> 32) * start) >> 32; }

// A slot of a table; see penstock/counting/table.py.
struct Entry {
    uint64_t key;
    int32_t place;
    float log_p;
};

// The n-grams of one order; words have no entries, but their log_p.
struct Level {
    const Entry* entries;
    uint64_t start;
    uint64_t size;
    const float* log_p;
    const float* backoff;

    const Entry& find(uint64_t wanted, uint64_t slot) const {
        while (entries[slot].key < wanted) ++slot;
        return entries[slot];
    }
};

// Words to ids: linear probing over the hashes of their bytes.
class Words {
  public:
    explicit Words(const std::vector<nb::bytes>& words) {
        size_t size = 16;
        while (size < 2 * words.size()) size *= 2;
        slots_.assign(size, {0, 0, 0, kNone});
        for (size_t id = 0; id < words.size(); ++id) {
            const std::string_view word(words[id].c_str(), words[id].size());
            Slot& slot = slots_[place(word)];
            slot = {hash(word), static_cast<uint32_t>(text_.size()),
                    static_cast<uint32_t>(word.size()), static_cast<int32_t>(id)};
            text_.append(word);
        }
    }

    int32_t find(std::string_view word) const { return slots_[place(word)].id; }

  private:
    struct Slot {
        uint64_t hash;
        uint32_t begin, size;
        int32_t id;
    };

    static uint64_t hash(std::string_view word) {
        uint64_t found = word.size();
        while (word.size() >= 8) {
            uint64_t piece;
            std::memcpy(&piece, word.data(), 8);
            found = mixed(found ^ piece);
            word.remove_prefix(8);
        }
        uint64_t piece = 0;
        std::memcpy(&piece, word.data(), word.size());
        found = mixed(found ^ piece);
        return found ^ (found >> 29);
    }

    size_t place(std::string_view word) const {
        const uint64_t wanted = hash(word);
        size_t at = wanted & (slots_.size() - 1);
        while (slots_[at].id != kNone &&
               (slots_[at].hash != wanted ||
                std::string_view(text_).substr(slots_[at].begin, slots_[at].size) != word)) {
            at = (at + 1) & (slots_.size() - 1);
        }
        return at;
    }

    std::vector<Slot> slots_;
    std::string text_;
};

// Bytes of the white space that begins `text`, as Python's str.split has it; 0 for none.
inline size_t white(std::string_view text) {
    const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) {
        return first == ' ' || (first >= 0x09 && first <= 0x0D) || (first >= 0x1C && first <= 0x1F);
    }
    if (first == 0xC2 && text.size() > 1) return byte(1) == 0x85 || byte(1) == 0xA0 ? 2 : 0;
    if (text.size() < 3) return 0;
    const unsigned char second = byte(1), third = byte(2);
    if (first == 0xE1) return second == 0x9A && third == 0x80 ? 3 : 0;
    if (first == 0xE3) return second == 0x80 && third == 0x80 ? 3 : 0;
    if (first != 0xE2) return 0;
    if (second == 0x80) {
        return third <= 0x8A || third == 0xA8 || third == 0xA9 || third == 0xAF ? 3 : 0;
    }
    return second == 0x81 && third == 0x9F ? 3 : 0;
}

class Backoff {
  public:
    Backoff(const std::vector<std::array<Address, 5>>& levels, const std::vector<nb::bytes>& words,
            int32_t eos, int32_t unk, int32_t bos)
        : words_(words), eos_(eos), unk_(unk), bos_(bos) {
        for (const auto& [entries, start, size, log_p, backoff] : levels) {
            levels_.push_back({reinterpret_cast<const Entry*>(entries), start, size,
                               reinterpret_cast<const float*>(log_p),
                               reinterpret_cast<const float*>(backoff)});
        }
        if (levels_.empty()) throw std::invalid_argument("Backoff: no levels");
    }

    // log10 p and the order found for ids (T,) int32, the first of which follows <s>.
    void scores(Address ids, int64_t size, Address scores, Address orders) const {
        nb::gil_scoped_release release;
        run(reinterpret_cast<const int32_t*>(ids), size, reinterpret_cast<float*>(scores),
            reinterpret_cast<uint8_t*>(orders));
    }

    // log10 p of a line and its end.
    double score(nb::str line) const {
        std::vector<int32_t> ids;
        Py_ssize_t size;
        const char* bytes = PyUnicode_AsUTF8AndSize(line.ptr(), &size);
        if (!bytes) throw nb::python_error();
        std::string_view text(bytes, static_cast<size_t>(size));
        ids.reserve(text.size() / 4 + 2);
        while (!text.empty()) {
            if (const size_t blank = white(text)) {
                text.remove_prefix(blank);
                continue;
            }
            size_t end = 1;
            while (end < text.size() && !white(text.substr(end))) ++end;
            const int32_t id = words_.find(text.substr(0, end));
            ids.push_back(id == kNone ? unk_ : id);
            text.remove_prefix(end);
        }
        ids.push_back(eos_);
        std::vector<float> found(ids.size());
        run(ids.data(), static_cast<int64_t>(ids.size()), found.data(), nullptr);
        double sum = 0;
        for (float one : found) sum += one;
        return sum;
    }

  private:
    void run(const int32_t* ids, int64_t size, float* scores, uint8_t* orders) const {
        const size_t highest = levels_.size();
        // The place of the n-gram of each order that ends at the token before a block.
        std::vector<int32_t> before(highest, kNone);
        std::vector<int32_t> nodes(highest * (kBlock + 1));
        before[0] = bos_;
        for (int64_t begin = 0; begin < size; begin += kBlock) {
            const int length = static_cast<int>(std::min<int64_t>(kBlock, size - begin));
            block(ids + begin, length, scores + begin, orders ? orders + begin : nullptr,
                  before.data(), nodes.data());
        }
    }

    // nodes[n][i] is the place of the (n + 1)-gram that ends before token i of the block.
    void block(const int32_t* ids, int length, float* scores, uint8_t* orders, int32_t* before,
               int32_t* nodes) const {
        int32_t* context = nodes;
        context[0] = before[0];
        int32_t at[kBlock];  // tokens with a context of the order
        for (int i = 0; i < length; ++i) {
            at[i] = i;
            scores[i] = levels_[0].log_p[ids[i]];
            context[i + 1] = ids[i] == eos_ ? bos_ : ids[i];
            if (orders) orders[i] = 1;
        }
        before[0] = context[length];
        int open = length;
        uint64_t wanted[kBlock], slots[kBlock];
        for (size_t n = 1; n < levels_.size(); ++n) {
            const Level &level = levels_[n], &shorter = levels_[n - 1];
            int32_t* found = nodes + n * (kBlock + 1);
            for (int j = 0; j < open; ++j) {
                const int i = at[j];
                const uint64_t key = static_cast<uint64_t>(static_cast<uint32_t>(context[i])) << 32;
                wanted[j] = mixed(key | static_cast<uint32_t>(ids[i]));
                slots[j] = slot_of(wanted[j], level.start);
                __builtin_prefetch(level.entries + slots[j]);
                __builtin_prefetch(shorter.backoff + context[i]);
            }
            std::fill(found, found + length + 1, kNone);
            found[0] = before[n];
            for (int j = 0; j < open; ++j) {
                const int i = at[j];
                const Entry& entry = level.find(wanted[j], slots[j]);
                const bool hit = entry.key == wanted[j];
                if (hit && static_cast<uint32_t>(entry.place) >= level.size) {
                    throw std::out_of_range("a table points outside of its n-grams");
                }
                const float backed_off = scores[i] + shorter.backoff[context[i]];
                scores[i] = hit ? entry.log_p : backed_off;
                found[i + 1] = hit && ids[i] != eos_ ? entry.place : kNone;
                if (orders) orders[i] = hit ? static_cast<uint8_t>(n + 1) : orders[i];
            }
            before[n] = found[length];
            context = found;
            open = 0;
            for (int i = 0; i < length; ++i) {
                at[open] = i;
                open += context[i] != kNone;
            }
        }
    }

    std::vector<Level> levels_;
    Words words_;
    int32_t eos_, unk_, bos_;
};

}  // namespace
}  // namespace penstock

NB_MODULE(_backoff, m) {
    using penstock::Backoff;
    m.doc() = "What tokens cost under an n-gram model.";
    nb::class_<Backoff>(m, "Backoff")
        .def(nb::init<const std::vector<std::array<penstock::Address, 5>>&,
                      const std::vector<nb::bytes>&, int32_t, int32_t, int32_t>())
        .def("scores", &Backoff::scores)
        .def("score", &Backoff::score);
}
