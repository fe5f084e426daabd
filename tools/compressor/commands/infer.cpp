// infer: runs a model once on given inputs and shows or writes what comes out.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <regex>

#include "command.h"
#include "compressor/base/threads.h"
#include "compressor/data/data_options.h"
#include "compressor/data/numpy.h"
#include "compressor/pipeline/groups.h"
#include "compressor/report/table.h"
#include "feeds.h"
#include "files.h"
#include "json_head.h"
#include "steps.h"

namespace compressor::cli {
namespace {

using Named = std::vector<std::pair<std::string, Tensor>>;

struct Range3 {
  double min = 0, mean = 0, max = 0;
};

Range3 range_of(const Tensor& t) {
  Range3 r;
  const std::vector<double> x = to_doubles(t);
  if (x.empty()) return r;
  r.min = r.max = x[0];
  for (const double v : x) {
    r.min = std::min(r.min, v);
    r.max = std::max(r.max, v);
    r.mean += v / static_cast<double>(x.size());
  }
  return r;
}

class Infer : public Command {
 public:
  Infer() {
    model_.positional().path();
    input_.path();
    output_.letter('o').path();
    include(shape_);
    include(work_);
    finish();
  }
  std::string name() const override { return "infer"; }
  std::string summary() const override {
    return "run a model on given or random inputs; show or write its outputs";
  }
  std::string heading() const override { return "Run"; }
  std::string epilog() const override {
    return "Examples:\n"
           "  compressor infer --input x=image.npy -o out.npz model.onnx\n"
           "  compressor infer --random --input-shape x:1x3x224x224 --tap '/layer1/.*' model.onnx\n"
           "  compressor infer --state h_out=h --input frames.npz -o out.npz streaming.onnx\n"
           "  compressor infer --state h_out=h --preprocess gtcrn --input noisy.wav -o out.npz "
           "streaming.onnx\n";
  }

  void run(Terminal& terminal) override {
    set_threads(static_cast<int>(*work_.threads));
    if (output_->has_value()) check_output(**output_);
    const Input input = open_model(*model_);
    const Model& model = input.model;
    auto shapes = shape_.shapes(model);
    const std::vector<State> states = find_states(model, split_states(*state_), shapes);
    for (const State& s : states) shapes.erase(s.input->name());
    const Preprocess preprocess = parse_preprocess(*preprocess_);
    if (preprocess_.is_set() && !preprocess.frames.any())
      throw Error::usage("--preprocess: found '{}', expected frames of sound (gtcrn)", *preprocess_);
    const GivenFeeds given = read_feeds(model, *input_, *random_, shapes,
                                        static_cast<std::uint64_t>(*work_.seed), states, preprocess.frames);
    for (const std::string& said : given.said) terminal.say("input " + said);
    Named arrays;
    ExecutorOptions options;
    options.taps = tapped(model);
    Executor executor(model, options);
    executor.set_tap([&](const Value& value, const ops::RunValue& held) {
      arrays.emplace_back(free_name(arrays, value.name()), ops::plain(held));
    });
    Named all = states.empty() ? outputs_of(model, executor.run(given.feeds))
                               : outputs_of_steps(model, executor, Steps(states, given.feeds, model));
    for (auto& [name, tensor] : arrays) all.emplace_back(free_name(all, name), std::move(tensor));
    if (output_->has_value()) {
      write(all, **output_);
      terminal.say("written: " + **output_);
    }
    if (*json_) {
      terminal.print(as_json(all, given, input));
    } else if (!output_->has_value()) {
      terminal.print(as_text(all));
    }
  }

 private:
  static Named outputs_of(const Model& model, const std::vector<ops::RunValue>& outputs) {
    Named all;
    for (std::size_t i = 0; i < outputs.size(); ++i)
      flatten(model.graph->outputs()[i]->name(), outputs[i], all);
    return all;
  }

  static Named outputs_of_steps(const Model& model, Executor& executor, const Steps& steps) {
    std::map<std::string, std::vector<Tensor>> seen;
    Named last;
    for (std::int64_t i = 0; i < steps.count(); ++i) {
      last = outputs_of(model, executor.run(steps.at(i)));
      for (const auto& [name, tensor] : last) seen[name].push_back(tensor);
    }
    Named all;
    for (const auto& [name, tensor] : last) all.emplace_back(name, one_after_the_other(name, seen.at(name)));
    return all;
  }

  /// Values of the main graph and of all bodies whose names match.
  std::vector<const Value*> tapped(const Model& model) const {
    std::vector<const Value*> taps;
    for (const std::string& pattern : *tap_) {
      std::regex expression;
      try {
        expression = std::regex(pattern);
      } catch (const std::regex_error& error) {
        throw Error::usage("--tap: '{}' is no regular expression: {}", pattern, error.what());
      }
      std::size_t found = 0;
      model.each_graph([&](const Graph& graph) {
        for (const Value* v : graph.values()) {
          if (v->name() != pattern && !std::regex_match(v->name(), expression)) continue;
          taps.push_back(v);
          ++found;
        }
      });
      if (found == 0) throw Error::usage("--tap: no value is called '{}'", pattern);
    }
    return taps;
  }

