// small_net: a graph written by hand, its facts, its channel lists, and what a cut leaves of it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "compressor/graph/model.h"
#include "compressor/ops/channels.h"
#include "compressor/ops/op.h"

namespace compressor::ops {

/// Attributes as a test writes them down.
using Settings = std::vector<
    std::pair<std::string, std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>>>>;

class SmallNet {
 public:
  explicit SmallNet(std::int64_t opset = 17);
  const Value* input(const std::string& name, SymDims dims);
  /// Numbers that do not matter.
  const Value* weight(const std::string& name, const Dims& shape);
  const Value* ints(const std::string& name, const std::vector<std::int64_t>& values);
  /// The node's first output; more are found by name, "<name>_1", ...
  const Value* node(const std::string& op, const std::string& name, std::vector<const Value*> inputs,
                    Settings attributes = {}, std::size_t outputs = 1, const std::string& domain = "");
  const Value* value(const std::string& name) const { return model_.graph->find(name); }
  const Node& node_of(const std::string& name) const { return *value(name)->producer(); }

  /// Infers, and throws when a rule found fault.
  void infer();
  /// The first problem of inference; empty when there is none.
  std::string problem();
  std::string dims(const std::string& name);
  Cost cost(const std::string& name);
  /// Runs the channel rules over all nodes.
  void run_rules();
  const Places& places(const std::string& name, std::int64_t axis);
  /// Removes the classes of the given factor (outer first) of one position; later questions see the cut.
  void remove(const std::string& name, std::int64_t axis, std::size_t position, std::size_t factor = 0);
  /// Old positions that go.
  std::vector<std::int64_t> gone(const std::string& name, std::int64_t axis);
  void shrink(const std::string& name);
  bool frozen(const std::string& name, std::int64_t axis, std::size_t position = 0);
  bool approximate(const std::string& name, std::int64_t axis, std::size_t position = 0);
  unsigned roles(const std::string& name, std::int64_t axis) { return lists_.roles(*value(name), axis); }
  const Facts& facts(const std::string& name) { return facts_.of(*value(name)); }

 private:
  Model model_;
  FactsMap facts_;
  ChannelLists lists_;
  std::set<Atom> removed_;
  std::map<std::pair<const Value*, std::int64_t>, std::vector<std::int64_t>> kept_;
};

}  // namespace compressor::ops
