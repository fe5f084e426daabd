// product: y = f(a b + bias), matrix by matrix, with the same bits at any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "compressor/kernels/activation.h"
#include "compressor/kernels/memory.h"

namespace compressor::kernels {

/// a [m, k] or its transpose, b [k, n] or its transpose, y [m, n]; dense rows.
struct ProductShape {
  std::int64_t m = 1, n = 1, k = 1;
  bool trans_a = false, trans_b = false;
  bool operator==(const ProductShape&) const = default;
};

/// A product prepared for one shape, cut by its shape into tiles that run on one thread each.
class Product {
 public:
  virtual ~Product() = default;
  /// b in the order that run() reads fastest. `b` needs no alignment.
  virtual std::vector<Buffer> pack(const std::byte* b) const = 0;
  /// `bias` [n] may be null only where it was declared to be. y = f(a b + bias).
  virtual void run(const float* a, const float* b, const float* bias, float* y) const = 0;
  virtual void run(const float* a, const std::vector<Buffer>& packed, const float* bias, float* y) const = 0;
};
/// Prepared once for equal arguments.
std::shared_ptr<const Product> product(const ProductShape& shape, const Activation& f, bool bias);

}  // namespace compressor::kernels
