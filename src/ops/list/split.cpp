// split: Split, by sizes (an attribute before 13) or into equal parts.
#include <algorithm>
#include <numeric>

#include "compressor/kernels/strided.h"
#include "ops/movement.h"
#include "ops/run_movement.h"

namespace compressor::ops {
namespace {

std::int64_t axis_of(const Node& node, std::int64_t rank) {
  return axis_in(node, node.int_or("axis", 0), rank);
}

/// Since 18 the last of `parts` may be shorter; before, they are equal.
std::optional<Ints> equal_parts(const Node& node, std::int64_t n) {
  const auto parts = static_cast<std::int64_t>(node.outputs().size());
  const bool ceil = node.attribute("num_outputs") != nullptr;
  if (parts == 0 || (!ceil && n % parts != 0)) return std::nullopt;
  const std::int64_t chunk = (n + parts - 1) / parts;
  Ints sizes;
  for (std::int64_t left = n; static_cast<std::int64_t>(sizes.size()) < parts; left -= sizes.back()) {
    sizes.push_back(std::min(chunk, left));
  }
  return sizes;
}

void check(const Node& node, const Ints& sizes, std::int64_t n) {
  const std::int64_t total = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
  const bool negative = std::any_of(sizes.begin(), sizes.end(), [](std::int64_t s) { return s < 0; });
  if (sizes.size() != node.outputs().size() || total != n || negative) {
    throw Error::model("node '{}' (Split): {} sizes that sum to {}, expected {} that sum to {}", node.label(),
                       sizes.size(), total, node.outputs().size(), n);
  }
}

void compute(ComputeContext& ctx) {
  const Tensor& x = ctx.in(0);
  const std::int64_t axis = axis_of(ctx.node(), x.rank());
  const std::int64_t n = x.shape[static_cast<std::size_t>(axis)];
  auto sizes = ctx.ints_or_attribute(1, "split");
  if (!sizes) sizes = equal_parts(ctx.node(), n);
  if (!sizes) ctx.fail("an axis of {} cannot be split into {} equal parts", n, ctx.node().outputs().size());
  check(ctx.node(), *sizes, n);
  const Strides strides = row_major(x.shape);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    Dims shape = x.shape;
    shape[static_cast<std::size_t>(axis)] = (*sizes)[i];
    ctx.set(i, take_strided(x, shape, strides, start * strides[static_cast<std::size_t>(axis)]));
    start += (*sizes)[i];
  }
}

void infer(InferContext& ctx) {
  const Facts& x = ctx.in(0);
  const std::size_t parts = ctx.num_outputs();
  if (!x.ranked) {
    for (std::size_t i = 0; i < parts; ++i) ctx.set_unranked(i, x.dtype);
    return;
  }
  const std::int64_t axis = axis_of(ctx.node(), x.rank());
  const SymDim& whole = x.dim(axis);
  SymDims sizes(parts);
  const SymDims* given = ctx.contents(1);
  if (ctx.has(1)) {
    if (given && given->size() == parts) sizes = *given;
  } else if (ctx.node().attribute("split")) {
    sizes = sym_dims(ctx.node().ints_or("split", {}));
  } else if (whole.is_number()) {
    const auto equal = equal_parts(ctx.node(), whole.number());
    if (!equal) ctx.fail("an axis of {} cannot be split into {} equal parts", whole.number(), parts);
    sizes = sym_dims(*equal);
  } else {
    sizes.assign(parts, whole.divided_by(SymDim(static_cast<std::int64_t>(parts))));
  }
  if (const auto known = numbers(sizes); known && whole.is_number())
    check(ctx.node(), *known, whole.number());
  if (sizes.size() != parts) ctx.fail("{} sizes, expected {}", sizes.size(), parts);
  for (std::size_t i = 0; i < parts; ++i) {
    SymDims dims = x.dims;
    dims[static_cast<std::size_t>(axis)] = sizes[i];
    ctx.set(i, x.dtype, std::move(dims));
  }
  const std::size_t data[] = {0};
  move_contents(ctx, compute, data);
}

void channels(ChannelContext& ctx) {
  const Facts& x = ctx.in(0);
  if (!carries_channels(x)) return;
  const std::int64_t axis = axis_of(ctx.node(), x.rank());
  const std::size_t parts = ctx.node().outputs().size();
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts; ++i) {
    const std::int64_t n = ctx.wants(i) ? ctx.out_dim(i, axis) : -1;
    if (!ctx.in_list(0, axis).empty() && n < 0) {
      return ctx.freeze_all("is split into parts whose sizes are not known");
    }
    for (std::int64_t other = 0; other < x.rank(); ++other) {
      if (other != axis) ctx.pass(0, other, i, other);
    }
    if (ctx.in_list(0, axis).empty()) continue;
    Ints positions(static_cast<std::size_t>(n));
    std::iota(positions.begin(), positions.end(), start);
    Places part = Atoms::pick(ctx.in_list(0, axis), positions);
    if (part.size() == 1) ctx.freeze(part, "is split off alone");
    ctx.set_out(i, axis, std::move(part));
    start += n;
  }
}

