// summary: what a long row of numbers comes to: range, sums, zeros, a histogram. The same bits at any number
// of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace compressor::kernels {

struct Summary {
  std::int64_t count = 0;  ///< finite numbers
  std::int64_t zeros = 0;
  std::int64_t not_finite = 0;
  float min = 0, max = 0;  ///< of the finite ones; 0 where there are none
  double sum = 0, sum_of_squares = 0, sum_of_magnitudes = 0;
  void merge(const Summary& other);
};
Summary summarize(const float* x, std::int64_t n);

/// By channel, [C] each.
struct ChannelTotals {
  float *min, *max;
  double *sum, *magnitudes, *squares;  ///< sums of x, |x| and x^2
};
/// Adds x [outer, channels, inner] to what was there.
void add_channels(const float* x, std::int64_t outer, std::int64_t channels, std::int64_t inner,
                  const ChannelTotals& to);

/// Counts of numbers in bins of one width, bin i from i * width to (i + 1) * width, as many below zero as
/// above. Widening by powers of two puts two bins into one: no count is lost, and zero stays an edge.
class Histogram {
 public:
  /// `bins`: a power of two of at least 4.
  explicit Histogram(int bins = 4096);
  /// Widens until [min, max] fits, then counts. Numbers that are not finite are left out.
  void add(const float* x, std::int64_t n, float min, float max);
  void merge(const Histogram& other);

  double width() const { return width_; }  ///< 0 before the first number
  /// Left edge of bins()[0]: -bins / 2 * width.
  double low() const { return -static_cast<double>(counts_.size()) / 2 * width_; }
  std::span<const std::uint64_t> counts() const { return counts_; }
  std::uint64_t total() const;

 private:
  void widen(double to);
  std::vector<std::uint64_t> counts_;
  double width_ = 0;
};

}  // namespace compressor::kernels
