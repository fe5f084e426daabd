// static_weights: weights and biases of what is computed in integers.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compressor/codec/grid.h"
#include "passes/quantize/integer/static_qdq.h"

namespace compressor::quantize {

/// The weight input and the axis of output channels of a convolution or product; nullopt when its weight is
/// no constant float.
struct WeightSpot {
  std::size_t input = 1;
  std::int64_t axis = 0;
  bool paired = true;         ///< the kernel adds products in pairs (not so for depthwise convolutions)
  std::size_t positions = 1;  ///< of the kernel of a convolution: the innermost stretch of a channel's values
  bool operator==(const WeightSpot&) const = default;
};
std::optional<WeightSpot> weight_spot(const Model& model, const Node& node);

/// The weight on its grid, one scale a channel: what modes static and dynamic store.
codec::Grid weight_grid(const Tensor& weight, const WeightSpot& spot, const StaticOptions& options);

class ChannelCodes;

/// An initializer or Constant node that nothing reads any more goes.
void drop_if_unread(Model& model, const Value& constant);

/// Puts DequantizeLinear before weights and biases of nodes.
class WeightQuantizer {
 public:
  explicit WeightQuantizer(Model& model) : model_(model) {}

  /// `input` is the grid of the node's first input, `mean` the mean of that by channel, empty where it is not
  /// known. Returns one line for the report.
  std::string quantize(const Node& node, const WeightSpot& spot, const Affine& input,
                       std::span<const float> mean, const StaticOptions& options);

 private:
  /// A weight in the model on its grid, and from what that was made.
  struct Stored {
    WeightSpot spot;
    Clip clip;
    std::vector<float> starts;  ///< scales before rounding by inputs moved them
    codec::Grid grid;
    const Node* decoded = nullptr;
    std::string text = {};
  };

  const Stored& store(const Node& node, const WeightSpot& spot, const Tensor& weight,
                      const ChannelCodes& by_channel, const StaticOptions& options);
  void quantize_bias(const Node& node, const Value& bias, std::span<const float> weight_scales,
                     const Affine& input, std::span<const double> shift);

  Model& model_;
  std::map<std::pair<const Graph*, std::string>, std::vector<Stored>> stored_;  ///< by the weight's name
};

}  // namespace compressor::quantize
