// node_cases: ONNX's own test data, wherever it is installed, and what is known to differ from it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "compressor/base/error.h"
#include "compressor/tensor/tensor.h"

namespace compressor::node_cases {

namespace fs = std::filesystem;

inline constexpr const char* kFolders[] = {"/usr/share/libonnx-testdata/data",
                                           "/usr/lib/python3/dist-packages/onnx/backend/test/data"};

/// COMPRESSOR_NODE_CASES names another folder of such data, a newer one perhaps.
inline std::vector<std::string> folders() {
  if (const char* given = std::getenv("COMPRESSOR_NODE_CASES")) return {given};
  return {std::begin(kFolders), std::end(kFolders)};
}

inline std::vector<fs::path> cases() {
  std::vector<fs::path> found;
  for (const std::string& folder : folders()) {
    for (const char* kind : {"node", "simple", "pytorch-operator", "pytorch-converted"}) {
      const fs::path parent = fs::path(folder) / kind;
      if (!fs::is_directory(parent)) continue;
      for (const auto& entry : fs::directory_iterator(parent)) {
        if (fs::exists(entry.path() / "model.onnx")) found.push_back(entry.path());
      }
    }
    if (!found.empty()) break;
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// "kind name reason" lines: kind is shape, known, numbers or engine.
inline std::map<std::pair<std::string, std::string>, std::string> exclusions() {
  std::map<std::pair<std::string, std::string>, std::string> result;
  std::ifstream in(std::string(COMPRESSOR_SOURCE_DIR) + "/tests/ops/exclusions.txt");
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    std::string kind, name, reason;
    words >> kind >> name;
    std::getline(words, reason);
    result[{kind, name}] = reason;
  }
  return result;
}

inline std::string compare_numbers(const Tensor& got, const Tensor& expected) {
  if (got.dtype != expected.dtype || got.shape != expected.shape) {
    return fmt::format("{} of {}, expected {} of {}", to_string(got.shape), name(got.dtype),
                       to_string(expected.shape), name(expected.dtype));
  }
  if (got.dtype == DType::kString) return equal(got, expected) ? "" : "other strings";
  const std::vector<double> a = to_doubles(got);
  const std::vector<double> b = to_doubles(expected);
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (std::isnan(a[i]) && std::isnan(b[i])) continue;
    if (a[i] == b[i] || std::fabs(a[i] - b[i]) <= 1e-5 + 1e-3 * std::fabs(b[i])) continue;
    return fmt::format("element {} is {}, expected {}", i, a[i], b[i]);
  }
  return "";
}

template <class Fn>
std::string guarded(Fn&& fn) {
  try {
    return fn();
  } catch (const std::exception& error) {
    return error.what();
  }
}

class NodeCases : public testing::Test {
 protected:
  void SetUp() override {
    if (cases().empty()) GTEST_SKIP() << "ONNX's test data is not installed (libonnx-testdata)";
  }
  /// A failure unless it is excluded, and one if it is excluded and passes.
  void judge(const std::string& kind, const std::string& name, const std::string& wrong) {
    const auto it = excluded_.find({kind, name});
    if (it == excluded_.end()) {
      if (!wrong.empty()) ADD_FAILURE() << kind << " " << name << ": " << wrong;
      return;
    }
    used_.insert(it->first);
    if (wrong.empty()) ADD_FAILURE() << kind << " " << name << " passes, but is excluded:" << it->second;
  }
  void all_exclusions_used(const std::string& kind) {
    for (const auto& [key, reason] : excluded_) {
      if (key.first == kind && !used_.contains(key))
        ADD_FAILURE() << kind << " " << key.second << ": excluded, but not run";
    }
  }
  std::map<std::pair<std::string, std::string>, std::string> excluded_ = exclusions();
  std::set<std::pair<std::string, std::string>> used_;
};

}  // namespace compressor::node_cases
