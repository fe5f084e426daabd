// channels: what an operator's channel rule sees and declares, and what its shrink rule may edit.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compressor/base/error.h"
#include "compressor/ops/atoms.h"
#include "compressor/ops/facts.h"
#include "compressor/ops/fail.h"

namespace compressor {

/// What an axis of a constant does for the channels that it carries.
enum class AxisRole : std::uint8_t {
  kNone = 0,
  kProducer = 1,    ///< weight axis that makes the channel (filters, rows of a Gemm, gates of an LSTM)
  kConsumer = 2,    ///< weight axis that reads the channel
  kScale = 4,       ///< gamma of a norm
  kShift = 8,       ///< bias, beta
  kStatistic = 16,  ///< running mean or variance
};

/// Lists of places of every axis of every value, and the roles of constants' axes.
class ChannelLists {
 public:
  Atoms atoms;
  /// Null when the value has none (not tracked).
  const std::vector<Places>* find(const Value& value) const;
  std::vector<Places>& of(const Value& value) { return axes_[&value]; }
  void add_role(const Value& value, std::int64_t axis, AxisRole role);
  /// Roles of one axis, or'ed.
  unsigned roles(const Value& value, std::int64_t axis) const;
  const std::unordered_map<const Value*, std::vector<Places>>& all() const { return axes_; }

 private:
  std::unordered_map<const Value*, std::vector<Places>> axes_;
  std::map<std::pair<const Value*, std::int64_t>, unsigned> roles_;
};

namespace ops {

/// A rule reads the lists of its inputs, joins them as the operator demands, and sets those of its outputs.
/// An output axis that is not set is not tracked. A rule may throw Error::model: the driver then freezes the
/// node.
class ChannelContext {
 public:
  using BodyFn = std::function<void(const Graph&)>;
  ChannelContext(const Node& node, std::int64_t opset, const FactsMap& facts, ChannelLists& lists,
                 BodyFn body)
      : node_(node), opset_(opset), facts_(facts), lists_(lists), body_(std::move(body)) {}

  const Node& node() const { return node_; }
  std::int64_t opset() const { return opset_; }
  bool has(std::size_t i) const { return node_.input(i) != nullptr; }
  bool wants(std::size_t i) const { return node_.output(i) != nullptr; }
  const Facts& in(std::size_t i) const { return facts_.of(*node_.input(i)); }
  const Facts& out(std::size_t i) const { return facts_.of(*node_.output(i)); }
  /// Of any value, one of a body for example.
  const Facts& facts(const Value& value) const { return facts_.of(value); }
  Atoms& atoms() { return lists_.atoms; }
  /// Number at axis of input i; -1 when not a number.
  std::int64_t in_dim(std::size_t i, std::int64_t axis) const;
  std::int64_t out_dim(std::size_t i, std::int64_t axis) const;

  /// The list of an axis (negative: from the end). Constants get fresh atoms when first asked for; empty when
  /// not tracked.
  const Places& in_list(std::size_t i, std::int64_t axis);
  const Places& list(const Value& value, std::int64_t axis);
  void set_out(std::size_t i, std::int64_t axis, Places places);
  void set_list(const Value& value, std::int64_t axis, Places places);
  /// Output axis has the list of the input axis. Lengths must agree.
  void pass(std::size_t in, std::int64_t in_axis, std::size_t out, std::int64_t out_axis);
  /// Every axis of output `out` has the list of the same axis of input `in`, where the lengths agree.
  void pass_all(std::size_t in, std::size_t out);
  /// n fresh atoms where the length is a number > 1; an empty list otherwise.
  Places fresh(std::int64_t n);
  /// Position by position; throws Error::model for lists of different lengths.
  void join(const Places& a, const Places& b);
  void freeze(std::size_t in, std::int64_t axis, const std::string& why);
  void freeze(const Places& places, const std::string& why) { lists_.atoms.freeze(places, because(why)); }
  void approximate(const Places& places, const std::string& why) {
    lists_.atoms.approximate(places, because(why));
  }
  /// Freezes every axis of every input, and gives the outputs frozen atoms.
  void freeze_all(const std::string& why);
  /// Says what an axis of a constant input does; ignored for inputs that are not constant.
  void role(std::size_t in, std::int64_t axis, AxisRole role);
  /// Runs the rules of a body.
  void run_body(const Graph& body) { body_(body); }
  Reason because(const std::string& text) const { return {node_.id(), text}; }

 private:
  const Node& node_;
  std::int64_t opset_;
  const FactsMap& facts_;
  ChannelLists& lists_;
  BodyFn body_;
};

/// Numpy-style element-wise join over several inputs: align from the right, join position by position, a
/// broadcast axis of size 1 joins nothing. The rule of Add, Mul, Where, PRelu, Max, ...; output 0.
void join_elementwise(ChannelContext& ctx, std::span<const std::size_t> inputs);

/// Edits one node after positions were removed from the axes around it. Weights that carry lists are cut by
/// the driver; a rule edits attributes and constants that hold counts, bounds or indices.
class ShrinkContext {
 public:
  /// The old positions that stay on an axis, ascending; null when nothing was removed from it.
  using KeptFn = std::function<const std::vector<std::int64_t>*(const Value&, std::int64_t)>;
  /// `assumed`: the facts hold for shapes that the user gave, and the model must go on to run at others.
  ShrinkContext(Graph& graph, const Node& node, std::int64_t opset, const FactsMap& before, KeptFn kept,
                bool assumed = false)
      : graph_(graph),
        node_(node),
        opset_(opset),
        before_(before),
        kept_(std::move(kept)),
        assumed_(assumed) {}

  const Node& node() const { return node_; }
  std::int64_t opset() const { return opset_; }
  bool has(std::size_t i) const { return node_.input(i) != nullptr; }
  /// Facts before the cut.
  const Facts& in(std::size_t i) const { return before_.of(*node_.input(i)); }
  const Facts& out(std::size_t i) const { return before_.of(*node_.output(i)); }
  const std::vector<std::int64_t>* kept_in(std::size_t i, std::int64_t axis) const;
  const std::vector<std::int64_t>* kept_out(std::size_t i, std::int64_t axis) const;
  /// Length of an output axis after the cut; -1 when it is not a number.
  std::int64_t new_out_dim(std::size_t i, std::int64_t axis) const;
  std::int64_t new_in_dim(std::size_t i, std::int64_t axis) const;

  void set_attribute(Attribute attribute) { graph_.set_attribute(node_, std::move(attribute)); }
  /// Input i becomes a new constant of its own (others that read the old one keep it).
  void set_constant(std::size_t i, Tensor tensor);
  /// Element `position` of the 1-D integers at input i must become `value`. Follows Concat, Unsqueeze, Cast
  /// and the like back to a constant and edits a copy of it; an element that is computed from a Shape (or is
  /// -1 or 0 for Reshape) adapts by itself and is left alone. Throws Error::model when it can do neither.
  void set_element(std::size_t i, std::int64_t position, std::int64_t value);
  Graph& graph() { return graph_; }
  template <class... A>
  [[noreturn]] void fail(fmt::format_string<A...> text, A&&... args) const {
    fail_at(node_, text, std::forward<A>(args)...);
  }

 private:
  Graph& graph_;
  const Node& node_;
  std::int64_t opset_;
  const FactsMap& before_;
  KeptFn kept_;
  bool assumed_;
};

}  // namespace ops
}  // namespace compressor
