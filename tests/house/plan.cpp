// plan: reads the floor plan and holds includes against it.
#include "house/plan.h"

#include <algorithm>
#include <fstream>
#include <sstream>

namespace compressor::house {
namespace {

/// Where a library may be included: folders of the source tree, by the start of what stands in the brackets.
struct Door {
  std::string library;
  std::vector<std::string> folders;
};
const std::vector<Door>& doors() {
  static const std::vector<Door> kDoors = {
      {"onnx/", {"src/onnx", "tests/onnx"}},
      {"google/protobuf/", {"src/onnx", "tests/onnx"}},
      {"CLI/", {"tools"}},
      {"Eigen/", {"src/kernels", "src/analysis", "src/codec", "src/passes", "tests"}},
      {"nlohmann/", {"src/report", "src/pipeline", "src/data/formats", "tools", "tests"}},
      {"xxhash.h", {"src/base"}},
      {"omp.h", {"src/base", "src/kernels"}},
      {"spdlog/", {"src/base", "include/compressor/base", "tools"}},
      {"oneapi/", {"src/kernels"}},
      {"dnnl", {"src/kernels"}},
      {"yaml-cpp/", {"src/pass", "src/pipeline", "src/passes", "src/data"}},
      {"gtest/", {"tests"}},
      {"gmock/", {"tests"}},
  };
  return kDoors;
}

bool starts_with(const std::string& text, const std::string& start) {
  return text.rfind(start, 0) == 0;
}

/// The room a source belongs to; "" for tools and tests, which may use every room.
std::string room_of(const File& file) {
  const std::vector<std::string> p = parts(file.path);
  if (file.in("include/compressor") && p.size() > 3) return p[2];
  if (file.in("src") && p.size() > 2) return p[1];
  return "";
}

/// The room an include points into: "compressor/graph/graph.h" and "graph/private.h" -> graph.
struct Target {
  std::string room;
  bool is_public;
};
Target target_of(const Plan& plan, const std::string& include) {
  const std::vector<std::string> p = parts(include);
  if (p.size() > 2 && p[0] == "compressor") return {p[1], true};
  if (p.size() > 1 && plan.count(p[0]) > 0) return {p[0], false};
  return {"", false};
}

std::string at(const File& file, const Include& include) {
  return file.path + ":" + std::to_string(include.line) + ": includes " + include.path;
}

}  // namespace

Plan plan_from(const std::vector<std::string>& lines) {
  std::map<std::string, std::vector<std::string>> direct;
  for (const std::string& line : lines) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::istringstream uses(line.substr(colon + 1));
    std::vector<std::string>& list = direct[line.substr(0, colon)];
    for (std::string room; uses >> room;) list.push_back(room);
  }
  Plan plan;
  for (const auto& [room, uses] : direct) {
    std::set<std::string>& all = plan[room];
    std::vector<std::string> open = {room, "base"};
    while (!open.empty()) {
      const std::string next = open.back();
      open.pop_back();
      if (all.insert(next).second && direct.count(next) > 0) {
        open.insert(open.end(), direct[next].begin(), direct[next].end());
      }
    }
  }
  return plan;
}

Plan floor_plan() {
  std::ifstream in(COMPRESSOR_FLOOR_PLAN);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return plan_from(lines);
}

std::vector<std::string> wrong_includes(const Plan& plan, const File& file) {
  std::vector<std::string> wrong;
  const std::string room = room_of(file);
  for (const Include& include : includes(file)) {
    for (const Door& door : doors()) {
      if (!include.angled || !starts_with(include.path, door.library)) continue;
      if (std::none_of(door.folders.begin(), door.folders.end(),
                       [&](const std::string& folder) { return file.in(folder); })) {
        wrong.push_back(at(file, include) + ", which this folder may not");
      }
    }
    const Target target = target_of(plan, include.path);
    if (target.is_public && include.angled)
      wrong.push_back(at(file, include) + " in brackets, expected quotes");
    if (room.empty() || target.room.empty() || include.angled) continue;
    const auto uses = plan.find(room);
    if (uses == plan.end()) {
      wrong.push_back(file.path + ": room '" + room + "' is not in the floor plan");
    } else if (uses->second.count(target.room) == 0) {
      wrong.push_back(at(file, include) + ", but room '" + room + "' may not use '" + target.room + "'");
    } else if (!target.is_public && target.room != room) {
      wrong.push_back(at(file, include) + ", a private header of room '" + target.room + "'");
    }
    if (file.in("include") && !target.is_public) {
      wrong.push_back(at(file, include) + ", a private header, from a public one");
    }
  }
  return wrong;
}

}  // namespace compressor::house
