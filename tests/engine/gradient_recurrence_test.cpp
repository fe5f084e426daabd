// Gradients of LSTM, GRU and RNN, back through time, against differences.
#include "engine/gradient_check.h"

namespace compressor::build {
namespace {

struct CellCase {
  const char* name;
  const char* op;
  const char* direction = "forward";
  bool all_inputs = false;  ///< biases, lengths of 4, 3 and 0 steps, first states, peepholes
  Settings settings = {};
  bool last_only = false;  ///< Y is not an output
};

void PrintTo(const CellCase& c, std::ostream* out) {
  *out << c.name;
}

class RecurrenceGradient : public testing::TestWithParam<CellCase> {};

TEST_P(RecurrenceGradient, MatchesDifferences) {
  const CellCase& c = GetParam();
  constexpr std::int64_t kSteps = 4, kBatch = 3, kInputs = 3, kHidden = 5;
  const bool lstm = std::string(c.op) == "LSTM";
  const std::int64_t gates = lstm ? 4 : std::string(c.op) == "GRU" ? 3 : 1;
  const std::int64_t d = std::string(c.direction) == "bidirectional" ? 2 : 1;
  const bool batch_first =
      std::any_of(c.settings.begin(), c.settings.end(), [](const Setting& s) { return s.name == "layout"; });
  const Dims state = batch_first ? Dims{kBatch, d, kHidden} : Dims{d, kBatch, kHidden};
  for (const bool portable : {false, true}) {
    Net net(14);
    std::vector<V> inputs{
        net.input("x", batch_first ? Dims{kBatch, kSteps, kInputs} : Dims{kSteps, kBatch, kInputs}),
        net.weight({d, gates * kHidden, kInputs}, 0.6), net.weight({d, gates * kHidden, kHidden}, 0.5)};
    if (c.all_inputs) {
      inputs.push_back(net.weight({d, 2 * gates * kHidden}, 0.5));
      inputs.push_back(net.constant(Tensor::of(DType::kInt32, {kBatch}, std::vector<double>{4, 3, 0})));
      inputs.push_back(net.weight(state, 0.8));
      if (lstm) inputs.push_back(net.weight(state, 0.8));
      if (lstm) inputs.push_back(net.weight({d, 3 * kHidden}, 0.6));
    }
    Settings settings = c.settings;
    settings.push_back(attr("hidden_size", kHidden));
    settings.push_back(attr("direction", c.direction));
    const std::vector<V> outputs = net.ops(c.op, inputs, lstm ? 3 : 2, settings);
    for (std::size_t i = c.last_only ? 1 : 0; i < outputs.size(); ++i) net.output(outputs[i]);
    expect_gradients(net.done(), {.portable = portable});
  }
}

const Setting linear = attr("linear_before_reset", std::int64_t{1});
const Setting batched = attr("layout", std::int64_t{1});

INSTANTIATE_TEST_SUITE_P(
    Cells, RecurrenceGradient,
    testing::Values(CellCase{"Lstm", "LSTM"}, CellCase{"LstmAll", "LSTM", "bidirectional", true},
                    CellCase{"LstmReverse", "LSTM", "reverse", true, {}, true},
                    CellCase{"LstmClip", "LSTM", "forward", true, {attr("clip", 0.7F)}},
                    CellCase{"LstmCoupled", "LSTM", "forward", true, {attr("input_forget", std::int64_t{1})}},
                    CellCase{"LstmBatchFirst", "LSTM", "bidirectional", true, {batched}},
                    CellCase{"Gru", "GRU"}, CellCase{"GruAll", "GRU", "bidirectional", true},
                    CellCase{"GruLinear", "GRU", "bidirectional", true, {linear}},
                    CellCase{"GruLinearNoBias", "GRU", "forward", false, {linear}},
                    CellCase{"GruClip", "GRU", "reverse", true, {linear, attr("clip", 0.6F)}, true},
                    CellCase{"Rnn", "RNN"}, CellCase{"RnnAll", "RNN", "bidirectional", true, {batched}}),
    [](const auto& c) { return std::string(c.param.name); });

}  // namespace
}  // namespace compressor::build
