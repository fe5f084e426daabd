// statistics: taps the values of a running model and adds up what they show.
#include "compressor/analysis/statistics.h"

#include <algorithm>
#include <cmath>

#include "compressor/base/error.h"
#include "compressor/kernels/product.h"
#include "compressor/ops/layer_input.h"

namespace compressor {
namespace {

/// Channels of a value as they lie: a plane [outer, channels, inner] in memory.
struct Planes {
  std::int64_t outer = 1, channels = 1, inner = 1;
};

Planes planes_of(const Dims& shape, ops::Layout layout, bool last_axis) {
  Planes p;
  const auto size = static_cast<std::int64_t>(num_elements(shape));
  if (shape.size() < 2) {
    p.outer = shape.empty() || last_axis ? 1 : shape[0];
    p.channels = shape.empty() ? 1 : last_axis ? shape[0] : 1;
    return p;
  }
  p.channels = last_axis ? shape.back() : shape[1];
  const bool innermost = last_axis || layout == ops::Layout::kChannelsLast;
  p.outer = innermost ? size / std::max<std::int64_t>(p.channels, 1) : shape[0];
  p.inner = size / std::max<std::int64_t>(p.outer * p.channels, 1);
  return p;
}

void add_channels(ValueStatistics& s, const float* x, const Planes& p) {
  if (s.channels_vary) return;
  const auto c = static_cast<std::size_t>(p.channels);
  if (!s.channel_sum.empty() && s.channel_sum.size() != c) {
    s.channels_vary = true;
    s.channel_min = s.channel_max = {};
    s.channel_sum = s.channel_magnitude = s.channel_squares = {};
    s.channel_count = 0;
    return;
  }
  if (s.channel_sum.empty()) {
    s.channel_min.assign(c, HUGE_VALF);
    s.channel_max.assign(c, -HUGE_VALF);
    s.channel_sum.assign(c, 0);
    s.channel_magnitude.assign(c, 0);
    s.channel_squares.assign(c, 0);
  }
  kernels::add_channels(x, p.outer, p.channels, p.inner,
                        {.min = s.channel_min.data(),
                         .max = s.channel_max.data(),
                         .sum = s.channel_sum.data(),
                         .magnitudes = s.channel_magnitude.data(),
                         .squares = s.channel_squares.data()});
  s.channel_count += static_cast<double>(p.outer * p.inner);
}

void add_value(ValueStatistics& s, const ops::RunValue& value, const StatisticsRequest& request) {
  const Tensor& t = value.tensor;
  const BytesView view = t.bytes.view();
  const auto* x = reinterpret_cast<const float*>(view.data());
  const auto n = static_cast<std::int64_t>(t.size());
  const kernels::Summary batch = kernels::summarize(x, n);
  s.histogram.add(x, n, batch.min, batch.max);
  s.all.merge(batch);
  const double share = s.batches == 0 ? 1 : request.momentum;
  s.moving_min += share * (static_cast<double>(batch.min) - s.moving_min);
  s.moving_max += share * (static_cast<double>(batch.max) - s.moving_max);
  ++s.batches;
  if (request.channels && n > 0) add_channels(s, x, planes_of(t.shape, value.layout, request.last_axis));
}

void add_moment(SecondMoment& m, const Node& node, const Tensor& x, const Dims& weight, std::int64_t places) {
  const ops::Excerpt excerpt{.columns = places, .seed = static_cast<std::uint64_t>(m.columns)};
  const auto area = static_cast<std::size_t>(m.k * m.k);
  std::vector<float> part(area);
  ops::each_input_block(
      node, x, weight,
      [&](const ops::InputBlock& block) {
        const kernels::ProductShape shape{m.k, m.k, block.n, block.transposed, !block.transposed};
        const auto product = kernels::product(shape, {}, false);
        CHECK(product, "no product for these sizes");
        product->run(block.data, block.data, nullptr, part.data());
        float* sums = m.sums.data() + static_cast<std::size_t>(block.group) * area;
        for (std::size_t i = 0; i < area; ++i) sums[i] += part[i];
        if (block.group == 0) m.columns += block.n;
      },
      excerpt);
}

/// One pass: some values, some layers.
struct Pass {
  std::vector<const Value*> values;
  std::vector<const Node*> layers;
  std::uint64_t bytes = 0;
};

class Collector {
 public:
  Collector(const Model& model, const StatisticsRequest& request) : model_(model), request_(request) {}

