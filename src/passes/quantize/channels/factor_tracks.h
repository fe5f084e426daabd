// factor_tracks: what is known of factors while a graph is followed: classes of channels, where they lie in
// each value, and the constants that take part.
#pragma once

#include <optional>
#include <unordered_map>

#include "compressor/base/disjoint_sets.h"
#include "passes/quantize/channels/scale_flow.h"

namespace compressor::quantize {

/// Elements that a constant may grow to, or that are stored twice because others read them too.
inline constexpr std::uint64_t kMostExpanded = 1U << 16U;

class FactorTracks {
 public:
  using Role = ScaledConstant::Role;
  /// A class for each channel, before classes are numbered.
  using Atoms = std::vector<std::size_t>;
  /// Where the channels of a value lie.
  struct Track {
    std::int64_t axis = 1;
    Atoms atoms;
  };

  FactorTracks(const Model& model, const FactsMap& facts, const NodeFilter& filter)
      : model_(model), facts_(facts), filter_(filter) {}

  const Model& model() const { return model_; }
  const FactsMap& facts() const { return facts_; }
  bool may_change(const Node& node) const { return filter_.matches(node); }

  // Classes.
  std::size_t fresh();
  Atoms fresh(std::size_t n);
  void join(const Atoms& a, const Atoms& b);
  /// Their factor stays 1; the first reason stands.
  void fix(const Atoms& atoms, const std::string& why);
  bool is_fixed(const Atoms& atoms);

  // Values.
  /// Null when the value's channels are not followed.
  const Track* track(const Value* v) const;
  void set(const Value* v, std::int64_t axis, Atoms atoms);
  void fix(const Value* v, const std::string& why);
  void fix_inputs(const Node& node, const std::string& why = "");
  /// Outputs of the model and what bodies read are not to change.
  void hold_outer(const Value& v);
  /// -1 when it is not known.
  std::int64_t rank(const Value& v) const;
  std::int64_t length(const Value& v, std::int64_t axis) const;

  // Constants.
  std::optional<Tensor> constant(const Value* v) const;
  /// A float32 weight that this node may change.
  std::optional<Tensor> weight(const Node& node, std::size_t input) const;
  /// A row of `n` numbers; absent counts as there.
  bool is_vector(const Node& node, std::size_t input, std::size_t n) const;
  void add(const Node& node, std::size_t input, Role role, const ElementChannels& channels,
           const Atoms& atoms, Dims expanded = {});
  /// A bias with a number for each channel, where there is one.
  void shift(const Node& node, std::size_t input, const Atoms& atoms);

  /// Numbers the classes. The tracks are of no use afterwards.
  ScaleFlow finish();

 private:
  void join(std::size_t a, std::size_t b);

  const Model& model_;
  const FactsMap& facts_;
  const NodeFilter& filter_;
  DisjointSets sets_;
  std::vector<std::string> why_;  ///< by root
  std::unordered_map<const Value*, Track> tracks_;
  std::vector<ScaledConstant> constants_;
};

}  // namespace compressor::quantize
