// weight_only: find weights, fit a grid to each, store it, and let the readers read what decodes it.
//
//   W -> Conv   ==>   (codes, scales) -> decode -> Conv
#include "passes/quantize/weight_only.h"

#include <algorithm>
#include <map>
#include <set>

#include "compressor/base/error.h"
#include "compressor/rewrite/upgrade.h"
#include "passes/quantize/records.h"
#include "passes/quantize/rounding/output_clip.h"

namespace compressor::quantize {
namespace {

using codec::Grid;
using codec::Storage;
using prune::PrunableWeight;

/// What the nodes, names and shapes around a payload take in a file, about: measured on a face detector (184
/// of 8 bits) and on ResNet-20 (295 of 4).
std::uint64_t overhead_of(DType code) {
  return bits(code) == 8 ? 200 : 300;
}

std::string granularity_text(const WeightOnlyOptions& options, const Grid& grid) {
  if (grid.scale.size() == 1) return "per tensor";
  if (options.granularity == Granularity::kChannel) return "per channel";
  std::uint64_t size = 1;
  for (const std::uint64_t b : grid.blocks.block) size *= b;
  return fmt::format("groups of {}", size);
}

struct Job {
  const PrunableWeight* weight = nullptr;
  Grid grid;
  WeightOnlyOptions options;
};

class WeightOnly {
 public:
  WeightOnly(Model& model, const WeightOnlyOptions& options, const WeightOnlyOptionsOf& options_of,
             PassContext& context)
      : model_(model), shared_(options), options_of_(options_of), context_(context) {
    model.each_graph([&](Graph& graph) { graphs_.emplace(&graph, &graph); });
  }

  WeightsStored run() {
    const auto weights = prune::find_prunable(model_, {.min_size = 0, .embeddings = true}, context_);
    const std::int64_t already = context_.result.skipped;
    std::vector<const PrunableWeight*> able;
    for (const PrunableWeight& weight : weights) {
      options_ = options_for(weight);
      if (const std::string why = refusal(weight, grid_of(weight)); why.empty()) {
        able.push_back(&weight);
      } else {
        skip(weight, why);
      }
    }
    if (shared_.gptq || shared_.output_clip) layers_.emplace(model_, able, shared_.samples, shared_.measure);
    for (std::size_t i = 0; i < able.size(); ++i) {
      if (context_.progress)
        context_.progress(able[i]->source->name(), static_cast<double>(i) / static_cast<double>(able.size()));
      quantize(*able[i]);
    }
    if (layers_)
      context_.note(fmt::format("inputs were measured in {} passes over the data", layers_->passes()));
    context_.result.eligible = static_cast<std::int64_t>(weights.size()) + already;
    if (jobs_.empty()) return {};
    context_.result.changed = true;
    raise_opset();  // before nodes come in that are written for the new one
    for (const Job& job : jobs_) {
      options_ = job.options;
      store(*job.weight, job.grid);
    }
    finish();
    return {context_.result.done, before_, after_, Loss{signal_, noise_}.snr_db()};
  }

 private:
  void skip(const PrunableWeight& weight, const std::string& why) {
    context_.skip(*weight.readers.front().node, fmt::format("weight '{}' {}", weight.source->name(), why));
  }

  /// Without scales and codes.
  Grid grid_of(const PrunableWeight& weight) const {
    Grid grid;
    grid.shape = weight.tensor.shape;
    grid.type = weight.tensor.dtype;
    grid.code = options_.code;
    grid.blocks = blocks_of(weight, options_.granularity, options_.group, options_.storage);
    grid.scale.resize(grid.blocks.count());
    if (!options_.fit.symmetric || options_.code == DType::kUint8 || options_.code == DType::kUint4 ||
        options_.code == DType::kUint2)
      grid.zero.resize(grid.blocks.count());
    return grid;
  }

