// linear: W, b of Conv [C, I/g, k..], ConvTranspose [I, C/g, k..], Gemm [K, C] or [C, K]   ==>   s W, s b + t
//
// Every weight belongs to one output channel c; it is multiplied by s[c]. Large weights are multiplied while
// they are read.
#include "passes/simplify/linear.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace compressor::simplify {
namespace {

constexpr std::uint64_t kMadeLazily = std::uint64_t{1} << 20U;  ///< bytes

/// Which channel the element at a flat position belongs to.
struct Layout {
  std::uint64_t inner = 1;  ///< elements in a row that share a channel
  std::uint64_t count = 1;  ///< channels in a row
  std::uint64_t group = 0;  ///< elements of one group; 0: there is one
  std::uint64_t step = 0;   ///< channels of one group
  std::uint64_t channel(std::uint64_t at) const {
    const std::uint64_t base = group == 0 ? 0 : at / group * step;
    return base + at / inner % count;
  }
};

std::uint64_t product_from(const Dims& shape, std::size_t axis) {
  return num_elements({shape.begin() + static_cast<std::ptrdiff_t>(axis), shape.end()});
}

Layout layout_of(const Node& node, const Dims& shape) {
  const auto n = [&](std::size_t axis) { return static_cast<std::uint64_t>(shape[axis]); };
  if (node.is("Conv")) return {.inner = product_from(shape, 1), .count = n(0)};
  if (node.is("Gemm") && node.int_or("transB", 0) != 0) return {.inner = n(1), .count = n(0)};
  if (node.is("Gemm")) return {.inner = 1, .count = n(1)};
  const auto groups = static_cast<std::uint64_t>(std::max<std::int64_t>(1, node.int_or("group", 1)));
  return {
      .inner = product_from(shape, 2), .count = n(1), .group = num_elements(shape) / groups, .step = n(1)};
}

void scale_floats(const Tensor& weight, const Layout& layout, const std::vector<double>& scale,
                  std::uint64_t first, std::span<float> out) {
  read_floats(weight, first, out);
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<float>(static_cast<double>(out[i]) * scale[layout.channel(first + i)]);
}

Tensor scaled(const Tensor& weight, const Layout& layout, std::vector<double> scale) {
  Tensor result = weight;
  result.field = Tensor::Field::kRaw;
  if (weight.dtype == DType::kDouble) {
    std::vector<double> values = to_doubles(weight);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= scale[layout.channel(i)];
    result.bytes = Tensor::of(DType::kDouble, weight.shape, std::span<const double>(values)).bytes;
    return result;
  }
  const std::uint64_t bytes = weight.byte_size();
  result.bytes = Bytes::derive(
      bytes, [weight, layout, scale = std::move(scale)](std::uint64_t offset, std::span<std::byte> out) {
        const std::uint64_t first = offset / sizeof(float);
        const std::uint64_t last = (offset + out.size() + sizeof(float) - 1) / sizeof(float);
        std::vector<float> values(last - first);
        scale_floats(weight, layout, scale, first, values);
        std::memcpy(out.data(), std::as_bytes(std::span(values)).data() + offset % sizeof(float), out.size());
      });
  if (bytes <= kMadeLazily) result.bytes = result.bytes.materialized();
  return result;
}

bool is_plain_float(DType type) {
  return type == DType::kFloat || type == DType::kDouble;
}

/// The bias as numbers for every channel; nullopt when it cannot be taken apart like that.
std::optional<std::vector<double>> bias_of(const Rewriter& r, const Node& node, std::int64_t channels) {
  std::vector<double> bias(static_cast<std::size_t>(channels), 0.0);
  if (!node.input(2)) return bias;
  const auto t = r.constant(node.input(2));
  if (!t || !is_plain_float(t->dtype)) return std::nullopt;
  const bool one = t->size() == 1;
  const bool row =
      !t->shape.empty() && t->shape.back() == channels && static_cast<std::int64_t>(t->size()) == channels;
  if (!row && !(one && node.is("Gemm"))) return std::nullopt;
  const std::vector<double> values = to_doubles(*t);
  const double beta = node.is("Gemm") ? static_cast<double>(node.float_or("beta", 1)) : 1.0;
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = beta * values[one ? 0 : c];
  return bias;
}

std::int64_t channels_of(const Node& node, const Tensor& weight) {
  if (node.is("Conv")) return weight.shape[0];
  if (node.is("ConvTranspose")) return weight.shape[1] * std::max<std::int64_t>(1, node.int_or("group", 1));
  return node.int_or("transB", 0) != 0 ? weight.shape[0] : weight.shape[1];
}

}  // namespace

std::optional<Linear> linear_before(Rewriter& r, const Value* value, const Node& reader) {
  const Node* node = value ? value->producer() : nullptr;
  if (!node || !(node->is("Conv") || node->is("ConvTranspose") || node->is("Gemm"))) return std::nullopt;
  if (&node->graph() != &reader.graph() || value->uses().size() != 1 || !r.may_touch(*node))
    return std::nullopt;
  const Value* w = node->input(1);
  auto weight = r.constant(w);
  if (!weight) return std::nullopt;
  const auto refuse = [&](const std::string& why) -> std::optional<Linear> {
    r.skip(reader, "not folded into '" + node->label() + "': " + why);
    return std::nullopt;
  };
  if (!is_plain_float(weight->dtype))
    return refuse(fmt::format("its weight is {}, which folding would round again", name(weight->dtype)));
  if (weight->rank() < 2 || weight->size() == 0) return std::nullopt;
  if (w->uses().size() != 1) return refuse(fmt::format("its weight '{}' is shared", w->name()));
  Linear linear{.node = node, .weight = std::move(*weight)};
  linear.channels = channels_of(*node, linear.weight);
  linear.rank = linear.weight.rank();
  linear.has_bias = node->input(2) != nullptr;
  auto bias = bias_of(r, *node, linear.channels);
  if (!bias) return refuse("its bias is not a constant for every channel");
  linear.bias = std::move(*bias);
  return linear;
}

void absorb(Rewriter& r, const Linear& linear, const Affine& affine) {
  const Node& node = *linear.node;
  const bool scales = std::any_of(affine.scale.begin(), affine.scale.end(), [](double s) { return s != 1; });
  if (scales) {
    r.set_constant(node, 1, scaled(linear.weight, layout_of(node, linear.weight.shape), affine.scale),
                   node.input(1)->name());
  }
  std::vector<double> bias(linear.bias.size());
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = linear.bias[c] * affine.scale[c] + affine.shift[c];
  if (node.is("Gemm")) r.set_attribute(node, {"beta", 1.0F});
  const bool wanted =
      linear.has_bias || std::any_of(bias.begin(), bias.end(), [](double b) { return b != 0; });
  if (!wanted) return;
  const std::string stem = linear.has_bias ? node.input(2)->name() : node.input(1)->name() + "_bias";
  r.set_constant(node, 2, Tensor::of(linear.weight.dtype, {linear.channels}, std::span<const double>(bias)),
                 stem);
}

std::optional<std::vector<double>> per_channel(const Rewriter& r, const Value* value, std::int64_t channels) {
  const auto t = r.constant(value);
  if (!t || !is_plain_float(t->dtype) || static_cast<std::int64_t>(t->size()) != channels)
    return std::nullopt;
  return to_doubles(*t);
}

bool all_finite(const Affine& affine) {
  const auto finite = [](double v) { return std::isfinite(v); };
  return std::all_of(affine.scale.begin(), affine.scale.end(), finite) &&
         std::all_of(affine.shift.begin(), affine.shift.end(), finite);
}

}  // namespace compressor::simplify
