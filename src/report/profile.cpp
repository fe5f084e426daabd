// profile: what `profile` shows.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "compressor/report/model.h"

namespace compressor {
namespace {

using Json = nlohmann::ordered_json;

double key_of(const LayerProfile& layer, ProfileSort sort) {
  switch (sort) {
    case ProfileSort::kMacs:
      return layer.macs * layer.times;
    case ProfileSort::kFlops:
      return layer.flops * layer.times;
    case ProfileSort::kParams:
      return static_cast<double>(layer.params);
    case ProfileSort::kBytes:
      return static_cast<double>(layer.weight_bytes);
    case ProfileSort::kActivations:
      return static_cast<double>(layer.activation_bytes);
    case ProfileSort::kOrder:
      break;
  }
  return 0;
}

std::vector<LayerProfile> rows_of(const Profile& profile, const ProfileView& view) {
  std::vector<LayerProfile> rows = view.by_op ? by_op(profile) : profile.layers;
  std::stable_sort(rows.begin(), rows.end(), [&](const LayerProfile& a, const LayerProfile& b) {
    return key_of(a, view.sort) > key_of(b, view.sort);
  });
  if (view.top > 0 && rows.size() > view.top) rows.resize(view.top);
  return rows;
}

Table::Cell cost_cell(const LayerProfile& layer, double value) {
  if (!layer.counted) return {"?", ""};
  Table::Cell cell = Table::Cell::count(value);
  if (layer.times != 1) cell.shown += fmt::format(" x{:.0f}", layer.times);
  return cell;
}

Json row_json(const LayerProfile& layer, bool by_op) {
  Json json;
  if (!by_op) json["name"] = layer.name;
  json["op"] = layer.op;
  if (by_op) json["nodes"] = std::stoll(layer.name);
  if (!by_op) {
    json["input_shape"] = layer.in;
    json["output_shape"] = layer.out;
    json["times"] = layer.times;
  }
  json["params"] = layer.params;
  json["weight_bytes"] = layer.weight_bytes;
  json["macs"] = layer.counted ? Json(layer.macs) : Json();
  json["flops"] = layer.counted ? Json(layer.flops) : Json();
  json["activation_bytes"] = layer.activation_bytes;
  return json;
}

}  // namespace

Table profile_table(const Profile& profile, const ProfileView& view) {
  const ProfileTotals& t = profile.totals;
  std::vector<Table::Column> columns{{"op"}};
  if (view.by_op) {
    columns.push_back({"nodes", true});
  } else {
    columns = {{"layer"}, {"op"}, {"input", true}, {"output", true}};
  }
  for (const char* title : {"params", "weights", "MACs", "FLOPs", "activations"})
    columns.push_back({title, true});
  Table table(columns);
  const auto row = [&](const LayerProfile& layer) {
    std::vector<Table::Cell> cells;
    if (view.by_op) {
      cells = {layer.op, layer.name};
    } else {
      cells = {layer.name, layer.op, layer.in, layer.out};
    }
    cells.push_back(Table::Cell::count(static_cast<double>(layer.params)));
    cells.push_back(Table::Cell::bytes(layer.weight_bytes));
    cells.push_back(cost_cell(layer, layer.macs));
    cells.push_back(cost_cell(layer, layer.flops));
    cells.push_back(Table::Cell::bytes(layer.activation_bytes));
    return cells;
  };
  for (const LayerProfile& layer : rows_of(profile, view)) table.add(row(layer));
  LayerProfile sum;
  sum.name = view.by_op ? std::to_string(profile.layers.size()) : "total";
  sum.op = view.by_op ? "total" : "";
  sum.params = t.params;
  sum.weight_bytes = t.weight_bytes;
  sum.macs = t.macs;
  sum.flops = t.flops;
  sum.activation_bytes = t.activation_bytes;
  table.set_total(row(sum));
  return table;
}

std::vector<std::string> profile_notes(const Profile& profile) {
  std::vector<std::string> notes;
  if (!profile.symbols.empty()) {
    notes.push_back(fmt::format("taken as 1: {}; to set {}, give the shape, as in --input-shape {}",
                                fmt::join(profile.symbols, ", "), profile.symbols.size() == 1 ? "it" : "them",
                                profile.shape_hint));
  }
  notes.insert(notes.end(), profile.notes.begin(), profile.notes.end());
  return notes;
}

std::string profile_text(const Profile& profile, const ProfileView& view) {
  std::string text = profile_table(profile, view).text();
  text += fmt::format("activations: {} in all, at most {} live at once\n",
                      bytes_text(profile.totals.activation_bytes),
                      bytes_text(profile.totals.peak_activation_bytes));
  for (const std::string& note : profile_notes(profile)) text += "note: " + note + "\n";
  return text;
}

std::string profile_markdown(const Profile& profile, const ProfileView& view, const std::string& title) {
  std::string text = fmt::format("# {}\n\n{}\n", title, profile_table(profile, view).markdown());
  text += fmt::format("Activations: {} in all, at most {} live at once.\n",
                      bytes_text(profile.totals.activation_bytes),
                      bytes_text(profile.totals.peak_activation_bytes));
  for (const std::string& note : profile_notes(profile)) text += "\nNote: " + note + ".\n";
  return text;
}

std::string profile_json(const Profile& profile, const ProfileView& view, const StoredFiles& files) {
  const ProfileTotals& t = profile.totals;
  Json json;
  json["schema_version"] = 1;
  json["path"] = files.path;
  json["totals"] = {{"bytes", files.total()},
                    {"params", t.params},
                    {"weight_bytes", t.weight_bytes},
                    {"macs", t.macs},
                    {"flops", t.flops},
                    {"activation_bytes", t.activation_bytes},
                    {"peak_activation_bytes", t.peak_activation_bytes}};
  Json& rows = json[view.by_op ? "ops" : "layers"] = Json::array();
  for (const LayerProfile& layer : rows_of(profile, view)) rows.push_back(row_json(layer, view.by_op));
  json["symbols_taken_as_one"] = profile.symbols;
  json["notes"] = profile.notes;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace compressor
