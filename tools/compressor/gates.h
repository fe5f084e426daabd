// gates: runs a model before and after a change, says what it came to, and whether the result may be written.
#pragma once

#include "compressor/data/data_options.h"
#include "compressor/pass/pass.h"
#include "compressor/pipeline/groups.h"
#include "compressor/report/report.h"
#include "terminal.h"

namespace compressor::cli {

/// Samples of --data as a pass sees them. `model` and the result's own data live as long as it does. `keep`:
/// bytes of them that may be held in memory from one pass over them to the next.
PassContext::Batches calibration_batches(const Model& model, const DataOptions& data, std::uint64_t seed,
                                         std::uint64_t keep = 0);

/// Measures `before` and `after` as the options ask, adds numbers and warnings to the report. `same`: the
/// change claims to keep outputs. `calibrated`: --data was used to make `after`. Throws Error::gate when a
/// bound is broken.
void check_gates(const Model& before, const Model& after, const DataOptions& data, const GateOptions& gates,
                 const std::map<std::string, std::vector<std::int64_t>>& shapes, std::uint64_t seed,
                 bool same, bool calibrated, Report& report, Terminal& terminal);

}  // namespace compressor::cli