  /// A body's value is seen once a step.
  static std::string free_name(const Named& taken, const std::string& name) {
    const auto used = [&](const std::string& n) {
      return std::any_of(taken.begin(), taken.end(), [&](const auto& entry) { return entry.first == n; });
    };
    if (!used(name)) return name;
    for (int i = 1;; ++i) {
      std::string other = fmt::format("{}#{}", name, i);
      if (!used(other)) return other;
    }
  }

  static void flatten(const std::string& name, const ops::RunValue& value, Named& out) {
    if (value.kind == ops::RunValue::Kind::kTensor) out.emplace_back(name, value.tensor);
    if (value.kind != ops::RunValue::Kind::kSequence) return;
    for (std::size_t i = 0; i < value.elements->size(); ++i) {
      flatten(fmt::format("{}[{}]", name, i), (*value.elements)[i], out);
    }
  }

  static bool is_folder(const std::string& path) {
    std::error_code missing;
    return path.ends_with('/') || std::filesystem::is_directory(path, missing);
  }

  static void check_output(const std::string& path) {
    const std::string extension = extension_of(path);
    if (is_folder(path) || extension == ".npz" || extension == ".npy") return;
    throw Error::usage("--output: found '{}', expected a name that ends in .npz or .npy, or a folder", path);
  }

  static void write(const Named& all, const std::string& path) {
    if (is_folder(path)) {
      std::error_code failed;
      std::filesystem::create_directories(path, failed);
      if (failed) throw Error::io("{}: {}", path, failed.message());
      for (const auto& [name, tensor] : all) {
        std::string file = name;
        std::replace(file.begin(), file.end(), '/', '_');
        write_npy(path + "/" + file + ".npy", tensor);
      }
      return;
    }
    if (extension_of(path) == ".npz") return write_npz(path, all);
    if (all.size() != 1) {
      throw Error::usage("--output: an .npy file holds one array, and there are {}: write .npz or a folder",
                         all.size());
    }
    write_npy(path, all[0].second);
  }

  static std::string as_text(const Named& all) {
    Table table({{"value"}, {"type"}, {"shape"}, {"min", true}, {"mean", true}, {"max", true}});
    for (const auto& [name, t] : all) {
      if (t.dtype == DType::kString) {
        table.add({name, std::string("string"), to_string(t.shape), std::string("-"), std::string("-"),
                   std::string("-")});
        continue;
      }
      const Range3 r = range_of(t);
      table.add({name, std::string(compressor::name(t.dtype)), to_string(t.shape),
                 fmt::format("{:.6g}", r.min), fmt::format("{:.6g}", r.mean), fmt::format("{:.6g}", r.max)});
    }
    return table.text();
  }

  std::string as_json(const Named& all, const GivenFeeds& given, const Input& input) const {
    nlohmann::ordered_json j = json_head(name());
    j["input"] = input.info.path;
    j["inputs"] = given.said;
    j["outputs"] = nlohmann::ordered_json::array();
    for (const auto& [value, t] : all) {
      nlohmann::ordered_json entry{{"name", value}, {"dtype", compressor::name(t.dtype)}, {"shape", t.shape}};
      if (t.dtype != DType::kString) {
        const Range3 r = range_of(t);
        const auto number = [](double v) {
          return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json();
        };
        entry["min"] = number(r.min);
        entry["mean"] = number(r.mean);
        entry["max"] = number(r.max);
      }
      j["outputs"].push_back(std::move(entry));
    }
    return j.dump(2) + "\n";
  }

  Option<std::string> model_{*this, "model", "", "the ONNX file"};
  Option<Texts> input_{
      *this, "input", {}, "name=x.npy, name=x.wav, an .npz, or a folder of input_0.pb, ...; may be repeated"};
  Option<std::string> preprocess_{*this, "preprocess", "",
                                  "frames that a .wav is cut into: a preset, settings, or both (gtcrn)"};
  Option<bool> random_{*this, "random", false, "seeded random numbers for inputs that are not given"};
  Option<Texts> tap_{
      *this, "tap", {}, "also give the values whose names match this regular expression; may be repeated"};
  Option<MaybeText> output_{*this, "output", std::nullopt,
                            "write the arrays to this .npz or .npy, or into this folder"};
  Option<Texts> state_{*this,
                       "state",
                       {},
                       "output=input: run step after step over inputs that have one axis more, this output "
                       "being that input's value "
                       "in the next one; it begins at zero or as given; may be repeated"};
  Option<bool> json_{*this, "json", false, "print JSON: names, types, shapes and ranges"};
  ShapeOptions shape_;
  WorkOptions work_;
};

}  // namespace

void register_infer(CommandTable& table);
void register_infer(CommandTable& table) {
  table.push_back(std::make_unique<Infer>());
}

}  // namespace compressor::cli
