// hold: the fewest layers that have to stay as they are for a bound to hold.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compressor/pipeline/trials.h"

namespace compressor {

/// The smallest k in [0, n] with holds(k), for a bound that once it holds goes on to: found by doubling, then
/// halving, in about 2 log2(n) questions. nullopt when holds(n) is false.
std::optional<std::size_t> fewest(std::size_t n, const std::function<bool(std::size_t)>& holds);

struct Held {
  Trial trial;                    ///< the bound holds of its model
  std::vector<std::string> kept;  ///< layers that stayed as they are, most sensitive first
  int tries = 0;                  ///< models that were judged
};

/// `by_damage`: labels of all layers, most sensitive first. Leaves out the fewest first ones with which the
/// bound holds, and then takes back in those that it holds without too (at most 8 tries more). nullopt where
/// it does not hold with one layer left.
std::optional<Held> hold_gate(Trials& trials, const std::vector<std::string>& by_damage,
                              const std::function<bool(const Model&)>& holds,
                              const std::function<void(const std::string& what, double share)>& progress);

}  // namespace compressor
