// panels: a panel's sums stay in registers while its rows stream by once.
#include "compressor/kernels/panels.h"

#include <algorithm>

#include "compressor/kernels/in_parallel.h"
#include "kernels/simd.h"

namespace compressor::kernels {
namespace {

constexpr std::int64_t kWidth = 32;              ///< columns of a panel
constexpr std::int64_t kParallelFrom = 1 << 18;  ///< multiply-adds

template <int kRows>
[[gnu::always_inline]] inline void add_rows(const float* a, std::int64_t k, const float* panel, float* y,
                                            std::int64_t stride, std::int64_t width) {
  float sums[kRows][kWidth] = {};
  for (std::int64_t t = 0; t < k; ++t) {
    const float* b = panel + t * kWidth;
    for (int r = 0; r < kRows; ++r) {
      const float v = a[r * k + t];
      for (std::int64_t i = 0; i < kWidth; ++i) sums[r][i] += v * b[i];
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (std::int64_t i = 0; i < width; ++i) y[r * stride + i] += sums[r][i];
  }
}

COMPRESSOR_CLONES void add_panel(const float* a, std::int64_t rows, std::int64_t k, const float* panel,
                                 float* y, std::int64_t stride, std::int64_t width) {
  std::int64_t r = 0;
  for (; r + 4 <= rows; r += 4) add_rows<4>(a + r * k, k, panel, y + r * stride, stride, width);
  for (; r < rows; ++r) add_rows<1>(a + r * k, k, panel, y + r * stride, stride, width);
}

}  // namespace

Panels::Panels(const float* b, std::int64_t n, std::int64_t k, std::int64_t stride) : n_(n), k_(k) {
  const std::int64_t panels = (n + kWidth - 1) / kWidth;
  packed_ = Buffer(static_cast<std::size_t>(panels * k * kWidth) * sizeof(float));
  auto* to = packed_.as<float>();
  for (std::int64_t p = 0; p < panels; ++p) {
    for (std::int64_t t = 0; t < k; ++t) {
      for (std::int64_t i = 0; i < kWidth; ++i) {
        const std::int64_t column = p * kWidth + i;
        *to++ = column < n ? b[column * stride + t] : 0.0F;
      }
    }
  }
}

void Panels::add(const float* a, std::int64_t rows, float* y, std::int64_t stride) const {
  const std::int64_t panels = (n_ + kWidth - 1) / kWidth;
  const auto* from = packed_.as<float>();
  in_parallel(panels > 1 && rows * n_ * k_ > kParallelFrom, panels, [&](std::int64_t p) {
    add_panel(a, rows, k_, from + p * k_ * kWidth, y + p * kWidth, stride, std::min(kWidth, n_ - p * kWidth));
  });
}

}  // namespace compressor::kernels
