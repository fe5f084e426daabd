// scale_flow: which channels of a network may be multiplied by a factor, and what has to change with them.
//
//   x -> Conv(W1, b1) -> Relu -> Conv(W2, b2)   ==>   x -> Conv(f W1, f b1) -> Relu -> Conv(W2 / f, b2)
//
// A factor f > 0 for a channel passes through whatever is positively homogeneous (Relu, LeakyRelu, PRelu,
// pools, padding with zeros, reshapes, sums, joins) up to the weights that read the channel, which take it
// back: outputs stay as they were (Nagel et al. 2019, 1906.04721, section 4.1).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compressor/ops/facts.h"
#include "compressor/pass/node_filter.h"

namespace compressor::quantize {

/// Which channel an element of a constant belongs to, by its flat position.
struct ElementChannels {
  std::uint64_t inner = 1;  ///< elements in a row that share a channel
  std::uint64_t count = 1;  ///< channels in a row
  std::uint64_t group = 0;  ///< elements of one group; 0: there is one
  std::uint64_t step = 0;   ///< channels of one group
  std::uint64_t of(std::uint64_t at) const {
    return (group == 0 ? 0 : at / group * step) + at / inner % count;
  }
};

/// A constant input of a node that takes part in the factors of some channels.
struct ScaledConstant {
  enum class Role : std::uint8_t {
    kMaker,   ///< weight that makes the channels: multiplied
    kShift,   ///< bias of the channels, or a constant that is added to them: multiplied
    kReader,  ///< weight that reads the channels: divided
  };
  const Node* node = nullptr;
  std::size_t input = 0;
  Role role = Role::kMaker;
  ElementChannels channels;
  std::vector<std::size_t> classes;  ///< of channel 0, 1, ..
  /// What the constant becomes where it says less than one number a channel.
  Dims expanded = {};
  /// The activation that the constant stands beside.
  const Value* activation() const { return node->input(input == 0 ? 1 : 0); }
};

/// Channels of an activation.
struct ScaledValue {
  const Value* value = nullptr;
  std::int64_t axis = 1, rank = 0;
  std::vector<std::size_t> classes;
};

/// Channels that must have the same factor are a class.
struct ScaleFlow {
  std::size_t classes = 0;
  std::vector<std::string> fixed;  ///< [classes] why the factor must stay 1; empty when it need not
  std::vector<ScaledConstant> constants;
  std::vector<ScaledValue> values;  ///< in graph order

  /// Null when the value's channels are not followed.
  const ScaledValue* find(const Value& value) const;
};

/// Follows every channel of the main graph. Nodes that the filter does not match are not to change.
ScaleFlow find_scale_flow(const Model& model, const FactsMap& facts, const NodeFilter& filter);

/// Multiplies and divides; `factors` [classes], 1 where nothing is to change. Constants that others read too
/// are copied.
void apply_factors(Model& model, const ScaleFlow& flow, const std::vector<double>& factors);

}  // namespace compressor::quantize
