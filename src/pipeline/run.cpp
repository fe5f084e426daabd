// run: timing, records and marks.
#include "compressor/pipeline/run.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "compressor/base/hash.h"
#include "compressor/base/log.h"

namespace compressor {
namespace {

constexpr std::string_view kMark = "compressor.";

std::string value_mark(const OptionBase& option, const std::string& value) {
  if (option.is_path()) return hash_file(value);
  if (option.is_list() && value.starts_with('@')) return "@" + hash_file(value.substr(1));
  return value;
}

std::vector<std::string> values_of(const OptionBase& option) {
  const auto* list = dynamic_cast<const Option<std::vector<std::string>>*>(&option);
  return list ? list->value() : std::vector<std::string>{option.text()};
}

}  // namespace

std::string_view version() {
  return COMPRESSOR_VERSION;
}

PassResult run_pass(Pass& pass, Model& model, PassContext& context) {
  const auto start = std::chrono::steady_clock::now();
  context.result = {};
  context.result.pass = pass.name();
  context.result.options = options_in_force(pass);
  log_debug("{}: running", pass.name());
  pass.run(model, context);
  if (!pass.explains()) model.verify();
  context.result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  log_debug("{}: {} of {} {}, {} skipped, {:.3f} s", pass.name(), context.result.done,
            context.result.eligible, context.result.unit, context.result.skipped, context.result.seconds);
  return context.result;
}

std::vector<std::pair<std::string, std::string>> options_in_force(const Options& options) {
  std::vector<std::pair<std::string, std::string>> list;
  for (const OptionBase* option : options.options()) {
    if (option->is_positional() || !option->changes_result()) continue;
    std::string text = option->text();
    if (!text.empty()) list.emplace_back(option->name(), std::move(text));
  }
  return list;
}

std::string options_mark(const Options& options) {
  std::string text;
  for (const OptionBase* option : options.options()) {
    if (option->is_positional() || !option->changes_result() || !option->is_set()) continue;
    for (const std::string& value : values_of(*option)) {
      if (value.empty()) continue;
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", option->name(), value_mark(*option, value));
    }
  }
  return text;
}

void mark(Model& model, std::string_view command, const std::string& options, const std::string& input_hash) {
  std::erase_if(model.metadata, [](const auto& entry) { return entry.first.starts_with(kMark); });
  const auto add = [&](std::string_view key, std::string value) {
    model.metadata.emplace_back(std::string(kMark) + std::string(key), std::move(value));
  };
  add("version", std::string(version()));
  add("command", std::string(command));
  add("options", options);
  add("input_hash", input_hash);
}

bool is_marked(const Model& model) {
  return std::any_of(model.metadata.begin(), model.metadata.end(),
                     [](const auto& entry) { return entry.first == "compressor.version"; });
}

}  // namespace compressor
