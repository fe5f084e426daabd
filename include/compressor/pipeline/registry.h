// registry: every pass this program knows.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compressor/pass/pass.h"

namespace compressor {

/// Fresh instances with options at their defaults, in the order in which help shows them.
std::vector<std::unique_ptr<Pass>> all_passes();
/// Throws Error::usage with a suggestion when there is no such pass.
std::unique_ptr<Pass> make_pass(std::string_view name);

/// One of the words that an option of a pass offers: a method one can choose.
struct Method {
  std::string pass;    ///< "prune"
  std::string option;  ///< "criterion"
  std::string name;    ///< "fpgm"
  bool is_default = false;
};
std::vector<Method> all_methods();

}  // namespace compressor
