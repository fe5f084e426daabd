// run: the parts of the run and gradient contexts that are the same whoever implements them.
#include "compressor/ops/run.h"

#include <algorithm>

namespace compressor::ops {
namespace {

const float* as_floats(const Tensor& tensor, const Node& node, std::size_t i) {
  CHECK(tensor.dtype == DType::kFloat, "node '{}': value {} is {}, expected float32", node.label(), i,
        name(tensor.dtype));
  return reinterpret_cast<const float*>(tensor.bytes.view().data());
}

/// Of a gradient rule, whose node may well run on other types.
const float* as_traced(const Tensor& tensor, const Node& node, std::size_t i) {
  if (tensor.dtype != DType::kFloat)
    fail_at(node, "value {} is {}, and gradients go through float32 only", i, name(tensor.dtype));
  return as_floats(tensor, node, i);
}

Tensor filled(DType dtype, Dims shape, const kernels::Buffer& buffer) {
  Tensor t;
  t.dtype = dtype;
  t.shape = std::move(shape);
  t.bytes = buffer.bytes();
  return t;
}

template <class Context>
std::optional<std::vector<std::int64_t>> read_ints(Context& ctx, std::size_t i, std::string_view name) {
  if (ctx.has(i)) return to_ints(ctx.in(i));
  if (!ctx.node().attribute(name)) return std::nullopt;
  return ctx.node().ints_or(name, {});
}

}  // namespace

RunValue RunValue::sequence(std::vector<RunValue> elements) {
  RunValue value;
  value.kind = Kind::kSequence;
  value.elements = std::make_shared<const std::vector<RunValue>>(std::move(elements));
  return value;
}

Tensor plain(const RunValue& value) {
  Tensor t = value.tensor;
  if (value.layout == Layout::kPlain || kernels::same_order(t.shape)) return t;
  const kernels::Buffer buffer(t.bytes.size());
  const BytesView view = t.bytes.view();
  const int width = std::max(bits(t.dtype) / 8, 1);
  kernels::reorder(t.shape, static_cast<std::size_t>(width), value.layout, view.data(), Layout::kPlain,
                   buffer.data());
  t.bytes = buffer.bytes();
  return t;
}

const float* RunContext::floats(std::size_t i, Layout layout) {
  return as_floats(in(i, layout), node(), i);
}

std::byte* RunContext::out(std::size_t i, DType dtype, Dims shape, Layout layout) {
  const kernels::Buffer buffer(packed_bytes(dtype, num_elements(shape)));
  set(i, {filled(dtype, std::move(shape), buffer), layout});
  return buffer.data();
}

float* RunContext::out_floats(std::size_t i, Dims shape, Layout layout) {
  return reinterpret_cast<float*>(out(i, DType::kFloat, std::move(shape), layout));
}

std::optional<std::vector<std::int64_t>> RunContext::ints_or_attribute(std::size_t i, std::string_view name) {
  return read_ints(*this, i, name);
}

const float* GradientContext::in_floats(std::size_t i, Layout layout) {
  return as_traced(in(i, layout), node(), i);
}

const float* GradientContext::out_floats(std::size_t i, Layout layout) {
  return as_traced(out(i, layout), node(), i);
}

const float* GradientContext::grad(std::size_t i, Layout layout) {
  return as_traced(grad_tensor(i, layout), node(), i);
}

float* GradientContext::grad_in(std::size_t i, Layout layout) {
  const kernels::Buffer buffer(num_elements(in_shape(i)) * sizeof(float));
  set(i, {filled(DType::kFloat, in_shape(i), buffer), layout});
  return buffer.as<float>();
}

std::optional<std::vector<std::int64_t>> GradientContext::ints_or_attribute(std::size_t i,
                                                                            std::string_view name) {
  return read_ints(*this, i, name);
}

}  // namespace compressor::ops
