// stored: weights in bfloat16 or float8, decoded in front of their readers.
//
//   W -> Conv   ==>   bfloat16 -> Cast -> Conv
//   W -> Conv   ==>   float8e4m3fn -> Cast -> Mul(scale by channel) -> Conv       scale = max |w| / 448
//
// Processors have few kernels for either type, so arithmetic stays in float32: runtimes fold the Cast and the
// Mul when they load. (They would not fold a DequantizeLinear.) The numbers of float8 are those of OCP's
// 8-bit floating point specification, revision 1.0.
#include <algorithm>
#include <cmath>
#include <map>

#include "compressor/base/error.h"
#include "compressor/passes/narrow.h"
#include "compressor/rewrite/upgrade.h"
#include "passes/prune/prunable.h"
#include "passes/quantize/grid/weight_blocks.h"

namespace compressor {
namespace {

constexpr float kLargestFloat8 = 448;
constexpr std::uint64_t kChunk = 1U << 16U;
constexpr std::uint64_t kOverhead = 300;  ///< of nodes and names around a payload, about

/// Numbers as codes of the type, in order.
std::vector<std::byte> codes_of(DType type, std::span<const float> values) {
  const std::vector<double> wide(values.begin(), values.end());
  const Tensor t = Tensor::of(type, {static_cast<std::int64_t>(wide.size())}, std::span<const double>(wide));
  const BytesView view = t.bytes.view();
  return {view.bytes().begin(), view.bytes().end()};
}

/// The weight with every number divided by its scale, as codes that are computed while they are read.
struct Codes {
  Tensor weight;
  DType type = DType::kBFloat16;
  codec::Blocks blocks;
  std::vector<float> scale;  ///< empty: 1

  std::vector<float> divided(std::uint64_t first, std::uint64_t count) const {
    std::vector<float> values(count);
    read_floats(weight, first, values);
    if (scale.empty()) return values;
    blocks.each_run(first, first + count,
                    [&](std::uint64_t at, std::uint64_t n, std::uint64_t s, std::uint64_t step) {
                      for (std::uint64_t i = 0; i < n; ++i) values[at - first + i] /= scale[s + i * step];
                    });
    return values;
  }

  Tensor tensor() const {
    Tensor t;
    t.dtype = type;
    t.shape = weight.shape;
    const auto width = static_cast<std::uint64_t>(bits(type) / 8);
    const Codes self = *this;
    t.bytes =
        Bytes::derive(weight.size() * width, [self, width](std::uint64_t offset, std::span<std::byte> out) {
          const std::uint64_t first = offset / width, last = (offset + out.size() + width - 1) / width;
          const std::vector<std::byte> codes = codes_of(self.type, self.divided(first, last - first));
          std::copy_n(codes.begin() + static_cast<std::ptrdiff_t>(offset - first * width), out.size(),
                      out.begin());
        });
    return t;
  }
};

/// [1, .., C, .., 1] where one axis of the shape has its scales, [D, C, 1] where the first ones have.
Dims shape_of_scales(const Dims& shape, const codec::Blocks& blocks) {
  Dims result(shape.size(), 1);
  std::uint64_t before = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    const auto length = static_cast<std::uint64_t>(shape[i]);
    const bool leading = blocks.dims[0] == 1 && before < blocks.dims[1];
    const bool alone = blocks.dims[0] > 1 && before == blocks.dims[0] && length == blocks.dims[1];
    if (leading || alone) result[i] = shape[i];
    if (alone) break;
    before *= length;
  }
  return result;
}

class Store {
 public:
  Store(Model& model, DType type, PassContext& context) : model_(model), type_(type), context_(context) {
    model.each_graph([&](Graph& graph) { graphs_.emplace(&graph, &graph); });
  }

