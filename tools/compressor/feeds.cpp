// feeds: reads arrays and test data, and makes random numbers for the rest.
#include "feeds.h"

#include <algorithm>
#include <filesystem>

#include "compressor/analysis/model_data.h"
#include "compressor/base/error.h"
#include "compressor/base/hash.h"
#include "compressor/base/random.h"
#include "compressor/data/dataset.h"
#include "compressor/data/numpy.h"
#include "compressor/onnx/load.h"
#include "files.h"
#include "steps.h"

namespace compressor::cli {
namespace {

namespace fs = std::filesystem;
using ops::RunValue;

RunValue to_run_value(StoredValue stored) {
  if (stored.kind == Type::Kind::kNone) return {};
  if (stored.kind == Type::Kind::kTensor) return RunValue(std::move(stored.tensor));
  std::vector<RunValue> elements;
  for (StoredValue& element : stored.elements) elements.push_back(to_run_value(std::move(element)));
  return RunValue::sequence(std::move(elements));
}

class Reader {
 public:
  Reader(const Model& model, const std::vector<State>& states, const Frames& frames)
      : model_(model), open_(open_inputs(model)), has_state_(!states.empty()), frames_(frames) {
    for (const Value* v : open_) {
      const bool is_state =
          std::any_of(states.begin(), states.end(), [&](const State& s) { return s.input == v; });
      if (!is_state) main_.push_back(v);
    }
  }

  void add(const std::string& text) {
    std::error_code missing;
    if (fs::is_directory(text, missing)) return add_folder(text);
    if (extension_of(text) == ".npz") return add_archive(text);
    if (extension_of(text) == ".wav") return add_sound(text);
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      if (open_.size() != 1) {
        throw Error::usage(
            "--input: '{}' does not say which input it is for, and the model has {}: write name={}", text,
            open_.size(), text);
      }
      return set(*open_[0], read_npy(text), text);
    }
    const std::string file = text.substr(equals + 1);
    const Value& input = find(text.substr(0, equals));
    set(input, read_npy(file), file);
  }

  /// Frames of a sound were asked for and none was given.
  bool misses_sound() const { return frames_.any() && !sound_; }

  GivenFeeds result;

 private:
  void add_sound(const std::string& text) {
    const std::size_t equals = text.find('=');
    const std::string path = text.substr(equals == std::string::npos ? 0 : equals + 1);
    OpenOptions options;
    options.frames = frames_;
    options.format = "sound";
    const std::unique_ptr<Dataset> data = open_dataset(path, options);
    const auto constants = data->constants();
    for (const Value* v : open_) {
      const auto found = constants.find(v->name());
      if (found == constants.end()) continue;
      std::erase(main_, v);
      set(*v, found->second, path);
    }
    if (equals == std::string::npos && main_.size() != 1)
      throw Error::usage("--input: '{}' does not say which input it is for, and {} may be: write name={}",
                         path, main_.size(), path);
    const Value& input = equals == std::string::npos ? *main_[0] : find(text.substr(0, equals));
    std::vector<Tensor> samples;
    for (std::int64_t i = 0; i < data->size(); ++i) samples.push_back(data->get(i).tensors.at(""));
    Tensor all = one_after_the_other(path, samples);
    if (frames_.any() && has_state_) all.shape.insert(all.shape.begin() + 1, 1);
    set(input, std::move(all), path);
    sound_ = true;
  }
  const Value& find(const std::string& name) const {
    for (const Value* v : model_.graph->inputs()) {
      if (v->name() == name) return *v;
    }
    std::string names;
    for (const Value* v : open_) names += (names.empty() ? "'" : ", '") + v->name() + "'";
    throw Error::usage("--input: the model has no input '{}'; its inputs are {}", name, names);
  }
  void set(const Value& v, RunValue value, const std::string& from) {
    result.feeds[v.name()] = std::move(value);
    result.said.push_back(v.name() + ": " + from);
  }
  void add_archive(const std::string& path) {
    for (auto& [name, tensor] : read_npz(path)) set(find(name), std::move(tensor), path);
  }
  void add_folder(const std::string& folder) {
    std::size_t found = 0;
    for (const Value* v : model_.graph->inputs()) {
      const std::string file = folder + "/input_" + std::to_string(found) + ".pb";
      if (!fs::exists(file)) break;
      set(*v, to_run_value(load_value_pb(file, v->type())), file);
      ++found;
    }
    if (found == 0) throw Error::io("{}: expected input_0.pb and so on there", folder);
  }

  const Model& model_;
  std::vector<const Value*> open_, main_;  ///< main: without states and what else is known
  bool has_state_, sound_ = false;
  const Frames& frames_;
};

}  // namespace

Tensor random_input(const Value& input, const std::vector<std::int64_t>* shape, std::uint64_t seed) {
  const Type& type = input.type();
  if (type.kind != Type::Kind::kTensor) {
    throw Error::usage("input '{}' is no tensor: random numbers cannot stand for it", input.name());
  }
  Dims dims;
  if (shape) {
    dims = *shape;
  } else {
    if (!type.has_shape) throw Error::usage("input '{}': give its shape by --input-shape", input.name());
    for (const Dim& d : type.dims) dims.push_back(d.known() ? d.value : dims.empty() ? 1 : 8);
  }
  // Another stream for each input: the name is part of the seed.
  std::uint64_t mixed = seed;
  for (const char c : input.name()) mixed = mixed * 1099511628211ULL + static_cast<unsigned char>(c);
  Random random(mixed);
  std::vector<double> numbers(num_elements(dims));
  for (double& n : numbers) {
    n = is_float(type.dtype)         ? random.normal()
        : type.dtype == DType::kBool ? static_cast<double>(random.below(2))
                                     : static_cast<double>(random.below(8));
  }
  return Tensor::of(type.dtype, dims, numbers);
}

GivenFeeds read_feeds(const Model& model, const std::vector<std::string>& inputs, bool random,
                      const std::map<std::string, std::vector<std::int64_t>>& shapes, std::uint64_t seed,
                      const std::vector<State>& states, const Frames& frames) {
  if (!random && !shapes.empty()) {
    throw Error::usage("--input-shape is about random inputs, and --random is not given");
  }
  Reader reader(model, states, frames);
  for (const std::string& text : inputs) reader.add(text);
  if (reader.misses_sound()) throw Error::usage("--preprocess cuts sounds, and no --input is a .wav");
  std::string missing;
  for (const Value* v : open_inputs(model)) {
    if (reader.result.feeds.contains(v->name()) || v->type().kind == Type::Kind::kOptional) continue;
    const auto state =
        std::find_if(states.begin(), states.end(), [&](const State& s) { return s.input == v; });
    if (state != states.end()) {
      reader.result.said.push_back(v->name() + ": zeros, then '" + state->output->name() +
                                   "' of the step before");
      continue;
    }
    if (!random) {
      missing += (missing.empty() ? "'" : ", '") + v->name() + "'";
      continue;
    }
    const auto shape = shapes.find(v->name());
    const Tensor t = random_input(*v, shape == shapes.end() ? nullptr : &shape->second, seed);
    reader.result.said.push_back(v->name() + ": random " + to_string(t.shape) + ", seed " +
                                 std::to_string(seed));
    reader.result.feeds[v->name()] = t;
  }
  if (!missing.empty()) {
    throw Error::usage("nothing is given for input {}: use --input name=file.npy, or --random", missing);
  }
  return std::move(reader.result);
}

}  // namespace compressor::cli
