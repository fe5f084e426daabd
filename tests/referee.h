// referee: asks scripts/referee.py (ONNX Runtime) about models from a test; where it is not there, tests skip
// and say so.
//
//   REQUIRE_REFEREE();
//   EXPECT_LT(judge::difference(before, after).max_rel, 1e-5);
//
// Programs that include this link `referee`.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>
#include <vector>

#include "compressor/graph/model.h"

namespace compressor::judge {

/// A folder that goes with the object.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Whether there is a referee on this machine. The first call starts it; it serves the whole test program.
bool is_there();
/// Its interpreter: COMPRESSOR_REFEREE, or the one that scripts/referee makes.
std::string python();

/// How a model is run; what is not said is as scripts/referee.py has it.
struct Conditions {
  std::map<std::string, std::vector<std::int64_t>> shapes = {};  ///< of inputs
  std::map<std::string, std::int64_t> dims = {};                 ///< of symbols
  std::string opt = {};    ///< ONNX Runtime's graph optimisations: all, extended, basic, none
  std::string feeds = {};  ///< an .npz with the inputs, in place of random ones
  std::string save = {};   ///< an .npz that gets the outputs
  int samples = 0;
};

/// "" when ONNX Runtime runs the file, else what it says.
std::string error_of_run(const std::string& path, const Conditions& conditions = {});

/// How far the outputs of two models on the same seeded random inputs are from each other.
struct Difference {
  struct Output {
    double max_abs = 0, absmax = 0;  ///< the latter of the first model's
  };
  double max_abs = 0, max_rel = 0, sqnr_db = 0;
  bool shapes_equal = false, finite = false, same_names = false;
  std::vector<Output> outputs;
  std::string error;  ///< "" when both ran
  std::string reply;  ///< the whole answer
};

Difference difference_of_files(const std::string& a, const std::string& b, const Conditions& conditions = {});
/// The same for two models in memory, which are written to temporary files first.
Difference difference(const Model& a, const Model& b, const Conditions& conditions = {});

/// What ONNX Runtime says of a model that it is to load.
struct Check {
  bool loads = false;
  std::string reply;  ///< the whole answer
};
Check check_of(const Model& model);

/// How many nodes of each operator ONNX Runtime runs for a model, after its own optimisation.
class OpCounts {
 public:
  explicit OpCounts(std::map<std::string, std::int64_t> counts) : counts_(std::move(counts)) {}
  std::int64_t of(const std::string& op) const;
  bool operator==(const OpCounts&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const OpCounts& ops);

 private:
  std::map<std::string, std::int64_t> counts_;
};
/// Throws where it does not load.
OpCounts optimized_ops(const Model& model);

/// The folder of real models, COMPRESSOR_MODELS or ../shared/models beside the repository; "" when it is not
/// there.
std::string models_folder();
/// Every .onnx file of the folder, sorted by name; empty when the folder is not there.
std::vector<std::string> real_models();

}  // namespace compressor::judge

#define REQUIRE_REFEREE()                                                             \
  do {                                                                                \
    if (!::compressor::judge::is_there())                                             \
      GTEST_SKIP() << "NO REFEREE (" << ::compressor::judge::python()                 \
                   << "): run scripts/referee; nothing was compared in ONNX Runtime"; \
  } while (false)

#define REQUIRE_MODELS()                                                                  \
  do {                                                                                    \
    if (::compressor::judge::real_models().empty())                                       \
      GTEST_SKIP() << "NO REAL MODELS: set COMPRESSOR_MODELS to a folder of .onnx files"; \
  } while (false)
