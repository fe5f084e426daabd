// fit: hands the blocks of a weight to fit_block, wherever they lie in memory.
#include "passes/quantize/grid/fit.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "compressor/base/error.h"
#include "compressor/base/threads.h"

namespace compressor::quantize {
namespace {

using codec::Blocks;

constexpr std::uint64_t kTask = 1U << 18U;    ///< elements of one task
constexpr std::uint64_t kPiece = 1U << 15U;   ///< of them, what is read at once: the cache holds it
constexpr std::uint64_t kSample = 1U << 20U;  ///< of a block, what is searched at most
constexpr std::uint64_t kSlab = 1U << 22U;    ///< elements of a matrix that are in memory at once
constexpr std::uint64_t kPanel = 16;          ///< columns that are gathered together: a line of the cache

struct Extent {
  float low = 0, high = 0;
  double energy = 0;  ///< sum of squares
  bool finite = true;
};

Extent extent_of(std::span<const float> values) {
  constexpr std::size_t kStretch = 4096;
  Extent e;
  for (std::size_t at = 0; at < values.size(); at += kStretch) {
    const float* x = values.data() + at;
    const std::size_t n = std::min(kStretch, values.size() - at);
    float low = 0, high = 0, wrong = 0, sum = 0;
#pragma omp simd reduction(min : low) reduction(max : high) reduction(+ : wrong, sum)
    for (std::size_t i = 0; i < n; ++i) {
      low = std::min(low, x[i]);
      high = std::max(high, x[i]);
      wrong += x[i] * 0.0F;  // no number for what is infinite or none
      sum += x[i] * x[i];
    }
    e.low = std::min(e.low, low);
    e.high = std::max(e.high, high);
    e.energy += static_cast<double>(sum);
    e.finite = e.finite && wrong == 0.0F;
  }
  return e;
}

Extent joined(const Extent& a, const Extent& b) {
  return {std::min(a.low, b.low), std::max(a.high, b.high), a.energy + b.energy, a.finite && b.finite};
}

/// The axis behind which blocks are whole; blocks are then contiguous and follow each other in memory.
std::optional<std::size_t> contiguous_axis(const Blocks& b) {
  std::size_t axis = 0;
  while (axis < 2 && b.block[axis] == 1) ++axis;
  for (std::size_t i = axis + 1; i < 3; ++i) {
    if (b.block[i] < b.dims[i]) return std::nullopt;
  }
  return axis;
}

/// Floats on huge pages.
class Floats {
 public:
  explicit Floats(std::uint64_t size) {
    constexpr std::uint64_t kHuge = std::uint64_t{2} << 20U;
    const std::uint64_t room = std::max<std::uint64_t>(1, (size * 4 + kHuge - 1) / kHuge) * kHuge;
    data_ = static_cast<float*>(std::aligned_alloc(kHuge, room));
    CHECK(data_ != nullptr, "no memory for {} floats", size);
    ::madvise(data_, room, MADV_HUGEPAGE);
  }
  ~Floats() { std::free(data_); }
  Floats(const Floats&) = delete;
  Floats& operator=(const Floats&) = delete;
  float* data() const { return data_; }
  float& operator[](std::uint64_t i) const { return data_[i]; }

 private:
  float* data_ = nullptr;
};

class Fitter {
 public:
  Fitter(const Tensor& weight, const Blocks& blocks, const FitOptions& options)
      : weight_(weight), blocks_(blocks), options_(options) {
    result_.scale.assign(blocks.count(), 1);
    result_.zero.assign(blocks.count(), 0);
    losses_.resize(blocks.count());
  }

  Fit run() {
    if (blocks_.size() == 0) return std::move(result_);
    if (const auto axis = contiguous_axis(blocks_)) {
      contiguous(*axis);
    } else if (blocks_.block[0] == 1 && blocks_.block[2] == 1) {
      columns();
    } else {
      strided();
    }
    result_.finite = finite_;
    result_.lost = lost_ && !kept_;
    for (const Loss& loss : losses_) {  // in order, whoever computed them
      result_.loss.signal += loss.signal;
      result_.loss.noise += loss.noise;
    }
    return std::move(result_);
  }

 private:
  void set(std::uint64_t block, const Affine& a, const Extent& e) {
    result_.scale[block] = a.scale;
    result_.zero[block] = a.zero;
    const float most = std::max(-e.low, e.high);
    if (most == 0) return;
    std::atomic<bool>& which = most < a.scale / 2 ? lost_ : kept_;
    if (!which.load(std::memory_order_relaxed)) which = true;
  }

