// channel_groups: gather atoms that stand on the same axes into units and groups.
#include "compressor/analysis/channel_groups.h"

#include <algorithm>
#include <cstring>

#include "analysis/channel_rules.h"

namespace compressor {

std::string_view name(ChannelKind kind) {
  switch (kind) {
    case ChannelKind::kFilter:
      return "filter";
    case ChannelKind::kNeuron:
      return "neuron";
    case ChannelKind::kHidden:
      return "hidden";
    case ChannelKind::kOther:
      return "channel";
  }
  return "channel";
}

std::optional<Tensor> weight_of(const Value& value) {
  if (auto constant = constant_of(value)) return constant;
  const Node* node = value.producer();
  if (!node || !node->is("ConstantOfShape") || !node->input(0)) return std::nullopt;
  const auto shape = constant_of(*node->input(0));
  if (!shape) return std::nullopt;
  const Tensor* fill = node->tensor("value");
  Tensor tensor;
  tensor.dtype = fill ? fill->dtype : DType::kFloat;
  tensor.shape = to_ints(*shape);
  const auto width = static_cast<std::uint64_t>(bits(tensor.dtype)) / 8;
  if (width == 0) return std::nullopt;
  std::vector<std::byte> element(width);
  if (fill) fill->bytes.read(0, element);
  constexpr std::size_t kCopies = 4096;
  std::vector<std::byte> pattern;
  for (std::size_t i = 0; i <= kCopies; ++i) pattern.insert(pattern.end(), element.begin(), element.end());
  tensor.bytes =
      Bytes::derive(tensor.byte_size(), [pattern, width](std::uint64_t offset, std::span<std::byte> out) {
        for (std::size_t done = 0; done < out.size();) {
          const std::size_t n = std::min(out.size() - done, kCopies * width);
          std::memcpy(out.data() + done, pattern.data() + (offset + done) % width, n);
          done += n;
        }
      });
  return tensor;
}

std::string ChannelGroup::label() const {
  if (!producers.empty()) return producers[0]->label();
  if (!units.empty() && !units[0].slices.empty()) return units[0].slices[0].value->name();
  return activations.empty() ? "?" : activations[0].first->name();
}

std::optional<std::vector<std::int64_t>> ChannelGroups::kept(const Value& value, std::int64_t axis,
                                                             const std::set<Atom>& removed) {
  const std::vector<Places>* axes = lists.find(value);
  if (!axes || axis < 0 || axis >= static_cast<std::int64_t>(axes->size())) return std::nullopt;
  const Places& places = (*axes)[static_cast<std::size_t>(axis)];
  std::vector<std::int64_t> stay;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::vector<Atom> classes = lists.atoms.classes(places[i]);
    if (std::none_of(classes.begin(), classes.end(), [&](Atom a) { return removed.contains(a); })) {
      stay.push_back(static_cast<std::int64_t>(i));
    }
  }
  if (stay.size() == places.size()) return std::nullopt;
  return stay;
}

namespace {

/// As weight_of, without making it.
bool is_constant(const Value& value) {
  if (value.initializer()) return true;
  const Node* node = value.producer();
  return node && (node->is("Constant") ||
                  (node->is("ConstantOfShape") && node->input(0) && constant_of(*node->input(0))));
}

/// Values of a model in the order of the nodes that make or first read them.
std::vector<const Value*> in_order(const Model& model) {
  std::vector<const Value*> order;
  std::set<const Value*> seen;
  const auto add = [&](const Value* v) {
    if (v && seen.insert(v).second) order.push_back(v);
  };
  const std::function<void(const Graph&)> walk = [&](const Graph& graph) {
    for (const Value* v : graph.inputs()) add(v);
    for (const Node& node : graph.nodes()) {
      for (const Value* v : node.inputs()) add(v);
      for (const Graph* body : node.bodies()) walk(*body);
      for (const Value* v : node.outputs()) add(v);
    }
  };
  walk(*model.graph);
  return order;
}

/// Gathers atoms into units and units into groups.
class Gatherer {
 public:
  Gatherer(const Model& model, const ChannelOptions& options, ChannelGroups& result)
      : model_(model), options_(options), result_(result) {}

