// window: attributes of sliding windows and the arithmetic of their places.
#include "ops/window.h"

#include <algorithm>

namespace compressor::ops {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return -floor_div(-a, b);
}

std::vector<std::int64_t> read_ints(const Node& node, std::string_view name, std::size_t n,
                                    std::int64_t otherwise, std::int64_t least) {
  std::vector<std::int64_t> values = node.ints_or(name, {});
  if (values.empty()) values.assign(n, otherwise);
  if (values.size() != n) fail_at(node, "{} has {} numbers, expected {}", name, values.size(), n);
  for (const std::int64_t v : values) {
    if (v < least) fail_at(node, "{} holds {}, expected at least {}", name, v, least);
    if (v > (std::int64_t{1} << 40)) fail_at(node, "{} holds {}, which is out of range", name, v);
  }
  return values;
}

Window::AutoPad read_auto_pad(const Node& node) {
  const std::string text = node.string_or("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return Window::AutoPad::kNone;
  if (text == "SAME_UPPER") return Window::AutoPad::kSameUpper;
  if (text == "SAME_LOWER") return Window::AutoPad::kSameLower;
  if (text == "VALID") return Window::AutoPad::kValid;
  fail_at(node, "auto_pad is '{}', expected NOTSET, SAME_UPPER, SAME_LOWER or VALID", text);
}

bool is_same(Window::AutoPad pad) {
  return pad == Window::AutoPad::kSameUpper || pad == Window::AutoPad::kSameLower;
}

}  // namespace

Window read_window(const Node& node, std::size_t n, const SymDims& kernel) {
  Window w;
  w.kernel = kernel;
  const std::vector<std::int64_t> shape = node.ints_or("kernel_shape", {});
  if (!shape.empty()) {
    if (shape.size() != n) fail_at(node, "kernel_shape has {} numbers, expected {}", shape.size(), n);
    w.kernel.resize(n);
    for (std::size_t i = 0; i < n; ++i) {
      if (shape[i] < 1) fail_at(node, "kernel_shape holds {}, expected at least 1", shape[i]);
      if (w.kernel[i].is_number() && w.kernel[i].number() != shape[i]) {
        fail_at(node, "kernel_shape[{}] is {}, but the weight has {}", i, shape[i], w.kernel[i].number());
      }
      w.kernel[i] = shape[i];
    }
  }
  if (w.kernel.size() != n) fail_at(node, "kernel_shape is missing, expected {} numbers", n);
  w.strides = read_ints(node, "strides", n, 1, 1);
  w.dilations = read_ints(node, "dilations", n, 1, 1);
  w.auto_pad = read_auto_pad(node);
  w.ceil_mode = node.int_or("ceil_mode", 0) != 0;
  w.pad_begin.assign(n, 0);
  w.pad_end.assign(n, 0);
  if (w.auto_pad != Window::AutoPad::kNone) return w;
  const std::vector<std::int64_t> pads = read_ints(node, "pads", 2 * n, 0, -(std::int64_t{1} << 40));
  std::copy_n(pads.begin(), n, w.pad_begin.begin());
  std::copy_n(pads.begin() + static_cast<std::ptrdiff_t>(n), n, w.pad_end.begin());
  return w;
}

SymDim Window::extent(std::size_t axis) const {
  return (kernel[axis] - 1) * dilations[axis] + 1;
}

// floor((in + pads - extent) / stride) + 1, where `in` may be a symbol: the quotient in / stride is taken out
// when it is exact.
SymDim Window::places(std::size_t axis, const SymDim& in) const {
  const std::int64_t stride = strides[axis];
  if (is_same(auto_pad)) {
    if (in.is_number()) return ceil_div(in.number(), stride);
    return in.divided_by(stride);
  }
  const SymDim reach = extent(axis);
  if (!reach.is_number()) return {};
  const std::int64_t rest = pad_begin[axis] + pad_end[axis] - reach.number();
  const bool number = in.is_number();
  const SymDim whole = number ? SymDim(0) : in.divided_by(stride);
  if (whole.is_unknown()) return {};
  const std::int64_t length = number ? in.number() : 0;
  std::int64_t more = (ceil_mode ? ceil_div(length + rest, stride) : floor_div(length + rest, stride)) + 1;
  // A window that would start in the padding at the end is left out.
  if (ceil_mode && (more - 1) * stride >= length + pad_begin[axis]) --more;
  return whole + more;
}