  void run() {
    context_.result.unit = "weights";
    const auto weights = prune::find_prunable(model_, {.min_size = 0, .embeddings = true}, context_);
    const std::int64_t already = context_.result.skipped;
    for (const prune::PrunableWeight& weight : weights) consider(weight);
    context_.result.eligible = static_cast<std::int64_t>(weights.size()) + already;
    if (jobs_.empty()) throw Error::target("no weight can be stored as {}{}", name(type_), why_nothing());
    raise();
    for (const auto& [weight, codes] : jobs_) store(*weight, codes);
    raise_ir(model_, type_ == DType::kBFloat16 ? 4 : 9);  // the first that knows float8
    context_.result.done = static_cast<std::int64_t>(jobs_.size());
    context_.result.changed = true;
    if (lost_ > 0) context_.note(fmt::format("{} numbers are too small for their scale and became 0", lost_));
    context_.note(fmt::format("weights: SNR {:.1f} dB over all of them; arithmetic stays in float32",
                              noise_ > 0 ? 10 * std::log10(signal_ / noise_) : INFINITY));
  }

 private:
  std::int64_t opset() const { return type_ == DType::kBFloat16 ? 13 : 19; }

  std::string why_nothing() const {
    for (const LayerRecord& l : context_.result.layers) {
      if (l.action == "skipped") return fmt::format(": '{}' {}", l.node, l.detail);
    }
    return ": the model has no layer with a constant weight of float32";
  }

  void consider(const prune::PrunableWeight& weight) {
    const std::string label = weight.source->name();
    const auto skip = [&](const std::string& why) {
      context_.skip(*weight.readers.front().node, fmt::format("weight '{}' {}", label, why));
    };
    const Tensor& t = weight.tensor;
    if (t.dtype != DType::kFloat) return skip(fmt::format("is {}, expected float32", name(t.dtype)));
    Codes codes{.weight = t, .type = type_, .blocks = {}, .scale = {}};
    if (type_ != DType::kBFloat16)
      codes.blocks =
          quantize::blocks_of(weight, quantize::Granularity::kChannel, 0, codec::Storage::kPortable);
    const std::uint64_t before = t.byte_size();
    const std::uint64_t scales = type_ == DType::kBFloat16 ? 0 : codes.blocks.count();
    const std::uint64_t after = t.size() * static_cast<std::uint64_t>(bits(type_)) / 8 + scales * 4;
    if (after + kOverhead >= before)
      return skip(
          fmt::format("is too small: it has {} bytes and would take about {}", before, after + kOverhead));
    if (!find_scales(codes)) return skip("holds numbers that are not finite, or past the type's range");
    const double snr = loss_of(codes);
    context_.done(*weight.readers.front().node, "stored",
                  fmt::format("weight '{}': {}{}, SNR {:.1f} dB, {} -> {} bytes", label, name(type_),
                              scales == 0 ? "" : fmt::format(", {} scales", scales), snr, before, after));
    t.bytes.drop();
    jobs_.emplace_back(&weight, std::move(codes));
  }

  template <class Visit>
  static void in_chunks(std::uint64_t size, Visit&& visit) {
    for (std::uint64_t at = 0; at < size; at += kChunk) visit(at, std::min(kChunk, size - at));
  }

  static bool find_scales(Codes& codes) {
    // The largest bfloat16; what lies above would round to infinity.
    constexpr float kLargestBFloat16 = 3.38953139e38F;
    bool finite = true;
    std::vector<float> most(codes.type == DType::kBFloat16 ? 0 : codes.blocks.count());
    in_chunks(codes.weight.size(), [&](std::uint64_t at, std::uint64_t n) {
      std::vector<float> values(n);
      read_floats(codes.weight, at, values);
      for (float& v : values) {
        v = std::abs(v);
        finite = finite && v <= kLargestBFloat16;
      }
      if (most.empty()) return;
      codes.blocks.each_run(
          at, at + n, [&](std::uint64_t first, std::uint64_t count, std::uint64_t s, std::uint64_t step) {
            for (std::uint64_t i = 0; i < count; ++i)
              most[s + i * step] = std::max(most[s + i * step], values[first - at + i]);
          });
    });
    for (const float m : most) {
      const float scale = m / kLargestFloat8;
      codes.scale.push_back(std::isnormal(scale) ? scale : 1);
    }
    return finite;
  }

