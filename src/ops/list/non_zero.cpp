// NonZero: where the numbers are that are not zero.
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const SymDim rank = x.ranked ? SymDim(x.rank()) : SymDim();
  ctx.set(0, DType::kInt64, {rank, SymDim()});
}

void compute(ComputeContext& ctx) {
  const Tensor& input = ctx.in(0);
  const std::vector<double> x = to_doubles(input);
  std::vector<std::uint64_t> hits;
  for (std::uint64_t i = 0; i < x.size(); ++i) {
    if (x[i] != 0) hits.push_back(i);
  }
  std::vector<std::int64_t> y(hits.size() * input.shape.size());
  for (std::uint64_t h = 0; h < hits.size(); ++h) {
    std::uint64_t rest = hits[h];
    for (std::size_t axis = input.shape.size(); axis-- > 0;) {
      const auto n = static_cast<std::uint64_t>(input.shape[axis]);
      y[axis * hits.size() + h] = static_cast<std::int64_t>(rest % n);
      rest /= n;
    }
  }
  ctx.set(0, Tensor::of({input.rank(), static_cast<std::int64_t>(hits.size())},
                        std::span<const std::int64_t>(y)));
}

}  // namespace

void register_non_zero(OpTable& table) {
  table.add({.type = "NonZero", .infer = infer, .compute = compute});
}

}  // namespace compressor::ops
