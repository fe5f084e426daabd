// scale_flow: the rules by which factors pass, operator by operator.
#include "passes/quantize/channels/scale_flow.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "compressor/base/error.h"
#include "passes/quantize/channels/channel_moves.h"
#include "passes/quantize/channels/clip_to_relu.h"
#include "passes/quantize/channels/factor_tracks.h"

namespace compressor::quantize {
namespace {

using Role = ScaledConstant::Role;

std::uint64_t product(const Dims& shape, std::size_t from, std::size_t to) {
  return num_elements(
      {shape.begin() + static_cast<std::ptrdiff_t>(from), shape.begin() + static_cast<std::ptrdiff_t>(to)});
}

bool is_any(const Node& node, std::initializer_list<std::string_view> ops) {
  return std::find(ops.begin(), ops.end(), node.op()) != ops.end();
}

class Follower : private FactorTracks {
 public:
  Follower(const Model& model, const FactsMap& facts, const NodeFilter& filter)
      : FactorTracks(model, facts, filter) {}

  ScaleFlow run() {
    for (const Node& node : model().graph->nodes()) {
      follow(node);
      for (const Value* y : node.outputs()) {
        if (y) hold_outer(*y);
      }
    }
    return finish();
  }

 private:
  /// The node reads its first input's channels along `axis` with the weight at input 1.
  void read(const Node& node, std::int64_t axis, const ElementChannels& channels, std::size_t n) {
    const Track* t = track(node.input(0));
    if (!t) return;
    if (t->axis != axis || t->atoms.size() != n) return fix_inputs(node);
    add(node, 1, Role::kReader, channels, t->atoms);
  }

  /// ... and makes channels of its own.
  void make(const Node& node, std::int64_t axis, const ElementChannels& channels, std::size_t n) {
    const bool plain = is_vector(node, 2, n);
    const Atoms atoms = fresh(n);
    add(node, 1, Role::kMaker, channels, atoms);
    if (plain) {
      shift(node, 2, atoms);
    } else {
      fix(atoms, fmt::format("the bias of '{}' is no constant for every channel", node.label()));
    }
    set(node.output(0), axis, atoms);
  }

  void follow(const Node& node) {
    if (!node.domain().empty() && node.domain() != "com.microsoft") return fix_inputs(node);
    if (node.is("Shape") || node.is("Size")) return;  // numbers do not count
    if (is_any(node, {"Conv", "ConvTranspose", "Gemm", "MatMul"})) return follow_product(node);
    if (is_any(node, {"LayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization",
                      "InstanceNormalization"}))
      return follow_norm(node);
    if (node.is("BatchNormalization")) return follow_batch_norm(node);
    if (is_any(node, {"Add", "Sub", "Sum"})) return follow_sum(node);
    if (is_any(node, {"Mul", "Div"})) return follow_factor(node);
    if (node.is("Concat")) return follow_concat(node);
    const Track* t = track(node.input(0));
    if (!t) return fix_inputs(node);
    if (is_homogeneous(node)) {
      for (std::size_t i = 1; i < node.inputs().size(); ++i) fix(node.input(i), "read as a setting");
      if (node.output(1)) return fix_inputs(node);
      return set(node.output(0), t->axis, Atoms(t->atoms));
    }
    if (const auto axes = moved(node, *t)) return set(node.output(0), axes->axis, axes->atoms);
    if (node.is("Split")) return follow_split(node, *t);
    fix_inputs(node);
  }

