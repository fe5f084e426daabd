// fourier: decimation in time (Cooley and Tukey 1965), sums where the length is odd.
#include "compressor/base/fourier.h"

#include <cstddef>
#include <numbers>

namespace compressor {
namespace {

using Numbers = std::vector<std::complex<double>>;

std::complex<double> root(std::size_t k, std::size_t n, double sign) {
  return std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n));
}

Numbers transform(const Numbers& x, double sign) {
  const std::size_t n = x.size();
  Numbers y(n);
  if (n % 2 == 0 && n > 0) {
    Numbers even;
    Numbers odd;
    for (std::size_t i = 0; i < n; i += 2) {
      even.push_back(x[i]);
      odd.push_back(x[i + 1]);
    }
    even = transform(even, sign);
    odd = transform(odd, sign);
    for (std::size_t k = 0; k < n / 2; ++k) {
      const std::complex<double> turned = root(k, n, sign) * odd[k];
      y[k] = even[k] + turned;
      y[k + n / 2] = even[k] - turned;
    }
    return y;
  }
  for (std::size_t k = 0; k < n; ++k) {
    for (std::size_t i = 0; i < n; ++i) y[k] += x[i] * root(k * i, n, sign);
  }
  return y;
}

}  // namespace

Numbers fourier(const Numbers& x, bool inverse) {
  Numbers y = transform(x, inverse ? 1 : -1);
  if (inverse) {
    for (std::complex<double>& v : y) v /= static_cast<double>(x.size());
  }
  return y;
}

}  // namespace compressor
