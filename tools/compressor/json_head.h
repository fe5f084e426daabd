// json_head: what every JSON answer of a command begins with.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "compressor/pipeline/run.h"

namespace compressor::cli {

/// {"schema_version": 1, "tool": {name, version}, "command": ...}
inline nlohmann::ordered_json json_head(const std::string& command) {
  nlohmann::ordered_json json;
  json["schema_version"] = 1;
  json["tool"] = {{"name", "compressor"}, {"version", std::string(version())}};
  json["command"] = command;
  return json;
}

}  // namespace compressor::cli
