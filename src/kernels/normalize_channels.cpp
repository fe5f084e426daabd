// normalize_channels: columns of channels-last matrices: short sums in float, those added up in double.
#include <algorithm>
#include <vector>

#include "compressor/kernels/in_parallel.h"
#include "compressor/kernels/normalize.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kParallelFrom = 1 << 15;
constexpr std::int64_t kShort = 16;       ///< rows whose sum stays in float
constexpr std::int64_t kNarrow = 32;      ///< fewer channels are taken several rows at a time
constexpr std::int64_t kChunk = 1 << 15;  ///< numbers in what one thread adds up

/// sums += sum of x - pivot, squares += sum of its squares; scratch [2 channels].
COMPRESSOR_CLONES void add_moments(const float* x, std::int64_t rows, std::int64_t channels,
                                   const float* pivot, float* scratch, double* sums, double* squares) {
  float* a = scratch;
  float* b = scratch + channels;
  for (std::int64_t first = 0; first < rows; first += kShort) {
    const std::int64_t last = std::min(rows, first + kShort);
    for (std::int64_t c = 0; c < 2 * channels; ++c) scratch[c] = 0;
    for (std::int64_t r = first; r < last; ++r) {
      const float* from = x + r * channels;
      COMPRESSOR_INDEPENDENT
      for (std::int64_t c = 0; c < channels; ++c) {
        const float d = from[c] - pivot[c];
        a[c] += d;
        b[c] += d * d;
      }
    }
    for (std::int64_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(a[c]);
    for (std::int64_t c = 0; c < channels; ++c) squares[c] += static_cast<double>(b[c]);
  }
}

COMPRESSOR_CLONES void add_gradients(const float* x, const float* dy, std::int64_t rows,
                                     std::int64_t channels, const float* mean, float* scratch, double* sums,
                                     double* products) {
  float* a = scratch;
  float* b = scratch + channels;
  for (std::int64_t first = 0; first < rows; first += kShort) {
    const std::int64_t last = std::min(rows, first + kShort);
    for (std::int64_t c = 0; c < 2 * channels; ++c) scratch[c] = 0;
    for (std::int64_t r = first; r < last; ++r) {
      const float* from = x + r * channels;
      const float* grad = dy + r * channels;
      COMPRESSOR_INDEPENDENT
      for (std::int64_t c = 0; c < channels; ++c) {
        a[c] += grad[c];
        b[c] += grad[c] * (from[c] - mean[c]);
      }
    }
    for (std::int64_t c = 0; c < channels; ++c) sums[c] += static_cast<double>(a[c]);
    for (std::int64_t c = 0; c < channels; ++c) products[c] += static_cast<double>(b[c]);
  }
}

COMPRESSOR_CLONES void affine(const float* x, std::int64_t rows, std::int64_t channels, const float* mean,
                              const float* factor, const float* shift, float* y) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * channels;
    float* to = y + r * channels;
    COMPRESSOR_INDEPENDENT
    for (std::int64_t c = 0; c < channels; ++c) to[c] = (from[c] - mean[c]) * factor[c] + shift[c];
  }
}

COMPRESSOR_CLONES void gradient(const float* x, const float* dy, std::int64_t rows, std::int64_t channels,
                                const float* mean, const float* a, const float* b, const float* c,
                                float* dx) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const float* from = x + r * channels;
    const float* grad = dy + r * channels;
    float* to = dx + r * channels;
    COMPRESSOR_INDEPENDENT
    for (std::int64_t i = 0; i < channels; ++i) {
      to[i] = a[i] * grad[i] + b[i] * (from[i] - mean[i]) + c[i];
    }
  }
}

COMPRESSOR_CLONES void affine_row(const float* x, std::int64_t n, float mean, float factor, float shift,
                                  float* y) {
  COMPRESSOR_INDEPENDENT
  for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * factor + shift;
}

/// Rows that a task takes.
std::int64_t step_of(const Channels& s) {
  return std::max<std::int64_t>(1, kChunk / std::max<std::int64_t>(1, s.channels));
}

/// body(first row, rows) for all rows, in parallel.
template <class Body>
void each_chunk(const Channels& s, const Body& body) {
  const std::int64_t step = step_of(s);
  const std::int64_t chunks = (s.rows + step - 1) / step;
  in_parallel(chunks > 1 && s.rows * s.channels > kParallelFrom, chunks,
              [&](std::int64_t i) { body(i * step, std::min(step, s.rows - i * step)); });
}

