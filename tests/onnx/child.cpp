// child: posix_spawn of /proc/self/exe with the role in the environment.
#include "onnx/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>

#include <array>
#include <cstdlib>

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace compressor::test {
namespace {

std::string variable(const std::string& role) {
  return "COMPRESSOR_TEST_CHILD_" + role;
}

}  // namespace

const char* child_argument(const std::string& role) {
  return std::getenv(variable(role).c_str());
}

pid_t start_child(const std::string& test, const std::string& role, const std::string& argument) {
  std::string program = "/proc/self/exe";
  std::string filter = "--gtest_filter=" + test;
  std::array<char*, 3> argv = {program.data(), filter.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::setenv(variable(role).c_str(), argument.c_str(), 1);
  pid_t pid = -1;
  EXPECT_EQ(::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ), 0);
  ::unsetenv(variable(role).c_str());
  ::posix_spawn_file_actions_destroy(&actions);
  return pid;
}

}  // namespace compressor::test
