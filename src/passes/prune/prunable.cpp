// prunable: walk the nodes that have weights, follow each weight to its constant, and judge it.
#include "passes/prune/prunable.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compressor/base/error.h"

namespace compressor::prune {
namespace {

/// What a weight input leads to.
struct Trace {
  const Value* source = nullptr;  ///< a constant; null when it is not one
  bool transposed = false;        ///< the last two axes of a matrix, an odd number of times
  std::string changed;            ///< the node that hides the layout, if any
  std::string why_not;
};

/// Two axes swapped, by a perm that says so (without one the rank would have to be known).
bool is_matrix_transpose(const Node& node) {
  return node.is("Transpose") && node.ints_or("perm", {}) == std::vector<std::int64_t>{1, 0};
}

Trace refused(std::string why) {
  Trace result;
  result.why_not = std::move(why);
  return result;
}

Trace trace(const Value& input) {
  static const std::set<std::string, std::less<>> kPlain{"Identity", "Cast"};
  static const std::set<std::string, std::less<>> kShapes{"Reshape", "Flatten", "Squeeze", "Unsqueeze",
                                                          "Transpose"};
  Trace result;
  const Value* value = &input;
  while (true) {
    if (value->sparse_initializer()) return refused("is stored as a sparse tensor already");
    const Node* node = value->producer();
    if (value->initializer() || (node && node->is("Constant"))) {
      result.source = value;
      return result;
    }
    if (!node) return refused(fmt::format("is the graph input '{}'", value->name()));
    if (node->is("DequantizeLinear")) return refused("is quantized");
    if (node->is("ConstantOfShape")) return refused("is one value everywhere, from ConstantOfShape");
    const bool plain = node->domain().empty() && kPlain.contains(node->op());
    const bool reshapes = node->domain().empty() && kShapes.contains(node->op());
    if ((!plain && !reshapes) || !node->input(0))
      return refused(fmt::format("is computed by '{}' ({})", node->label(), node->op()));
    if (is_matrix_transpose(*node)) {
      result.transposed = !result.transposed;
    } else if (reshapes) {
      result.changed = fmt::format("'{}' ({})", node->label(), node->op());
    }
    value = node->input(0);
  }
}

std::uint64_t product(const Dims& shape, std::size_t from, std::size_t to) {
  std::uint64_t p = 1;
  for (std::size_t i = from; i < to; ++i) p *= static_cast<std::uint64_t>(shape[i]);
  return p;
}

std::uint64_t dim(const Tensor& tensor, std::size_t axis) {
  return static_cast<std::uint64_t>(tensor.shape[axis]);
}

/// Layout of `tensor` as input `input` of `node`, nullopt when its shape does not fit the operator.
std::optional<WeightLayout> layout_of(const Node& node, std::size_t input, const Tensor& tensor,
                                      bool transposed) {
  const std::size_t rank = tensor.shape.size();
  WeightLayout w;
  if (node.is("Conv") || node.is("ConvTranspose")) {
    const auto groups = static_cast<std::uint64_t>(std::max<std::int64_t>(1, node.int_or("group", 1)));
    if (rank < 3 || transposed || dim(tensor, 0) % groups != 0) return std::nullopt;
    w = {.batch = groups,
         .a = dim(tensor, 0) / groups,
         .b = dim(tensor, 1),
         .inner = product(tensor.shape, 2, rank)};
    w.a_is_output = node.is("Conv");
    return w;
  }
  if (node.is("LSTM") || node.is("GRU") || node.is("RNN")) {
    const std::uint64_t gates = node.is("LSTM") ? 4 : node.is("GRU") ? 3 : 1;
    if (rank != 3 || transposed || dim(tensor, 1) % gates != 0) return std::nullopt;
    return WeightLayout{.batch = dim(tensor, 0) * gates, .a = dim(tensor, 1) / gates, .b = dim(tensor, 2)};
  }
  w = {.batch = product(tensor.shape, 0, rank - 2), .a = dim(tensor, rank - 2), .b = dim(tensor, rank - 1)};
  if (node.is("Gather")) return w;
  bool flipped = transposed;
  if (node.is("Gemm")) flipped = flipped != (node.int_or(input == 0 ? "transA" : "transB", 0) != 0);
  // As read: the left operand is [outputs, inputs], the right one [inputs, outputs].
  w.a_is_output = (input == 0) != flipped;
  return w;
}

bool is_depthwise(const Node& node, const WeightLayout& w) {
  return (node.is("Conv") || node.is("ConvTranspose")) && w.batch > 1 && w.inputs() == 1;
}

std::string convolution_of(const Node& node, const WeightLayout& w) {
  if (!node.is("Conv") && !node.is("ConvTranspose")) return "";
  if (is_depthwise(node, w)) return "depthwise";
  return w.inner == 1 ? "1x1" : "";
}

/// Inputs of a node that are weights, whether constant or not.
std::vector<std::size_t> weight_inputs(const Node& node, bool embeddings) {
  if (node.is("Conv") || node.is("ConvTranspose")) return {1};
  if (node.is("LSTM") || node.is("GRU") || node.is("RNN")) return {1, 2};
  if (node.is("Gather") && embeddings) return {0};
  return {};
}

bool is_product(const Node& node) {
  return node.is("Gemm") || node.is("MatMul");
}

/// Integer kernels, whose weights this pass does not touch.
bool is_quantized(const Node& node) {
  static const std::set<std::string, std::less<>> kOps{"QLinearConv", "ConvInteger", "QLinearMatMul",
                                                       "MatMulInteger"};
  return node.domain().empty() && kOps.contains(node.op());
}

class Finder {
 public:
  Finder(const PrunableOptions& options, PassContext& context) : options_(options), context_(context) {}

