// pass_samples: the data that a pass was given, as feeds of a model.
#pragma once

#include <string>

#include "compressor/analysis/statistics.h"
#include "compressor/pass/pass.h"
#include "passes/quantize/channels/prepare_channels.h"

namespace compressor::quantize {

/// The samples of `context`, which must outlive them; `doing` is what the progress says. Visiting throws
/// Error::io where the data holds numbers that are not finite.
Samples samples_of(PassContext& context, const std::string& doing);

/// At most so many samples (whole batches), held to be visited again and again.
Samples first_of(const Samples& samples, std::int64_t count);

/// Looks at channels on the samples of `context`; empty where it has none.
Look look_at(PassContext& context);

}  // namespace compressor::quantize
