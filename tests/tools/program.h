// program: runs the built program as a shell would and keeps what it said.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor::test {

using Words = std::vector<std::string>;

struct Outcome {
  int code = -1;  ///< exit code; 1000 + signal when it was killed
  std::string out, err;
};

struct Call {
  Words environment = {};        ///< "NO_COLOR=1"
  std::string out_to = {};       ///< a file instead of a pipe: "/dev/full"
  std::uint64_t file_limit = 0;  ///< bytes a file may have (RLIMIT_FSIZE); 0: no limit
  bool terminal = false;         ///< both streams on one pseudo terminal; everything is in `out`
  /// Called again and again with the process id while the program runs.
  std::function<void(int pid)> meanwhile = {};
};

/// A test with a folder of its own, in which the program runs.
class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest();
  ~ProgramTest() override;

  Outcome run(const Words& words, const Call& call = {}) const;
  /// Copies one of the project's models into the folder.
  void bring(const std::string& model) const;
  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  void write(const std::string& name, const std::string& content) const;
  std::string read(const std::string& name) const;
  /// Names in the folder, sorted.
  Words files() const;
  /// x [1, inputs] -> Gemm(weight [inputs, outputs], made while it is written) -> y
  void make_wide(const std::string& name, std::int64_t inputs, std::int64_t outputs) const;
  /// data.npz: seeded random pictures for one of the project's models, labelled with what the network says of
  /// them, so that its accuracy on them is 100 %.
  void make_labelled(const std::string& model, std::int64_t samples, std::uint64_t seed) const;

 private:
  std::string folder_;
};

}  // namespace compressor::test
