// residual: a network of what static quantization meets first: norms, a sum, a pool, a product.
#pragma once

#include "builder.h"

namespace compressor::build {

/// x [1, 3, 8, 8] -> Conv-BN-Relu -> (Conv-BN-Relu -> Conv) + -> Relu -> MaxPool -> mean -> Gemm [1, 5]
inline Model residual() {
  Net n;
  V x = n.cbr(n.input("x", {1, 3, 8, 8}), 3, 8);
  const V y = n.cbr(x, 8, 8);
  x = n.relu(n.add(x, n.conv(y, 8, 8, {.bias = true})));
  x = n.op("MaxPool", {x}, {attr("kernel_shape", Ints{2, 2}), attr("strides", Ints{2, 2})});
  n.output(n.linear(n.gap(x), 8, 5));
  return n.done();
}

}  // namespace compressor::build
