// records: read off the graph after the rewrite, so that it says what is in the file.
#include "passes/quantize/records.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "compressor/analysis/profile.h"
#include "compressor/analysis/weights.h"
#include "passes/quantize/integer/static_weights.h"

namespace compressor::quantize {
namespace {

constexpr const char* kQuantized = "quantized";

/// Numbers behind a DequantizeLinear with constant inputs, with scales along `axis` or one for all.
struct Stored {
  Tensor codes, scales;
  std::int64_t axis = 1;
  std::vector<float> values() const {
    const std::vector<double> q = to_doubles(codes);
    const std::vector<float> s = to_floats(scales);
    std::size_t inner = 1;
    for (auto i = static_cast<std::size_t>(axis) + 1; i < codes.shape.size(); ++i)
      inner *= static_cast<std::size_t>(codes.shape[i]);
    std::vector<float> x(q.size());
    for (std::size_t i = 0; i < q.size(); ++i)
      x[i] = static_cast<float>(q[i]) * s[s.size() == 1 ? 0 : i / inner % s.size()];
    return x;
  }
};

std::optional<Stored> stored_of(const Model& model, const Value* weight) {
  const Node* dq = weight ? weight->producer() : nullptr;
  if (!dq || !dq->is("DequantizeLinear") || !dq->input(0) || !dq->input(1)) return std::nullopt;
  auto codes = fixed_constant(model, *dq->input(0));
  auto scales = fixed_constant(model, *dq->input(1));
  if (!codes || !scales) return std::nullopt;
  std::int64_t axis = dq->int_or("axis", 1);
  if (axis < 0) axis += codes->rank();
  return Stored{std::move(*codes), std::move(*scales), axis};
}

void set_scales(GridRecord& record, const std::vector<float>& scales) {
  const auto [low, high] = std::minmax_element(scales.begin(), scales.end());
  record.scales = static_cast<std::int64_t>(scales.size());
  record.scale_min = static_cast<double>(*low);
  record.scale_max = static_cast<double>(*high);
}

class Recorder {
 public:
  Recorder(const Model& before, const Model& after, const std::map<std::string, Affine>& scales,
           const Ranges& ranges, const StaticOptions& options)
      : before_(before), after_(after), scales_(scales), ranges_(ranges), options_(options) {
    for (const Node* node : after.node_list()) now_[node->id()] = node;
    for (const Node* node : before.node_list()) by_label_[node->label()] = node;
  }

  void fill(LayerRecord& layer) const {
    const auto found = by_label_.find(layer.node);
    if (found == by_label_.end()) return;
    const Node& node = *found->second;
    add_activation(layer, "input", node.input(0));
    if (node.input(1) && !fixed_constant(before_, *node.input(1)))
      add_activation(layer, "input", node.input(1));
    add_weight(layer, node);
    add_activation(layer, "output", output_of(node));
  }

 private:
  /// Where an activation function belongs to the node, the value behind it has the scale.
  const Value* output_of(const Node& node) const {
    const Value* y = node.output(0);
    if (!y || scales_.contains(y->name()) || y->uses().size() != 1 || !y->uses()[0].node) return y;
    return y->uses()[0].node->output(0);
  }

  void add_activation(LayerRecord& layer, const char* role, const Value* v) const {
    const auto found = v ? scales_.find(v->name()) : scales_.end();
    if (found == scales_.end()) return;
    const Target& target = options_.target;
    const Affine& a = found->second;
    const CodeRange codes = activation_codes(target);
    GridRecord record{.role = role,
                      .tensor = v->name(),
                      .type = std::string(name(target.activation)),
                      .zero = {},
                      .snr_db = {}};
    record.scale_min = record.scale_max = static_cast<double>(a.scale);
    record.low = (codes.low - a.zero) * record.scale_min;
    record.high = (codes.high - a.zero) * record.scale_min;
    record.zero = a.zero;
    const auto range = ranges_.find(v->name());
    const auto snr = options_.snr_db.find(v->name());
    // A value that shares its scale with a wider one is not on the grid that was measured.
    if (range != ranges_.end() && snr != options_.snr_db.end()) {
      const auto [low, high] = range->second;
      const Affine own =
          target.symmetric_activations ? symmetric_of(low, high, codes) : affine_of(low, high, codes);
      if (own == a) record.snr_db = snr->second;
    }
    layer.grids.push_back(std::move(record));
  }

