// normalize: moments and affine maps of channels-last matrices by column, and of rows; their gradients.
// The same bits at any number of threads: sums are cut by the shape alone.
#pragma once

#include <cstdint>

namespace compressor::kernels {

/// Rows of `channels` numbers: the positions of channels-last activations.
struct Channels {
  std::int64_t rows = 0, channels = 0;
};

/// Mean and variance (of the whole, not an estimate) of every column; rows > 0.
void channel_moments(const Channels& s, const float* x, double* mean, double* variance);
/// y = (x - mean) factor + shift, by column; y may be x.
void channel_affine(const Channels& s, const float* x, const float* mean, const float* factor,
                    const float* shift, float* y);
/// sums = sum dy, products = sum dy (x - mean) inverse, by column.
void channel_gradient_sums(const Channels& s, const float* x, const float* dy, const float* mean,
                           const float* inverse, double* sums, double* products);
/// dx = a dy + b (x - mean) + c, by column; dx may be dy.
void channel_gradient(const Channels& s, const float* x, const float* dy, const float* mean, const float* a,
                      const float* b, const float* c, float* dx);

/// The same affine map where each of `rows` rows of n numbers has its own three numbers.
void row_affine(std::int64_t rows, std::int64_t n, const float* x, const float* mean, const float* factor,
                const float* shift, float* y);

/// Rows of n numbers that are normalised by their own mean and variance, or, not `centred`, by their mean
/// square.
struct Rows {
  std::int64_t rows = 0, n = 0;
  double epsilon = 0;
  bool centred = true;
};
/// mean (zeros where not centred) and inverse = 1 / sqrt(variance + epsilon), [rows].
void row_moments(const Rows& s, const float* x, float* mean, float* inverse);
/// y = (x - mean) inverse scale + bias; scale and bias [n] may be null.
void row_normalize(const Rows& s, const float* x, const float* mean, const float* inverse, const float* scale,
                   const float* bias, float* y);
/// dx of that; dx may be null.
void row_gradient(const Rows& s, const float* x, const float* dy, const float* mean, const float* inverse,
                  const float* scale, float* dx);
/// dscale = sum dy (x - mean) inverse, dbias = sum dy over rows; either may be null.
void row_parameter_gradient(const Rows& s, const float* x, const float* dy, const float* mean,
                            const float* inverse, float* dscale, float* dbias);

}  // namespace compressor::kernels
