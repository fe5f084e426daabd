// convert: y = Constant(value)  ==>  initializer y; the rest is loading and saving.
#include "compressor/onnx/convert.h"

#include "compressor/base/atomic_file.h"

namespace compressor {
namespace {

constexpr std::int64_t kInitializersAloneFrom = 4;  // before this IR version an initializer is an input, too

bool convert_constant(Graph& graph, const Node& node, bool needs_input) {
  const Value* old = node.output(0);
  if (!node.is("Constant") || !old || old->is_graph_output()) return false;
  std::optional<Tensor> dense = constant_of(*old);
  const Attribute* sparse = node.attribute("sparse_value");
  const SparseTensor* coordinates = sparse ? sparse->get<SparseTensor>() : nullptr;
  if (!dense && !coordinates) return false;
  const std::string name = old->name();
  const std::string temporary = graph.fresh_name(name);
  const Type type = dense ? Type::tensor(dense->dtype, dense->shape) : old->type();
  if (needs_input) graph.add_input(temporary, type);
  const Value* value = nullptr;
  if (dense) {
    dense->name.clear();
    value = graph.add_initializer(temporary, std::move(*dense));
  } else {
    SparseTensor copy = *coordinates;
    copy.values.name.clear();
    value = graph.add_sparse_initializer(temporary, std::move(copy));
  }
  if (old->info_rank() >= 0) graph.set_type(*value, old->type());
  graph.set_value_notes(*value, old->doc(), old->unknown());
  graph.set_info_rank(*value, old->info_rank());
  graph.replace_uses(*old, *value);
  graph.erase(node);
  graph.rename(*value, name);
  return true;
}

std::size_t convert_constants(Graph& graph, bool needs_input) {
  std::size_t count = 0;
  for (const Node* node : graph.node_list()) {
    for (Graph* body : graph.bodies(*node)) {
      if (!needs_input) count += convert_constants(*body, needs_input);
    }
    count += convert_constant(graph, *node, needs_input) ? 1U : 0U;
  }
  return count;
}

}  // namespace

std::size_t constants_to_initializers(Model& model) {
  return convert_constants(*model.graph, model.ir_version < kInitializersAloneFrom);
}

ConvertResult convert_file(const std::string& input, const std::string& output,
                           const ConvertOptions& options) {
  ConvertResult result;
  check_not_same_file(output, input);
  Model model = load_model(input, {.info = &result.loaded});
  if (options.constants_to_initializers) result.constants = constants_to_initializers(model);
  result.saved = save_model(model, output, options.save);
  return result;
}

}  // namespace compressor
