// zeroing: find weights, let the granularity choose, put the masked weights into the graph, and say what was
// done.
#include "passes/prune/zeroing.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "compressor/analysis/profile.h"
#include "compressor/base/error.h"
#include "passes/prune/zero_methods.h"

namespace compressor::prune {

std::uint64_t share_of(double ratio, std::uint64_t count) {
  CHECK(ratio >= 0 && ratio <= 1, "ratio {}", ratio);
  constexpr double kGuard = 1e-6;
  const double share = std::floor(ratio * static_cast<double>(count) + kGuard);
  return std::min(count, static_cast<std::uint64_t>(share));
}

std::vector<std::vector<std::size_t>> rankings(std::span<const ZeroJob> jobs,
                                               std::span<const ZeroOutcome> outcomes, bool global) {
  std::vector<std::vector<std::size_t>> result;
  std::vector<std::size_t> together;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (!outcomes[i].why_not.empty()) continue;
    if (global && !jobs[i].own_ratio) {
      together.push_back(i);
    } else {
      result.push_back({i});
    }
  }
  if (!together.empty()) result.push_back(std::move(together));
  return result;
}

namespace {

using Granularity = ZeroingOptions::Granularity;

std::string unit_of(Granularity granularity) {
  switch (granularity) {
    case Granularity::kKernel:
      return "kernels";
    case Granularity::kBlock:
      return "blocks";
    default:
      return "weights";
  }
}

std::string name_of(Granularity granularity) {
  switch (granularity) {
    case Granularity::kWeight:
      return "weight";
    case Granularity::kKernel:
      return "kernel";
    case Granularity::kNm:
      return "nm";
    case Granularity::kBlock:
      return "block";
  }
  return "";
}

std::vector<ZeroOutcome> choose(std::span<const ZeroJob> jobs, const ZeroingOptions& options,
                                std::uint64_t seed) {
  switch (options.granularity) {
    case Granularity::kWeight:
      return zero_weights(jobs, options, seed);
    case Granularity::kKernel:
      return zero_kernels(jobs, options, seed);
    case Granularity::kNm:
      return zero_nm(jobs, options, seed);
    case Granularity::kBlock:
      return zero_blocks(jobs, options, seed);
  }
  return {};
}

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

class Zeroing {
 public:
  Zeroing(Model& model, const ZeroingOptions& options, PassContext& context)
      : model_(model), options_(options), context_(context) {
    model.each_graph([&](Graph& graph) { graphs_.emplace(&graph, &graph); });
  }

  void run() {
    weights_ =
        find_prunable(model_, {.min_size = options_.min_size, .embeddings = options_.embeddings}, context_);
    const std::vector<ZeroJob> jobs = jobs_of();
    context_.result.unit = unit_of(options_.granularity);
    std::vector<ZeroOutcome> outcomes = choose(jobs, options_, context_.seed);
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      const PrunableWeight& weight = *jobs[i].weight;
      if (!outcomes[i].why_not.empty()) {
        skip(weight, outcomes[i].why_not);
        continue;
      }
      if (context_.progress)
        context_.progress(weight.source->name(), static_cast<double>(i) / static_cast<double>(jobs.size()));
      apply(weight, std::move(outcomes[i]));
    }
    if (elements_ == 0)
      throw Error::target("nothing can be zeroed at granularity {}: {}", name_of(options_.granularity),
                          why_nothing());
    sum_up();
  }

 private:
  void skip(const PrunableWeight& weight, const std::string& why) {
    context_.skip(*weight.readers.front().node, fmt::format("weight '{}' {}", weight.source->name(), why));
  }

  std::vector<ZeroJob> jobs_of() {
    std::vector<ZeroJob> jobs;
    for (const PrunableWeight& weight : weights_) {
      ZeroJob job{.weight = &weight, .ratio = options_.ratio};
      for (const Reader& reader : weight.readers) {
        const auto own = options_.ratio_of ? options_.ratio_of(*reader.node) : std::nullopt;
        if (!own || job.own_ratio) continue;
        job.ratio = *own;
        job.own_ratio = true;
      }
      if (job.own_ratio && job.ratio == 0) {
        skip(weight, "has ratio 0");
        continue;
      }
      jobs.push_back(job);
    }
    return jobs;
  }

