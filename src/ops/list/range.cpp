// range: Range, the numbers start, start + delta, ... below limit.
#include <cmath>

#include "ops/movement.h"

namespace compressor::ops {
namespace {

template <class T>
std::int64_t length(T start, T limit, T delta) {
  if (delta == T{0}) throw Error::model("a range of step 0");
  const double n =
      std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
  if (n > 1e12) throw Error::model("a range of {} numbers", n);
  return n > 0 ? static_cast<std::int64_t>(n) : 0;
}

/// The length where start, limit and step are known as numbers or monomials.
SymDim symbolic_length(const SymDim& start, const SymDim& limit, const SymDim& delta) {
  if (start.is_number() && limit.is_number() && delta.is_number()) {
    return length(start.number(), limit.number(), delta.number());
  }
  const SymDim span = limit - start;
  const SymDim n = span.divided_by(delta);
  return sign_of(n).value_or(0) > 0 ? n : SymDim();
}

void infer(InferContext& ctx) {
  const DType type = ctx.in(0).dtype;
  SymDim n;
  const Tensor* start = ctx.constant(0);
  const Tensor* limit = ctx.constant(1);
  const Tensor* delta = ctx.constant(2);
  if (start && limit && delta && start->size() == 1 && limit->size() == 1 && delta->size() == 1) {
    n = length(to_doubles(*start)[0], to_doubles(*limit)[0], to_doubles(*delta)[0]);
    return ctx.set(0, type, {n});
  }
  const auto a = partly_known(ctx, 0);
  const auto b = partly_known(ctx, 1);
  const auto d = partly_known(ctx, 2);
  if (a && b && d && a->size() == 1 && b->size() == 1 && d->size() == 1) {
    n = symbolic_length((*a)[0], (*b)[0], (*d)[0]);
  }
  ctx.set(0, type, {n});
  const auto known = n.maybe_number();
  if (!known || *known > 4096 || !is_integer(type)) return;
  SymDims contents;
  for (std::int64_t i = 0; i < *known; ++i) contents.push_back((*a)[0] + (*d)[0] * SymDim(i));
  ctx.set_contents(0, std::move(contents));
}

void compute(ComputeContext& ctx) {
  const DType type = ctx.in(0).dtype;
  with_domain(type, [&]<class T>(T) {
    const T start = Elements<T>(ctx.in(0))[0];
    const T limit = Elements<T>(ctx.in(1))[0];
    const T delta = Elements<T>(ctx.in(2))[0];
    Result<T> out(type, {length(start, limit, delta)});
    for (std::int64_t i = 0; i < out.size(); ++i) out[i] = static_cast<T>(start + static_cast<T>(i) * delta);
    ctx.set(0, out.finish());
  });
}

}  // namespace

void register_range(OpTable& table) {
  table.add({.type = "Range", .since = 11, .infer = infer, .compute = compute, .channels = no_channels});
}

}  // namespace compressor::ops
