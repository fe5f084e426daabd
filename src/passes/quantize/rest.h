// rest: weights of layers that stay in float where others are computed in integers.
#pragma once

#include "compressor/pass/pass.h"

namespace compressor::quantize {

/// Stores what `context.filter` matches and no integer kernel took as int8, a scale for every output channel,
/// decoded when the model is loaded: arithmetic stays in float, and the file gets smaller. Counts nothing as
/// done; records each weight under the action "stored". For a model that modes static or dynamic rewrote.
void store_rest(Model& model, PassContext& context);

}  // namespace compressor::quantize