SymDim Window::transposed(std::size_t axis, const SymDim& in, std::int64_t output_padding) const {
  const std::int64_t stride = strides[axis];
  const SymDim full = in * stride + (extent(axis) + (output_padding - stride));
  if (!is_same(auto_pad)) return full - (pad_begin[axis] + pad_end[axis]);
  SymDim same = in * stride;
  if (!full.is_number() || !same.is_number()) return same;
  return std::min(full.number(), same.number());
}

bool Window::is_identity(std::size_t axis) const {
  return kernel[axis] == SymDim(1) && strides[axis] == 1 && pad_begin[axis] == 0 && pad_end[axis] == 0;
}

FixedWindow fix(const Node& node, const Window& window, std::span<const std::int64_t> in) {
  FixedWindow w{.in = {in.begin(), in.end()},
                .out = {},
                .kernel = {},
                .strides = window.strides,
                .dilations = window.dilations,
                .begin = window.pad_begin,
                .end = window.pad_end};
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (!window.kernel[i].is_number()) fail_at(node, "kernel_shape is missing");
    w.kernel.push_back(window.kernel[i].number());
    w.out.push_back(window.places(i, in[i]).number());
    const std::int64_t reach = window.extent(i).number();
    if (w.out[i] < 0 || (w.out[i] == 0 && in[i] > 0)) {
      fail_at(node, "window reaches over {} positions of axis {}, but the input has {} and {} of padding",
              reach, i + 2, in[i], w.begin[i] + w.end[i]);
    }
    if (!is_same(window.auto_pad)) continue;
    const std::int64_t need = std::max<std::int64_t>(0, (w.out[i] - 1) * w.strides[i] + reach - in[i]);
    w.begin[i] = window.auto_pad == Window::AutoPad::kSameUpper ? need / 2 : need - need / 2;
    w.end[i] = need - w.begin[i];
  }
  return w;
}

std::int64_t FixedWindow::in_plane() const {
  return static_cast<std::int64_t>(num_elements(in));
}

std::int64_t FixedWindow::out_plane() const {
  return static_cast<std::int64_t>(num_elements(out));
}

std::int64_t FixedWindow::taps() const {
  return static_cast<std::int64_t>(num_elements(kernel));
}

// 0 <= place * stride + tap * dilation - begin < in
std::pair<std::int64_t, std::int64_t> FixedWindow::inside(std::size_t axis, std::int64_t tap) const {
  const std::int64_t shift = begin[axis] - tap * dilations[axis];
  const std::int64_t first = std::clamp<std::int64_t>(ceil_div(shift, strides[axis]), 0, out[axis]);
  const std::int64_t last =
      std::clamp<std::int64_t>(ceil_div(in[axis] + shift, strides[axis]), first, out[axis]);
  return {first, last};
}

void pass_around_window(ChannelContext& ctx, const Window& window) {
  ctx.pass(0, 0, 0, 0);
  for (std::size_t i = 0; i < window.size(); ++i) {
    const auto axis = static_cast<std::int64_t>(i) + 2;
    if (window.is_identity(i)) {
      ctx.pass(0, axis, 0, axis);
    } else {
      ctx.freeze(0, axis, "a window slides along this axis");
    }
  }
}

void freeze_kernel(ChannelContext& ctx, std::size_t i) {
  const Facts& w = ctx.in(i);
  if (w.constant && ctx.node().input(i)->uses().size() == 1) return;
  for (std::int64_t axis = 2; axis < w.rank(); ++axis) ctx.freeze(i, axis, "positions of a kernel");
}

}  // namespace compressor::ops
