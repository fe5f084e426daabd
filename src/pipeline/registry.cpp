// registry: the table of passes, one line each.
#include "compressor/pipeline/registry.h"

#include "compressor/base/suggest.h"
#include "compressor/passes/prune.h"
#include "compressor/passes/quantize.h"
#include "compressor/passes/simplify.h"

namespace compressor {

std::vector<std::unique_ptr<Pass>> all_passes() {
  std::vector<std::unique_ptr<Pass>> passes;
  passes.push_back(std::make_unique<Simplify>());
  passes.push_back(std::make_unique<Prune>());
  passes.push_back(std::make_unique<Quantize>());
  return passes;
}

std::unique_ptr<Pass> make_pass(std::string_view name) {
  std::vector<std::string> names;
  for (auto& pass : all_passes()) {
    if (pass->name() == name) return std::move(pass);
    names.push_back(pass->name());
  }
  throw Error::usage("unknown pass '{}'{}", name, did_you_mean(name, names));
}

std::vector<Method> all_methods() {
  std::vector<Method> methods;
  for (const auto& pass : all_passes()) {
    for (const OptionBase* option : pass->options()) {
      for (const std::string& word : option->choices()) {
        methods.push_back({.pass = pass->name(),
                           .option = option->name(),
                           .name = word,
                           .is_default = option->text() == word});
      }
    }
  }
  return methods;
}

}  // namespace compressor
