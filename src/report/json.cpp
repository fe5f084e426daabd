// json: reports as JSON, schema version 1, and back. docs/report.md describes it.
#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "compressor/base/error.h"
#include "compressor/report/report.h"

namespace compressor {
namespace {

using Json = nlohmann::ordered_json;
constexpr int kSchema = 1;

Json settings_json(const Report::Settings& settings) {
  Json json = Json::object();
  for (const auto& [name, value] : settings) json[name] = value;
  return json;
}

Report::Settings settings_from(const Json& json) {
  Report::Settings settings;
  for (const auto& [name, value] : json.items()) settings.emplace_back(name, value.get<std::string>());
  return settings;
}

Json file_json(const ReportFile& file) {
  Json json{{"path", file.path}, {"bytes", file.bytes}};
  json["hash"] = file.hash.empty() ? Json() : Json(file.hash);
  return json;
}

ReportFile file_from(const Json& json) {
  ReportFile file{.path = json.at("path"), .bytes = json.at("bytes"), .hash = {}};
  if (!json.at("hash").is_null()) file.hash = json.at("hash");
  return file;
}

// Whole numbers without a fraction.
Json number(double value) {
  if (value >= 0 && value < 9e15 && value == static_cast<double>(static_cast<std::uint64_t>(value))) {
    return static_cast<std::uint64_t>(value);
  }
  return value;
}

Json pass_json(const Report::PassEntry& pass) {
  Json json{{"name", pass.name},      {"unit", pass.unit},       {"eligible", pass.eligible},
            {"done", pass.done},      {"skipped", pass.skipped}, {"changed", pass.changed},
            {"seconds", pass.seconds}};
  json["options"] = settings_json(pass.options);
  json["notes"] = pass.notes;
  if (!pass.explanation.empty()) json["explanation"] = pass.explanation;
  return json;
}

Report::PassEntry pass_from(const Json& json) {
  Report::PassEntry pass{
      .name = json.at("name"), .unit = json.at("unit"), .options = {}, .notes = {}, .explanation = {}};
  pass.eligible = json.at("eligible");
  pass.done = json.at("done");
  pass.skipped = json.at("skipped");
  pass.changed = json.at("changed");
  pass.seconds = json.at("seconds");
  pass.options = settings_from(json.at("options"));
  pass.notes = json.at("notes");
  if (json.contains("explanation")) pass.explanation = json.at("explanation");
  return pass;
}

Json grid_json(const GridRecord& g) {
  Json json{{"role", g.role}, {"tensor", g.tensor}, {"type", g.type},           {"scales", g.scales},
            {"low", g.low},   {"high", g.high},     {"scale_min", g.scale_min}, {"scale_max", g.scale_max}};
  json["zero"] = g.zero ? Json(*g.zero) : Json();
  json["snr_db"] = g.snr_db && std::isfinite(*g.snr_db) ? Json(*g.snr_db) : Json();
  json["exact"] = g.snr_db && std::isinf(*g.snr_db);
  return json;
}

GridRecord grid_from(const Json& json) {
  GridRecord g{.role = json.at("role"),
               .tensor = json.at("tensor"),
               .type = json.at("type"),
               .scales = json.at("scales"),
               .low = json.at("low"),
               .high = json.at("high"),
               .scale_min = json.at("scale_min"),
               .scale_max = json.at("scale_max"),
               .zero = {},
               .snr_db = {}};
  if (!json.at("zero").is_null()) g.zero = json.at("zero").get<std::int64_t>();
  if (!json.at("snr_db").is_null()) g.snr_db = json.at("snr_db").get<double>();
  if (json.at("exact").get<bool>()) g.snr_db = std::numeric_limits<double>::infinity();
  return g;
}

Report from_json(const Json& json) {
  Report r;
  r.version = json.at("tool").at("version");
  r.command = json.at("command");
  r.options = settings_from(json.at("options"));
  r.seed = json.at("seed");
  r.input = file_from(json.at("input"));
  if (!json.at("output").is_null()) r.output = file_from(json.at("output"));
  for (const auto& [name, t] : json.at("totals").items()) {
    r.totals.push_back({.name = name, .before = t.at("before"), .after = t.at("after")});
  }
  for (const Json& layer : json.at("layers")) {
    r.layers.push_back(
        {layer.at("pass"), layer.at("node"), layer.at("op"), layer.at("action"), layer.at("detail")});
    if (!layer.contains("grids")) continue;
    for (const Json& grid : layer.at("grids")) r.layers.back().grids.push_back(grid_from(grid));
  }
  for (const Json& pass : json.at("passes")) r.passes.push_back(pass_from(pass));
  for (const Json& reason : json.at("coverage").at("reasons")) {
    r.reasons.push_back({.why = reason.at("why"), .count = reason.at("count")});
  }
  if (json.at("coverage").contains("shares")) {
    for (const auto& [name, share] : json.at("coverage").at("shares").items())
      r.shares.emplace_back(name, share.get<double>());
  }
  for (const Json& cut : json.at("removed")) {
    r.removed.push_back(
        {.tensor = cut.at("tensor"), .axis = cut.at("axis"), .of = cut.at("of"), .index = cut.at("index")});
  }
  for (const auto& [name, value] : json.at("metrics").items()) {
    if (name == "not_measured") {
      r.not_measured = value;
    } else {
      r.metrics.emplace_back(name, value.get<double>());
    }
  }
  for (const auto& [step, seconds] : json.at("timing").items())
    r.timing.emplace_back(step, seconds.get<double>());
  r.peak_rss = json.at("peak_rss");
  r.warnings = json.at("warnings");
  return r;
}

}  // namespace

std::string report_json(const Report& r) {
  Json json;
  json["schema_version"] = kSchema;
  json["tool"] = {{"name", "compressor"}, {"version", r.version}};
  json["command"] = r.command;
  json["options"] = settings_json(r.options);
  json["seed"] = r.seed;
  json["input"] = file_json(r.input);
  json["output"] = r.output ? file_json(*r.output) : Json();
  json["totals"] = Json::object();
  for (const Total& t : r.totals) {
    json["totals"][t.name] = {{"before", number(t.before)}, {"after", number(t.after)}};
    json["totals"][t.name]["ratio"] = t.after > 0 ? Json(t.ratio()) : Json();
  }
  json["layers"] = Json::array();
  for (const Report::Layer& l : r.layers) {
    json["layers"].push_back(
        {{"pass", l.pass}, {"node", l.node}, {"op", l.op}, {"action", l.action}, {"detail", l.detail}});
    for (const GridRecord& grid : l.grids) json["layers"].back()["grids"].push_back(grid_json(grid));
  }
  json["passes"] = Json::array();
  for (const Report::PassEntry& pass : r.passes) json["passes"].push_back(pass_json(pass));
  json["coverage"] = {{"eligible", r.eligible()}, {"done", r.done()}, {"skipped", r.skipped()}};
  for (const auto& [name, share] : r.shares) json["coverage"]["shares"][name] = share;
  Json& reasons = json["coverage"]["reasons"] = Json::array();
  for (const Report::Reason& reason : r.reasons)
    reasons.push_back({{"why", reason.why}, {"count", reason.count}});
  json["removed"] = Json::array();
  for (const Removed& cut : r.removed) {
    json["removed"].push_back(
        {{"tensor", cut.tensor}, {"axis", cut.axis}, {"of", cut.of}, {"index", cut.index}});
  }
  json["metrics"] = Json::object();
  for (const auto& [name, value] : r.metrics) json["metrics"][name] = value;
  json["metrics"]["not_measured"] = r.not_measured;
  json["timing"] = Json::object();
  for (const auto& [step, seconds] : r.timing) json["timing"][step] = seconds;
  json["peak_rss"] = r.peak_rss;
  json["warnings"] = r.warnings;
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Report parse_report(const std::string& text, const std::string& origin) {
  try {
    const Json json = Json::parse(text);
    const Json& schema = json.at("schema_version");
    if (schema != kSchema) {
      throw Error::io("{}: report has schema version {}, expected {}", origin, schema.dump(), kSchema);
    }
    return from_json(json);
  } catch (const Json::exception& e) {
    throw Error::io("{}: is not a report of compressor: {}", origin, e.what());
  }
}

}  // namespace compressor