  void apply(const PrunableWeight& weight, ZeroOutcome outcome) {
    const std::uint64_t size = weight.tensor.size();
    const Tensor after = masked(weight.tensor, std::move(*outcome.mask));
    const std::uint64_t before_zeros =
        outcome.zeros_before ? *outcome.zeros_before : count_zeros(weight.tensor);
    const std::uint64_t after_zeros = outcome.zeros_after ? *outcome.zeros_after : count_zeros(after);
    if (after_zeros > before_zeros) {
      put(*weight.source, after);
      context_.result.changed = true;
    }
    const bool by_weight = options_.granularity == Granularity::kWeight;
    context_.result.eligible += static_cast<std::int64_t>(outcome.units);
    context_.result.done += static_cast<std::int64_t>(by_weight ? after_zeros : outcome.zeroed);
    elements_ += size;
    zeros_ += after_zeros;
    old_zeros_ += before_zeros;
    for (const Reader& reader : weight.readers) {
      Sparsity& s = sparsity_[reader.node->id()];
      s.size += static_cast<double>(size);
      s.zeros += static_cast<double>(after_zeros);
    }
    std::string text = fmt::format("weight '{}': {} elements, zeros {} -> {}, density {:.4g}",
                                   weight.source->name(), size, before_zeros, after_zeros,
                                   1 - static_cast<double>(after_zeros) / static_cast<double>(size));
    if (!by_weight)
      text += fmt::format(", {} of {} {} zeroed", outcome.zeroed, outcome.units, context_.result.unit);
    if (!outcome.detail.empty()) text += ", " + outcome.detail;
    context_.done(*weight.readers.front().node, "zeroed", text + shared_with(weight));
  }

  static std::string shared_with(const PrunableWeight& weight) {
    std::size_t others = 0;
    for (const Use& use : weight.source->uses()) others += use.node ? 1U : 0U;
    if (others < 2) return "";
    return fmt::format(", read by {} nodes", others);
  }

  void put(const Value& source, const Tensor& tensor) {
    const auto graph = graphs_.find(&source.graph());
    CHECK(graph != graphs_.end(), "value '{}' is in no graph of the model", source.name());
    if (source.initializer()) return graph->second->set_initializer(source, tensor);
    const Node& constant = *source.producer();
    Attribute value = copy_plain(*constant.attribute("value"));
    value.value = tensor;
    graph->second->set_attribute(constant, std::move(value));
  }

  std::string why_nothing() const {
    std::map<std::string, int> counts;
    for (const LayerRecord& layer : context_.result.layers) {
      if (layer.action == "skipped") ++counts[fmt::format("'{}': {}", layer.node, layer.detail)];
    }
    if (counts.empty())
      return "the model has no Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU or RNN with a constant weight";
    return fmt::format("{}{}", counts.begin()->first,
                       counts.size() > 1 ? fmt::format("; and {} more", counts.size() - 1) : "");
  }

  void sum_up() {
    PassContext& out = context_;
    out.note(
        fmt::format("{:.1f} % of the {} elements in pruned weights are zero, before {:.1f} %: density {:.4g}",
                    percent(zeros_, elements_), elements_, percent(old_zeros_, elements_),
                    1 - static_cast<double>(zeros_) / static_cast<double>(elements_)));
    InferOptions infer;
    for (const auto& [input, dims] : out.input_shapes) infer.input_shapes[input] = sym_dims(dims);
    double total = 0, skippable = 0;
    bool complete = true;
    for (const LayerProfile& layer : profile(model_, infer).layers) {
      total += layer.macs * layer.times;
      const auto s = sparsity_.find(layer.id);
      complete = complete && (layer.counted || s == sparsity_.end());
      if (s != sparsity_.end()) skippable += layer.macs * layer.times * s->second.zeros / s->second.size;
    }
    if (total > 0) {
      out.note(fmt::format(
          "a sparse kernel could skip {:.4g} of {:.4g} MACs ({:.1f} %){}; dense kernels skip none", skippable,
          total, 100 * skippable / total, complete ? "" : ", pruned layers of unknown shape not counted"));
    }
    out.note("the file is not smaller: zeros are stored like other numbers, shapes stay");
    if (!model_.functions.empty())
      out.note(
          "weights inside model-local functions were not looked at; inline them first (compressor simplify)");
  }

  struct Sparsity {
    double size = 0, zeros = 0;
  };

  Model& model_;
  const ZeroingOptions& options_;
  PassContext& context_;
  std::unordered_map<const Graph*, Graph*> graphs_;
  std::vector<PrunableWeight> weights_;
  std::unordered_map<NodeId, Sparsity> sparsity_;
  std::uint64_t elements_ = 0, zeros_ = 0, old_zeros_ = 0;
};

}  // namespace

void prune_by_zeroing(Model& model, const ZeroingOptions& options, PassContext& context) {
  CHECK(options.granularity != Granularity::kNm || (options.n > 0 && options.n < options.m), "{}:{}",
        options.n, options.m);
  CHECK(options.block_out > 0 && options.block_in > 0, "blocks of {}x{}", options.block_out,
        options.block_in);
  Zeroing(model, options, context).run();
}

}  // namespace compressor::prune