  void follow_product(const Node& node) {
    const auto w = weight(node, 1);
    const bool usable = w && w->rank() >= 2 && node.input(0) && node.output(0) &&
                        (!node.is("MatMul") || w->rank() == 2) &&
                        (!node.is("Gemm") || node.int_or("transA", 0) == 0) && node.domain().empty();
    if (!usable) return fix_inputs(node);
    const auto dim = [&](std::size_t i) { return static_cast<std::uint64_t>(w->shape[i]); };
    const std::uint64_t size = w->size(), taps = product(w->shape, 2, w->shape.size());
    const auto groups = static_cast<std::uint64_t>(std::max<std::int64_t>(1, node.int_or("group", 1)));
    const ElementChannels rows{.inner = size / dim(0), .count = dim(0)};
    const ElementChannels columns{
        .inner = taps, .count = dim(1), .group = groups == 1 ? 0 : size / groups, .step = dim(1)};
    fix(node.input(2), "read as a bias");
    if (node.is("Conv")) {
      read(node, 1, columns, dim(1) * groups);
      return make(node, 1, rows, dim(0));
    }
    if (node.is("ConvTranspose")) {
      read(node, 1, rows, dim(0));
      return make(node, 1, columns, dim(1) * groups);
    }
    const std::int64_t last = rank(*node.input(0)) - 1;
    if (last < 0) return fix_inputs(node);
    const bool transposed = node.int_or("transB", 0) != 0;
    read(node, last, transposed ? columns : rows, transposed ? dim(1) : dim(0));
    make(node, last, transposed ? rows : columns, transposed ? dim(0) : dim(1));
  }

  /// Norms that see all channels at once: what they read stays, what they give may be scaled.
  void follow_norm(const Node& node) {
    fix_inputs(node);
    const Value* y = node.output(0);
    const std::int64_t r = y ? rank(*y) : -1;
    const auto gamma = weight(node, 1);
    if (r < 2 || !gamma || gamma->rank() != 1) return;
    const std::int64_t axis = node.is("InstanceNormalization") ? 1 : r - 1;
    const bool over_last = node.int_or("axis", -1) == -1 || node.int_or("axis", -1) == r - 1;
    if (!node.is("InstanceNormalization") && !over_last) return;
    const std::size_t n = gamma->size();
    if (!is_vector(node, 2, n) || length(*y, axis) != static_cast<std::int64_t>(n)) return;
    const Atoms atoms = fresh(n);
    add(node, 1, Role::kMaker, {.inner = 1, .count = n}, atoms);
    shift(node, 2, atoms);
    set(y, axis, atoms);
  }

  /// gamma (x - mean) / deviation + beta: gamma / f, f mean for what is read; f gamma, f beta for what is
  /// made.
  void follow_batch_norm(const Node& node) {
    const auto gamma = weight(node, 1);
    const std::size_t n = gamma ? gamma->size() : 0;
    const bool usable = n > 0 && is_vector(node, 2, n) && is_vector(node, 3, n) && is_vector(node, 4, n) &&
                        node.output(0) && !node.output(1) && node.int_or("training_mode", 0) == 0;
    if (!usable) return fix_inputs(node);
    const ElementChannels each{.inner = 1, .count = n};
    if (const Track* t = track(node.input(0))) {
      if (t->axis != 1 || t->atoms.size() != n) return fix_inputs(node);
      add(node, 1, Role::kReader, each, t->atoms);
      add(node, 3, Role::kShift, each, t->atoms);
    }
    const Atoms atoms = fresh(n);
    add(node, 1, Role::kMaker, each, atoms);
    shift(node, 2, atoms);
    set(node.output(0), 1, atoms);
  }

  /// A constant beside channels along `axis` of `r` axes: its channel axis from the right, or -1 where it
  /// says the same for all.
  static std::int64_t constant_axis(const Tensor& c, std::int64_t axis, std::int64_t r) {
    const std::int64_t at = axis - (r - c.rank());
    return at < 0 || c.shape[static_cast<std::size_t>(at)] == 1 ? -1 : at;
  }

  ElementChannels along(const Tensor& c, std::int64_t axis) const {
    const auto at = static_cast<std::size_t>(axis);
    return {.inner = product(c.shape, at + 1, c.shape.size()),
            .count = static_cast<std::uint64_t>(c.shape[at])};
  }