  void quantize(const PrunableWeight& weight) {
    options_ = options_for(weight);
    Grid grid = grid_of(weight);
    const Fit found = fit(weight.tensor, grid.blocks, options_.fit);
    if (const std::string why = why_no_codes(found); !why.empty()) return skip(weight, why);
    grid.scale = found.scale;
    if (!grid.zero.empty()) grid.zero = found.zero;
    const CodeRange& codes = options_.fit.codes;
    grid.codes = codec::encode(weight.tensor, grid.blocks, grid.scale, grid.zero,
                               {.low = codes.low, .high = codes.high});
    Loss loss = found.loss;
    const std::string rounded = layers_ ? round(weight, grid, loss) : "";
    weight.tensor.bytes.drop();
    describe(weight, grid, loss, rounded);
    opset_ = std::max(opset_, codec::opset_needed(options_.storage, grid));
    const bool has_small_type = options_.storage == Storage::kQdq || options_.storage == Storage::kBlocked;
    small_types_ = small_types_ || (has_small_type && bits(options_.code) < 8);
    jobs_.push_back({&weight, std::move(grid), options_});
    ++context_.result.done;
  }

  /// Codes by second moments where there are any; what the report says of it.
  std::string round(const PrunableWeight& weight, Grid& grid, Loss& loss) {
    std::string why;
    const auto layer = layers_->of(weight, why);
    std::string text = fmt::format(", to the nearest codes: it {}", why);
    if (layer) {
      const RowCodes codes{.range = options_.fit.codes};
      OutputLoss output;
      if (options_.output_clip) {
        output = clip_by_output(weight.tensor, layer->view, *layer->moment, options_.fit, grid);
        grid.codes = codec::encode(weight.tensor, grid.blocks, grid.scale, grid.zero,
                                   {.low = codes.range.low, .high = codes.range.high});
      }
      if (options_.gptq) {
        const double first = output.nearest;
        output = round_layer(
            weight.tensor, layer->view, *layer->moment,
            [&](std::size_t, std::size_t) { return RowCodes(codes); }, *options_.gptq,
            options_.granularity != Granularity::kTensor, grid);
        if (options_.output_clip) output.nearest = first;
      }
      loss.noise = missed(weight.tensor, grid);
      text = fmt::format(", output SNR {:.1f} dB, {:.1f} dB with the nearest codes",
                         Loss{output.signal, output.noise}.snr_db(),
                         Loss{output.signal, output.nearest}.snr_db());
    }
    layers_->replace(weight, codec::decode(grid));
    return text;
  }

  /// Energy of what the grid misses of the weight.
  static double missed(const Tensor& weight, const Grid& grid) {
    const std::vector<float> before = to_floats(weight), after = to_floats(codec::decode(grid));
    double sum = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
      const double miss = static_cast<double>(before[i]) - static_cast<double>(after[i]);
      sum += miss * miss;
    }
    return sum;
  }

  WeightOnlyOptions options_for(const PrunableWeight& weight) const {
    if (!options_of_) return shared_;
    return options_of_(*weight.readers.front().node).value_or(shared_);
  }

  std::string refusal(const PrunableWeight& weight, const Grid& grid) {
    if (std::string why = codec::why_not(options_.storage, grid); !why.empty()) return why;
    const std::uint64_t before = weight.tensor.byte_size(),
                        after = grid.counted_bytes() + overhead_of(grid.code);
    if (after >= before)
      return fmt::format("is too small: it has {} bytes and would take about {}", before, after);
    if (options_.storage == Storage::kMatMulNBits) {
      std::string why;
      if (!products_of(weight, grid, why)) return why;
    }
    const std::int64_t opset = codec::opset_needed(options_.storage, grid);
    if (opset <= model_.opset()) return "";
    const std::string why = why_not_upgrade(model_, opset);
    return why.empty() ? "" : fmt::format("needs opset {}: {}", opset, why);
  }

  /// The readers as products, all alike; nullopt and why when one is none.
  std::optional<codec::Product> products_of(const PrunableWeight& weight, const Grid& grid,
                                            std::string& why) const {
    std::optional<codec::Product> all;
    for (const Use& use : weight.source->uses()) {
      if (!use.node) continue;
      const auto p = codec::product_of(*use.node, *weight.source, grid.shape, why);
      if (!p) return std::nullopt;
      if (all && *all != *p) {
        why = "is read along different axes";
        return std::nullopt;
      }
      all = p;
    }
    return all;
  }

