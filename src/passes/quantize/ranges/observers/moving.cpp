// moving: the moving average of each batch's smallest and largest number (Jacob et al. 2018, 1712.05877).
#include "passes/quantize/ranges/observer.h"

namespace compressor::quantize {

void register_moving(ObserverTable& table);
void register_moving(ObserverTable& table) {
  table.push_back(
      {.name = "moving",
       .summary = "moving average of each batch's smallest and largest number",
       .range = [](const ValueStatistics& seen, const ObserverSettings&) {
         return ValueRange{static_cast<float>(seen.moving_min), static_cast<float>(seen.moving_max)};
       }});
}

}  // namespace compressor::quantize
