// fail: the form in which all rules of operators say what is wrong with a node.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "compressor/base/error.h"
#include "compressor/graph/graph.h"

namespace compressor::ops {

/// Throws Error::model "node 'x' (Op): ...".
template <class... A>
[[noreturn]] void fail_at(const Node& node, fmt::format_string<A...> text, A&&... args) {
  throw Error::model("node '{}' ({}): {}", node.label(), node.op(),
                     fmt::format(text, std::forward<A>(args)...));
}

}  // namespace compressor::ops