/// add(first row, rows, scratch, first sums, second sums) for chunks; those are added up in order.
template <class Add>
void two_sums(const Channels& s, double* first, double* second, const Add& add) {
  const auto c = static_cast<std::size_t>(s.channels);
  const std::int64_t step = step_of(s);
  const auto chunks = static_cast<std::size_t>((s.rows + step - 1) / step);
  std::vector<double> partial(chunks * 2 * c);
  each_chunk(s, [&](std::int64_t row, std::int64_t rows) {
    std::vector<float> scratch(2 * c);
    double* own = partial.data() + static_cast<std::size_t>(row / step) * 2 * c;
    add(row, rows, scratch.data(), own, own + c);
  });
  std::fill_n(first, c, 0.0);
  std::fill_n(second, c, 0.0);
  for (std::size_t i = 0; i < chunks; ++i) {
    const double* own = partial.data() + i * 2 * c;
    for (std::size_t k = 0; k < c; ++k) first[k] += own[k];
    for (std::size_t k = 0; k < c; ++k) second[k] += own[c + k];
  }
}

/// Few channels: several rows are taken as one, and the numbers by column repeated.
class Widened {
 public:
  explicit Widened(const Channels& s)
      : times_(s.channels < kNarrow ? (kNarrow / s.channels) * 2 : 1), s_(s) {}
  bool any() const { return times_ > 1 && s_.rows >= times_; }
  Channels whole() const { return {s_.rows / times_, s_.channels * times_}; }
  Channels rest() const { return {s_.rows % times_, s_.channels}; }
  std::int64_t at() const { return s_.rows / times_ * times_ * s_.channels; }
  std::vector<float> repeat(const float* v) const {
    std::vector<float> out;
    out.reserve(static_cast<std::size_t>(times_ * s_.channels));
    for (std::int64_t i = 0; i < times_; ++i) out.insert(out.end(), v, v + s_.channels);
    return out;
  }

 private:
  std::int64_t times_;
  Channels s_;
};

}  // namespace

void channel_moments(const Channels& s, const float* x, double* mean, double* variance) {
  two_sums(s, mean, variance,
           [&](std::int64_t row, std::int64_t rows, float* scratch, double* sums, double* squares) {
             add_moments(x + row * s.channels, rows, s.channels, x, scratch, sums, squares);
           });
  const auto n = static_cast<double>(s.rows);
  for (std::int64_t c = 0; c < s.channels; ++c) {
    const double d = mean[c] / n;  // from the pivot, which is the first row
    variance[c] = std::max(0.0, variance[c] / n - d * d);
    mean[c] = d + static_cast<double>(x[c]);
  }
}

void channel_affine(const Channels& s, const float* x, const float* mean, const float* factor,
                    const float* shift, float* y) {
  const Widened wide(s);
  if (wide.any()) {
    const Channels rest = wide.rest();
    if (rest.rows > 0) {
      affine(x + wide.at(), rest.rows, rest.channels, mean, factor, shift, y + wide.at());
    }
    return channel_affine(wide.whole(), x, wide.repeat(mean).data(), wide.repeat(factor).data(),
                          wide.repeat(shift).data(), y);
  }
  each_chunk(s, [&](std::int64_t row, std::int64_t rows) {
    affine(x + row * s.channels, rows, s.channels, mean, factor, shift, y + row * s.channels);
  });
}

void channel_gradient_sums(const Channels& s, const float* x, const float* dy, const float* mean,
                           const float* inverse, double* sums, double* products) {
  two_sums(s, sums, products,
           [&](std::int64_t row, std::int64_t rows, float* scratch, double* first, double* second) {
             add_gradients(x + row * s.channels, dy + row * s.channels, rows, s.channels, mean, scratch,
                           first, second);
           });
  for (std::int64_t c = 0; c < s.channels; ++c) products[c] *= static_cast<double>(inverse[c]);
}

void channel_gradient(const Channels& s, const float* x, const float* dy, const float* mean, const float* a,
                      const float* b, const float* c, float* dx) {
  each_chunk(s, [&](std::int64_t row, std::int64_t rows) {
    const std::int64_t at = row * s.channels;
    gradient(x + at, dy + at, rows, s.channels, mean, a, b, c, dx + at);
  });
}

void row_affine(std::int64_t rows, std::int64_t n, const float* x, const float* mean, const float* factor,
                const float* shift, float* y) {
  in_parallel(rows > 1 && rows * n > kParallelFrom, rows,
              [&](std::int64_t r) { affine_row(x + r * n, n, mean[r], factor[r], shift[r], y + r * n); });
}

}  // namespace compressor::kernels
