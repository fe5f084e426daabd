// scratch: a folder of a test's own files, and the real data where it is.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace compressor::data {

/// An empty folder that goes with the test.
class Scratch {
 public:
  Scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "compressor-data-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string path(const std::string& name = "") const {
    return name.empty() ? path_.string() : (path_ / name).string();
  }
  /// Writes a file, with its folders; returns its path.
  std::string write(const std::string& name, std::string_view content) const {
    const std::filesystem::path file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << content;
    return file.string();
  }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// The real data set `name`, "" when this machine has none: the test then skips.
inline std::string real_data(const std::string& name) {
  const char* given = std::getenv("COMPRESSOR_DATA");
  const std::filesystem::path root =
      given != nullptr ? std::filesystem::path(given)
                       : std::filesystem::path(COMPRESSOR_SOURCE_DIR) / ".." / "shared" / "data";
  const std::filesystem::path path = root / name;
  return std::filesystem::exists(path) ? path.lexically_normal().string() : "";
}

/// Expects `statement` to throw an Error of that kind whose message has `part` in it.
#define EXPECT_ERROR(statement, error_kind, part)                                             \
  do {                                                                                        \
    bool thrown_ = false;                                                                     \
    try {                                                                                     \
      static_cast<void>(statement);                                                           \
    } catch (const ::compressor::Error& e_) {                                                 \
      thrown_ = true;                                                                         \
      EXPECT_EQ(e_.kind(), error_kind) << e_.what();                                          \
      EXPECT_NE(std::string_view(e_.what()).find(part), std::string_view::npos) << e_.what(); \
    }                                                                                         \
    EXPECT_TRUE(thrown_) << #statement " did not throw";                                      \
  } while (false)

}  // namespace compressor::data