  void fit_values(std::uint64_t block, std::span<const float> values) {
    const Extent e = extent_of(values);
    if (!e.finite) {
      finite_ = false;
      return;
    }
    const Affine a = fit_block(values, e.low, e.high, options_);
    set(block, a, e);
    losses_[block] = {e.energy, squared_error(values, a, options_.codes)};
  }

  /// Calls visit(task, offset in the stretch, values) for a stretch of memory, tasks in parallel.
  template <class Visit>
  void read_in_tasks(std::uint64_t first, std::uint64_t length, Visit&& visit) const {
    const std::uint64_t tasks = (length + kTask - 1) / kTask;
    parallel_for(static_cast<std::int64_t>(tasks), [&](std::int64_t task) {
      const std::uint64_t from = static_cast<std::uint64_t>(task) * kTask;
      const std::uint64_t to = std::min(from + kTask, length);
      std::vector<float> values(std::min(kPiece, to - from));
      for (std::uint64_t at = from; at < to; at += kPiece) {
        const std::span<float> piece = std::span(values).first(std::min(kPiece, to - at));
        read_floats(weight_, first + at, piece);
        visit(static_cast<std::size_t>(task), at, std::span<const float>(piece));
      }
    });
  }

  void contiguous(std::size_t axis) {
    std::uint64_t inner = 1;
    for (std::size_t i = axis + 1; i < 3; ++i) inner *= blocks_.dims[i];
    const std::uint64_t per_row = blocks_.count(axis);
    const std::uint64_t whole = blocks_.block[axis] * inner, row = blocks_.dims[axis] * inner;
    const auto start = [&](std::uint64_t block) { return block / per_row * row + block % per_row * whole; };
    const auto length = [&](std::uint64_t block) { return std::min(whole, row - block % per_row * whole); };
    const std::uint64_t count = blocks_.count();
    if (std::min(whole, row) > kSample) {
      for (std::uint64_t i = 0; i < count; ++i) large(i, start(i), length(i));
      return;
    }
    const std::uint64_t one = std::max<std::uint64_t>(1, std::min(whole, row));
    const std::uint64_t together = std::max<std::uint64_t>(1, kTask / one);
    const std::uint64_t at_once = std::max<std::uint64_t>(1, kPiece / one);
    const std::uint64_t tasks = (count + together - 1) / together;
    parallel_for(static_cast<std::int64_t>(tasks), [&](std::int64_t task) {
      const std::uint64_t begin = static_cast<std::uint64_t>(task) * together;
      const std::uint64_t end = std::min(begin + together, count);
      std::vector<float> values;
      for (std::uint64_t from = begin; from < end; from += at_once) {
        const std::uint64_t to = std::min(from + at_once, end);
        const std::uint64_t first = start(from), last = start(to - 1) + length(to - 1);
        if (values.size() < last - first) values.resize(last - first);
        read_floats(weight_, first, std::span(values).first(last - first));
        for (std::uint64_t i = from; i < to; ++i)
          fit_values(i, std::span(values).subspan(start(i) - first, length(i)));
      }
    });
  }

  /// A block that is read in pieces: its range is that of all values, the search sees every nth.
  void large(std::uint64_t block, std::uint64_t first, std::uint64_t length) {
    const std::uint64_t every = (length + kSample - 1) / kSample;
    const std::uint64_t tasks = (length + kTask - 1) / kTask;
    std::vector<Extent> extents(tasks);
    std::vector<float> sample((length + every - 1) / every);
    read_in_tasks(first, length, [&](std::size_t task, std::uint64_t from, std::span<const float> values) {
      extents[task] = joined(extents[task], extent_of(values));
      for (std::uint64_t i = (every - from % every) % every; i < values.size(); i += every)
        sample[(from + i) / every] = values[i];
    });
    Extent all;
    for (const Extent& e : extents) all = joined(all, e);
    if (!all.finite) {
      finite_ = false;
      return;
    }
    const Affine a = fit_block(sample, all.low, all.high, options_);
    set(block, a, all);
    std::vector<double> noise(tasks);
    read_in_tasks(first, length, [&](std::size_t task, std::uint64_t, std::span<const float> values) {
      noise[task] += squared_error(values, a, options_.codes);
    });
    losses_[block].signal = all.energy;
    for (const double n : noise) losses_[block].noise += n;
  }

  void load(const Floats& to, std::uint64_t first, std::uint64_t length) const {
    const std::uint64_t tasks = (length + kTask - 1) / kTask;
    parallel_for(static_cast<std::int64_t>(tasks), [&](std::int64_t task) {
      const std::uint64_t from = static_cast<std::uint64_t>(task) * kTask;
      read_floats(weight_, first + from, {to.data() + from, std::min(kTask, length - from)});
    });
  }