  /// The constant at `input` is added to channels: it takes their factors too.
  bool add_constant(const Node& node, std::size_t input, const Tensor& c, const Atoms& atoms,
                    std::int64_t axis, std::int64_t r) {
    const std::vector<float> values = c.dtype == DType::kFloat ? to_floats(c) : std::vector<float>{NAN};
    if (std::all_of(values.begin(), values.end(), [](float v) { return v == 0; })) return true;
    if (c.dtype != DType::kFloat || !may_change(node) || c.rank() > r) return false;
    const std::int64_t at = constant_axis(c, axis, r);
    if (at >= 0) {
      if (c.shape[static_cast<std::size_t>(at)] != static_cast<std::int64_t>(atoms.size())) return false;
      add(node, input, Role::kShift, along(c, at), atoms);
      return true;
    }
    if (c.size() * atoms.size() > kMostExpanded) return false;
    Dims shape(static_cast<std::size_t>(std::max(r - axis, c.rank())), 1);
    std::copy(c.shape.begin(), c.shape.end(), shape.end() - c.rank());
    const std::size_t place = shape.size() - static_cast<std::size_t>(r - axis);
    shape[place] = static_cast<std::int64_t>(atoms.size());
    const ElementChannels channels{.inner = product(shape, place + 1, shape.size()), .count = atoms.size()};
    add(node, input, Role::kShift, channels, atoms, shape);
    return true;
  }

  void follow_sum(const Node& node) {
    const Value* y = node.output(0);
    const std::int64_t r = y ? rank(*y) : -1;
    const Track* first = nullptr;
    std::int64_t axis = 0;
    for (const Value* v : node.inputs()) {
      const Track* t = track(v);
      if (!t) continue;
      const std::int64_t at = t->axis + r - rank(*v);
      const bool fits = r > 0 && length(*y, at) == static_cast<std::int64_t>(t->atoms.size());
      if (!fits || (first && axis != at)) return fix_inputs(node);
      if (first) join(first->atoms, t->atoms);
      if (!first) first = t;
      axis = at;
    }
    if (!first) return;
    for (std::size_t i = 0; i < node.inputs().size(); ++i) {
      if (track(node.input(i))) continue;
      const auto c = constant(node.input(i));
      if (!c || !add_constant(node, i, *c, first->atoms, axis, r))
        return fix_inputs(
            node, fmt::format("joined by '{}' ({}) with what has no factor", node.label(), node.op()));
    }
    set(y, axis, first->atoms);
  }

  /// x c and x / c by constants pass, with a new factor where c has one number a channel; x g by anything
  /// that keeps its own scale (a gate) passes too.
  void follow_factor(const Node& node) {
    const Value* y = node.output(0);
    const Track *first = track(node.input(0)), *other_track = track(node.input(1));
    const bool second = node.is("Mul") && other_track && (!first || is_fixed(first->atoms));
    const std::size_t side = second ? 1 : 0;
    const Track* t = track(node.input(side));
    const Value* other = node.input(1 - side);
    if (!t && y && node.is("Mul")) return make_by_constant(node);
    const Track* gate = track(other);
    if (!t || !y || !other || (gate && !(node.is("Mul") && is_fixed(gate->atoms)))) return fix_inputs(node);
    const std::int64_t r = rank(*y), axis = t->axis + r - rank(*node.input(side));
    const std::size_t n = t->atoms.size();
    if (r <= 0 || length(*y, axis) != static_cast<std::int64_t>(n)) return fix_inputs(node);
    const auto c = constant(other);
    const bool by_channel = c && node.is("Mul") && c->dtype == DType::kFloat && c->rank() <= r &&
                            may_change(node) && constant_axis(*c, axis, r) >= 0 && c->size() == n;
    if (!by_channel) return set(y, axis, t->atoms);
    const ElementChannels channels = along(*c, constant_axis(*c, axis, r));
    const Atoms atoms = fresh(n);
    add(node, 1 - side, Role::kReader, channels, t->atoms);
    add(node, 1 - side, Role::kMaker, channels, atoms);
    set(y, axis, atoms);
  }

  /// x gamma of a norm that is written out: what it makes may be scaled, though x may not.
  void make_by_constant(const Node& node) {
    const Value* y = node.output(0);
    const std::int64_t r = rank(*y);
    for (std::size_t i = 0; i < 2; ++i) {
      const auto c = constant(node.input(i));
      if (!c || c->dtype != DType::kFloat || c->size() < 2 || c->rank() > r || !may_change(node)) continue;
      const auto longest = std::max_element(c->shape.begin(), c->shape.end());
      const std::int64_t at = longest - c->shape.begin(), axis = at + r - c->rank();
      if (*longest != static_cast<std::int64_t>(c->size()) || length(*y, axis) != *longest) continue;
      const Atoms atoms = fresh(c->size());
      add(node, i, Role::kMaker, along(*c, at), atoms);
      return set(y, axis, atoms);
    }
  }

