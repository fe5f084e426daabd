// Saving: nothing half-done, never over the input, payloads that are computed while they are written.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <thread>

#include "compressor/base/interrupt.h"
#include "compressor/onnx/convert.h"
#include "onnx/child.h"
#include "onnx/proto.h"

namespace compressor::test {
namespace {

/// A model whose weight of `count` float zeros is made by `fill`.
Model derived_model(std::int64_t count, Bytes::Fill fill) {
  Model model;
  model.ir_version = 8;
  model.opsets.push_back({.domain = "", .version = 17});
  const Value* x = model.graph->add_input("x", Type::tensor(DType::kFloat, {count}));
  Tensor w;
  w.dtype = DType::kFloat;
  w.shape = {count};
  w.bytes = Bytes::derive(static_cast<std::uint64_t>(count) * 4, std::move(fill));
  const Value* weight = model.graph->add_initializer("w", w);
  const Node& add = model.graph->add_node({.op = "Add",
                                           .inputs = {x, weight},
                                           .outputs = {"y"},
                                           .attributes = {},
                                           .name = {},
                                           .domain = {},
                                           .overload = {},
                                           .doc = {},
                                           .unknown = {}});
  model.graph->add_output(*add.output(0));
  return model;
}

void pattern(std::uint64_t offset, std::span<std::byte> out) {
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>((offset + i) * 2654435761U >> 13U);
}

TEST(Save, DerivedBytesAreComputedWhileWriting) {
  const TempDir dir;
  constexpr std::int64_t kCount = 12 << 20;  // several batches
  for (const bool external : {false, true}) {
    const SaveResult saved =
        save_model(derived_model(kCount, pattern), dir / "m.onnx", {.external = external});
    EXPECT_EQ(saved.side_path.empty(), !external);
    const Model loaded = load_model(dir / "m.onnx");
    const Tensor expected = *derived_model(kCount, pattern).graph->initializers()[0]->initializer();
    EXPECT_TRUE(equal(*loaded.graph->initializers()[0]->initializer(), expected));
  }
}

TEST(Save, AFailureLeavesTheOldFileAndNothingElse) {
  const TempDir dir;
  write_file(dir / "m.onnx", "old");
  const auto fail = [](std::uint64_t offset, std::span<std::byte>) {
    if (offset > (20U << 20U)) throw Error::model("a weight cannot be computed");
  };
  for (const bool external : {false, true}) {
    const std::string message = error_of(ErrorKind::kModel, [&] {
      save_model(derived_model(12 << 20, fail), dir / "m.onnx", {.external = external});
    });
    EXPECT_EQ(message, "a weight cannot be computed");
    EXPECT_EQ(read_file(dir / "m.onnx"), "old");
    EXPECT_EQ(dir.names(), std::vector<std::string>{"m.onnx"});
  }
}

TEST(Save, NeverOverTheInput) {
  const TempDir dir;
  auto proto = tiny_model();
  *proto.mutable_graph()->add_initializer() = float_tensor("w", {3000});
  write_proto(dir / "m.onnx", proto);
  fs::create_symlink("m.onnx", dir / "link.onnx");
  fs::create_hard_link(dir / "m.onnx", dir / "hard.onnx");
  fs::create_directory_symlink(dir.path(), dir / "here");
  const Model model = load_model(dir / "m.onnx");
  for (const char* name : {"m.onnx", "link.onnx", "hard.onnx", "here/m.onnx", "./m.onnx"}) {
    SCOPED_TRACE(name);
    EXPECT_NE(error_of(ErrorKind::kIo, [&] { save_model(model, dir / name); }).find("same file"),
              std::string::npos);
    EXPECT_NE(error_of(ErrorKind::kIo, [&] { convert_file(dir / "m.onnx", dir / name); }).find("same file"),
              std::string::npos);
  }
  const SaveResult saved = save_model(model, dir / "out.onnx", {.external = true});
  const Model external = load_model(dir / "out.onnx");
  EXPECT_NE(error_of(ErrorKind::kIo, [&] { save_model(external, saved.side_path); }).find("same file"),
            std::string::npos);
  EXPECT_EQ(difference(proto, parse(dir / "m.onnx")), "");
}

TEST(Save, RefusedOutputs) {
  const TempDir dir;
  const Model model = derived_model(10, pattern);
  EXPECT_NE(error_of(ErrorKind::kIo, [&] { save_model(model, dir.path().string()); }).find("is a directory"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::kIo, [&] { save_model(model, "/dev/full"); }).find("not a regular file"),
            std::string::npos);
  EXPECT_NE(error_of(ErrorKind::kIo, [&] { save_model(model, dir / "no/m.onnx"); }).find("no/m.onnx"),
            std::string::npos);
  EXPECT_TRUE(dir.names().empty());
}

TEST(Save, PredictedBytes) {
  const TempDir dir;
  const Model model = derived_model(100000, pattern);
  EXPECT_EQ(saved_bytes(model), save_model(model, dir / "m.onnx").file_bytes);
  EXPECT_EQ(saved_bytes(model), fs::file_size(dir / "m.onnx"));
}

/// Runs in a process of its own: writes slowly until it is killed.
TEST(SaveChild, WritesSlowly) {
  const char* folder = child_argument("slow");
  if (!folder) GTEST_SKIP() << "runs as a child only";
  handle_signals();
  const auto slow = [](std::uint64_t, std::span<std::byte>) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  };
  save_model(derived_model(1 << 30, slow), std::string(folder) + "/m.onnx",
             {.external = std::getenv("EXTERNAL") != nullptr, .single_file_limit = UINT64_MAX});
}

TEST(Save, AnInterruptedSaveLeavesNothing) {
  for (const bool external : {false, true}) {
    const TempDir dir;
    write_file(dir / "m.onnx", "old");
    if (external) ::setenv("EXTERNAL", "1", 1);
    const pid_t pid = start_child("SaveChild.WritesSlowly", "slow", dir.path().string());
    ::unsetenv("EXTERNAL");
    for (int i = 0; i < 500 && dir.names().size() < (external ? 3U : 2U); ++i) ::usleep(10000);
    EXPECT_EQ(dir.names().size(), external ? 3U : 2U);
    ::usleep(100000);
    ASSERT_EQ(::kill(pid, SIGINT), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 130);
    EXPECT_EQ(dir.names(), std::vector<std::string>{"m.onnx"});
    EXPECT_EQ(read_file(dir / "m.onnx"), "old");
  }
}

}  // namespace
}  // namespace compressor::test
