// functions: transcendental functions of many numbers, by loops that become vectors.
#pragma once

#include <cstdint>

namespace compressor::kernels {

/// y[i] = e^x[i] to 2 ulp; y may be x. The same bits at any number of threads.
void exponential(const float* x, float* y, std::int64_t n);
/// y[i] = erf(x[i]) to a few ulp; y may be x.
void error_function(const float* x, float* y, std::int64_t n);
/// The largest of n > 0 numbers, or the smallest; NaN where one of them is.
float largest(const float* x, std::int64_t n);
float smallest(const float* x, std::int64_t n);

}  // namespace compressor::kernels
