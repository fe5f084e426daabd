// minmax: all that was seen.
#include "passes/quantize/ranges/observer.h"

namespace compressor::quantize {

void register_minmax(ObserverTable& table);
void register_minmax(ObserverTable& table) {
  table.push_back({.name = "minmax",
                   .summary = "the smallest and the largest number seen",
                   .range = [](const ValueStatistics& seen, const ObserverSettings&) {
                     return ValueRange{seen.all.min, seen.all.max};
                   }});
}

}  // namespace compressor::quantize
