// files: inputs that are no models, outputs that may not be written, and that nothing half-done stays.
#include <gmock/gmock.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "program.h"

namespace compressor::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Files : public ProgramTest {
 protected:
  static constexpr const char* kModel = "lenet5_fashion.onnx";

  void fails(const Words& words, int code, const std::string& message) const {
    const Words before = files();
    const Outcome o = run(words);
    EXPECT_EQ(o.code, code) << o.err;
    EXPECT_THAT(o.out, IsEmpty());
    EXPECT_THAT(o.err, StartsWith("error: "));
    EXPECT_THAT(o.err, HasSubstr(message));
    EXPECT_EQ(files(), before) << o.err;
  }
  Words prune(const Words& more) const {
    Words words{"prune", "--ratio", "0.5"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(Files, InputsThatAreNoModels) {
  write("empty.onnx", "");
  write("noise.onnx", "this is not a model, whatever its name says\n");
  fs::create_directory(path("folder.onnx"));
  for (const std::string command : {"info", "profile", "convert"}) {
    fails({command, "missing.onnx"}, 6, "missing.onnx");
    fails({command, "folder.onnx"}, 6, "folder.onnx");
    fails({command, "empty.onnx"}, 3, "empty.onnx");
    fails({command, "noise.onnx"}, 3, "noise.onnx");
    fails({command, "/dev/null"}, 6, "/dev/null");
  }
  fails(prune({"missing.onnx"}), 6, "missing.onnx");
  fails(prune({"noise.onnx"}), 3, "noise.onnx");
}

TEST_F(Files, TruncatedModels) {
  bring(kModel);
  const std::string whole = read(kModel);
  for (const std::size_t share : {1, 3, 7, 11, 15}) {
    write("cut.onnx", whole.substr(0, whole.size() * share / 16));
    fails(prune({"cut.onnx"}), 3, "cut.onnx");
  }
}

TEST_F(Files, OutputsThatCannotBeWritten) {
  bring(kModel);
  fs::create_directory(path("out"));
  fails(prune({"-o", "out", kModel}), 6, "out: is a directory");
  fails(prune({"-o", "nowhere/x.onnx", kModel}), 6, "nowhere/x.onnx: cannot write");
  fails(prune({"-o", "", kModel}), 6, "is not the name of a file");
  fails(prune({"--report", "nowhere/r.json", kModel}), 6, "nowhere/r.json: cannot write");
  fails(prune({"-o", "/dev/null", kModel}), 6, "/dev/null");
}

TEST_F(Files, FoldersWithoutPermission) {
  bring(kModel);
  fs::create_directory(path("out"));
  if (::geteuid() == 0) GTEST_SKIP() << "root may write anywhere: folders without permission are not tried";
  fs::permissions(path("out"), fs::perms::owner_read | fs::perms::owner_exec);
  fails(prune({"-o", "out/x.onnx", kModel}), 6, "out/x.onnx: cannot write");
}

TEST_F(Files, TheInputIsNeverTheOutput) {
  bring(kModel);
  fs::create_symlink(kModel, path("link.onnx"));
  fs::create_hard_link(path(kModel), path("twin.onnx"));
  fs::create_directory(path("sub"));
  fs::create_directory_symlink(path("."), path("here"));
  const std::string before = read(kModel);
  for (const std::string& same :
       Words{kModel, std::string("./") + kModel, "link.onnx", "twin.onnx", path(kModel),
             std::string("sub/../") + kModel, std::string("here/") + kModel}) {
    fails(prune({"--force", "-o", same, kModel}), 2, "is the input itself");
    fails({"convert", "--force", "-o", same, kModel}, 2, "is the input itself");
  }
  fails(prune({"--force", "-o", kModel, "link.onnx"}), 2, "is the input itself");
  EXPECT_EQ(read(kModel), before);
  EXPECT_TRUE(fs::is_symlink(path("link.onnx")));
}

TEST_F(Files, ReportsAreNotOtherFiles) {
  bring(kModel);
  fails(prune({"-o", "r.json", "--report", "./r.json", kModel}), 2, "r.json");
  fails(prune({"--report", "r.json", "--report", "./r.json", kModel}), 2, "r.json");
}

TEST_F(Files, OnlyOursIsReplaced) {
  bring(kModel);
  write("x.onnx", "my precious notes");
  write("r.json", "{\"my\": \"notes\"}");
  fails(prune({"-o", "x.onnx", kModel}), 6, "x.onnx: exists and was not written by compressor; give --force");
  fails(prune({"--report", "r.json", kModel}), 6, "r.json: exists and was not written by compressor");
  EXPECT_EQ(read("x.onnx"), "my precious notes");
  fs::copy_file(path(kModel), path("copy.onnx"));
  fails(prune({"-o", "copy.onnx", kModel}), 6, "copy.onnx: exists");
  EXPECT_EQ(run(prune({"--force", "-o", "x.onnx", "--report", "r.json", kModel})).code, 0);
  const std::string first = read("x.onnx");
  EXPECT_EQ(run({"prune", "--ratio", "0.25", "-o", "x.onnx", "--report", "r.json", kModel}).code, 0);
  EXPECT_NE(read("x.onnx"), first);
}

TEST_F(Files, ALinkIsReplacedAndItsTargetStays) {
  bring(kModel);
  write("target.onnx", "something else");
  fs::create_symlink("target.onnx", path("x.onnx"));
  EXPECT_EQ(run(prune({"--force", "-o", "x.onnx", kModel})).code, 0);
  EXPECT_EQ(read("target.onnx"), "something else");
  EXPECT_FALSE(fs::is_symlink(path("x.onnx")));
}

TEST_F(Files, DryRunWritesNothing) {
  bring(kModel);
  const Outcome o = run(prune({"--dry-run", "--report", "r.json", kModel}));
  EXPECT_EQ(o.code, 0) << o.err;
  EXPECT_THAT(o.out, HasSubstr("nothing was written"));
  EXPECT_EQ(files(), Words{kModel});
}

TEST_F(Files, AFullDiskLeavesNothing) {
  bring(kModel);
  const Outcome o = run(prune({kModel}), {.file_limit = 20000});
  EXPECT_EQ(o.code, 6) << o.err;
  EXPECT_THAT(o.err, HasSubstr("lenet5_fashion.prune.onnx: cannot write"));
  EXPECT_EQ(files(), Words{kModel});
  const Outcome full = run({"info", kModel}, {.out_to = "/dev/full"});
  EXPECT_EQ(full.code, 6);
  EXPECT_THAT(full.err, HasSubstr("standard output: cannot write"));
}

TEST_F(Files, AnInterruptLeavesNothing) {
  make_wide("wide.onnx", 8192, 8192);  // 256 MiB: takes long enough to write
  for (const int signal : {SIGINT, SIGTERM}) {
    bool sent = false;
    const Outcome o = run({"convert", "wide.onnx", "-o", "out.onnx"}, {.meanwhile = [&](int pid) {
                            if (sent || files().size() == 1) return;  // until the temporary file is there
                            sent = true;
                            ::kill(pid, signal);
                          }});
    ASSERT_TRUE(sent) << "the program ended before it began to write: " << o.err;
    EXPECT_EQ(o.code, 130) << o.err;
    EXPECT_EQ(files(), Words{"wide.onnx"});
  }
}

}  // namespace
}  // namespace compressor::test
