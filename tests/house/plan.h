// plan: which room may include which, and which libraries come in at which doors.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "house/tree.h"

namespace compressor::house {

/// Room -> all rooms that it may include, itself and `base` among them. Uses are transitive.
using Plan = std::map<std::string, std::set<std::string>>;

/// From lines "room: room room".
Plan plan_from(const std::vector<std::string>& lines);
/// The plan of cmake/rooms.cmake.
Plan floor_plan();
/// What is wrong with one file's includes, as "path:line: what"; empty when nothing is.
std::vector<std::string> wrong_includes(const Plan& plan, const File& file);

}  // namespace compressor::house
