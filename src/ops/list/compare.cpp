// compare: Equal, Less, Greater and their kin: bool of two broadcast inputs.
#include "ops/elementwise.h"

namespace compressor::ops {
namespace {

/// What is known of the order of two integers that may hold symbols: which of <, ==, > may be.
struct Order {
  bool less = true, equal = true, greater = true;
};

Order order_of(const SymDim& a, const SymDim& b) {
  const SymDim difference = a - b;
  if (const auto sign = sign_of(difference)) return {*sign<0, *sign == 0, *sign> 0};
  const auto sa = sign_of(a);
  const auto sb = sign_of(b);
  if (!sa || !sb) return {};
  if (*sa > *sb) return {false, false, true};
  if (*sa < *sb) return {true, false, false};
  return {};
}

SymDim known(bool may, bool may_not) {
  return may && may_not ? SymDim() : SymDim(may ? 1 : 0);
}

struct Comparison {
  const char* type;
  std::int64_t since;
  bool less, equal, greater;  ///< for which orders it is true
};

constexpr Comparison kComparisons[] = {
    {"Equal", 7, false, true, false},          {"Less", 7, true, false, false},
    {"Greater", 7, false, false, true},        {"LessOrEqual", 12, true, true, false},
    {"GreaterOrEqual", 12, false, true, true},
};

void infer(InferContext& ctx, const Comparison& c) {
  infer_broadcast(ctx, DType::kBool);
  contents_elementwise(ctx, [&](std::span<const SymDim> in) {
    const Order o = order_of(in[0], in[1]);
    const bool may = (o.less && c.less) || (o.equal && c.equal) || (o.greater && c.greater);
    const bool may_not = (o.less && !c.less) || (o.equal && !c.equal) || (o.greater && !c.greater);
    return known(may, may_not);
  });
}

Tensor compare_strings(const Tensor& a, const Tensor& b) {
  const Dims shape = broadcast_shape(a.shape, b.shape);
  Result<std::int64_t> out(DType::kBool, shape);
  walk<2>(shape, {broadcast_strides(a.shape, shape), broadcast_strides(b.shape, shape)}, {0, 0},
          [&](const Run<2>& run) {
            for (std::int64_t i = 0; i < run.count; ++i) {
              out[run.out + i] = (*a.strings)[static_cast<std::size_t>(run.at[0] + i * run.step[0])] ==
                                 (*b.strings)[static_cast<std::size_t>(run.at[1] + i * run.step[1])];
            }
          });
  return out.finish();
}

void compute(ComputeContext& ctx, const Comparison& c) {
  const Tensor& a = ctx.in(0);
  const Tensor& b = ctx.in(1);
  if (a.dtype == DType::kString && a.strings && b.strings) return ctx.set(0, compare_strings(a, b));
  with_domain(a.dtype, [&]<class T>(T) {
    ctx.set(0, map_binary<T>(a, b, DType::kBool, [&](T x, T y) {
              return std::int64_t{(x < y && c.less) || (x == y && c.equal) || (x > y && c.greater)};
            }));
  });
}

}  // namespace

void register_compare(OpTable& table) {
  for (const Comparison& c : kComparisons) {
    table.add({.type = c.type,
               .since = c.since,
               .infer = [c](InferContext& ctx) { infer(ctx, c); },
               .cost = cost_elementwise,
               .compute = [c](ComputeContext& ctx) { compute(ctx, c); },
               .channels = channels_broadcast});
  }
}

}  // namespace compressor::ops