  void run() {
    for (const Value* v : in_order(model_)) {
      const auto* axes = result_.lists.find(*v);
      if (!axes) continue;
      for (std::size_t axis = 0; axis < axes->size(); ++axis)
        read_axis(*v, static_cast<std::int64_t>(axis), (*axes)[axis]);
    }
    std::map<std::vector<std::size_t>, std::size_t> by_signature;
    for (const Atom root : order_) {
      Info& info = info_.at(root);
      const std::string why = reason(root);
      info.signature.push_back(why.empty() ? kFree
                                           : kFrozen);  // the free part of an axis is a group of its own
      const auto [it, added] = by_signature.try_emplace(info.signature, result_.groups.size());
      if (added) {
        result_.groups.emplace_back();
        describe(result_.groups.back(), info);
      }
      ChannelGroup& group = result_.groups[it->second];
      group_of_[root] = it->second;
      group.outer = group.outer || info.outer;
      group.has_free_inner = group.has_free_inner || info.has_free_inner;
      if (group.units.empty()) group.frozen = why;
      ChannelUnit unit;
      unit.root = root;
      unit.slices = std::move(info.slices);
      group.units.push_back(std::move(unit));
    }
    untangle();
    std::erase_if(result_.groups, [](const ChannelGroup& g) { return !has_weight(g); });
  }

 private:
  struct Info {
    std::vector<std::size_t> signature;  ///< numbers of the axes it stands on, then whether it is free
    std::vector<ConstantSlice> slices;
    bool outer = false;
    bool has_free_inner = false;
  };
  static constexpr std::size_t kFree = SIZE_MAX;
  static constexpr std::size_t kFrozen = SIZE_MAX - 1;

  static bool has_weight(const ChannelGroup& group) {
    return std::any_of(
        group.units[0].slices.begin(), group.units[0].slices.end(), [](const ConstantSlice& s) {
          const auto t = weight_of(*s.value);
          return t && (is_float(t->dtype) || t->dtype == DType::kInt8 || t->dtype == DType::kUint8);
        });
  }

  bool is_free(Atom root) {
    return !result_.lists.atoms.frozen(root) &&
           (options_.through_norm || !result_.lists.atoms.approximated(root));
  }

  std::string reason(Atom root) {
    if (const Reason* why = result_.lists.atoms.frozen(root)) return sentence(*why);
    if (options_.through_norm) return {};
    if (const Reason* why = result_.lists.atoms.approximated(root))
      return sentence(*why) + " (--through-norm cuts it all the same)";
    return {};
  }

  std::string sentence(const Reason& why) {
    if (why.node == 0) return why.text;
    if (node_names_.empty()) {
      model_.each_graph([&](const Graph& g) {
        for (const Node& n : g.nodes()) node_names_[n.id()] = "node '" + n.label() + "' (" + n.op() + ")";
      });
    }
    const auto it = node_names_.find(why.node);
    return it == node_names_.end() ? why.text : it->second + " " + why.text;
  }

  void read_axis(const Value& value, std::int64_t axis, const Places& places) {
    if (places.empty()) return;
    const std::size_t number = axes_.size();
    axes_.emplace_back(&value, axis);
    const bool constant = is_constant(value);
    for (std::size_t i = 0; i < places.size(); ++i) {
      const std::vector<Atom>& classes = classes_of(places[i]);
      for (std::size_t k = 0; k < classes.size(); ++k) {
        Info& info = info_of(classes[k]);
        if (info.signature.empty() || info.signature.back() != number) {
          info.signature.push_back(number);
          if (constant) info.slices.push_back({&value, axis, result_.lists.roles(value, axis), {}});
        }
        if (constant) info.slices.back().positions.push_back(static_cast<std::int64_t>(i));
        if (k + 1 < classes.size() && !info.has_free_inner) {
          info.outer = true;
          info.has_free_inner = std::any_of(classes.begin() + static_cast<std::ptrdiff_t>(k) + 1,
                                            classes.end(), [&](Atom a) { return is_free(a); });
        }
      }
    }
  }

