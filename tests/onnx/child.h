// child: a test of this program run in a process of its own, to be killed or measured.
#pragma once

#include <sys/types.h>

#include <string>

namespace compressor::test {

/// In the child: the argument it was given under `role`; null when this process is not that child.
const char* child_argument(const std::string& role);
/// Starts this program with only `test`; its output goes to /dev/null.
pid_t start_child(const std::string& test, const std::string& role, const std::string& argument);

}  // namespace compressor::test
