// movement: axes, known settings, and contents that move.
#include "ops/movement.h"

#include <algorithm>

namespace compressor::ops {
namespace {

constexpr std::uint64_t kMaxContents = 4096;

bool may_have_contents(const Facts& facts) {
  const auto shape = facts.shape();
  return shape && num_elements(*shape) <= kMaxContents;
}

/// Numbers 0.. of the elements of all data inputs, and what they stand for.
class Numbering {
 public:
  /// Nullopt when the shape is not known or too large.
  std::optional<Tensor> number(const InferContext& ctx, std::size_t i) {
    if (!may_have_contents(ctx.in(i))) return std::nullopt;
    const Dims shape = *ctx.in(i).shape();
    const auto n = num_elements(shape);
    auto known = partly_known(ctx, i);
    if (known && known->size() != n) return std::nullopt;
    any_known_ = any_known_ || known;
    Ints ids;
    for (std::size_t k = 0; k < n; ++k) {
      ids.push_back(static_cast<std::int64_t>(meaning_.size()));
      meaning_.push_back(known ? (*known)[k] : SymDim());
    }
    return Tensor::of(shape, std::span<const std::int64_t>(ids));
  }
  bool any_known() const { return any_known_; }
  SymDims meaning(const Tensor& ids) const {
    SymDims result;
    for (const std::int64_t id : to_ints(ids)) result.push_back(meaning_.at(static_cast<std::size_t>(id)));
    return result;
  }

 private:
  SymDims meaning_;
  bool any_known_ = false;
};

}  // namespace

std::int64_t axis_in(const Node& node, std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank) {
    throw Error::model("node '{}' ({}): axis {} is outside a tensor of rank {}", node.label(), node.op(),
                       axis, rank);
  }
  return axis < 0 ? axis + rank : axis;
}

Ints axes_in(const Node& node, const Ints& axes, std::int64_t rank) {
  Ints result;
  for (const std::int64_t axis : axes) {
    result.push_back(axis_in(node, axis, rank));
    if (std::count(result.begin(), result.end(), result.back()) > 1) {
      throw Error::model("node '{}' ({}): axis {} is named twice", node.label(), node.op(), axis);
    }
  }
  return result;
}

std::optional<Ints> known_ints(const Facts& facts) {
  if (facts.contents) return numbers(*facts.contents);
  if (facts.constant && is_integer(facts.constant->dtype)) return to_ints(*facts.constant);
  return std::nullopt;
}

std::optional<Tensor> known_tensor(const InferContext& ctx, std::size_t i) {
  if (!ctx.has(i)) return std::nullopt;
  if (const Tensor* constant = ctx.constant(i)) return *constant;
  const auto shape = ctx.in(i).shape();
  const auto ints = ctx.ints(i);
  if (!shape || !ints || num_elements(*shape) != ints->size()) return std::nullopt;
  Result<std::int64_t> result(ctx.in(i).dtype, *shape);
  std::copy(ints->begin(), ints->end(), result.data());
  return result.finish();
}

void move_contents(InferContext& ctx, const std::function<void(ComputeContext&)>& kernel,
                   std::span<const std::size_t> data) {
  const bool wanted = std::any_of(ctx.outputs().begin(), ctx.outputs().end(), may_have_contents);
  if (!wanted) return;
  if (std::none_of(data.begin(), data.end(),
                   [&](std::size_t i) { return partly_known(ctx, i).has_value(); })) {
    return;
  }
  Numbering numbering;
  std::vector<std::optional<Tensor>> tensors(ctx.num_inputs());
  for (std::size_t i = 0; i < ctx.num_inputs(); ++i) {
    if (!ctx.has(i)) continue;
    const bool moves = std::find(data.begin(), data.end(), i) != data.end();
    tensors[i] = moves ? numbering.number(ctx, i) : known_tensor(ctx, i);
    if (!tensors[i]) return;
  }
  if (!numbering.any_known()) return;
  std::vector<const Tensor*> inputs;
  for (const auto& t : tensors) inputs.push_back(t ? &*t : nullptr);
  ComputeContext compute(ctx.node(), ctx.opset(), std::move(inputs));
  try {
    kernel(compute);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kInternal) throw;
    return;  // the shape stands; what it holds is not known
  }
  for (std::size_t i = 0; i < ctx.outputs().size(); ++i) {
    const auto& moved = compute.outputs()[i];
    if (!moved || !may_have_contents(ctx.outputs()[i])) continue;
    if (*ctx.outputs()[i].shape() == moved->shape) ctx.set_contents(i, numbering.meaning(*moved));
  }
}

void keep_contents(InferContext& ctx) {
  if (ctx.constant(0) || ctx.outputs().empty()) return;  // a constant is computed whole
  const auto known = partly_known(ctx, 0);
  const auto shape = ctx.outputs()[0].shape();
  if (known && shape && num_elements(*shape) == known->size()) ctx.set_contents(0, *known);
}

SymDim better_known(const SymDim& a, const SymDim& b) {
  if (a.is_number() || b.is_unknown()) return a;
  if (b.is_number() || a.is_unknown()) return b;
  return a;
}

Ints ranks_of(const Ints& positions, const Ints& kept) {
  Ints result;
  for (const std::int64_t p : positions) {
    const auto it = std::lower_bound(kept.begin(), kept.end(), p);
    result.push_back(it != kept.end() && *it == p ? it - kept.begin() : -1);
  }
  return result;
}

}  // namespace compressor::ops
