// window: the sliding window of convolutions and pooling: its attributes, and how many places it has.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "compressor/ops/channels.h"
#include "compressor/ops/op.h"

namespace compressor::ops {

/// Over n spatial axes. Attributes that a node does not have are at their defaults.
struct Window {
  enum class AutoPad : std::uint8_t { kNone, kSameUpper, kSameLower, kValid };
  SymDims kernel;                                ///< [n]
  std::vector<std::int64_t> strides, dilations;  ///< [n]
  std::vector<std::int64_t> pad_begin, pad_end;  ///< [n]; zero with auto_pad
  AutoPad auto_pad = AutoPad::kNone;
  bool ceil_mode = false;

  std::size_t size() const { return strides.size(); }
  /// Extent of the dilated kernel.
  SymDim extent(std::size_t axis) const;
  /// Places of the window on an axis of length `in`; unknown where it cannot be told.
  SymDim places(std::size_t axis, const SymDim& in) const;
  /// Length that a transposed convolution makes of `in` places.
  SymDim transposed(std::size_t axis, const SymDim& in, std::int64_t output_padding) const;
  /// The window neither mixes nor moves positions of the axis.
  bool is_identity(std::size_t axis) const;
};

/// `n` spatial axes; `kernel` is the weight's, or empty when kernel_shape must say it. Throws Error::model
/// for attributes of another length, strides or dilations below 1, a kernel that disagrees with the weight.
Window read_window(const Node& node, std::size_t n, const SymDims& kernel);
/// A window over axes of known lengths: nothing is left to be worked out.
struct FixedWindow {
  std::vector<std::int64_t> in, out, kernel, strides, dilations, begin, end;  ///< [n]; begin, end: padding

  std::size_t size() const { return in.size(); }
  std::int64_t in_plane() const;
  std::int64_t out_plane() const;
  std::int64_t taps() const;
  /// First and one past the last place whose tap `tap` of an axis falls inside the input.
  std::pair<std::int64_t, std::int64_t> inside(std::size_t axis, std::int64_t tap) const;
};

/// `window` over axes of lengths `in`; throws Error::model when it has no place there.
FixedWindow fix(const Node& node, const Window& window, std::span<const std::int64_t> in);

/// Batch axis 0 of input 0 and every spatial axis that the window leaves alone pass to output 0; the other
/// spatial axes freeze.
void pass_around_window(ChannelContext& ctx, const Window& window);

/// Spatial axes of the weight at input i: no position of a kernel may go. A constant that only this node
/// reads has no lists there, and gets none.
void freeze_kernel(ChannelContext& ctx, std::size_t i);

}  // namespace compressor::ops