  std::vector<PrunableWeight> run(const Model& model) {
    model.each_graph([&](const Graph& graph) {
      for (const Node& node : graph.nodes()) visit(node);
    });
    judge();
    return std::move(found_);
  }

 private:
  void visit(const Node& node) {
    if (is_quantized(node)) return context_.skip(node, "its weights are quantized");
    for (const std::size_t input : weight_inputs(node, options_.embeddings)) {
      const Value* value = node.input(input);
      if (!value) continue;
      const Trace found = trace(*value);
      // A Gather from what is computed, or from whole numbers, is no embedding.
      if (node.is("Gather") && !is_table(found)) continue;
      add(node, input, found);
    }
    if (!is_product(node) || !node.input(0) || !node.input(1)) return;
    // A product of two computed matrices has no weight.
    const Trace right = trace(*node.input(1));
    const Trace left = trace(*node.input(0));
    if (right.source || is_kept_elsewhere(right)) return add(node, 1, right);
    if (left.source || is_kept_elsewhere(left)) add(node, 0, left);
  }

  static bool is_table(const Trace& t) {
    const auto constant = t.source ? constant_of(*t.source) : std::nullopt;
    return constant && is_float(constant->dtype) && constant->rank() >= 2;
  }

  /// Constant all the same, but not to be pruned here.
  static bool is_kept_elsewhere(const Trace& t) {
    return t.why_not.starts_with("is quantized") || t.why_not.starts_with("is filled") ||
           t.why_not.starts_with("is stored");
  }

  void add(const Node& node, std::size_t input, const Trace& t) {
    const std::string& name = node.input(input)->name();
    if (!t.source) return context_.skip(node, fmt::format("weight '{}' {}", name, t.why_not));
    const auto known = index_.find(t.source);
    if (known != index_.end()) return join(found_[known->second], node, input, t);
    PrunableWeight w;
    w.source = t.source;
    w.tensor = constant_of(*t.source).value_or(Tensor{});
    w.readers.push_back({&node, input});
    if (w.tensor.rank() >= 2) set_layout(w, node, input, t);
    index_.emplace(t.source, found_.size());
    found_.push_back(std::move(w));
  }

  static void set_layout(PrunableWeight& w, const Node& node, std::size_t input, const Trace& t) {
    if (t.changed.empty()) w.layout = layout_of(node, input, w.tensor, t.transposed);
    if (w.layout) {
      w.convolution = convolution_of(node, *w.layout);
      return;
    }
    w.no_layout =
        t.changed.empty()
            ? fmt::format("has shape {}, which {} does not take", to_string(w.tensor.shape), node.op())
            : fmt::format("is read through {}; fold constants first (compressor simplify)", t.changed);
  }

  static void join(PrunableWeight& w, const Node& node, std::size_t input, const Trace& t) {
    PrunableWeight other;
    other.tensor = w.tensor;
    if (w.tensor.rank() >= 2) set_layout(other, node, input, t);
    if (w.layout != other.layout) {
      w.no_layout = fmt::format("is read by '{}' and '{}' along different axes",
                                w.readers.front().node->label(), node.label());
      w.layout.reset();
    }
    w.readers.push_back({&node, input});
  }

  std::string why_not(const PrunableWeight& w) const {
    const Tensor& t = w.tensor;
    const auto left_out = std::find_if(w.readers.begin(), w.readers.end(),
                                       [&](const Reader& r) { return !context_.filter.matches(*r.node); });
    if (left_out != w.readers.end()) {
      const bool all = std::none_of(w.readers.begin(), w.readers.end(),
                                    [&](const Reader& r) { return context_.filter.matches(*r.node); });
      return all ? "is left out by --include or --exclude"
                 : fmt::format("is read by '{}' too, which --include or --exclude leaves out",
                               left_out->node->label());
    }
    const bool type = t.dtype == DType::kFloat || t.dtype == DType::kFloat16 || t.dtype == DType::kBFloat16 ||
                      t.dtype == DType::kDouble;
    if (!type)
      return fmt::format("has type {}, expected float32, float16, bfloat16 or float64", name(t.dtype));
    if (t.rank() < 2) return fmt::format("has rank {}, expected 2 or more", t.rank());
    if (t.size() == 0) return "is empty";
    if (t.size() < options_.min_size)
      return fmt::format("has {} elements, fewer than the least size of {}", t.size(), options_.min_size);
    if (w.source->is_graph_output()) return "is an output of the graph";
    return "";
  }

  void judge() {
    std::erase_if(found_, [&](const PrunableWeight& w) {
      const std::string why = why_not(w);
      if (why.empty()) return false;
      context_.skip(*w.readers.front().node, fmt::format("weight '{}' {}", w.source->name(), why));
      return true;
    });
  }

  const PrunableOptions& options_;
  PassContext& context_;
  std::vector<PrunableWeight> found_;
  std::map<const Value*, std::size_t> index_;
};

}  // namespace

std::vector<PrunableWeight> find_prunable(const Model& model, const PrunableOptions& options,
                                          PassContext& context) {
  return Finder(options, context).run(model);
}

}  // namespace compressor::prune
