// pass: the records that a pass leaves behind.
#include "compressor/pass/pass.h"

namespace compressor {

void PassContext::skip(const Node& node, const std::string& why) {
  skip(node.label(), node.op(), why);
}

void PassContext::skip(const std::string& name, const std::string& op, const std::string& why) {
  ++result.skipped;
  result.layers.push_back({.node = name, .op = op, .action = "skipped", .detail = why});
}

void PassContext::done(const Node& node, const std::string& action, const std::string& detail,
                       std::vector<GridRecord> grids) {
  result.layers.push_back(
      {.node = node.label(), .op = node.op(), .action = action, .detail = detail, .grids = std::move(grids)});
}

}  // namespace compressor
