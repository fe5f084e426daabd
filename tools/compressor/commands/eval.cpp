// eval: how well a model does on data.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "command.h"
#include "compressor/analysis/evaluate.h"
#include "compressor/analysis/recorded.h"
#include "compressor/base/threads.h"
#include "compressor/data/data_options.h"
#include "compressor/pipeline/groups.h"
#include "files.h"
#include "json_head.h"

namespace compressor::cli {
namespace {

class Eval : public Command {
 public:
  Eval() {
    model_.positional().path();
    record_.path();
    replay_.path();
    include(shape_);
    section("Data", data_);
    include(work_);
    finish();
  }
  std::string name() const override { return "eval"; }
  std::string summary() const override {
    return "measure a model on data: accuracy, average precision, perplexity, ...";
  }
  std::string heading() const override { return "Run"; }
  std::string epilog() const override {
    return "Examples:\n"
           "  compressor eval --data cifar10/ --preprocess cifar10 --metric top1 --metric top5 "
           "resnet20.onnx\n"
           "  compressor eval --data voc/ --preprocess yolox --metric ap50:decoder=yolox yolox.onnx --json\n"
           "`compressor list metrics` names all metrics.\n";
  }

  void run(Terminal& terminal) override {
    for (const std::string& text : *metric_) make_metric(text);  // a typo is told before anything is read
    set_threads(static_cast<int>(*work_.threads));
    const std::unique_ptr<Dataset> data = data_.open("test");
    const Input input = open_model(*model_);
    LoaderOptions options = data_.loader_options(state_shapes(input.model));
    options.batch = *batch_;
    options.seed = static_cast<std::uint64_t>(*work_.seed);
    options.input = *input_;
    const ModelData feeds(input.model, *data, data_.preprocessing(), options);
    const auto metrics = metric_->empty() ? default_metrics(*data) : *metric_;
    Runner run = replay_->empty() ? engine_runner(input.model) : replaying(input.model, *replay_);
    if (!record_->empty()) run = recording(std::move(run), *record_);
    const Evaluation e =
        evaluate(run, *data, feeds, metrics, [&](double share) { terminal.progress("evaluating", share); });
    terminal.print(*json_ ? as_json(e, *data, feeds, input) : as_text(e, *data));
  }

 private:
  /// Everything else has its shape from the data.
  std::map<std::string, std::vector<std::int64_t>> state_shapes(const Model& model) const {
    auto shapes = shape_.shapes(model);
    const auto states = split_states(*data_.state);
    for (const auto& [name, shape] : shapes) {
      const bool is_state = std::any_of(states.begin(), states.end(),
                                        [&wanted = name](const auto& s) { return s.second == wanted; });
      if (!is_state)
        throw Error::usage("--input-shape: input '{}' is no --state: the data gives its shape", name);
    }
    return shapes;
  }

  static std::string as_text(const Evaluation& e, const Dataset& data) {
    std::size_t width = 0;
    for (const Measured& m : e.metrics) width = std::max(width, m.text.size());
    std::string text = fmt::format("data: {}\n", data.describe());
    for (const Measured& m : e.metrics) {
      const bool percent = m.info.unit == "%";
      text += fmt::format("{:<{}}  {:.{}f}{}{}\n", m.text, width, m.value, percent ? 2 : 4,
                          m.info.unit.empty() ? "" : " ", m.info.unit);
    }
    text += fmt::format("samples: {}{}, {:.1f} s, {:.0f} per second\n", e.samples,
                        e.skipped > 0 ? fmt::format(" ({} damaged ones skipped)", e.skipped) : "", e.seconds,
                        static_cast<double>(e.samples) / std::max(e.seconds, 1e-9));
    return text;
  }

  std::string as_json(const Evaluation& e, const Dataset& data, const ModelData& feeds,
                      const Input& input) const {
    nlohmann::ordered_json j = json_head(name());
    j["input"] = input.info.path;
    j["data"] = {{"path", data_.data->value_or("")},
                 {"description", data.describe()},
                 {"split", data.split()},
                 {"preprocess", feeds.preprocess().text()}};
    j["batch"] = feeds.batch();
    j["samples"] = e.samples;
    j["skipped"] = e.skipped;
    j["metrics"] = nlohmann::ordered_json::array();
    for (const Measured& m : e.metrics) {
      j["metrics"].push_back({{"name", m.info.name},
                              {"metric", m.text},
                              {"value", m.value},
                              {"unit", m.info.unit},
                              {"higher_is_better", m.info.higher_is_better}});
    }
    j["timing"] = {{"seconds", e.seconds}, {"run_seconds", e.run_seconds}};
    return j.dump(2) + "\n";
  }

  Option<std::string> model_{*this, "model", "", "the ONNX file"};
  Option<Texts> metric_{
      *this,
      "metric",
      {},
      "what to measure, with its options (ap50:decoder=yolox); may be repeated (default: what fits "
      "the data)"};
  Option<std::int64_t> batch_{*this, "batch", 0, "samples at a time; 0: as the model says, else 32",
                              Range{.low = 0, .high = 65536}};
  Option<std::string> input_{*this, "input", "",
                             "the model's input that pictures go to, where there are several"};
  Option<std::string> record_{*this, "record", "",
                              "also write what goes into the model, batch by batch, to this folder "
                              "(batch_00000.npz, ...)"};
  Option<std::string> replay_{*this, "replay", "",
                              "measure outputs that another runtime computed, from this folder "
                              "(batch_00000.npz, ...), instead of running the model"};
  Option<bool> json_{*this, "json", false, "print JSON"};
  ShapeOptions shape_;
  DataOptions data_;
  WorkOptions work_;
};

}  // namespace

void register_eval(CommandTable& table);
void register_eval(CommandTable& table) {
  table.push_back(std::make_unique<Eval>());
}

}  // namespace compressor::cli
