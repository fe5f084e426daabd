// referee: asks scripts/referee.py (ONNX Runtime) about models from a test; where it is not there, tests skip
// and say so.
//
//   REQUIRE_REFEREE();
//   EXPECT_LT(judge::difference(before, after).max_rel, 1e-5);
//
// Programs that include this link compressor_onnx and nlohmann_json::nlohmann_json.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "compressor/onnx/save.h"

namespace compressor::judge {

/// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "compressor-test-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
    path_ = pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// The server behind scripts/referee.py, started on first use and kept for the whole test program.
class Referee {
 public:
  /// Null when there is no referee on this machine.
  static Referee* get() {
    static Referee referee;
    return referee.in_ ? &referee : nullptr;
  }

  /// The answer to one request; see scripts/referee.py for the calls. "ok" is false with an "error" when it
  /// fails.
  nlohmann::json ask(const nlohmann::json& request) {
    const std::string line = request.dump() + "\n";
    if (std::fwrite(line.data(), 1, line.size(), out_) != line.size() || std::fflush(out_) != 0)
      throw std::runtime_error("the referee does not listen any more");
    std::string reply;
    for (int c = std::fgetc(in_); c != '\n'; c = std::fgetc(in_)) {
      if (c == EOF) throw std::runtime_error("the referee went away while answering " + request.dump());
      reply.push_back(static_cast<char>(c));
    }
    return nlohmann::json::parse(reply);
  }

  /// The interpreter: COMPRESSOR_REFEREE, or the one that scripts/referee makes.
  static std::string python() {
    const char* given = std::getenv("COMPRESSOR_REFEREE");
    return given ? given : COMPRESSOR_SOURCE_DIR "/build/referee/bin/python";
  }

 private:
  Referee() {
    const std::string python_path = python();
    if (access(python_path.c_str(), X_OK) != 0) return;
    std::array<int, 2> to{};
    std::array<int, 2> from{};
    if (pipe2(to.data(), O_CLOEXEC) != 0 || pipe2(from.data(), O_CLOEXEC) != 0) return;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], 1);
    std::vector<std::string> words{python_path, COMPRESSOR_SOURCE_DIR "/scripts/referee.py", "serve"};
    std::vector<char*> arguments;
    for (std::string& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    const int failed = posix_spawn(&pid_, python_path.c_str(), &actions, nullptr, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    if (failed != 0) return;
    std::signal(SIGPIPE, SIG_IGN);
    out_ = fdopen(to[1], "w");
    in_ = fdopen(from[0], "r");
    try {
      if (ask({{"call", "ping"}}).value("ok", false)) return;
    } catch (const std::exception&) {  // it is there but cannot answer: as good as absent
    }
    std::fclose(in_);
    in_ = nullptr;
  }
  ~Referee() {
    if (out_) std::fclose(out_);
    if (in_) std::fclose(in_);
    if (pid_ > 0) waitpid(pid_, nullptr, 0);
  }
  pid_t pid_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
};

/// What `compare` says of two models on the same seeded random inputs.
struct Difference {
  double max_abs = 0, max_rel = 0;
  bool shapes_equal = false, finite = false, same_names = false;
  std::string error;     ///< "" when both ran
  nlohmann::json reply;  ///< the whole answer
};

/// `options` are those of the referee's compare: seed, samples, shapes, dims, opt, feeds.
inline Difference difference_of_files(const std::string& a, const std::string& b,
                                      nlohmann::json options = nlohmann::json::object()) {
  options.update({{"call", "compare"}, {"a", a}, {"b", b}});
  Difference d;
  d.reply = Referee::get()->ask(options);
  if (!d.reply.value("ok", false)) {
    d.error = d.reply.value("error", "no answer");
    d.max_abs = d.max_rel = 1e308;
    return d;
  }
  d.max_abs = d.reply.at("max_abs");
  d.max_rel = d.reply.at("max_rel");
  d.shapes_equal = d.reply.at("shapes_equal");
  d.finite = d.reply.at("finite");
  d.same_names = d.reply.at("same_names");
  return d;
}

/// The same for two models in memory, which are written to temporary files first.
inline Difference difference(const Model& a, const Model& b,
                             const nlohmann::json& options = nlohmann::json::object()) {
  const TempFolder folder;
  save_model(a, folder.file("a.onnx"));
  save_model(b, folder.file("b.onnx"));
  return difference_of_files(folder.file("a.onnx"), folder.file("b.onnx"), options);
}

/// The referee's `check` of a model in memory: loads, load_error, inputs, outputs.
inline nlohmann::json check_of(const Model& model) {
  const TempFolder folder;
  save_model(model, folder.file("m.onnx"));
  return Referee::get()->ask({{"call", "check"}, {"model", folder.file("m.onnx")}});
}

/// How many nodes of each operator ONNX Runtime runs for the model, after its own optimisation.
inline nlohmann::json optimized_ops(const Model& model) {
  const TempFolder folder;
  save_model(model, folder.file("m.onnx"));
  const nlohmann::json reply = Referee::get()->ask({{"call", "optimized"}, {"model", folder.file("m.onnx")}});
  return reply.value("ok", false) ? reply.at("ops") : reply;
}

/// The folder of real models, COMPRESSOR_MODELS or ../shared/models beside the repository; "" when it is not
/// there.
inline std::string models_folder() {
  const char* given = std::getenv("COMPRESSOR_MODELS");
  std::filesystem::path folder = std::filesystem::path(COMPRESSOR_SOURCE_DIR) / "../shared/models";
  if (given) folder = given;
  std::error_code missing;
  return std::filesystem::is_directory(folder, missing) ? folder.string() : std::string();
}

/// Every .onnx file of the folder, sorted by name; empty when the folder is not there.
inline std::vector<std::string> real_models() {
  std::vector<std::string> files;
  const std::string folder = models_folder();
  if (folder.empty()) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".onnx") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace compressor::judge

#define REQUIRE_REFEREE()                                                             \
  do {                                                                                \
    if (!::compressor::judge::Referee::get())                                         \
      GTEST_SKIP() << "NO REFEREE (" << ::compressor::judge::Referee::python()        \
                   << "): run scripts/referee; nothing was compared in ONNX Runtime"; \
  } while (false)

#define REQUIRE_MODELS()                                                                  \
  do {                                                                                    \
    if (::compressor::judge::real_models().empty())                                       \
      GTEST_SKIP() << "NO REAL MODELS: set COMPRESSOR_MODELS to a folder of .onnx files"; \
  } while (false)
