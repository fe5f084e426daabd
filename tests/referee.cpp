// referee: the server behind scripts/referee.py, and what it is asked.
#include "referee.h"

#include <fcntl.h>
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
#include <ostream>
#include <stdexcept>

#include "compressor/onnx/save.h"

namespace compressor::judge {
namespace {

using Json = nlohmann::json;

/// The server, started on first use and kept for the whole test program.
class Referee {
 public:
  /// Null when there is no referee on this machine.
  static Referee* get() {
    static Referee referee;
    return referee.in_ ? &referee : nullptr;
  }

  /// The answer to one request; see scripts/referee.py for the calls. "ok" is false with an "error" when it
  /// fails.
  Json ask(const Json& request) {
    const std::string line = request.dump() + "\n";
    if (std::fwrite(line.data(), 1, line.size(), out_) != line.size() || std::fflush(out_) != 0)
      throw std::runtime_error("the referee does not listen any more");
    std::string reply;
    for (int c = std::fgetc(in_); c != '\n'; c = std::fgetc(in_)) {
      if (c == EOF) throw std::runtime_error("the referee went away while answering " + request.dump());
      reply.push_back(static_cast<char>(c));
    }
    return Json::parse(reply);
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

Json ask(Json request, const Conditions& conditions = {}) {
  Referee* referee = Referee::get();
  if (!referee) throw std::runtime_error("no referee: begin the test with REQUIRE_REFEREE()");
  if (!conditions.shapes.empty()) request["shapes"] = conditions.shapes;
  if (!conditions.dims.empty()) request["dims"] = conditions.dims;
  if (!conditions.opt.empty()) request["opt"] = conditions.opt;
  if (!conditions.feeds.empty()) request["feeds"] = conditions.feeds;
  if (!conditions.save.empty()) request["save"] = conditions.save;
  if (conditions.samples > 0) request["samples"] = conditions.samples;
  return referee->ask(request);
}

/// "" for an answer that is one.
std::string error_in(const Json& reply) {
  return reply.value("ok", false) ? std::string() : reply.value("error", "no answer");
}

}  // namespace

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "compressor-test-XXXXXX").string();
  if (!mkdtemp(pattern.data())) throw std::runtime_error("cannot make a temporary folder");
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

bool is_there() {
  return Referee::get() != nullptr;
}

std::string python() {
  const char* given = std::getenv("COMPRESSOR_REFEREE");
  return given ? given : COMPRESSOR_SOURCE_DIR "/build/referee/bin/python";
}

std::string error_of_run(const std::string& path, const Conditions& conditions) {
  return error_in(ask({{"call", "run"}, {"model", path}}, conditions));
}

Difference difference_of_files(const std::string& a, const std::string& b, const Conditions& conditions) {
  const Json reply = ask({{"call", "compare"}, {"a", a}, {"b", b}}, conditions);
  Difference d;
  d.reply = reply.dump();
  d.error = error_in(reply);
  if (!d.error.empty()) {
    d.max_abs = d.max_rel = 1e308;
    d.sqnr_db = -1e308;
    return d;
  }
  d.max_abs = reply.at("max_abs");
  d.max_rel = reply.at("max_rel");
  d.sqnr_db = reply.at("sqnr_db");
  d.shapes_equal = reply.at("shapes_equal");
  d.finite = reply.at("finite");
  d.same_names = reply.at("same_names");
  for (const Json& output : reply.at("outputs"))
    d.outputs.push_back({.max_abs = output.at("max_abs"), .absmax = output.at("absmax_a")});
  return d;
}

Difference difference(const Model& a, const Model& b, const Conditions& conditions) {
  const TempFolder folder;
  save_model(a, folder.file("a.onnx"));
  save_model(b, folder.file("b.onnx"));
  return difference_of_files(folder.file("a.onnx"), folder.file("b.onnx"), conditions);
}

Check check_of(const Model& model) {
  const TempFolder folder;
  save_model(model, folder.file("m.onnx"));
  const Json reply = ask({{"call", "check"}, {"model", folder.file("m.onnx")}});
  return {.loads = reply.value("loads", false), .reply = reply.dump()};
}

std::int64_t OpCounts::of(const std::string& op) const {
  const auto it = counts_.find(op);
  return it == counts_.end() ? 0 : it->second;
}

std::ostream& operator<<(std::ostream& out, const OpCounts& ops) {
  for (const auto& [op, count] : ops.counts_) out << op << " " << count << ", ";
  return out;
}

OpCounts optimized_ops(const Model& model) {
  const TempFolder folder;
  save_model(model, folder.file("m.onnx"));
  const Json reply = ask({{"call", "optimized"}, {"model", folder.file("m.onnx")}});
  if (!error_in(reply).empty()) throw std::runtime_error(error_in(reply));
  return OpCounts(reply.at("ops").get<std::map<std::string, std::int64_t>>());
}

std::string models_folder() {
  const char* given = std::getenv("COMPRESSOR_MODELS");
  std::filesystem::path folder = std::filesystem::path(COMPRESSOR_SOURCE_DIR) / "../shared/models";
  if (given) folder = given;
  std::error_code missing;
  return std::filesystem::is_directory(folder, missing) ? folder.string() : std::string();
}

std::vector<std::string> real_models() {
  std::vector<std::string> files;
  const std::string folder = models_folder();
  if (folder.empty()) return files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".onnx") files.push_back(entry.path().string());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace compressor::judge
