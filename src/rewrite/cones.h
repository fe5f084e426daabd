// cones: the nodes that only read constants, or what such nodes make of them.
//
// Nodes that make the same of the same are one, wherever they stand: exporters write what is made of a weight
// into both branches of an If. The first of them stands for all.
#pragma once

#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compressor/rewrite/fold.h"

namespace compressor {

class Cones {
 public:
  /// Some of the nodes, each the first of its kind.
  using Nodes = std::unordered_set<const Node*>;

  Cones(Rewriter& rewriter, const FoldOptions& options);

  /// The first of each kind, in topological order.
  const std::vector<const Node*>& nodes() const { return firsts_; }
  /// The value by which this one goes: output of the first node of its kind, else itself. Null for null.
  const Value* first(const Value* value) const;
  /// The cone's node that computes the value (one that `first` gave); null when none does.
  const Node* producer(const Value& value) const;
  /// Whether every reader of the value is of the kind of one of these.
  bool all_read_in(const Nodes& nodes, const Value& value) const;
  /// The values equal to output `index` of `node` that others than these read.
  std::vector<const Value*> read_outside(const Nodes& nodes, const Node& node, std::size_t index) const;
  /// nullopt when its size is not known.
  std::optional<std::uint64_t> bytes_of(const Value& value) const;

 private:
  bool is_constant(const Node& node) const;
  bool decodes(const Node& node) const;
  std::string name_of(const Value* value) const;
  const Node* first(const Node& node) const;

  Rewriter& r_;
  const FoldOptions& options_;
  const Facts none_;
  std::vector<const Node*> firsts_;
  std::unordered_map<const Node*, const Node*> first_of_;
  std::unordered_map<const Node*, std::vector<const Node*>> all_of_;
};

}  // namespace compressor