  Statistics run(const Samples& samples) {
    for (const Pass& pass : plan()) run_pass(pass, samples);
    return std::move(result_);
  }

 private:
  const Dims& weight_of(const Node& node) const {
    const Value* w = node.input(1);
    const auto constant = w ? fixed_constant(model_, *w) : std::nullopt;
    if (!constant) throw Error::usage("node '{}': its weight is not constant", node.label());
    return shapes_.try_emplace(&node, constant->shape).first->second;
  }

  std::uint64_t moment_bytes(const Node& node) {
    const auto row = ops::layer_row(node, weight_of(node));
    if (!row) throw Error::usage("node '{}': {} has no second moment", node.label(), node.op());
    SecondMoment& m = result_.moments[&node];
    m.k = row->k;
    m.groups = row->groups;
    return static_cast<std::uint64_t>(m.groups * m.k * m.k) * sizeof(float);
  }

  std::vector<Pass> plan() {
    std::vector<Pass> passes(1);
    const std::uint64_t limit = request_.max_memory;
    const auto place = [&](std::uint64_t bytes) -> Pass& {
      if (limit != 0 && passes.back().bytes != 0 && passes.back().bytes + bytes > limit)
        passes.emplace_back();
      passes.back().bytes += bytes;
      return passes.back();
    };
    for (const Value* v : request_.values) {
      place(static_cast<std::uint64_t>(request_.bins) * sizeof(std::uint64_t)).values.push_back(v);
    }
    for (const Node* node : request_.second_moments) {
      const std::uint64_t bytes = moment_bytes(*node);
      if (limit != 0 && bytes > limit) {
        throw Error::usage("node '{}': its second moment takes {} MB, more than --max-memory allows",
                           node->label(), bytes >> 20U);
      }
      place(bytes).layers.push_back(node);
    }
    return passes;
  }

  void run_pass(const Pass& pass, const Samples& samples) {
    ExecutorOptions options;
    std::map<const Value*, std::vector<const Node*>> readers;
    for (const Value* v : pass.values) {
      result_.values[v].histogram = kernels::Histogram(request_.bins);
      options.taps.push_back(v);
    }
    for (const Node* node : pass.layers) {
      SecondMoment& m = result_.moments[node];
      m.sums.assign(static_cast<std::size_t>(m.groups * m.k * m.k), 0.0F);
      readers[node->input(0)].push_back(node);
      options.taps.push_back(node->input(0));
    }
    const std::set<const Value*> wanted(pass.values.begin(), pass.values.end());
    Executor executor(model_, std::move(options));
    executor.set_tap([&](const Value& value, const ops::RunValue& held) {
      if (held.tensor.dtype != DType::kFloat) return;
      if (wanted.contains(&value)) add_value(result_.values.at(&value), held, request_);
      const auto it = readers.find(&value);
      if (it == readers.end()) return;
      const Tensor x = ops::plain(held);
      for (const Node* node : it->second)
        add_moment(result_.moments[node], *node, x, weight_of(*node), request_.places);
    });
    std::int64_t batches = 0;
    samples([&](const Executor::Feeds& feeds) {
      executor.run(feeds);
      ++batches;
    });
    result_.batches = batches;
    ++result_.passes;
  }

  const Model& model_;
  const StatisticsRequest& request_;
  Statistics result_;
  mutable std::map<const Node*, Dims> shapes_;
};

}  // namespace

double ValueStatistics::variance() const {
  if (all.count == 0) return 0;
  const double m = mean();
  return std::max(0.0, all.sum_of_squares / static_cast<double>(all.count) - m * m);
}

double ValueStatistics::zero_share() const {
  return all.count ? static_cast<double>(all.zeros) / static_cast<double>(all.count) : 0;
}

Statistics collect_statistics(const Model& model, const StatisticsRequest& request, const Samples& samples) {
  return Collector(model, request).run(samples);
}

}  // namespace compressor
