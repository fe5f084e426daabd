// where: Where, x where the condition holds and y elsewhere, all broadcast.
#include <cstring>

#include "ops/elementwise.h"
#include "ops/run_elementwise.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  infer_broadcast(ctx, ctx.in(1).dtype);
  contents_elementwise(ctx, [](std::span<const SymDim> in) -> SymDim {
    if (in[0].is_number()) return in[0].number() != 0 ? in[1] : in[2];
    return in[1] == in[2] ? in[1] : SymDim();
  });
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(1);
  const Tensor& y = ctx.in(2);
  const Tensor& condition = ctx.in(0);
  const Dims shape = broadcast_shape(broadcast_shape(condition.shape, x.shape), y.shape);
  const Elements<std::int64_t> choose(condition);
  const Cells a(x);
  const Cells b(y);
  CellsOut out(x.dtype, shape);
  walk<3>(shape,
          {broadcast_strides(condition.shape, shape), broadcast_strides(x.shape, shape),
           broadcast_strides(y.shape, shape)},
          {0, 0, 0}, [&](const Run<3>& run) {
            for (std::int64_t i = 0; i < run.count; ++i) {
              if (choose[run.at[0] + i * run.step[0]] != 0) {
                out.copy(run.out + i, a, run.at[1] + i * run.step[1]);
              } else {
                out.copy(run.out + i, b, run.at[2] + i * run.step[2]);
              }
            }
          });
  ctx.set(0, out.finish());
}

/// Elements of four bytes or eight.
template <class T>
void choose(const Dims& shape, const Tensor& condition, const Tensor& x, const Tensor& y, std::byte* out) {
  const BytesView vc = condition.bytes.view();
  const BytesView vx = x.bytes.view();
  const BytesView vy = y.bytes.view();
  const auto* c = reinterpret_cast<const std::uint8_t*>(vc.data());
  const T* a = reinterpret_cast<const T*>(vx.data());
  const T* b = reinterpret_cast<const T*>(vy.data());
  T* to = reinterpret_cast<T*>(out);
  walk<3>(shape,
          {broadcast_strides(condition.shape, shape), broadcast_strides(x.shape, shape),
           broadcast_strides(y.shape, shape)},
          {0, 0, 0}, [&](const Run<3>& run) {
            for (std::int64_t i = 0; i < run.count; ++i) {
              const T p = a[run.at[1] + i * run.step[1]];
              const T q = b[run.at[2] + i * run.step[2]];
              to[run.out + i] = c[run.at[0] + i * run.step[0]] != 0 ? p : q;
            }
          });
}

bool run(RunContext& ctx) {
  const DType type = ctx.dtype(1);
  if (ctx.portable() || ctx.dtype(0) != DType::kBool || type != ctx.dtype(2)) return false;
  if (type != DType::kFloat && type != DType::kInt64 && type != DType::kInt32) return false;
  const Dims shape = broadcast_shape(broadcast_shape(ctx.shape(0), ctx.shape(1)), ctx.shape(2));
  const Tensor& c = ctx.in(0);
  const Tensor& x = ctx.in(1);
  const Tensor& y = ctx.in(2);
  std::byte* out = ctx.out(0, type, shape);
  if (bits(type) == 32) {
    choose<std::uint32_t>(shape, c, x, y, out);
  } else {
    choose<std::uint64_t>(shape, c, x, y, out);
  }
  return true;
}

void gradient(GradientContext& ctx) {
  const Tensor zero = Tensor::scalar(0.0F);
  const Tensor dy = ctx.grad_tensor(0);
  for (const std::size_t i : {1U, 2U}) {
    if (!ctx.wants(i)) continue;
    const kernels::Buffer buffer(dy.bytes.size());
    choose<std::uint32_t>(dy.shape, ctx.in(0), i == 1 ? dy : zero, i == 1 ? zero : dy, buffer.data());
    Tensor d = dy;
    d.bytes = buffer.bytes();
    set_summed(ctx, i, d, Layout::kPlain);
  }
}

}  // namespace

void register_where(OpTable& table) {
  table.add({.type = "Where",
             .since = 9,
             .infer = infer,
             .cost = cost_elementwise,
             .compute = compute,
             .channels = channels_broadcast,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 1}});
}

}  // namespace compressor::ops