  void follow_concat(const Node& node) {
    const Value* y = node.output(0);
    const std::int64_t r = y ? rank(*y) : -1;
    const Track* some = nullptr;
    for (const Value* v : node.inputs()) {
      const Track* t = track(v);
      if (!t) continue;
      if (some && some->axis != t->axis) return fix_inputs(node);
      some = t;
    }
    if (!some) return;
    std::int64_t axis = node.int_or("axis", 1);
    if (axis < 0) axis += r;
    const std::int64_t along = some->axis;
    Atoms atoms;
    for (const Value* v : node.inputs()) {
      const Track* t = track(v);
      if (axis != along) {
        if (!t || t->atoms.size() != some->atoms.size()) return fix_inputs(node);
        join(some->atoms, t->atoms);
        continue;
      }
      const std::int64_t n = t ? static_cast<std::int64_t>(t->atoms.size()) : length(*v, axis);
      if (n < 0) return fix_inputs(node);
      Atoms part = t ? t->atoms : fresh(static_cast<std::size_t>(n));
      if (!t) fix(part, fmt::format("'{}' has no factor", v->name()));
      atoms.insert(atoms.end(), part.begin(), part.end());
    }
    set(y, along, axis == along ? atoms : some->atoms);
  }

  void follow_split(const Node& node, const Track& t) {
    const Atoms atoms = t.atoms;
    const std::int64_t along = t.axis, r = rank(*node.input(0));
    std::int64_t axis = node.int_or("axis", 0);
    if (axis < 0) axis += r;
    std::size_t at = 0;
    for (const Value* y : node.outputs()) {
      if (axis != along) {
        set(y, along, atoms);
        continue;
      }
      const std::int64_t n = y ? length(*y, axis) : -1;
      if (n < 0 || at + static_cast<std::size_t>(n) > atoms.size()) return fix_inputs(node);
      const auto from = atoms.begin() + static_cast<std::ptrdiff_t>(at);
      set(y, along, Atoms(from, from + n));
      at += static_cast<std::size_t>(n);
    }
  }

  bool is_homogeneous(const Node& node) const {
    if (!node.domain().empty()) return false;
    if (is_any(node, {"Relu", "LeakyRelu", "Identity", "Dropout", "Abs", "Neg"})) return true;
    if (node.is("Cast")) return node.output(0) && facts().of(*node.output(0)).dtype == DType::kFloat;
    const Track& t = *track(node.input(0));
    if (node.is("PRelu")) return constant(node.input(1)).has_value();
    if (node.is("Clip")) return is_relu(node);
    if (is_any(node, {"MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"})) return t.axis == 1;
    if (is_any(node, {"Resize", "Upsample"})) {
      const bool fills = node.string_or("coordinate_transformation_mode", "") == "tf_crop_and_resize";
      return !fills && node.output(0) && t.axis == 1 &&
             length(*node.output(0), 1) == static_cast<std::int64_t>(t.atoms.size());
    }
    return false;
  }

  /// Clip from 0 (or nothing) to nothing.
  bool is_relu(const Node& node) const {
    const auto bounds = clip_bounds(model(), node);
    return bounds && !bounds->has_high() && (bounds->low == 0 || bounds->low <= -3.4e38F);
  }

  /// Operators that move elements: where the channels are afterwards. Zeros are zeros at any factor.
  std::optional<Track> moved(const Node& node, const Track& t) {
    const auto to = move_channels(model(), facts(), node, t.axis, static_cast<std::int64_t>(t.atoms.size()));
    if (!to) return std::nullopt;
    Track result{to->axis, {}};
    for (const std::int64_t from : to->source)
      result.atoms.push_back(from < 0 ? fresh() : t.atoms[static_cast<std::size_t>(from)]);
    return result;
  }
};

}  // namespace

ScaleFlow find_scale_flow(const Model& model, const FactsMap& facts, const NodeFilter& filter) {
  return Follower(model, facts, filter).run();
}

}  // namespace compressor::quantize
