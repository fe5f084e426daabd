// fourier: the discrete Fourier transform of any length.
#pragma once

#include <complex>
#include <vector>

namespace compressor {

/// X[k] = sum of x[n] e^(-2 pi i k n / N); the inverse has the other sign and is divided by N. By halves as
/// long as the length is even, directly for what remains.
std::vector<std::complex<double>> fourier(const std::vector<std::complex<double>>& x, bool inverse);

}  // namespace compressor
