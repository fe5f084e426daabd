// weights: walks initializers and Constant nodes and judges each by its type and its readers.
#include "compressor/analysis/weights.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace compressor {
namespace {

struct Place {
  std::string_view op;
  std::size_t first, last;  // inputs
};

// Float inputs that hold settings and not weights.
constexpr std::array kSettings{
    Place{"Resize", 1, 3},
    Place{"Upsample", 1, 1},
    Place{"Pad", 1, 3},
    Place{"Range", 0, 2},
    Place{"OneHot", 1, 2},
    Place{"Dropout", 1, 2},
    Place{"NonMaxSuppression", 2, 4},
};
// Inputs that hold weights whatever they are computed with.
constexpr std::array kWeightInputs{
    Place{"Conv", 1, 2},
    Place{"ConvTranspose", 1, 2},
    Place{"Gemm", 0, 2},
    Place{"MatMul", 0, 1},
    Place{"BatchNormalization", 1, 4},
    Place{"InstanceNormalization", 1, 2},
    Place{"PRelu", 1, 1},
    Place{"LayerNormalization", 1, 2},
    Place{"GroupNormalization", 1, 2},
    Place{"LSTM", 1, 3},
    Place{"GRU", 1, 3},
    Place{"RNN", 1, 3},
    Place{"Gather", 0, 0},
    Place{"Mul", 0, 1},
    Place{"Add", 0, 1},
    Place{"Sub", 0, 1},
    Place{"Div", 0, 1},
    Place{"Scale", 1, 2},
};
// int32 biases of quantized operators, and integers that are dequantized.
constexpr std::array kWideQuantized{Place{"QLinearConv", 8, 8}, Place{"DequantizeLinear", 0, 0}};

template <std::size_t N>
bool in(const std::array<Place, N>& places, const Use& use) {
  if (!use.node) return false;
  return std::any_of(places.begin(), places.end(), [&](const Place& p) {
    return p.op == use.node->op() && use.index >= p.first && use.index <= p.last;
  });
}

bool is_parameter(const Value& value, DType dtype, std::int64_t rank) {
  const auto uses = value.uses();
  const auto all_in = [&](const auto& places) {
    return !uses.empty() &&
           std::all_of(uses.begin(), uses.end(), [&](const Use& u) { return in(places, u); });
  };
  if (is_float(dtype)) return !all_in(kSettings);
  if (!is_integer(dtype) || rank < 1) return false;
  if (bits(dtype) <= 8) return true;
  return dtype == DType::kInt32 &&
         std::any_of(uses.begin(), uses.end(), [](const Use& u) { return in(kWideQuantized, u); });
}

// Whether the value reaches a weight input, directly or through changes of its shape.
bool feeds_weight(const Value& value, int depth = 0) {
  static constexpr std::array kShapeOnly{"Unsqueeze", "Squeeze",  "Reshape",
                                         "Transpose", "Identity", "Flatten"};
  for (const Use& use : value.uses()) {
    if (in(kWeightInputs, use)) return true;
    if (!use.node || use.index != 0 || depth > 4) continue;
    const bool reshapes =
        std::any_of(kShapeOnly.begin(), kShapeOnly.end(), [&](const char* op) { return use.node->is(op); });
    const Value* output = use.node->output(0);
    if (reshapes && output && feeds_weight(*output, depth + 1)) return true;
  }
  return false;
}

void set_reader(Weight& w) {
  for (const Use& use : w.value->uses()) {
    if (!use.node) continue;
    w.reader = use.node;
    w.input = use.index;
    return;
  }
}

/// Codes of fewer bits than a byte are packed in uint8 where the model unpacks them itself: how many lie in
/// one.
///   bytes -> Cast -> Gather(table [256, n])      n
///   bytes -> MatMulNBits(bits)                   8 / bits
std::uint64_t packed_in_byte(const Value& value) {
  for (const Use& use : value.uses()) {
    if (!use.node) continue;
    if (use.node->domain() == "com.microsoft" && use.node->op() == "MatMulNBits" && use.index == 1) {
      const std::int64_t width = use.node->int_or("bits", 4);
      return width == 2 || width == 4 ? static_cast<std::uint64_t>(8 / width) : 1;
    }
    const Value* index = use.node->is("Cast") ? use.node->output(0) : nullptr;
    if (!index || index->uses().size() != 1 || !index->uses()[0].node) continue;
    const Node& gather = *index->uses()[0].node;
    if (!gather.is("Gather") || gather.input(1) != index || !gather.input(0)) continue;
    const auto table = constant_of(*gather.input(0));
    if (table && table->rank() == 2 && table->shape[0] == 256 && table->shape[1] > 1)
      return static_cast<std::uint64_t>(table->shape[1]);
  }
  return 1;
}

void add(std::vector<Weight>& list, const Value& value, DType dtype, const Dims& shape, std::uint64_t bytes) {
  Weight w{.value = &value, .dtype = dtype, .elements = num_elements(shape), .bytes = bytes};
  w.parameter = is_parameter(value, dtype, static_cast<std::int64_t>(shape.size()));
  if (dtype == DType::kUint8) w.elements *= packed_in_byte(value);
  set_reader(w);
  list.push_back(w);
}

void add_generated(std::vector<Weight>& list, const Node& node) {
  const Value* output = node.output(0);
  const Value* shape_value = node.input(0);
  if (!output || !shape_value) return;
  const auto shape = constant_of(*shape_value);
  const Tensor* fill = node.tensor("value");
  const DType dtype = fill ? fill->dtype : DType::kFloat;
  if (!shape || shape->dtype != DType::kInt64 || !is_float(dtype) || !feeds_weight(*output)) return;
  const Dims dims = to_ints(*shape);
  if (std::any_of(dims.begin(), dims.end(), [](std::int64_t d) { return d < 0; })) return;
  Weight w{.value = output, .dtype = dtype, .elements = num_elements(dims), .generated = true};
  w.bytes = packed_bytes(dtype, w.elements);
  w.parameter = true;
  set_reader(w);
  list.push_back(w);
}

void collect(std::vector<Weight>& list, const Graph& graph) {
  for (const Value* value : graph.initializers()) {
    const Tensor& t = *value->initializer();
    add(list, *value, t.dtype, t.shape, t.byte_size());
  }
  for (const Value* value : graph.sparse_initializers()) {
    const SparseTensor& t = *value->sparse_initializer();
    add(list, *value, t.values.dtype, t.values.shape, t.values.byte_size() + t.indices.byte_size());
  }
  for (const Node& node : graph.nodes()) {
    if (node.is("ConstantOfShape")) add_generated(list, node);
    if (node.is("Constant") && node.output(0)) {
      if (const auto tensor = constant_of(*node.output(0))) {
        add(list, *node.output(0), tensor->dtype, tensor->shape, tensor->byte_size());
      }
    }
    for (const Graph* body : node.bodies()) collect(list, *body);
  }
}

}  // namespace

std::vector<Weight> weights(const Model& model) {
  std::vector<Weight> list;
  collect(list, *model.graph);
  for (const Function& function : model.functions) collect(list, *function.body);
  return list;
}

}  // namespace compressor
