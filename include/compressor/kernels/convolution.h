// convolution: y = f(conv(x, w) + b + y0) and its gradients, on channels-last activations.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "compressor/kernels/activation.h"
#include "compressor/kernels/memory.h"

namespace compressor::kernels {

/// One convolution's sizes. Axes that are not there have length 1, stride 1 and no padding.
struct ConvShape {
  std::int64_t n = 1, groups = 1, c_in = 1, c_out = 1;
  std::array<std::int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, dilation{1, 1, 1},
      pad_begin{0, 0, 0}, pad_end{0, 0, 0};
  int spatial = 2;  ///< 2 or 3; a 1-d convolution is 2-d with height 1
  bool operator==(const ConvShape&) const = default;
};

/// A convolution prepared for one shape, safe to run from several threads. x [N, spatial.., C_in], y
/// [N, spatial.., C_out], plain weight [C_out, C_in/g, k..], bias [C_out], all float32.
class Convolution {
 public:
  virtual ~Convolution() = default;
  /// The weight in the order that forward() reads. `w` needs no alignment.
  virtual Buffer pack(const std::byte* w) const = 0;
  /// y = f(conv(x, w) + b), or with `sums` y = f(conv(x, w) + b + y). `b` may be null.
  virtual void forward(const float* x, const Buffer& packed, const float* b, float* y) const = 0;
};
/// Prepared once for equal arguments. Null when oneDNN has no fast implementation for it.
std::shared_ptr<const Convolution> convolution(const ConvShape& shape, const Activation& f, bool sums,
                                               bool bias);

/// The transpose of the convolution of that shape: forward() takes [N, out.., C_out] to [N, in.., C_in] and
/// knows no bias. It is the forward pass of ConvTranspose with weight [C_in, C_out/g, k..] for the
/// convolution that goes the other way. Null when oneDNN has no implementation for it.
std::shared_ptr<const Convolution> transposed_convolution(const ConvShape& shape);

/// dx = conv_transpose(dy, w), w plain.
void convolution_backward_data(const ConvShape& shape, const float* dy, const float* w, float* dx);
/// dw [C_out, C_in/g, k..] and db [C_out] (may be null). Bits may differ between numbers of threads.
void convolution_backward_weights(const ConvShape& shape, const float* x, const float* dy, float* dw,
                                  float* db);

}  // namespace compressor::kernels
