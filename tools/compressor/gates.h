// gates: runs a model before and after a change, says what it came to, and whether the result may be written.
#pragma once

#include <optional>

#include "compressor/analysis/evaluate.h"
#include "compressor/data/data_options.h"
#include "compressor/pass/pass.h"
#include "compressor/pipeline/groups.h"
#include "compressor/report/report.h"
#include "measured.h"
#include "terminal.h"

namespace compressor::cli {

/// Samples of --data as a pass sees them. `model` and the result's own data live as long as it does. `keep`:
/// bytes of them that may be held in memory from one pass over them to the next. `shapes`: by --input-shape,
/// of states that the model leaves open.
PassContext::Batches calibration_batches(const Model& model, const DataOptions& data,
                                         const std::map<std::string, std::vector<std::int64_t>>& shapes,
                                         std::uint64_t seed, std::uint64_t keep = 0);

/// Measures results of one change against the model before it.
class Gates {
 public:
  /// What is measured, and on what. References must outlive the gates.
  struct Setting {
    const Model& before;
    const DataOptions& data;
    const GateOptions& gates;
    const std::map<std::string, std::vector<std::int64_t>>& shapes;
    std::uint64_t seed = 0;
    bool same = false;        ///< the change claims to keep outputs
    bool calibrated = false;  ///< --data was used to make the results
  };
  /// What came of one result.
  struct Verdict {
    std::vector<std::pair<std::string, double>> metrics;
    std::vector<std::string> warnings;
    std::string broken;  ///< the bound that does not hold, and by how much; "" when all do
  };
  Gates(const Setting& setting, Terminal& terminal) : s_(setting), terminal_(terminal) {}
  Verdict judge(const Model& after);
  /// A few of the inputs that bounds are about, to order layers by.
  MeasuredInputs few_inputs() const;

 private:
  void verify(const Model& after, Verdict& verdict) const;
  void measure(const Model& after, Verdict& verdict);
  std::string eval_path() const { return s_.gates.eval_data->value_or(s_.data.data->value_or("")); }
  bool measures() const;
  Setting s_;
  Terminal& terminal_;
  std::optional<Evaluation> first_;  ///< of the model before, once it was measured
};

/// Judges one result and puts what was found into the report. Throws Error::gate when a bound is broken.
void check_gates(const Gates::Setting& setting, const Model& after, Report& report, Terminal& terminal);

}  // namespace compressor::cli
