// com.microsoft QLinear*: 8-bit operators that take a scale and a zero point after every tensor.
//
// Add, Mul (a, a_scale, a_zp, b, b_scale, b_zp, y_scale, y_zp); Sigmoid, LeakyRelu, Softmax
// (x, x_scale, x_zp, y_scale, y_zp); Concat (y_scale, y_zp, then x, x_scale, x_zp of each input); Where
// (condition, x, x_scale, x_zp, y, y_scale, y_zp, z_scale, z_zp).
#include <cmath>

#include "ops/expect.h"
#include "ops/movement.h"
#include "ops/quantized.h"

namespace compressor::ops {
namespace {

void infer_binary(InferContext& ctx) {
  const Facts& a = ctx.in(0);
  const Facts& b = ctx.in(3);
  if (!a.ranked || !b.ranked) return ctx.set_unranked(0, a.dtype);
  ctx.set(0, a.dtype, broadcast(ctx, a.dims, b.dims));
}

Cost cost_quantized(const CostContext& ctx) {
  return {.macs = 0, .flops = 4 * ctx.out_size(0)};
}

void channels_binary(ChannelContext& ctx) {
  static constexpr std::size_t kInputs[] = {0, 3};
  join_elementwise(ctx, kInputs);
}

void infer_unary(InferContext& ctx) {
  same_as(ctx, 0, 0);
}

void pass_channels(ChannelContext& ctx) {
  ctx.pass_all(0, 0);
}

void infer_concat(InferContext& ctx) {
  const Facts& first = ctx.in(2);
  if (!first.ranked) return ctx.set_unranked(0, first.dtype);
  const auto axis = static_cast<std::size_t>(normalize_axis(ctx, ctx.node().int_or("axis", 0), first.rank()));
  SymDims y = first.dims;
  for (std::size_t i = 5; i < ctx.num_inputs(); i += 3) {
    const Facts& x = ctx.in(i);
    if (!x.ranked) return ctx.set_unranked(0, first.dtype);
    if (x.rank() != first.rank()) ctx.fail("input {} has rank {}, expected {}", i, x.rank(), first.rank());
    for (std::size_t k = 0; k < y.size(); ++k) {
      y[k] = k == axis ? y[k] + x.dims[k] : agree(ctx, y[k], x.dims[k], "axis of a concatenated tensor");
    }
  }
  ctx.set(0, first.dtype, std::move(y));
}

/// Rounds to the output whose scale is input i and zero point input i + 1, of type `type`.
struct Output {
  Output(const ComputeContext& ctx, std::size_t i, DType type)
      : scale(ops::scale(ctx, i)), round(type, zero_point(ctx, i + 1)) {}
  std::byte operator()(float v) const { return static_cast<std::byte>(round(v / scale)); }
  float scale;
  Rounder round;
};

/// y = fn(a, b), broadcast.
template <class Fn>
void compute_binary(ComputeContext& ctx, Fn&& fn) {
  const Quantized8 a(ctx, 0, 1, 2);
  const Quantized8 b(ctx, 3, 4, 5);
  if (a.type != b.type) ctx.fail("operands are {} and {}, expected one type", name(a.type), name(b.type));
  const Output to(ctx, 6, a.type);
  const Dims& left = ctx.in(0).shape;
  const Dims& right = ctx.in(3).shape;
  const Dims shape = broadcast_shape(left, right);
  const BytesView x = ctx.in(0).bytes.view();
  const BytesView z = ctx.in(3).bytes.view();
  std::vector<std::byte> y(num_elements(shape));
  walk<2>(shape, {broadcast_strides(left, shape), broadcast_strides(right, shape)}, {0, 0},
          [&](const Run<2>& run) {
            const std::byte* p = x.data() + run.at[0];
            const std::byte* q = z.data() + run.at[1];
            std::byte* out = y.data() + run.out;
            for (std::int64_t i = 0; i < run.count; ++i) {
              out[i] = to(fn(a(p[i * run.step[0]]), b(q[i * run.step[1]])));
            }
          });
  ctx.set(0, tensor_of_bytes(a.type, shape, std::move(y)));
}

/// Input i through a table.
std::vector<std::byte> looked_up(const Tensor& x, const std::vector<std::byte>& table) {
  const BytesView view = x.bytes.view();
  std::vector<std::byte> y(view.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = table[std::to_integer<std::size_t>(view.data()[i])];
  return y;
}

template <class Fn>
void compute_unary(ComputeContext& ctx, Fn&& fn) {
  const Quantized8 x(ctx, 0, 1, 2);
  const Output to(ctx, 3, x.type);
  std::vector<std::byte> table;
  for (const float v : x.values) table.push_back(to(fn(v)));
  ctx.set(0, tensor_of_bytes(x.type, ctx.in(0).shape, looked_up(ctx.in(0), table)));
}

void compute_sigmoid(ComputeContext& ctx) {
  compute_unary(ctx, [](float v) { return 1 / (1 + std::exp(-v)); });
}

void compute_leaky_relu(ComputeContext& ctx) {
  const float alpha = ctx.node().float_or("alpha", 0.01F);
  compute_unary(ctx, [alpha](float v) { return v < 0 ? alpha * v : v; });
}

/// Over one axis, or for the semantics before opset 13 over that axis and all behind it.
void compute_softmax(ComputeContext& ctx) {
  const Quantized8 x(ctx, 0, 1, 2);
  const Output to(ctx, 3, x.type);
  const Dims& shape = ctx.in(0).shape;
  const auto rank = static_cast<std::int64_t>(shape.size());
  const bool flat = ctx.node().int_or("opset", 13) < 13;
  const auto axis =
      static_cast<std::size_t>(axis_in(ctx.node(), ctx.node().int_or("axis", flat ? 1 : -1), rank));
  const auto middle = shape.begin() + static_cast<std::ptrdiff_t>(axis);
  const auto after = flat ? shape.end() : middle + 1;
  const auto count = static_cast<std::int64_t>(num_elements({middle, after}));
  const auto inner = static_cast<std::int64_t>(num_elements({after, shape.end()}));
  const BytesView view = ctx.in(0).bytes.view();
  const auto size = static_cast<std::int64_t>(view.size());
  std::vector<std::byte> y(view.size());
  std::vector<float> e(static_cast<std::size_t>(count));
  for (std::int64_t o = 0; o < size; o += count * inner) {
    for (std::int64_t i = o; i < o + inner; ++i) {
      float most = x(view.data()[i]);
      for (std::int64_t k = 0; k < count; ++k) most = std::max(most, x(view.data()[i + k * inner]));
      double sum = 0;
      for (std::int64_t k = 0; k < count; ++k) {
        float& v = e[static_cast<std::size_t>(k)];
        v = std::exp(x(view.data()[i + k * inner]) - most);
        sum += static_cast<double>(v);
      }
      for (std::int64_t k = 0; k < count; ++k) {
        y[static_cast<std::size_t>(i + k * inner)] =
            to(static_cast<float>(static_cast<double>(e[static_cast<std::size_t>(k)]) / sum));
      }
    }
  }
  ctx.set(0, tensor_of_bytes(x.type, shape, std::move(y)));
}

void compute_concat(ComputeContext& ctx) {
  if (ctx.num_inputs() < 5 || (ctx.num_inputs() - 2) % 3 != 0) {
    ctx.fail("{} inputs, expected 2 and 3 for every tensor", ctx.num_inputs());
  }
  const Dims& first = ctx.in(2).shape;
  const DType type = ctx.in(1).dtype;
  expect_8_bits(ctx, type, "the output's zero point");
  const Output to(ctx, 0, type);
  const auto axis = static_cast<std::size_t>(
      axis_in(ctx.node(), ctx.node().int_or("axis", 0), static_cast<std::int64_t>(first.size())));
  const auto at = static_cast<std::ptrdiff_t>(axis);
  Dims shape = first;
  shape[axis] = 0;
  for (std::size_t i = 2; i < ctx.num_inputs(); i += 3) {
    Dims other = ctx.in(i).shape;
    if (other.size() != first.size())
      ctx.fail("input {} has rank {}, expected {}", i, other.size(), first.size());
    shape[axis] += other[axis];
    other[axis] = first[axis];
    if (other != first)
      ctx.fail("input {} is {}, which does not go with {}", i, to_string(ctx.in(i).shape), to_string(first));
  }
  const auto outer = num_elements({shape.begin(), shape.begin() + at});
  const auto row = num_elements({shape.begin() + at, shape.end()});
  std::vector<std::byte> y(outer * row);
  std::uint64_t column = 0;
  for (std::size_t i = 2; i < ctx.num_inputs(); i += 3) {
    const Quantized8 x(ctx, i, i + 1, i + 2);
    std::vector<std::byte> table;
    for (const float v : x.values) table.push_back(to(v));
    const std::vector<std::byte> part = looked_up(ctx.in(i), table);
    const std::uint64_t width = outer == 0 ? 0 : part.size() / outer;
    for (std::uint64_t o = 0; o < outer; ++o) {
      std::copy_n(part.data() + o * width, width, y.data() + o * row + column);
    }
    column += width;
  }
  ctx.set(0, tensor_of_bytes(type, shape, std::move(y)));
}

void infer_where(InferContext& ctx) {
  const DType type = ctx.in(1).dtype;
  if (!ctx.in(0).ranked || !ctx.in(1).ranked || !ctx.in(4).ranked) return ctx.set_unranked(0, type);
  ctx.set(0, type, broadcast(ctx, broadcast(ctx, ctx.in(0).dims, ctx.in(1).dims), ctx.in(4).dims));
}

void channels_where(ChannelContext& ctx) {
  static constexpr std::size_t kInputs[] = {0, 1, 4};
  join_elementwise(ctx, kInputs);
}

void compute_where(ComputeContext& ctx) {
  const Quantized8 x(ctx, 1, 2, 3);
  const Quantized8 y(ctx, 4, 5, 6);
  const Output to(ctx, 7, x.type);
  const Dims shape = broadcast_shape(broadcast_shape(ctx.in(0).shape, ctx.in(1).shape), ctx.in(4).shape);
  const BytesView c = ctx.in(0).bytes.view();
  const BytesView p = ctx.in(1).bytes.view();
  const BytesView q = ctx.in(4).bytes.view();
  std::vector<std::byte> z(num_elements(shape));
  walk<3>(shape,
          {broadcast_strides(ctx.in(0).shape, shape), broadcast_strides(ctx.in(1).shape, shape),
           broadcast_strides(ctx.in(4).shape, shape)},
          {0, 0, 0}, [&](const Run<3>& run) {
            for (std::int64_t i = 0; i < run.count; ++i) {
              const bool yes = c.data()[run.at[0] + i * run.step[0]] != std::byte{0};
              z[static_cast<std::size_t>(run.out + i)] = to(yes ? x(p.data()[run.at[1] + i * run.step[1]])
                                                                : y(q.data()[run.at[2] + i * run.step[2]]));
            }
          });
  ctx.set(0, tensor_of_bytes(x.type, shape, std::move(z)));
}

}  // namespace

void register_microsoft_qlinear(OpTable& table) {
  const std::string domain = "com.microsoft";
  const auto add = [&](const char* type, void (*infer)(InferContext&), void (*compute)(ComputeContext&),
                       void (*channels)(ChannelContext&)) {
    table.add({.type = type,
               .domain = domain,
               .infer = infer,
               .cost = cost_quantized,
               .compute = compute,
               .channels = channels});
  };
  add(
      "QLinearAdd", infer_binary,
      [](ComputeContext& ctx) { compute_binary(ctx, [](float a, float b) { return a + b; }); },
      channels_binary);
  add(
      "QLinearMul", infer_binary,
      [](ComputeContext& ctx) { compute_binary(ctx, [](float a, float b) { return a * b; }); },
      channels_binary);
  add("QLinearSigmoid", infer_unary, compute_sigmoid, pass_channels);
  add("QLinearLeakyRelu", infer_unary, compute_leaky_relu, pass_channels);
  add("QLinearSoftmax", infer_unary, compute_softmax, nullptr);
  add("QLinearWhere", infer_where, compute_where, channels_where);
  table.add({.type = "QLinearConcat", .domain = domain, .infer = infer_concat, .compute = compute_concat});
}

}  // namespace compressor::ops
