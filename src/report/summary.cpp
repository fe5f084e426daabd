// summary: what `info` shows.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "compressor/report/model.h"

namespace compressor {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kLabel = 14;
constexpr std::size_t kWidth = 96;

// "  label         item, item,\n                item"
std::string line(const std::string& label, const std::vector<std::string>& items,
                 const std::string& separator) {
  std::string text = fmt::format("  {:<{}}", label, kLabel - 2);
  std::size_t column = text.size();
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string item = items[i] + (i + 1 < items.size() ? separator : "");
    if (column + item.size() > kWidth && column > kLabel) {
      while (text.back() == ' ') text.pop_back();
      text += "\n" + std::string(kLabel, ' ');
      column = kLabel;
    }
    text += item;
    column += item.size();
  }
  while (text.back() == ' ') text.pop_back();
  return text + "\n";
}

std::string lines(const std::string& label, const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items)
    text += fmt::format("  {:<{}}{}\n", text.empty() ? label : "", kLabel - 2, item);
  return text;
}

std::vector<std::string> counts(const std::vector<ModelSummary::Count>& list) {
  std::vector<std::string> items;
  for (const auto& [name, count] : list) items.push_back(fmt::format("{} {}", name, count));
  return items;
}

std::vector<std::string> ports(const std::vector<ModelSummary::Port>& list) {
  std::vector<std::string> items;
  for (const auto& p : list) items.push_back(fmt::format("{}  {} {}", p.name, p.dtype, p.shape));
  return items;
}

const char* s(std::uint64_t n) {
  return n == 1 ? "" : "s";
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text.size() > 160 ? text.substr(0, 157) + "..." : text;
}

Json port_json(const ModelSummary::Port& p) {
  return {{"name", p.name}, {"dtype", p.dtype}, {"shape", p.shape}};
}

}  // namespace

std::uint64_t StoredFiles::total() const {
  std::uint64_t sum = bytes;
  for (const auto& [location, n] : external) sum += n;
  return sum;
}

std::string summary_text(const ModelSummary& m, const StoredFiles& files) {
  std::vector<std::string> opsets, stored, external, metadata;
  for (const auto& [domain, version] : m.opsets) opsets.push_back(fmt::format("{} {}", domain, version));
  for (const auto& w : m.stored) {
    stored.push_back(fmt::format("{}: {} in {} tensor{}", w.dtype, bytes_text(w.bytes), w.tensors,
                                 s(static_cast<std::uint64_t>(w.tensors))));
  }
  for (const auto& [location, bytes] : files.external)
    external.push_back(fmt::format("{} ({})", location, bytes_text(bytes)));
  for (const auto& [key, value] : m.metadata)
    metadata.push_back(one_line(fmt::format("{} = {}", key, value)));
  std::string text = files.path + "\n";
  text += line("format",
               {fmt::format("ONNX, IR version {}, opset {}", m.ir_version, fmt::join(opsets, ", "))}, "");
  if (!m.producer.empty()) text += line("made by", {m.producer}, "");
  if (!m.doc.empty()) text += line("about", {one_line(m.doc)}, "");
  text += line("size", {bytes_text(files.total())}, "");
  if (!external.empty()) text += line("side files", external, ", ");
  text += lines("inputs", ports(m.inputs));
  text += lines("outputs", ports(m.outputs));
  std::string params = count_text(static_cast<double>(m.params));
  if (m.generated_params > 0) {
    params += fmt::format(", of which {} are made by ConstantOfShape",
                          count_text(static_cast<double>(m.generated_params)));
  }
  text += line("parameters", {params}, "");
  if (!stored.empty()) text += line("weights", stored, ", ");
  text +=
      line("graph",
           {fmt::format("{}{} node{}", m.graph_name.empty() ? "" : m.graph_name + ": ", m.nodes,
                        s(static_cast<std::uint64_t>(m.nodes))) +
            (m.bodies ? fmt::format(" in the main graph and {} bod{}", m.bodies, m.bodies == 1 ? "y" : "ies")
                      : "")},
           "");
  text += line("operators", counts(m.ops), ", ");
  if (!m.functions.empty()) text += line("functions", counts(m.functions), ", ");
  if (m.training_graphs)
    text += line("training", {fmt::format("{} training graph(s)", m.training_graphs)}, "");
  text += lines("metadata", metadata);
  for (const std::string& warning : m.warnings) text += line("warning", {warning}, "");
  return text;
}

std::string summary_json(const ModelSummary& m, const StoredFiles& files) {
  Json json;
  json["schema_version"] = 1;
  json["path"] = files.path;
  json["format"] = "onnx";
  json["bytes"] = files.total();
  json["external_data"] = Json::array();
  for (const auto& [location, bytes] : files.external)
    json["external_data"].push_back({{"location", location}, {"bytes", bytes}});
  json["ir_version"] = m.ir_version;
  json["opsets"] = Json::object();
  for (const auto& [domain, version] : m.opsets) json["opsets"][domain] = version;
  json["producer"] = m.producer;
  json["doc"] = m.doc;
  json["graph"] = m.graph_name;
  json["inputs"] = Json::array();
  for (const auto& p : m.inputs) json["inputs"].push_back(port_json(p));
  json["outputs"] = Json::array();
  for (const auto& p : m.outputs) json["outputs"].push_back(port_json(p));
  json["params"] = m.params;
  json["generated_params"] = m.generated_params;
  json["weights"] = Json::array();
  for (const auto& w : m.stored) {
    json["weights"].push_back(
        {{"dtype", w.dtype}, {"tensors", w.tensors}, {"elements", w.elements}, {"bytes", w.bytes}});
  }
  json["nodes"] = m.nodes;
  json["bodies"] = m.bodies;
  for (const auto& [key, list] : {std::pair("ops", &m.ops), std::pair("functions", &m.functions),
                                  std::pair("unknown_ops", &m.unknown_ops)}) {
    json[key] = Json::object();
    for (const auto& [name, count] : *list) json[key][name] = count;
  }
  json["training_graphs"] = m.training_graphs;
  json["metadata"] = Json::object();
  for (const auto& [key, value] : m.metadata) json["metadata"][key] = value;
  json["warnings"] = m.warnings;
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace compressor
