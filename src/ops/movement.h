// movement: what operators share that bring elements to other places and compute nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "compressor/ops/channels.h"
#include "compressor/ops/op.h"
#include "ops/elements.h"
#include "ops/elementwise.h"

namespace compressor::ops {

using Ints = std::vector<std::int64_t>;

/// Axis in [0, rank); throws Error::model naming the node.
std::int64_t axis_in(const Node& node, std::int64_t axis, std::int64_t rank);
/// All of them, in the given order; throws when one is named twice.
Ints axes_in(const Node& node, const Ints& axes, std::int64_t rank);

/// The integers of a value where all are known.
std::optional<Ints> known_ints(const Facts& facts);
/// A setting that moved from attribute to input, as a channel or shrink rule sees it; nullopt when it is
/// absent or not known (has(i) tells the two apart).
template <class Context>
std::optional<Ints> known_setting(const Context& ctx, std::size_t i, std::string_view name) {
  if (ctx.has(i)) return known_ints(ctx.in(i));
  if (!ctx.node().attribute(name)) return std::nullopt;
  return ctx.node().ints_or(name, {});
}

/// The constant at input i, or one made of contents that are known in full.
std::optional<Tensor> known_tensor(const InferContext& ctx, std::size_t i);

/// Contents of the outputs of an operator that moves elements: its kernel is run on the numbers of the
/// elements of the inputs `data`, whose contents may be partly known; all other inputs must be known.
void move_contents(InferContext& ctx, const std::function<void(ComputeContext&)>& kernel,
                   std::span<const std::size_t> data);
/// The same where the elements stay in order: contents of output 0 are those of input 0.
void keep_contents(InferContext& ctx);

/// a where it is a number or b is not, so that what is known better wins.
SymDim better_known(const SymDim& a, const SymDim& b);
/// The positions of `list` in ascending `kept` as ranks; -1 for one that is not kept.
Ints ranks_of(const Ints& positions, const Ints& kept);

/// No arithmetic.
inline void no_channels(ChannelContext&) {}

}  // namespace compressor::ops