  void add_weight(LayerRecord& layer, const Node& node) const {
    const auto spot = weight_spot(before_, node);
    const auto now = now_.find(node.id());
    if (!spot || now == now_.end()) return;
    const auto stored = stored_of(after_, now->second->input(spot->input));
    const std::vector<float> exact = to_floats(*fixed_constant(before_, *node.input(spot->input)));
    if (!stored || stored->codes.size() != exact.size() || exact.empty()) return;
    const std::vector<float> x = stored->values();
    GridRecord record{.role = "weight",
                      .tensor = node.input(spot->input)->name(),
                      .type = std::string(name(stored->codes.dtype)),
                      .zero = {},
                      .snr_db = {}};
    set_scales(record, to_floats(stored->scales));
    const auto [low, high] = std::minmax_element(x.begin(), x.end());
    record.low = static_cast<double>(*low);
    record.high = static_cast<double>(*high);
    record.zero = 0;
    Loss loss;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double miss = static_cast<double>(exact[i]) - static_cast<double>(x[i]);
      loss.signal += static_cast<double>(exact[i]) * static_cast<double>(exact[i]);
      loss.noise += miss * miss;
    }
    record.snr_db = loss.snr_db();
    layer.grids.push_back(std::move(record));
  }

  const Model &before_, &after_;
  const std::map<std::string, Affine>& scales_;
  const Ranges& ranges_;
  const StaticOptions& options_;
  std::map<NodeId, const Node*> now_;
  std::map<std::string, const Node*> by_label_;
};

}  // namespace

GridRecord weight_record(const std::string& tensor, const codec::Grid& grid, const Loss& loss) {
  GridRecord record{
      .role = "weight", .tensor = tensor, .type = std::string(name(grid.code)), .zero = {}, .snr_db = {}};
  set_scales(record, grid.scale);
  const double lowest = codec::lowest(grid.code), highest = lowest + std::exp2(bits(grid.code)) - 1;
  for (std::size_t i = 0; i < grid.scale.size(); ++i) {
    const double zero = grid.zero.empty() ? 0 : grid.zero[i];
    record.low = std::min(record.low, (lowest - zero) * static_cast<double>(grid.scale[i]));
    record.high = std::max(record.high, (highest - zero) * static_cast<double>(grid.scale[i]));
  }
  if (grid.zero.empty()) {
    record.zero = 0;
  } else if (std::all_of(grid.zero.begin(), grid.zero.end(), [&](auto z) { return z == grid.zero[0]; })) {
    record.zero = grid.zero[0];
  }
  record.snr_db = loss.snr_db();
  return record;
}

void record_grids(const Model& before, const Model& after, const std::map<std::string, Affine>& scales,
                  const Ranges& ranges, const StaticOptions& options, PassResult& result) {
  const Recorder recorder(before, after, scales, ranges, options);
  for (LayerRecord& layer : result.layers) {
    if (layer.action == kQuantized) recorder.fill(layer);
  }
}

void record_shares(const Model& before, PassContext& context) {
  std::set<std::string> done, stored;
  for (const LayerRecord& layer : context.result.layers) {
    if (layer.action == kQuantized) done.insert(layer.node);
    if (layer.action != "stored" && context.result.unit == "nodes") continue;  // these are recorded by name
    for (const GridRecord& grid : layer.grids) stored.insert(grid.tensor);
  }
  if (done.empty()) return;
  const auto share = [&](const char* what, double part, double all) {
    if (all > 0) context.result.shares.emplace_back(what, part / all);
  };
  if (context.result.unit == "nodes") {
    InferOptions infer;
    for (const auto& [input, dims] : context.input_shapes) infer.input_shapes[input] = sym_dims(dims);
    double part = 0, all = 0;
    for (const LayerProfile& layer : profile(before, infer).layers) {
      all += layer.macs * layer.times;
      if (done.contains(layer.node)) part += layer.macs * layer.times;
    }
    share("integer_macs", part, all);
  }
  const auto reached = [&](const Weight& w) {
    if (stored.contains(w.value->name())) return true;
    if (context.result.unit != "nodes") return false;
    const bool recurrent = w.reader->is("LSTM") || w.reader->is("GRU") || w.reader->is("RNN");
    return done.contains(w.reader->label()) && (w.input == 1 || (recurrent && w.input == 2));
  };
  double part = 0, all = 0;
  for (const Weight& w : weights(before)) {
    if (!w.parameter || !w.reader) continue;
    all += static_cast<double>(w.bytes);
    if (reached(w)) part += static_cast<double>(w.bytes);
  }
  share("quantized_weight_bytes", part, all);
}

}  // namespace compressor::quantize
