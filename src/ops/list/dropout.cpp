// Dropout: the identity, unless it is told to train.
#include "compressor/base/random.h"
#include "compressor/ops/channels.h"
#include "compressor/ops/run.h"
#include "ops/expect.h"

namespace compressor::ops {
namespace {

void infer(InferContext& ctx) {
  same_as(ctx, 0, 0);
  same_as(ctx, 1, 0);
  // Up to opset 9 the mask has the type of the input.
  if (ctx.wants(1) && ctx.opset() >= 10) ctx.outputs()[1].dtype = DType::kBool;
}

void channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
  ctx.pass_all(0, 1);
}

/// The attribute `ratio` up to opset 11, an input since.
template <class Context>
double ratio_of(Context& ctx) {
  if (ctx.opset() < 12) return ctx.node().float_or("ratio", 0.5F);
  return ctx.has(1) && ctx.in(1).size() > 0 ? to_doubles(ctx.in(1))[0] : 0.5;
}

void compute(ComputeContext& ctx) {
  const bool trains = ctx.opset() >= 12 && ctx.has(2) && to_ints(ctx.in(2)).at(0) != 0;
  if (trains && ratio_of(ctx) != 0) ctx.fail("training mode is random");
  const Tensor& x = ctx.in(0);
  ctx.set(0, x);
  if (ctx.node().output(1) == nullptr) return;
  const DType mask = ctx.opset() >= 10 ? DType::kBool : x.dtype;
  ctx.set(1, Tensor::of(mask, x.shape, std::vector<double>(x.size(), 1.0)));
}

/// Which mask a node draws: a new one on every run, but the same again where a run without a tape is repeated
/// with one.
struct State {
  std::uint64_t draws = 0;
  bool recorded = true;
};

bool run(RunContext& ctx) {
  const bool trains = ctx.opset() >= 12 && ctx.has(2) && to_ints(ctx.in(2)).at(0) != 0;
  const double ratio = trains ? ratio_of(ctx) : 0;
  if (ratio == 0) {
    if (ctx.wants(1)) return false;
    ctx.set(0, ctx.value(0));
    return true;
  }
  if (ctx.dtype(0) != DType::kFloat) ctx.fail("drops from {}, expected float32", name(ctx.dtype(0)));
  if (ratio < 0 || ratio >= 1) ctx.fail("ratio is {}, expected 0 to 1", ratio);
  auto& state = ctx.state().get<State>();
  if (!ctx.training() || state.recorded) ++state.draws;
  state.recorded = ctx.training();
  const auto seed = static_cast<std::uint64_t>(ctx.node().int_or("seed", 0));
  Random random((seed << 32U) ^ (ctx.node().id() * 0x9E3779B97F4A7C15ULL) ^ (state.draws << 20U));
  const Dims shape = ctx.shape(0);
  const float* x = ctx.floats(0);
  float* y = ctx.out_floats(0, shape);
  std::byte* mask = ctx.wants(1) ? ctx.out(1, DType::kBool, shape) : nullptr;
  const kernels::Buffer factors(num_elements(shape) * sizeof(float));
  auto* f = factors.as<float>();
  const auto kept = static_cast<float>(1 / (1 - ratio));
  for (std::size_t i = 0; i < num_elements(shape); ++i) {
    f[i] = random.uniform() < ratio ? 0.0F : kept;
    y[i] = x[i] * f[i];
    if (mask) mask[i] = static_cast<std::byte>(f[i] != 0.0F);
  }
  if (ctx.training()) {
    Tensor keep;
    keep.dtype = DType::kFloat;
    keep.shape = shape;
    keep.bytes = factors.bytes();
    ctx.keep(std::move(keep));
  }
  return true;
}

void gradient(GradientContext& ctx) {
  if (!ctx.wants(0) || !ctx.has_grad(0)) return;
  if (!ctx.has_kept(0)) {
    const Layout layout = ctx.grad_layout(0);
    return ctx.set(0, {ctx.grad_tensor(0, layout), layout});
  }
  const auto* f = reinterpret_cast<const float*>(ctx.kept(0).bytes.view().data());
  const float* dy = ctx.grad(0);
  float* dx = ctx.grad_in(0);
  for (std::size_t i = 0; i < num_elements(ctx.in_shape(0)); ++i) dx[i] = dy[i] * f[i];
}

}  // namespace

void register_dropout(OpTable& table) {
  table.add({.type = "Dropout",
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .run = run,
             .gradient = gradient});
}

}  // namespace compressor::ops
