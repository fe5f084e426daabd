// conformance: the executor against ONNX's own cases: every operator, body, sequence and function in them,
// with its fast rules and with the portable ones. What is known to differ stands in tests/ops/exclusions.txt.
#include <gtest/gtest.h>

#include "compressor/engine/executor.h"
#include "compressor/onnx/load.h"
#include "node_cases.h"

namespace compressor {
namespace {

using namespace node_cases;
using ops::RunValue;

RunValue to_run_value(StoredValue stored) {
  if (stored.kind == Type::Kind::kNone) return {};
  if (stored.kind == Type::Kind::kTensor) return RunValue(std::move(stored.tensor));
  std::vector<RunValue> elements;
  for (StoredValue& element : stored.elements) elements.push_back(to_run_value(std::move(element)));
  return RunValue::sequence(std::move(elements));
}

std::vector<RunValue> stored_values(const fs::path& folder, const std::string& stem,
                                    std::span<const Value* const> values) {
  std::vector<RunValue> result;
  for (const Value* v : values) {
    const fs::path file = folder / (stem + "_" + std::to_string(result.size()) + ".pb");
    if (!fs::exists(file)) break;
    result.push_back(to_run_value(load_value_pb(file.string(), v->type())));
  }
  return result;
}

std::string compare(const RunValue& got, const RunValue& expected) {
  if (got.kind != expected.kind) return "another kind of value";
  if (got.kind == RunValue::Kind::kNone) return "";
  if (got.kind == RunValue::Kind::kTensor) return compare_numbers(got.tensor, expected.tensor);
  if (got.elements->size() != expected.elements->size()) {
    return fmt::format("{} elements, expected {}", got.elements->size(), expected.elements->size());
  }
  for (std::size_t i = 0; i < got.elements->size(); ++i) {
    const std::string wrong = compare((*got.elements)[i], (*expected.elements)[i]);
    if (!wrong.empty()) return fmt::format("element {}: {}", i, wrong);
  }
  return "";
}

std::string check(const fs::path& folder, bool portable) {
  const Model model = load_model((folder / "model.onnx").string());
  const auto inputs = stored_values(folder / "test_data_set_0", "input", model.graph->inputs());
  const auto outputs = stored_values(folder / "test_data_set_0", "output", model.graph->outputs());
  ExecutorOptions options;
  options.portable = portable;
  Executor executor(model, options);
  Executor::Feeds feeds;
  for (std::size_t i = 0; i < inputs.size(); ++i) feeds[model.graph->inputs()[i]->name()] = inputs[i];
  const std::vector<RunValue> results = executor.run(feeds);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::string wrong = compare(results.at(i), outputs[i]);
    if (!wrong.empty()) return fmt::format("output {}: {}", i, wrong);
  }
  return "";
}

TEST_F(NodeCases, TheExecutorComputesTheExpectedOutputs) {
  std::size_t run = 0;
  std::size_t excluded = 0;
  for (const fs::path& folder : cases()) {
    ++run;
    const std::string name = folder.filename().string();
    excluded += excluded_.count({"engine", name});
    std::string wrong = guarded([&] { return check(folder, false); });
    if (wrong.empty()) wrong = guarded([&] { return check(folder, true); });
    judge("engine", name, wrong);
  }
  all_exclusions_used("engine");
  RecordProperty("cases", static_cast<int>(run));
  RecordProperty("excluded", static_cast<int>(excluded));
  EXPECT_GT(run, 900U);
  EXPECT_LE(static_cast<double>(excluded), 0.03 * static_cast<double>(run)) << "of " << run;
}

}  // namespace
}  // namespace compressor
