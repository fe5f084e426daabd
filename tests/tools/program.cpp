// program: fork, exec, and two pipes.
#include "program.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "compressor/base/random.h"
#include "compressor/data/numpy.h"
#include "compressor/onnx/save.h"

namespace compressor::test {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void become(const Words& words, const Call& call, const std::string& folder) {
  if (::chdir(folder.c_str()) != 0) ::_exit(99);
  for (const char* name : {"NO_COLOR", "CI"}) ::unsetenv(name);
  ::setenv("TERM", "xterm", 1);
  for (const std::string& e : call.environment) {
    const auto equals = e.find('=');
    ::setenv(e.substr(0, equals).c_str(), e.substr(equals + 1).c_str(), 1);
  }
  if (call.file_limit > 0) {
    const rlimit limit{call.file_limit, call.file_limit};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  std::vector<std::string> all{COMPRESSOR_PROGRAM};
  all.insert(all.end(), words.begin(), words.end());
  std::vector<char*> arguments;
  for (std::string& word : all) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv(COMPRESSOR_PROGRAM, arguments.data());
  ::_exit(98);
}

void drain(std::array<int, 2> sources, Outcome& outcome, const Call& call, pid_t pid) {
  std::array<std::string*, 2> targets{&outcome.out, &outcome.err};
  int open = static_cast<int>(std::count_if(sources.begin(), sources.end(), [](int fd) { return fd >= 0; }));
  while (open > 0) {
    if (call.meanwhile) call.meanwhile(pid);
    std::array<pollfd, 2> polls{pollfd{sources[0], POLLIN, 0}, pollfd{sources[1], POLLIN, 0}};
    if (::poll(polls.data(), polls.size(), call.meanwhile ? 1 : 1000) <= 0) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      if (sources[i] < 0 || polls[i].revents == 0) continue;
      std::array<char, 65536> buffer{};
      const ssize_t n = ::read(sources[i], buffer.data(), buffer.size());
      if (n > 0) {
        targets[i]->append(buffer.data(), static_cast<std::size_t>(n));
        continue;
      }
      ::close(sources[i]);
      sources[i] = -1;
      --open;
    }
  }
}

int wait_for(pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

}  // namespace

ProgramTest::ProgramTest() {
  std::string pattern = (fs::temp_directory_path() / "compressor_tools_XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
  folder_ = pattern;
}

ProgramTest::~ProgramTest() {
  std::error_code none;
  fs::permissions(folder_, fs::perms::owner_all, none);
  fs::remove_all(folder_, none);
}

Outcome ProgramTest::run(const Words& words, const Call& call) const {
  Outcome outcome;
  if (call.terminal) {
    int master = -1;
    const pid_t pid = ::forkpty(&master, nullptr, nullptr, nullptr);
    if (pid == 0) become(words, call, folder_);
    drain({master, -1}, outcome, call, pid);
    outcome.code = wait_for(pid);
    return outcome;
  }
  std::array<int, 2> out{}, err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) {
    throw std::runtime_error("cannot make a pipe");
  }
  const pid_t pid = ::fork();
  if (pid == 0) {
    const int target = call.out_to.empty() ? out[1] : ::open(call.out_to.c_str(), O_WRONLY | O_CLOEXEC);
    ::dup2(target, STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    become(words, call, folder_);
  }
  ::close(out[1]);
  ::close(err[1]);
  drain({out[0], err[0]}, outcome, call, pid);
  outcome.code = wait_for(pid);
  return outcome;
}

void ProgramTest::bring(const std::string& model) const {
  fs::copy_file(fs::path(COMPRESSOR_SOURCE_DIR) / "models" / model, path(model));
}

void ProgramTest::write(const std::string& name, const std::string& content) const {
  std::ofstream(path(name), std::ios::binary) << content;
}

std::string ProgramTest::read(const std::string& name) const {
  std::ostringstream text;
  text << std::ifstream(path(name), std::ios::binary).rdbuf();
  return text.str();
}

Words ProgramTest::files() const {
  Words names;
  for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

void ProgramTest::make_wide(const std::string& name, std::int64_t inputs, std::int64_t outputs) const {
  Model model;
  model.ir_version = 8;
  model.opsets = {{.domain = "", .version = 17}};
  Graph& g = *model.graph;
  g.set_name("wide");
  const Value* x = g.add_input("x", Type::tensor(DType::kFloat, {1, inputs}));
  Tensor weight;
  weight.dtype = DType::kFloat;
  weight.shape = {inputs, outputs};
  weight.bytes = Bytes::derive(
      packed_bytes(DType::kFloat, weight.size()),
      [](std::uint64_t, std::span<std::byte> out) { std::fill(out.begin(), out.end(), std::byte{0x3c}); });
  const Value* w = g.add_initializer("w", weight);
  const Node& node = g.add_node({.op = "Gemm",
                                 .inputs = {x, w},
                                 .outputs = {"y"},
                                 .attributes = {},
                                 .name = "fc",
                                 .domain = {},
                                 .overload = {},
                                 .doc = {},
                                 .unknown = {}});
  g.set_type(*node.output(0), Type::tensor(DType::kFloat, {1, outputs}));
  g.add_output(*node.output(0));
  save_model(model, path(name));
}

void ProgramTest::make_labelled(const std::string& model, std::int64_t samples, std::uint64_t seed) const {
  Random random(seed);
  std::vector<float> x(static_cast<std::size_t>(samples * 28 * 28));
  for (float& v : x) v = static_cast<float>(random.normal());
  const Tensor pictures = Tensor::of({samples, 1, 28, 28}, std::span<const float>(x));
  write_npz(path("inputs.npz"), {{"image", pictures}});
  const Outcome o = run({"infer", "--input", "inputs.npz", "-o", "out.npz", model});
  ASSERT_EQ(o.code, 0) << o.err;
  const std::vector<float> y = to_floats(read_npz(path("out.npz")).at("logits"));
  std::vector<std::int64_t> labels;
  for (std::int64_t i = 0; i < samples; ++i) {
    const auto row = y.begin() + i * 10;
    labels.push_back(std::max_element(row, row + 10) - row);
  }
  write_npz(path("data.npz"),
            {{"image", pictures}, {"label", Tensor::of({samples}, std::span<const std::int64_t>(labels))}});
}

}  // namespace compressor::test