  double loss_of(const Codes& codes) {
    double signal = 0, noise = 0;
    in_chunks(codes.weight.size(), [&](std::uint64_t at, std::uint64_t n) {
      std::vector<float> exact(n);
      read_floats(codes.weight, at, exact);
      Tensor part;
      part.dtype = codes.type;
      part.shape = {static_cast<std::int64_t>(n)};
      part.bytes = Bytes::own(codes_of(codes.type, codes.divided(at, n)));
      std::vector<float> stored = to_floats(part);
      if (!codes.scale.empty()) {
        codes.blocks.each_run(
            at, at + n, [&](std::uint64_t first, std::uint64_t count, std::uint64_t s, std::uint64_t step) {
              for (std::uint64_t i = 0; i < count; ++i) stored[first - at + i] *= codes.scale[s + i * step];
            });
      }
      for (std::uint64_t i = 0; i < n; ++i) {
        lost_ += exact[i] != 0 && stored[i] == 0 ? 1U : 0U;
        signal += static_cast<double>(exact[i]) * static_cast<double>(exact[i]);
        noise += std::pow(static_cast<double>(exact[i]) - static_cast<double>(stored[i]), 2);
      }
    });
    signal_ += signal;
    noise_ += noise;
    return noise > 0 ? 10 * std::log10(signal / noise) : static_cast<double>(INFINITY);
  }

  void raise() {
    if (model_.opset() >= opset()) return;
    if (const std::string why = why_not_upgrade(model_, opset()); !why.empty())
      throw Error::model("{} needs opset {}: {}", name(type_), opset(), why);
    context_.note(fmt::format("opset raised from {} to {}", model_.opset(), opset()));
    upgrade(model_, opset());
  }

  void store(const prune::PrunableWeight& weight, const Codes& codes) {
    const Value& source = *weight.source;
    Graph& graph = *graphs_.at(&source.graph());
    const Node* constant = source.producer();
    const Node* before = constant ? constant : graph.nodes().empty() ? nullptr : &graph.nodes().front();
    const std::string stem = source.name();
    const Value* stored =
        graph.add_initializer(graph.fresh_name(fmt::format("{}.{}", stem, name(type_))), codes.tensor());
    NodeSpec cast{.op = "Cast", .inputs = {stored}, .outputs = {graph.fresh_name(stem + ".float")}};
    cast.attributes.emplace_back("to", static_cast<std::int64_t>(DType::kFloat));
    cast.name = stem + ".decode";
    const Value* decoded = graph.add_node(std::move(cast), before).output(0);
    if (!codes.scale.empty()) {
      const Value* scale = graph.add_initializer(
          graph.fresh_name(stem + ".scale"),
          Tensor::of(shape_of_scales(codes.weight.shape, codes.blocks), std::span<const float>(codes.scale)));
      NodeSpec mul{.op = "Mul", .inputs = {decoded, scale}, .outputs = {graph.fresh_name(stem + ".decoded")}};
      mul.name = stem + ".scale";
      decoded = graph.add_node(std::move(mul), before).output(0);
    }
    graph.replace_uses(source, *decoded);
    if (constant) return graph.erase(*constant);
    if (source.is_input()) graph.erase_input(source);
    graph.erase_initializer(source);
  }

  Model& model_;
  DType type_;
  PassContext& context_;
  std::map<const Graph*, Graph*> graphs_;
  std::vector<std::pair<const prune::PrunableWeight*, Codes>> jobs_;
  std::uint64_t lost_ = 0;
  double signal_ = 0, noise_ = 0;
};

}  // namespace

void store_narrow(Model& model, DType type, PassContext& context) {
  Store(model, type, context).run();
}

}  // namespace compressor