/// The sizes are rewritten where a part has lost channels; equal parts without sizes get sizes when they
/// differ.
void shrink(ShrinkContext& ctx) {
  const std::int64_t axis = axis_of(ctx.node(), ctx.in(0).rank());
  if (!ctx.kept_in(0, axis)) return;
  const std::size_t parts = ctx.node().outputs().size();
  const auto* kept = ctx.kept_in(0, axis);
  // From what is kept of the input: a part of one channel carries no list of its own.
  Ints sizes;
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts; ++i) {
    const std::int64_t end = start + ctx.out(i).dim(axis).maybe_number().value_or(0);
    sizes.push_back(std::lower_bound(kept->begin(), kept->end(), end) -
                    std::lower_bound(kept->begin(), kept->end(), start));
    if (sizes.back() == 0) ctx.fail("part {} would be empty", i);
    start = end;
  }
  if (ctx.has(1)) {
    for (std::size_t i = 0; i < parts; ++i) ctx.set_element(1, static_cast<std::int64_t>(i), sizes[i]);
    return;
  }
  if (!ctx.node().attribute("split")) {
    const auto equal = equal_parts(ctx.node(), static_cast<std::int64_t>(kept->size()));
    if (equal && *equal == sizes) return;
    if (ctx.opset() >= 13) {
      if (ctx.node().attribute("num_outputs")) ctx.graph().erase_attribute(ctx.node(), "num_outputs");
      return ctx.set_constant(
          1, Tensor::of({static_cast<std::int64_t>(parts)}, std::span<const std::int64_t>(sizes)));
    }
  }
  ctx.set_attribute({"split", sizes});
}

bool run(RunContext& ctx) {
  if (ctx.portable() || !can_move(ctx, 0)) return false;
  const Dims x = ctx.shape(0);
  const std::int64_t axis = axis_of(ctx.node(), static_cast<std::int64_t>(x.size()));
  const auto at = static_cast<std::size_t>(axis);
  auto sizes = ctx.ints_or_attribute(1, "split");
  if (!sizes) sizes = equal_parts(ctx.node(), x[at]);
  if (!sizes) return false;
  check(ctx.node(), *sizes, x[at]);
  Ints first(x.size(), 0);
  for (std::size_t i = 0; i < sizes->size(); ++i) {
    Dims shape = x;
    shape[at] = (*sizes)[i];
    Moves moves = along_axes(shape);
    moves.in_first = first;
    if (ctx.wants(i)) run_moves(ctx, 0, i, moves, shape);
    first[at] += shape[at];
  }
  return true;
}

/// dx is the parts' gradients end to end; zeros for a part that nothing depends on.
void gradient(GradientContext& ctx) {
  if (!ctx.wants(0)) return;
  const Dims& x = ctx.in_shape(0);
  const auto at = static_cast<std::size_t>(axis_of(ctx.node(), static_cast<std::int64_t>(x.size())));
  const std::size_t parts = ctx.node().outputs().size();
  Layout layout = Layout::kPlain;
  for (std::size_t i = 0; i < parts; ++i) {
    if (ctx.has_grad(i) && !kernels::same_order(ctx.out_shape(i))) layout = ctx.grad_layout(i);
  }
  float* dx = ctx.grad_in(0, layout);
  const Strides to = kernels::strides_of(x, layout);
  auto sizes = ctx.ints_or_attribute(1, "split");
  if (!sizes) sizes = equal_parts(ctx.node(), x[at]);
  std::int64_t start = 0;
  for (std::size_t i = 0; i < parts; ++i) {
    Dims shape = x;
    shape[at] = sizes->at(i);
    static constexpr float kZero = 0;
    const bool given = ctx.has_grad(i);
    const float* dy = given ? ctx.grad(i, layout) : &kZero;
    const Strides from = given ? kernels::strides_of(shape, layout) : Strides(x.size(), 0);
    kernels::StridedAxes axes;
    for (std::size_t k = 0; k < x.size(); ++k) axes.push_back({shape[k], from[k], to[k]});
    kernels::copy_strided(sizeof(float), std::move(axes), reinterpret_cast<const std::byte*>(dy),
                          reinterpret_cast<std::byte*>(dx + start * to[at]));
    start += shape[at];
  }
}

}  // namespace

void register_split(OpTable& table) {
  table.add({.type = "Split",
             .since = 2,
             .infer = infer,
             .compute = compute,
             .channels = channels,
             .shrink = shrink,
             .run = run,
             .gradient = gradient,
             .keep = {.inputs = 2}});
}

}  // namespace compressor::ops
