// channel_groups: what may be removed from a model as a whole, and why the rest may not.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compressor/graph/model.h"
#include "compressor/ops/channels.h"
#include "compressor/ops/facts.h"

namespace compressor {

/// The weight that a value is: a constant, or what a ConstantOfShape with a constant shape makes (derived,
/// not held).
std::optional<Tensor> weight_of(const Value& value);

/// Positions of one axis of one constant at which a unit stands.
struct ConstantSlice {
  const Value* value = nullptr;
  std::int64_t axis = 0;
  unsigned roles = 0;  ///< AxisRole, or'ed
  std::vector<std::int64_t> positions;
  bool has(AxisRole role) const { return (roles & static_cast<unsigned>(role)) != 0; }
};

/// The smallest thing that can be removed: a class of joined atoms.
struct ChannelUnit {
  Atom root = 0;
  std::vector<ConstantSlice> slices;
};

/// What a group's channels are made by.
enum class ChannelKind : std::uint8_t { kFilter, kNeuron, kHidden, kOther };
std::string_view name(ChannelKind kind);

/// Units that stand on the same axes and so compete with each other; a ratio applies to each group.
struct ChannelGroup {
  std::vector<ChannelUnit> units;
  ChannelKind kind = ChannelKind::kOther;
  /// Another factor stands to the right of these units in some axis: heads before head dimensions, groups
  /// before the channels of a group.
  bool outer = false;
  /// ... and that factor may be removed itself.
  bool has_free_inner = false;
  /// A factor that may be removed stands to the left: kv heads before the query heads that share them.
  bool has_free_outer = false;
  std::string frozen;  ///< why it may not be cut; empty when it may
  /// Nodes that read the group's constants: makers of the channels, their readers, and all else (norms,
  /// biases).
  std::vector<const Node*> producers, consumers, others;
  /// Activations whose axes carry the group, in graph order.
  std::vector<std::pair<const Value*, std::int64_t>> activations;
  /// For messages: the first producer's label, or the first value's name.
  std::string label() const;
};

struct ChannelOptions {
  InferOptions infer;
  bool through_norm = false;  ///< also cut what a mean, softmax or norm over the axis makes inexact
  std::map<NodeId, std::string> blocked;  ///< nodes whose every axis is frozen, with the reason
};

/// Groups of a model, and the lists they were read from.
struct ChannelGroups {
  FactsMap facts;
  ChannelLists lists;
  std::vector<ChannelGroup> groups;  ///< in graph order of their first value

  /// Positions that stay on an axis when the given classes go; nullopt when none of them is on it.
  std::optional<std::vector<std::int64_t>> kept(const Value& value, std::int64_t axis,
                                                const std::set<Atom>& removed);
};

/// Runs every operator's channel rule over the model and reads off the classes. Source: DepGraph (Fang 2023)
/// for the idea of coupled parameters; here every index of every axis is followed on its own.
ChannelGroups find_channel_groups(const Model& model, const ChannelOptions& options = {});

}  // namespace compressor