  void describe(const PrunableWeight& weight, const Grid& grid, const Loss& loss,
                const std::string& rounded) {
    std::string text =
        fmt::format("weight '{}': {} {}, {} scale{}{}, SNR {:.1f} dB, {} -> {} bytes", weight.source->name(),
                    name(grid.code), granularity_text(options_, grid), grid.scale.size(),
                    grid.scale.size() == 1 ? "" : "s", grid.zero.empty() ? "" : " and zero points",
                    loss.snr_db(), weight.tensor.byte_size(), grid.counted_bytes());
    text += rounded;
    if (weight.readers.size() > 1) text += fmt::format(", read by {} nodes", weight.readers.size());
    context_.done(*weight.readers.front().node, "quantized", text,
                  {weight_record(weight.source->name(), grid, loss)});
    signal_ += loss.signal;
    noise_ += loss.noise;
    before_ += weight.tensor.byte_size();
    after_ += grid.counted_bytes();
  }

  Graph& graph_of(const Graph& graph) { return *graphs_.at(&graph); }

  void store(const PrunableWeight& weight, const Grid& grid) {
    const Value& source = *weight.source;
    Graph& graph = graph_of(source.graph());
    const Node* constant = source.producer();
    const codec::Place place{.graph = graph,
                             .before = constant                ? constant
                                       : graph.nodes().empty() ? nullptr
                                                               : &graph.nodes().front()};
    if (options_.storage == Storage::kMatMulNBits) {
      std::string why;
      const codec::Product product = *products_of(weight, grid, why);
      const codec::NBits constants = codec::lower_nbits(place, grid, product, source.name());
      std::set<const Node*> readers;
      for (const Use& use : source.uses()) readers.insert(use.node);
      for (const Node* node : readers)
        codec::replace_product(graph_of(node->graph()), *node, grid, product, constants);
      microsoft_ = true;
    } else {
      graph.replace_uses(source, codec::lower(place, grid, options_.storage, source.name()));
    }
    if (constant) return graph.erase(*constant);
    if (source.is_input()) {
      graph.erase_input(source);
      ++inputs_;
    }
    graph.erase_initializer(source);
  }

  void raise_opset() {
    if (opset_ <= model_.opset()) return;
    context_.note(fmt::format("opset raised from {} to {} for the storage", model_.opset(), opset_));
    upgrade(model_, opset_);
  }

  void finish() {
    model_.graph->sort();
    if (small_types_) raise_ir(model_, 10);  // the first that knows types of 4 bits
    raise_ir(model_, 4);                     // constants that are no inputs of the graph
    note_closed(inputs_, context_);
    if (microsoft_ && model_.opset("com.microsoft") == 0)
      model_.opsets.push_back({.domain = "com.microsoft", .version = 1});
  }

  Model& model_;
  const WeightOnlyOptions& shared_;
  const WeightOnlyOptionsOf& options_of_;
  WeightOnlyOptions options_;  ///< of the weight at hand
  PassContext& context_;
  std::map<const Graph*, Graph*> graphs_;
  std::optional<MeasuredLayers> layers_;
  std::vector<Job> jobs_;
  bool small_types_ = false;  ///< some tensor has a type of 4 bits
  std::int64_t opset_ = 0;
  bool microsoft_ = false;
  std::int64_t inputs_ = 0;  ///< entries among the graph's inputs that went
  double signal_ = 0, noise_ = 0;
  std::uint64_t before_ = 0, after_ = 0;
};

std::string why_nothing(const std::vector<LayerRecord>& layers) {
  for (const LayerRecord& layer : layers) {
    if (layer.action == "skipped")
      return fmt::format("'{}': {}{}", layer.node, layer.detail,
                         layers.size() > 1 ? fmt::format(" (and {} more)", layers.size() - 1) : "");
  }
  return "the model has no Conv, ConvTranspose, Gemm, MatMul, LSTM, GRU, RNN or Gather with a constant "
         "weight";
}

}  // namespace

WeightsStored store_weights(Model& model, const WeightOnlyOptions& options, PassContext& context,
                            const WeightOnlyOptionsOf& options_of) {
  return WeightOnly(model, options, options_of, context).run();
}

void quantize_weights(Model& model, const WeightOnlyOptions& options, PassContext& context,
                      const WeightOnlyOptionsOf& options_of) {
  context.result.unit = "weights";
  const WeightsStored all = store_weights(model, options, context, options_of);
  if (all.weights == 0)
    throw Error::target("nothing can be quantized: {}", why_nothing(context.result.layers));
  context.note(fmt::format("weights: {} -> {} bytes, SNR {:.1f} dB over all of them", all.before, all.after,
                           all.snr_db));
}

}  // namespace compressor::quantize
