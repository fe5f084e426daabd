// rest: the weights that are left, through weight_only in its form for any runtime.
//
//   LSTM(W, R)   ==>   LSTM(decode(W'), decode(R'))      and so for every layer that was skipped
#include "passes/quantize/rest.h"

#include <set>

#include "passes/quantize/weight_only.h"

namespace compressor::quantize {

void store_rest(Model& model, PassContext& context) {
  PassContext own;  // what cannot be stored has said so already, or has no weight
  own.filter = context.filter;
  own.progress = context.progress;
  const WeightOnlyOptions options{.fit = {.codes = {-127, 127}}};
  const WeightsStored stored = store_weights(model, options, own);
  if (stored.weights == 0) return;
  for (LayerRecord& layer : own.result.layers) {
    if (layer.action != "quantized") continue;
    layer.action = "stored";
    context.result.layers.push_back(std::move(layer));
  }
  context.note(
      fmt::format("weights of layers that stay in float: {} stored as int8, {} -> {} bytes, SNR {:.1f} dB",
                  stored.weights, stored.before, stored.after, stored.snr_db));
}

}  // namespace compressor::quantize
