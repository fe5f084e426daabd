// run_convolution: float32 convolutions on channels-last activations; weights are packed once where they are
// constant.
#include "ops/run_convolution.h"

#include <algorithm>
#include <cstring>

#include "compressor/kernels/convolution.h"
#include "ops/window.h"

namespace compressor::ops {
namespace {

/// Nullopt for ranks that no kernel here takes, and for windows without a place.
std::optional<kernels::ConvShape> read_shape(const Node& node, const Dims& x, const Dims& w, Dims& y) {
  const std::size_t n = x.size() < 2 ? 0 : x.size() - 2;
  if (n < 1 || n > 3 || w.size() != x.size()) return std::nullopt;
  SymDims kernel;
  for (std::size_t i = 2; i < w.size(); ++i) kernel.emplace_back(w[i]);
  const Window window = read_window(node, n, kernel);
  kernels::ConvShape s;
  s.n = x[0];
  s.groups = node.int_or("group", 1);
  s.c_in = x[1];
  s.c_out = w[0];
  s.spatial = n == 3 ? 3 : 2;
  if (s.groups < 1 || s.c_in != w[1] * s.groups || s.c_out % s.groups != 0) return std::nullopt;
  y = {s.n, s.c_out};
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t at = 3 - n + i;
    const std::int64_t places = window.places(i, x[i + 2]).number();
    s.in[at] = x[i + 2];
    s.out[at] = places;
    s.kernel[at] = w[i + 2];
    s.stride[at] = window.strides[i];
    s.dilation[at] = window.dilations[i];
    s.pad_begin[at] = window.pad_begin[i];
    s.pad_end[at] = window.pad_end[i];
    const std::int64_t need = (places - 1) * s.stride[at] + window.extent(i).number() - s.in[at];
    if (window.auto_pad == Window::AutoPad::kSameUpper || window.auto_pad == Window::AutoPad::kSameLower) {
      const std::int64_t all = std::max<std::int64_t>(0, need);
      s.pad_begin[at] = window.auto_pad == Window::AutoPad::kSameUpper ? all / 2 : all - all / 2;
    }
    // What the last place does not reach is no padding to oneDNN.
    s.pad_end[at] = need - s.pad_begin[at];
    if (s.pad_begin[at] < 0) return std::nullopt;
    y.push_back(places);
  }
  if (num_elements(x) == 0 || num_elements(y) == 0 || num_elements(w) == 0) return std::nullopt;
  // A column is run as a row, which lies the same way: oneDNN makes vectors of the last axis.
  if (s.spatial == 2 && s.in[2] == 1 && s.out[2] == 1 && s.kernel[2] == 1) {
    for (auto* axis : {&s.in, &s.out, &s.kernel, &s.stride, &s.dilation, &s.pad_begin, &s.pad_end}) {
      std::swap((*axis)[1], (*axis)[2]);
    }
  }
  return s;
}

/// A convolution prepared for the shapes met so far, and its weights.
struct State {
  struct Prepared {
    kernels::ConvShape shape;
    bool sums = false;
    std::shared_ptr<const kernels::Convolution> convolution;
    kernels::Buffer packed;
  };
  static constexpr std::size_t kMost = 16;
  std::vector<Prepared> list;

  Prepared& of(const kernels::ConvShape& shape, bool sums, const Activation& f, bool bias) {
    for (Prepared& p : list) {
      if (p.shape == shape && p.sums == sums) return p;
    }
    if (list.size() == kMost) list.erase(list.begin());
    list.push_back({shape, sums, kernels::convolution(shape, f, sums, bias), {}});
    return list.back();
  }
};

}  // namespace

bool run_convolution(RunContext& ctx) {
  return run_convolution_with(ctx, ctx.epilogue());
}

bool run_convolution_with(RunContext& ctx, const Epilogue& epilogue) {
  if (ctx.portable() || ctx.dtype(0) != DType::kFloat || ctx.dtype(1) != DType::kFloat) return false;
  Dims y_shape;
  const auto shape = read_shape(ctx.node(), ctx.shape(0), ctx.shape(1), y_shape);
  if (!shape) return false;
  const bool bias = ctx.has(2) && epilogue.add != 2;
  if (bias && ctx.shape(2) != Dims{shape->c_out}) return false;
  const std::size_t add = epilogue.add;
  if (add != 0 && (ctx.dtype(add) != DType::kFloat || ctx.shape(add) != y_shape)) return false;
  State::Prepared& prepared = ctx.state().get<State>().of(*shape, add != 0, epilogue.activation, bias);
  if (!prepared.convolution) return false;
  if (!prepared.packed || !ctx.is_constant(1)) {
    const Bytes& weight = ctx.value(1).tensor.bytes;
    prepared.packed = prepared.convolution->pack(weight.view().data());
  }
  const float* x = ctx.floats(0, Layout::kChannelsLast);
  const float* b = bias ? ctx.floats(2) : nullptr;
  float* y = nullptr;
  if (add != 0) {
    const float* z = ctx.floats(add, Layout::kChannelsLast);
    y = reinterpret_cast<float*>(ctx.out_over(0, add, DType::kFloat, y_shape, Layout::kChannelsLast));
    if (y != z) std::memcpy(y, z, num_elements(y_shape) * sizeof(float));
  } else {
    y = ctx.out_floats(0, y_shape, Layout::kChannelsLast);
  }
  prepared.convolution->forward(x, prepared.packed, b, y);
  return true;
}

void convolution_gradient(GradientContext& ctx) {
  Dims y_shape;
  const auto shape = read_shape(ctx.node(), ctx.in_shape(0), ctx.in_shape(1), y_shape);
  if (!shape) ctx.fail("the gradient of this convolution is not available");
  const float* dy = ctx.grad(0, Layout::kChannelsLast);
  if (ctx.wants(0)) {
    kernels::convolution_backward_data(*shape, dy, ctx.in_floats(1), ctx.grad_in(0, Layout::kChannelsLast));
  }
  const bool bias = ctx.has(2) && ctx.wants(2);
  if (!ctx.wants(1) && !bias) return;
  kernels::Buffer unused;
  float* dw = nullptr;
  if (ctx.wants(1)) {
    dw = ctx.grad_in(1);
  } else {
    unused = kernels::Buffer(num_elements(ctx.in_shape(1)) * sizeof(float));
    dw = unused.as<float>();
  }
  kernels::convolution_backward_weights(*shape, ctx.in_floats(0, Layout::kChannelsLast), dy, dw,
                                        bias ? ctx.grad_in(2) : nullptr);
}

}  // namespace compressor::ops
