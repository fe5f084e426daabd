// pooling: one number for every place of a sliding window, and one for a whole plane, on channels-last
// activations.
#pragma once

#include <array>
#include <cstdint>

namespace compressor::kernels {

/// One pooling's sizes. Axes that are not there have length 1, stride 1 and no padding.
struct PoolShape {
  std::int64_t n = 1, channels = 1;
  std::array<std::int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1},
      pad_begin{0, 0, 0}, pad_end{0, 0, 0};
  std::int64_t in_places() const { return in[0] * in[1] * in[2]; }
  std::int64_t out_places() const { return out[0] * out[1] * out[2]; }
};

/// x [N, in.., C] -> y [N, out.., C]. A window without a place inside gives -infinity. The same bits at any
/// number of threads, as all of these.
void max_pool(const PoolShape& shape, const float* x, float* y);
/// dx is dy where x was the first largest of a window, summed over windows.
void max_pool_backward(const PoolShape& shape, const float* x, const float* dy, float* dx);

/// The mean of what lies inside, or, with `count_padding`, the sum over the number of places inside the
/// padded input.
void average_pool(const PoolShape& shape, bool count_padding, const float* x, float* y);
void average_pool_backward(const PoolShape& shape, bool count_padding, const float* dy, float* dx);

/// Over all `places` of x [n, places, C] -> y [n, C]; places > 0.
void global_average(std::int64_t n, std::int64_t places, std::int64_t channels, const float* x, float* y);
void global_max(std::int64_t n, std::int64_t places, std::int64_t channels, const float* x, float* y);

}  // namespace compressor::kernels
