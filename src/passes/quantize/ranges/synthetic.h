// synthetic: inputs for whoever has none, made from the range that they lie in.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compressor/pass/pass.h"

namespace compressor::quantize {

/// What an input lies in: low, high.
struct InputRange {
  double low = 0, high = 1;
};

/// Reads "LOW,HIGH" (for every input) and "name=LOW,HIGH". Throws Error::usage naming what is wrong, or an
/// input that is not there.
std::map<std::string, InputRange> parse_input_ranges(const Model& model,
                                                     const std::vector<std::string>& texts);

/// Seeded batches of all of the model's inputs. Of rank 4 with 1 to 4 channels: pictures of discs and boxes
/// one over the other, many small and few large ones (dead leaves, Lee, Mumford and Huang 2001), whose edges,
/// areas and spectra are like those of photographs. Else: slowly changing noise along the last axis.
/// `shapes`: of inputs whose shape the model leaves open. Throws Error::usage for an input without range,
/// open shape, or another type than float32.
PassContext::Batches synthetic_batches(const Model& model, const std::map<std::string, InputRange>& ranges,
                                       const std::map<std::string, std::vector<std::int64_t>>& shapes,
                                       std::uint64_t seed, std::int64_t samples);

}  // namespace compressor::quantize
