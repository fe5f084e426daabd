// slices: which steps treat samples apart, and how many samples fit the cache.
#include "engine/slices.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "compressor/base/error.h"
#include "engine/frame.h"

namespace compressor::engine {
namespace {

/// What the steps of a slice should read and write at a time. A property of no machine: how a batch is cut
/// must not depend on where it is run.
constexpr std::uint64_t kSliceBytes = std::uint64_t{1} << 22;
/// A step that reads this many times more weights than numbers ends the slices.
constexpr std::uint64_t kWeightShare = 2;

constexpr std::string_view kElementwise[] = {
    "Add",      "Sub",         "Mul",       "Div",  "PRelu", "Relu",      "Clip", "Tanh",
    "Sigmoid",  "HardSigmoid", "HardSwish", "Elu",  "Selu",  "LeakyRelu", "Mish", "Gelu",
    "Softplus", "Identity",    "Erf",       "Sqrt", "Abs",   "Neg",       "Exp"};
constexpr std::string_view kWindows[] = {"Conv",        "BatchNormalization",   "MaxPool",
                                         "AveragePool", "GlobalMaxPool",        "GlobalAveragePool",
                                         "LRN",         "InstanceNormalization"};

template <std::size_t N>
bool is_one_of(const Node& node, const std::string_view (&list)[N]) {
  return node.domain().empty() && std::find(std::begin(list), std::end(list), node.op()) != std::end(list);
}

class Finder {
 public:
  Finder(const Program& program, const FactsMap& facts)
      : p_(program), facts_(facts), carries_(program.values.size(), false) {
    for (std::size_t s = 0; s < p_.values.size(); ++s) {
      const Value* v = p_.values[s];
      if (!v || !v->is_input() || p_.constants[s]) continue;
      const Facts& f = facts_.of(*v);
      carries_[s] = f.ranked && f.rank() >= 2 && f.dtype == DType::kFloat;
    }
  }

  Slices find() {
    std::size_t steps = 0;
    std::uint64_t most = 1;
    for (; slices_.end < p_.steps.size(); ++slices_.end) {
      const Step& step = p_.steps[slices_.end];
      if (step.constant) continue;
      const auto sizes = is_apart(step) ? bytes_of(step) : std::nullopt;
      if (!sizes) break;
      const std::uint64_t largest = std::max(most, sizes->numbers);
      const auto samples = std::max<std::uint64_t>(1, kSliceBytes / largest);
      if (sizes->weights > kWeightShare * samples * sizes->numbers) break;
      most = largest;
      slices_.samples = static_cast<std::int64_t>(samples);
      take(step);
      ++steps;
    }
    if (steps < 2 || slices_.inputs.empty()) return {};
    find_borders();
    return std::move(slices_);
  }

 private:
  struct Bytes {
    std::uint64_t numbers = 0;  ///< read and written for one sample
    std::uint64_t weights = 0;
  };

  static std::size_t slot(const Ref& ref) { return static_cast<std::size_t>(ref.slot); }

  const Facts& facts_at(std::size_t s) const {
    static const Facts kUnknown;
    return p_.values[s] ? facts_.of(*p_.values[s]) : kUnknown;
  }

  bool is_apart(const Step& step) const {
    const bool elementwise = is_one_of(*step.node, kElementwise);
    const bool concat = step.node->is("Concat");
    if (!step.op || step.function || (!elementwise && !concat && !is_one_of(*step.node, kWindows)))
      return false;
    if (step.outputs.size() != 1 || step.outputs[0] < 0) return false;
    if (step.node->int_or("training_mode", 0) != 0) return false;
    const Facts& y = facts_at(static_cast<std::size_t>(step.outputs[0]));
    if (!y.ranked || y.rank() < 2) return false;
    if (concat) {
      const std::int64_t axis = step.node->int_or("axis", 1);
      if (axis == 0 || axis == -y.rank()) return false;
    }
    for (std::size_t i = 0; i < step.inputs.size(); ++i) {
      const Ref& ref = step.inputs[i];
      if (ref.slot < 0) continue;
      if (ref.up != 0) return false;
      const Facts& x = facts_at(slot(ref));
      if (!p_.is_constant[slot(ref)]) {
        if (!carries_[slot(ref)] || !x.ranked || x.rank() != y.rank()) return false;
        continue;
      }
      // A constant that is the same for all samples: one of its own first axis would have to be cut as well.
      if (concat || (step.epilogue.add != 0 && i == step.epilogue.add)) return false;
      if (!elementwise) continue;
      const bool repeats =
          x.ranked && (x.rank() < y.rank() || (x.rank() == y.rank() && x.dims[0] == SymDim(1)));
      if (!repeats) return false;
    }
    return carries_[slot(step.inputs[0])] ||
           (step.inputs.size() > 1 && step.inputs[1].slot >= 0 && carries_[slot(step.inputs[1])]);
  }

