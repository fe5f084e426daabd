// factor_tracks: classes are joined on the way and numbered at the end.
#include "passes/quantize/channels/factor_tracks.h"

#include <fmt/format.h>

#include <algorithm>

namespace compressor::quantize {

std::size_t FactorTracks::fresh() {
  why_.emplace_back();
  return sets_.add();
}

FactorTracks::Atoms FactorTracks::fresh(std::size_t n) {
  Atoms list(n);
  for (std::size_t& a : list) a = fresh();
  return list;
}

void FactorTracks::join(std::size_t a, std::size_t b) {
  const std::size_t x = sets_.root(a), y = sets_.root(b);
  sets_.join(x, y);
  if (std::string& why = why_[sets_.root(x)]; why.empty()) why = why_[std::max(x, y)];
}

void FactorTracks::join(const Atoms& a, const Atoms& b) {
  for (std::size_t i = 0; i < a.size(); ++i) join(a[i], b[i]);
}

void FactorTracks::fix(const Atoms& atoms, const std::string& why) {
  for (const std::size_t a : atoms) {
    if (std::string& known = why_[sets_.root(a)]; known.empty()) known = why;
  }
}

bool FactorTracks::is_fixed(const Atoms& atoms) {
  return std::all_of(atoms.begin(), atoms.end(), [&](std::size_t a) { return !why_[sets_.root(a)].empty(); });
}

const FactorTracks::Track* FactorTracks::track(const Value* v) const {
  const auto it = v ? tracks_.find(v) : tracks_.end();
  return it == tracks_.end() ? nullptr : &it->second;
}

void FactorTracks::set(const Value* v, std::int64_t axis, Atoms atoms) {
  if (v) tracks_[v] = {axis, std::move(atoms)};
}

void FactorTracks::fix(const Value* v, const std::string& why) {
  if (const Track* t = track(v)) fix(t->atoms, why);
}

void FactorTracks::fix_inputs(const Node& node, const std::string& why) {
  for (const Value* v : node.inputs())
    fix(v, why.empty() ? fmt::format("read by '{}' ({})", node.label(), node.op()) : why);
}

void FactorTracks::hold_outer(const Value& v) {
  for (const Use& use : v.uses()) {
    if (!use.node && use.graph == model_.graph.get()) fix(&v, "an output of the model");
    if (use.graph != model_.graph.get()) fix(&v, "read in a body");
  }
}

std::int64_t FactorTracks::rank(const Value& v) const {
  const Facts& f = facts_.of(v);
  return f.ranked ? f.rank() : -1;
}

std::int64_t FactorTracks::length(const Value& v, std::int64_t axis) const {
  const Facts& f = facts_.of(v);
  if (!f.ranked || axis >= f.rank() || axis < 0) return -1;
  const SymDim& d = f.dims[static_cast<std::size_t>(axis)];
  return d.is_number() ? d.number() : -1;
}

std::optional<Tensor> FactorTracks::constant(const Value* v) const {
  return v ? fixed_constant(model_, *v) : std::nullopt;
}

std::optional<Tensor> FactorTracks::weight(const Node& node, std::size_t input) const {
  const Value* v = node.input(input);
  auto t = constant(v);
  if (!t || t->dtype != DType::kFloat || t->size() == 0 || !filter_.matches(node)) return std::nullopt;
  if (v->uses().size() != 1 && t->size() > kMostExpanded) return std::nullopt;  // would be stored twice
  return t;
}

bool FactorTracks::is_vector(const Node& node, std::size_t input, std::size_t n) const {
  if (!node.input(input)) return true;
  const auto t = weight(node, input);
  return t && t->size() == n && t->rank() > 0 && t->shape.back() == static_cast<std::int64_t>(n);
}

void FactorTracks::add(const Node& node, std::size_t input, Role role, const ElementChannels& channels,
                       const Atoms& atoms, Dims expanded) {
  constants_.push_back({&node, input, role, channels, atoms, std::move(expanded)});
}

void FactorTracks::shift(const Node& node, std::size_t input, const Atoms& atoms) {
  if (node.input(input)) add(node, input, Role::kShift, {.inner = 1, .count = atoms.size()}, atoms);
}

ScaleFlow FactorTracks::finish() {
  ScaleFlow flow;
  std::vector<std::size_t> number(sets_.size());
  for (std::size_t a = 0; a < sets_.size(); ++a) {
    if (sets_.root(a) != a) continue;
    number[a] = flow.classes++;
    flow.fixed.push_back(why_[a]);
  }
  const auto numbered = [&](const Atoms& atoms) {
    std::vector<std::size_t> list;
    for (const std::size_t a : atoms) list.push_back(number[sets_.root(a)]);
    return list;
  };
  for (ScaledConstant& c : constants_) {
    c.classes = numbered(c.classes);
    flow.constants.push_back(std::move(c));
  }
  for (const Node& node : model_.graph->nodes()) {
    for (const Value* y : node.outputs()) {
      if (const Track* t = track(y)) flow.values.push_back({y, t->axis, rank(*y), numbered(t->atoms)});
    }
  }
  return flow;
}

}  // namespace compressor::quantize
