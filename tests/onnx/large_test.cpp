// Files beyond 2 GB: loaded at once, converted with little memory. Each step runs in a process of its own,
// whose time and peak memory are what is measured.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <chrono>
#include <cstring>
#include <sstream>

#include "compressor/onnx/convert.h"
#include "onnx/child.h"
#include "onnx/proto.h"

namespace compressor::test {
namespace {

constexpr std::int64_t kWeight = std::int64_t{256} << 20U;  // bytes of one weight

/// Numbers that differ from block to block, cheap to make.
Tensor weight(std::uint64_t seed) {
  Tensor t;
  t.dtype = DType::kFloat;
  t.shape = {kWeight / 4096, 1024};
  t.bytes = Bytes::derive(
      static_cast<std::uint64_t>(kWeight), [seed](std::uint64_t offset, std::span<std::byte> out) {
        for (std::size_t done = 0; done < out.size();) {
          const std::uint64_t at = offset + done;
          const std::size_t n = std::min<std::size_t>(4096 - at % 4096, out.size() - done);
          std::memset(out.data() + done, static_cast<int>((seed * 31 + at / 4096) & 0x3FU), n);
          done += n;
        }
      });
  return t;
}

Model large_model(int weights) {
  Model model;
  model.ir_version = 8;
  model.opsets.push_back({.domain = "", .version = 17});
  const Value* v = model.graph->add_input("x", Type::tensor(DType::kFloat, {1}));
  for (int i = 0; i < weights; ++i) {
    const Value* w =
        model.graph->add_initializer("w" + std::to_string(i), weight(static_cast<std::uint64_t>(i)));
    NodeSpec spec;
    spec.op = "Add";
    spec.inputs = {v, w};
    spec.outputs = {"y" + std::to_string(i)};
    v = model.graph->add_node(std::move(spec)).output(0);
  }
  model.graph->add_output(*v);
  return model;
}

/// Of this program alone; what getrusage says includes the parent that started it.
double peak_megabytes() {
  std::istringstream status(read_file("/proc/self/status"));
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

/// "command input output": does it and writes seconds and peak megabytes to output.measured.
TEST(LongChild, Step) {
  const char* argument = child_argument("step");
  if (!argument) GTEST_SKIP() << "runs as a child only";
  std::istringstream words(argument);
  std::string command;
  std::string input;
  std::string output;
  words >> command >> input >> output;
  const auto start = std::chrono::steady_clock::now();
  if (command == "load") {
    const Model model = load_model(input);
    EXPECT_GT(model.graph->initializers().size(), 0U);
  } else {
    convert_file(input, output,
                 {.save = {.external = command == "external", .single_file_limit = UINT64_MAX}});
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  write_file(output + ".measured", std::to_string(seconds.count()) + " " + std::to_string(peak_megabytes()));
}

void step(const std::string& command, const std::string& input, const std::string& output, double& seconds,
          double& megabytes) {
  const pid_t pid = start_child("LongChild.Step", "step", command + " " + input + " " + output);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  std::istringstream(read_file(output + ".measured")) >> seconds >> megabytes;
  std::printf("%-8s %8.3f s  peak %6.1f MB\n", command.c_str(), seconds, megabytes);
}

void expect_same_weights(const std::string& path, int weights) {
  const Model model = load_model(path);
  ASSERT_EQ(model.graph->initializers().size(), static_cast<std::size_t>(weights));
  for (int i : {0, weights / 2, weights - 1}) {
    EXPECT_TRUE(equal(*model.graph->initializers()[static_cast<std::size_t>(i)]->initializer(),
                      weight(static_cast<std::uint64_t>(i))));
  }
}

class LongLarge : public testing::Test {
 protected:
  static constexpr double kLoadSeconds = 0.1;
  static constexpr double kPeakMegabytes = 200;
  void check(const std::string& command, const std::string& input, const std::string& output) {
    double seconds = 0;
    double megabytes = 0;
    step(command, input, output, seconds, megabytes);
    EXPECT_TRUE(command != "load" || seconds < kLoadSeconds) << seconds;
    EXPECT_LT(megabytes, kPeakMegabytes);
  }
  bool has_room(std::uintmax_t bytes) const { return fs::space(dir_.path()).available > bytes; }
  TempDir dir_;
};

TEST_F(LongLarge, SingleFileOf3GB) {
  constexpr int kWeights = 12;
  if (!has_room(std::uintmax_t{10} << 30U)) GTEST_SKIP() << "SKIPPED, NOT TESTED: needs 10 GB of disk";
  save_model(large_model(kWeights), dir_ / "single.onnx", {.single_file_limit = UINT64_MAX});
  EXPECT_GT(fs::file_size(dir_ / "single.onnx"), std::uintmax_t{3} << 30U);
  check("load", dir_ / "single.onnx", dir_ / "nothing");
  check("external", dir_ / "single.onnx", dir_ / "external.onnx");
  expect_same_weights(dir_ / "external.onnx", kWeights);
  fs::remove(dir_ / "single.onnx");
  check("single", dir_ / "external.onnx", dir_ / "back.onnx");
  expect_same_weights(dir_ / "back.onnx", kWeights);
}

TEST_F(LongLarge, ExternalDataOf6GB) {
  constexpr int kWeights = 24;
  if (!has_room(std::uintmax_t{16} << 30U)) GTEST_SKIP() << "SKIPPED, NOT TESTED: needs 16 GB of disk";
  const SaveResult saved =
      save_model(large_model(kWeights), dir_ / "m.onnx");  // too large for one file: by itself
  EXPECT_GE(saved.side_bytes, std::uint64_t{6} << 30U);
  check("load", dir_ / "m.onnx", dir_ / "nothing");
  check("external", dir_ / "m.onnx", dir_ / "copy.onnx");
  expect_same_weights(dir_ / "copy.onnx", kWeights);
}

TEST_F(LongLarge, ManyVarintsAreNotHeldDecoded) {
  // 400 MB of int32_data: 100 M elements of int64-sized memory if decoded.
  constexpr std::size_t kCount = 100U << 20U;
  if (!has_room(std::uintmax_t{2} << 30U)) GTEST_SKIP() << "SKIPPED, NOT TESTED: needs 2 GB of disk";
  {
    auto model = tiny_model();
    auto* t = model.mutable_graph()->add_initializer();
    t->set_name("w");
    t->set_data_type(6);
    t->add_dims(kCount);
    t->mutable_int32_data()->Resize(kCount, 0x7654321);
    write_proto(dir_ / "m.onnx", model);
  }
  double seconds = 0;
  double megabytes = 0;
  step("single", dir_ / "m.onnx", dir_ / "out.onnx", seconds, megabytes);
  EXPECT_LT(megabytes, 100);
  EXPECT_TRUE(read_file(dir_ / "m.onnx").size() == fs::file_size(dir_ / "out.onnx"));
}

}  // namespace
}  // namespace compressor::test