  /// Blocks that run down the columns of matrices [rows, columns].
  void columns() {
    const std::uint64_t rows = blocks_.dims[1], width = blocks_.dims[2];
    const std::uint64_t block = std::min(blocks_.block[1], rows), down = blocks_.count(1);
    const std::uint64_t at_once =
        std::clamp<std::uint64_t>(kSlab / std::max<std::uint64_t>(1, width * block), 1, down);
    const Floats slab(std::min(at_once * block, rows) * width);
    const std::uint64_t panels = (width + kPanel - 1) / kPanel;
    for (std::uint64_t matrix = 0; matrix < blocks_.dims[0]; ++matrix) {
      for (std::uint64_t top = 0; top < down; top += at_once) {
        const std::uint64_t first_row = top * block;
        const std::uint64_t here = std::min(at_once * block, rows - first_row);
        load(slab, (matrix * rows + first_row) * width, here * width);
        const std::uint64_t stripes = (here + block - 1) / block;
        parallel_for(static_cast<std::int64_t>(stripes * panels), [&](std::int64_t task) {
          const std::uint64_t stripe = static_cast<std::uint64_t>(task) / panels;
          const std::uint64_t left = static_cast<std::uint64_t>(task) % panels * kPanel;
          const std::uint64_t wide = std::min(kPanel, width - left);
          const std::uint64_t tall = std::min(block, here - stripe * block);
          std::vector<float> panel(wide * tall);
          for (std::uint64_t r = 0; r < tall; ++r) {
            const float* from = slab.data() + (stripe * block + r) * width + left;
            for (std::uint64_t c = 0; c < wide; ++c) panel[c * tall + r] = from[c];
          }
          for (std::uint64_t c = 0; c < wide; ++c) {
            fit_values((matrix * down + top + stripe) * width + left + c,
                       std::span(panel).subspan(c * tall, tall));
          }
        });
      }
    }
  }

  /// Any other blocks, gathered element by element.
  void strided() {
    const auto& dims = blocks_.dims;
    const auto& block = blocks_.block;
    const Floats all(blocks_.size());
    load(all, 0, blocks_.size());
    const std::uint64_t c1 = blocks_.count(1), c2 = blocks_.count(2);
    parallel_for(static_cast<std::int64_t>(blocks_.count()), [&](std::int64_t task) {
      const auto index = static_cast<std::uint64_t>(task);
      const std::array<std::uint64_t, 3> from = {index / (c1 * c2) * block[0], index / c2 % c1 * block[1],
                                                 index % c2 * block[2]};
      std::array<std::uint64_t, 3> to{};
      for (std::size_t i = 0; i < 3; ++i) to[i] = std::min(from[i] + block[i], dims[i]);
      std::vector<float> values;
      values.reserve((to[0] - from[0]) * (to[1] - from[1]) * (to[2] - from[2]));
      for (std::uint64_t i = from[0]; i < to[0]; ++i) {
        for (std::uint64_t j = from[1]; j < to[1]; ++j) {
          const float* run = all.data() + (i * dims[1] + j) * dims[2];
          values.insert(values.end(), run + from[2], run + to[2]);
        }
      }
      fit_values(index, values);
    });
  }

  const Tensor& weight_;
  const Blocks& blocks_;
  const FitOptions& options_;
  Fit result_;
  std::vector<Loss> losses_;                                       ///< by block
  std::atomic<bool> finite_ = true, lost_ = false, kept_ = false;  ///< some block is ..
};

}  // namespace

Fit fit(const Tensor& weight, const codec::Blocks& blocks, const FitOptions& options) {
  CHECK(weight.size() == blocks.size(), "{} elements in blocks of {}", weight.size(), blocks.size());
  return Fitter(weight, blocks, options).run();
}

std::string why_no_codes(const Fit& fit) {
  if (!fit.finite) return "holds infinite values or values that are no numbers";
  return fit.lost ? "holds numbers too small for a scale" : "";
}

std::string why_no_codes(const Tensor& weight, bool bias) {
  const Blocks one{.dims = {1, 1, weight.size()}, .block = {1, 1, weight.size()}};
  Fit found = fit(weight, one, {.codes = {-127, 127}});
  found.lost = found.lost && !bias;
  return why_no_codes(found);
}

double Loss::snr_db() const {
  return noise > 0 ? 10 * std::log10(signal / noise) : INFINITY;
}

}  // namespace compressor::quantize
