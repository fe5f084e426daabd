// elementwise: what all operators share whose output elements each come from the elements at one position.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "compressor/ops/channels.h"
#include "compressor/ops/op.h"
#include "ops/elements.h"

namespace compressor::ops {

/// Output 0 has the shape of input 0 and that type (kUndefined: the input's).
void infer_same(InferContext& ctx, DType type = DType::kUndefined);
/// Output 0 has the broadcast shape of all inputs and that type (kUndefined: that of input 0).
void infer_broadcast(InferContext& ctx, DType type = DType::kUndefined);

/// The partly known contents of an input; for a small float constant those of its numbers that are integers.
std::optional<SymDims> partly_known(const InferContext& ctx, std::size_t i);
/// Contents of output 0 from those of all inputs, broadcast; only where every input has contents.
using ContentsFn = std::function<SymDim(std::span<const SymDim>)>;
void contents_elementwise(InferContext& ctx, const ContentsFn& fn);
/// -1, 0, 1 for known numbers and monomials of one sign (symbols are positive); nullopt when not known.
std::optional<int> sign_of(const SymDim& d);

/// One operation per output element, whatever it is: additions, comparisons and transcendental functions
/// alike.
Cost cost_elementwise(const CostContext& ctx);

/// False for the integers that shapes are computed with: they carry no channels.
bool carries_channels(const Facts& facts);
/// Lists of a function of one input, element by element.
void channels_unary(ChannelContext& ctx);
/// Lists of a function of all inputs, broadcast.
void channels_broadcast(ChannelContext& ctx);

/// out[i] = fn(in[i]) over the elements of input 0 as T.
template <class T, class Fn>
void map_unary(ComputeContext& ctx, DType out_type, Fn&& fn) {
  const Elements<T> in(ctx.in(0));
  using R = decltype(fn(T{}));
  Result<R> out(out_type, ctx.in(0).shape);
  const std::int64_t n = out.size();
  R* to = out.data();
  const T* from = in.data();
  for (std::int64_t i = 0; i < n; ++i) to[i] = fn(from[i]);
  ctx.set(0, out.finish());
}

/// out = fn(a, b), broadcast, over elements as T.
template <class T, class Fn>
Tensor map_binary(const Tensor& a, const Tensor& b, DType out_type, Fn&& fn) {
  const Dims shape = broadcast_shape(a.shape, b.shape);
  const Elements<T> x(a);
  const Elements<T> y(b);
  using R = decltype(fn(T{}, T{}));
  Result<R> out(out_type, shape);
  R* to = out.data();
  walk<2>(shape, {broadcast_strides(a.shape, shape), broadcast_strides(b.shape, shape)}, {0, 0},
          [&](const Run<2>& run) {
            const T* p = x.data() + run.at[0];
            const T* q = y.data() + run.at[1];
            for (std::int64_t i = 0; i < run.count; ++i) {
              to[run.out + i] = fn(p[i * run.step[0]], q[i * run.step[1]]);
            }
          });
  return out.finish();
}

}  // namespace compressor::ops
