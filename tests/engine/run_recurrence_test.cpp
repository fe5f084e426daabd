// LSTM, GRU and RNN in the engine against the portable kernels.
#include "engine/run_rules.h"

namespace compressor::build {
namespace {

struct Cell {
  const char* op;
  std::int64_t gates;
  std::size_t outputs;
};

void expect_cell(const Cell& cell, std::int64_t steps, std::int64_t batch, std::int64_t hidden,
                 const char* direction, bool all_inputs, Settings settings) {
  const std::int64_t in = 7;
  const std::int64_t d = std::string(direction) == "bidirectional" ? 2 : 1;
  Net net(14);
  V x = net.input("x", {steps, batch, in});
  std::vector<V> inputs{x, net.weight({d, cell.gates * hidden, in}),
                        net.weight({d, cell.gates * hidden, hidden})};
  if (all_inputs) {
    std::vector<double> lengths;
    for (std::int64_t i = 0; i < batch; ++i)
      lengths.push_back(static_cast<double>(std::max<std::int64_t>(0, steps - i)));
    inputs.push_back(net.weight({d, 2 * cell.gates * hidden}));
    inputs.push_back(net.constant(Tensor::of(DType::kInt32, {batch}, lengths)));
    inputs.push_back(net.weight({d, batch, hidden}));
    if (cell.gates == 4) {
      inputs.push_back(net.weight({d, batch, hidden}));
      inputs.push_back(net.weight({d, 3 * hidden}));
    }
  }
  settings.push_back(attr("hidden_size", hidden));
  settings.push_back(attr("direction", direction));
  for (V v : net.ops(cell.op, inputs, cell.outputs, settings)) net.output(v);
  // Rounding grows from step to step.
  expect_fast_as_portable(net.done(), {.tolerance = 1e-4});
}

TEST(RecurrenceRun, IsAsPortable) {
  for (const Cell& cell : {Cell{"LSTM", 4, 3}, Cell{"GRU", 3, 2}, Cell{"RNN", 1, 2}}) {
    for (const char* direction : {"forward", "reverse", "bidirectional"}) {
      for (const bool all : {false, true}) {
        expect_cell(cell, 5, 6, 19, direction, all, {});
        expect_cell(cell, 1, 1, 32, direction, all, {});
        expect_cell(cell, 20, 1, 64, direction, all, {attr("clip", 0.8F)});
      }
    }
  }
  expect_cell({"GRU", 3, 2}, 6, 3, 33, "bidirectional", true, {attr("linear_before_reset", std::int64_t{1})});
  expect_cell({"LSTM", 4, 3}, 6, 3, 33, "forward", true, {attr("input_forget", std::int64_t{1})});
  expect_cell({"LSTM", 4, 3}, 3, 20, 150, "forward", true, {});  // two threads
}

}  // namespace
}  // namespace compressor::build