  /// Two factors can each be the inner one somewhere (before and behind a channel shuffle), so that each
  /// waits for the other. In such a circle, the groups with the most units count as the innermost.
  void untangle() {
    std::map<std::size_t, std::set<std::size_t>> inner;  // group -> free groups to the right of it somewhere
    for (const auto& [place, classes] : classes_) {
      for (std::size_t k = 0; k < classes.size(); ++k) {
        for (std::size_t m = k + 1; m < classes.size(); ++m) {
          if (is_free(classes[m])) inner[group_of_.at(classes[k])].insert(group_of_.at(classes[m]));
        }
      }
    }
    std::map<std::size_t, std::set<std::size_t>> below;  // the same over any number of steps
    for (const auto& [group, next] : inner) {
      std::vector<std::size_t> open(next.begin(), next.end());
      while (!open.empty()) {
        const std::size_t g = open.back();
        open.pop_back();
        if (below[group].insert(g).second && inner.contains(g))
          open.insert(open.end(), inner[g].begin(), inner[g].end());
      }
    }
    for (const auto& [group, reached] : below) {
      if (!result_.groups[group].frozen.empty()) continue;
      for (const std::size_t g :
           reached) {  // above it everywhere: kv heads above the query heads that share them
        if (!below.contains(g) || !below[g].contains(group)) result_.groups[g].has_free_outer = true;
      }
    }
    for (const auto& [group, reached] : below) {
      const bool circle = std::all_of(reached.begin(), reached.end(), [&, g = group](std::size_t other) {
        return below.contains(other) && below[other].contains(g);
      });
      if (!circle) continue;  // what leads out of the circle is cut instead
      std::vector<std::size_t> order(reached.begin(), reached.end());
      std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
        return result_.groups[a].units.size() > result_.groups[b].units.size();
      });
      std::set<std::size_t> chosen;
      for (const std::size_t g : order) {
        if (std::any_of(inner[g].begin(), inner[g].end(), [&](auto i) { return chosen.contains(i); }))
          continue;
        chosen.insert(g);
        result_.groups[g].has_free_inner = false;
      }
    }
  }

  const std::vector<Atom>& classes_of(Place place) {
    const auto [it, added] = classes_.try_emplace(place);
    if (added) it->second = result_.lists.atoms.classes(place);
    return it->second;
  }

  Info& info_of(Atom root) {
    const auto [it, added] = info_.try_emplace(root);
    if (added) order_.push_back(root);
    return it->second;
  }

  /// Nodes that compute with a weight, seen through those that only pass it on (tied weights of some
  /// exporters).
  template <class Visit>
  static void each_reader(const Value& value, const Visit& visit) {
    for (const Use& use : value.uses()) {
      if (!use.node) continue;
      if (use.node->is("Identity") || use.node->is("Cast") || use.node->is("Transpose")) {
        each_reader(*use.node->output(0), visit);
      } else {
        visit(*use.node);
      }
    }
  }

  void describe(ChannelGroup& group, const Info& info) {
    const auto add = [](std::vector<const Node*>& list, const Node* node) {
      if (node && std::find(list.begin(), list.end(), node) == list.end()) list.push_back(node);
    };
    for (const ConstantSlice& slice : info.slices) {
      each_reader(*slice.value, [&](const Node& node) {
        if (slice.has(AxisRole::kProducer)) add(group.producers, &node);
        if (slice.has(AxisRole::kConsumer)) add(group.consumers, &node);
        if (!slice.has(AxisRole::kProducer) && !slice.has(AxisRole::kConsumer)) add(group.others, &node);
      });
    }
    for (const std::size_t number : info.signature) {
      if (number >= axes_.size()) continue;
      if (!is_constant(*axes_[number].first)) group.activations.push_back(axes_[number]);
    }
    for (const Node* node : group.producers) {
      const std::string& op = node->op();
      if (op == "LSTM" || op == "GRU" || op == "RNN") group.kind = ChannelKind::kHidden;
      if (group.kind == ChannelKind::kHidden) break;
      group.kind = op.find("Conv") != std::string::npos ? ChannelKind::kFilter : ChannelKind::kNeuron;
    }
  }

  const Model& model_;
  const ChannelOptions& options_;
  ChannelGroups& result_;
  std::vector<std::pair<const Value*, std::int64_t>> axes_;
  std::unordered_map<Atom, Info> info_;
  std::vector<Atom> order_;
  std::unordered_map<Place, std::vector<Atom>> classes_;
  std::unordered_map<Atom, std::size_t> group_of_;
  std::map<NodeId, std::string> node_names_;
};

}  // namespace

ChannelGroups find_channel_groups(const Model& model, const ChannelOptions& options) {
  ChannelGroups result;
  result.facts = infer_facts(model, options.infer);
  run_channel_rules(model, options, result.facts, result.lists);
  Gatherer(model, options, result).run();
  return result;
}

}  // namespace compressor
