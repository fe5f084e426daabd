// convolve: portable arithmetic of convolutions: columns from an image, and images from columns.
#pragma once

#include "ops/convolution.h"

namespace compressor::ops {

/// Rows of taps: for places [first, last) of the window, column j of row (c, tap) of `columns`
/// [channels taps, last - first] is what the tap sees of channel c of x [channels, in..] at place first + j;
/// 0 in the padding.
template <class T>
void to_columns(const FixedWindow& w, const T* x, std::int64_t channels, std::int64_t first,
                std::int64_t last, T* columns);
/// The transpose of that: y [channels, in..] += columns [channels taps, places].
template <class T>
void add_columns(const FixedWindow& w, const T* columns, std::int64_t channels, T* y);

/// The image at input 0 by the weight and bias that `which` names -> [N, C_out, places..].
Tensor convolve(const ComputeContext& ctx, const Convolution& which);
/// x [N, C_in, s..] by w [C_in, C_out/g, k..] and bias at inputs 0, 1, 2. `window` is that of the convolution
/// whose transpose it is: it goes from the output's axes to the input's.
Tensor convolve_transposed(const ComputeContext& ctx, const FixedWindow& window, std::int64_t group);

extern template void to_columns(const FixedWindow&, const float*, std::int64_t, std::int64_t, std::int64_t,
                                float*);
extern template void to_columns(const FixedWindow&, const double*, std::int64_t, std::int64_t, std::int64_t,
                                double*);
extern template void add_columns(const FixedWindow&, const float*, std::int64_t, float*);
extern template void add_columns(const FixedWindow&, const double*, std::int64_t, double*);

}  // namespace compressor::ops
