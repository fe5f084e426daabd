// list: what this version knows.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "command.h"
#include "compressor/data/dataset.h"
#include "compressor/data/preprocess.h"
#include "compressor/metrics/metric.h"
#include "compressor/ops/op.h"
#include "compressor/passes/quantize.h"
#include "compressor/pipeline/registry.h"
#include "compressor/report/table.h"

namespace compressor::cli {
namespace {

using Json = nlohmann::ordered_json;
constexpr std::size_t kWidest = 200;  // sentences are not cut

struct Listing {
  Table table;
  Json json = Json::array();
};

Listing ops_listing() {
  Listing list{.table = Table({{"operator"}, {"opsets"}, {"shape"}, {"cost"}, {"folded"}, {"channels"}})};
  std::map<std::pair<std::string, std::int64_t>, const ops::Op*> sorted;
  for (const ops::Op& op : ops::op_table().all()) {
    sorted[{op.domain.empty() ? op.type : op.domain + "." + op.type, op.since}] = &op;
  }
  const auto yes = [](const auto& rule) { return rule ? "yes" : "-"; };
  for (const auto& [key, op] : sorted) {
    const std::string range =
        op->until ? fmt::format("{}-{}", op->since, op->until) : fmt::format("{}-", op->since);
    list.table.add({key.first, range, std::string(yes(op->infer)), std::string(yes(op->cost)),
                    std::string(yes(op->compute)), std::string(yes(op->channels))});
    list.json.push_back({{"operator", op->type},
                         {"domain", op->domain},
                         {"since", op->since},
                         {"until", op->until ? Json(op->until) : Json()},
                         {"shape", bool(op->infer)},
                         {"cost", bool(op->cost)},
                         {"compute", bool(op->compute)},
                         {"channels", bool(op->channels)}});
  }
  return list;
}

Listing passes_listing() {
  Listing list{.table = Table({{"pass"}, {"what it does"}})};
  for (const auto& pass : all_passes()) {
    list.table.add({pass->name(), pass->summary()});
    list.json.push_back({{"pass", pass->name()}, {"summary", pass->summary()}});
  }
  return list;
}

Listing methods_listing() {
  Listing list{.table = Table({{"pass"}, {"option"}, {"method"}, {"default"}})};
  for (const Method& m : all_methods()) {
    list.table.add({m.pass, "--" + m.option, m.name, std::string(m.is_default ? "yes" : "")});
    list.json.push_back(
        {{"pass", m.pass}, {"option", m.option}, {"method", m.name}, {"default", m.is_default}});
  }
  return list;
}

Listing targets_listing() {
  Listing list{.table = Table({{"target"}, {"what it means for quantize"}})};
  for (const auto& [name, summary] : quantize_targets()) {
    list.table.add({name, summary});
    list.json.push_back({{"target", name}, {"summary", summary}});
  }
  return list;
}

Listing metrics_listing() {
  Listing list{.table = Table({{"metric"}, {"unit"}, {"better"}, {"what it says"}})};
  for (const MetricInfo& m : all_metrics()) {
    list.table.add({m.name, m.unit, std::string(m.higher_is_better ? "higher" : "lower"), m.summary});
    list.json.push_back({{"metric", m.name},
                         {"unit", m.unit},
                         {"higher_is_better", m.higher_is_better},
                         {"summary", m.summary}});
  }
  return list;
}

Listing data_listing() {
  Listing list{.table = Table({{"format"}, {"what it looks like"}})};
  for (const DataFormat& f : data_formats()) {
    list.table.add({f.name, f.summary});
    list.json.push_back({{"format", f.name}, {"summary", f.summary}});
  }
  return list;
}

Listing presets_listing() {
  Listing list{.table = Table({{"preset"}, {"settings"}, {"for"}})};
  for (const PreprocessPreset& p : preprocess_presets()) {
    list.table.add({p.name, p.settings, p.summary});
    list.json.push_back({{"preset", p.name}, {"settings", p.settings}, {"summary", p.summary}});
  }
  return list;
}

const std::map<std::string, Listing (*)()>& listings() {
  static const std::map<std::string, Listing (*)()> all{
      {"data", data_listing},      {"methods", methods_listing}, {"metrics", metrics_listing},
      {"ops", ops_listing},        {"passes", passes_listing},   {"presets", presets_listing},
      {"targets", targets_listing}};
  return all;
}

class List : public Command {
 public:
  List() {
    what_.positional();
    finish();
  }
  std::string name() const override { return "list"; }
  std::string summary() const override {
    return "show what this version knows: operators, passes, methods, targets, metrics, data formats, "
           "presets";
  }
  std::string heading() const override { return "Look"; }

  void run(Terminal& terminal) override {
    const Listing list = listings().at(*what_)();
    if (*json_) return terminal.print(list.json.dump(2) + "\n");
    terminal.print(list.table.text(kWidest));
  }

 private:
  Option<std::string> what_{*this, "what", "", "ops, passes, methods, targets, metrics, data or presets",
                            Choices{{"ops", "passes", "methods", "targets", "metrics", "data", "presets"}}};
  Option<bool> json_{*this, "json", false, "print JSON"};
};

}  // namespace

void register_list(CommandTable& table);
void register_list(CommandTable& table) {
  table.push_back(std::make_unique<List>());
}

}  // namespace compressor::cli