  /// Nullopt where a size is not known before it runs.
  std::optional<Bytes> bytes_of(const Step& step) const {
    Bytes sum;
    const auto add = [&](std::size_t s) {
      if (p_.is_constant[s]) {
        if (p_.constants[s]) sum.weights += p_.constants[s]->value.tensor.bytes.size();
        return true;
      }
      std::uint64_t size = sizeof(float);
      const Facts& f = facts_at(s);
      for (std::size_t i = 1; i < f.dims.size(); ++i) {
        const auto n = f.dims[i].maybe_number();
        if (!n || *n < 1) return false;
        size *= static_cast<std::uint64_t>(*n);
      }
      sum.numbers += size;
      return true;
    };
    for (const Ref& ref : step.inputs) {
      if (ref.slot >= 0 && !add(slot(ref))) return std::nullopt;
    }
    if (!add(static_cast<std::size_t>(step.outputs[0]))) return std::nullopt;
    return sum;
  }

  void take(const Step& step) {
    carries_[static_cast<std::size_t>(step.outputs[0])] = true;
    made_.push_back(step.outputs[0]);
    for (const Ref& ref : step.inputs) {
      if (ref.slot < 0 || p_.is_constant[slot(ref)] || !p_.values[slot(ref)]->is_input()) continue;
      auto& inputs = slices_.inputs;
      if (std::find(inputs.begin(), inputs.end(), ref.slot) == inputs.end()) inputs.push_back(ref.slot);
    }
  }

  void find_borders() {
    std::vector<bool> dead(p_.values.size(), false);
    for (std::size_t at = 0; at < slices_.end; ++at) {
      for (const int s : p_.steps[at].dies) dead[static_cast<std::size_t>(s)] = true;
    }
    for (const int s : made_) {
      if (!dead[static_cast<std::size_t>(s)]) slices_.borders.push_back(s);
    }
  }

  const Program& p_;
  const FactsMap& facts_;
  std::vector<bool> carries_;  ///< by slot: its first axis is the samples
  std::vector<int> made_;
  Slices slices_;
};

}  // namespace

Slices find_slices(const Program& program, const FactsMap& facts) {
  return Finder(program, facts).find();
}

std::int64_t samples_of(const Slices& slices, std::int64_t batch) {
  if (slices.end == 0 || batch < 2 * slices.samples) return batch;
  // Slices of one length, where that is not much less than it could be.
  for (std::int64_t n = slices.samples; 2 * n > slices.samples; --n) {
    if (batch % n == 0) return n;
  }
  return slices.samples;
}

ops::RunValue slice_of(const ops::RunValue& whole, std::int64_t first, std::int64_t count) {
  ops::RunValue slice = whole;
  const std::uint64_t each = whole.tensor.bytes.size() / static_cast<std::uint64_t>(whole.tensor.shape[0]);
  slice.tensor.shape[0] = count;
  slice.tensor.bytes = whole.tensor.bytes.slice(static_cast<std::uint64_t>(first) * each,
                                                static_cast<std::uint64_t>(count) * each);
  return slice;
}

void Joined::add(Held& slice, std::int64_t first, std::int64_t batch) {
  if (first == 0) {
    whole_ = slice.value;
    const std::uint64_t each =
        slice.value.tensor.bytes.size() / static_cast<std::uint64_t>(whole_.tensor.shape[0]);
    whole_.tensor.shape[0] = batch;
    buffer_ = kernels::Buffer(each * static_cast<std::uint64_t>(batch));
  }
  const Tensor& part = tensor_in(slice, whole_.layout);
  const BytesView view = part.bytes.view();
  const std::size_t at =
      view.size() / static_cast<std::size_t>(part.shape[0]) * static_cast<std::size_t>(first);
  CHECK(at + view.size() <= buffer_.size(), "slices of different sizes");
  std::memcpy(buffer_.data() + at, view.data(), view.size());
}

HeldPtr Joined::finish() const {
  auto held = std::make_shared<Held>();
  held->value = whole_;
  held->value.tensor.bytes = buffer_.bytes();
  return held;
}

}  // namespace compressor::engine
