// output_noise: what rounding each activation alone does to the outputs of a model, by its gradients.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "compressor/analysis/statistics.h"
#include "passes/quantize/grid/affine.h"

namespace compressor::quantize {

struct OutputNoise {
  /// Noise over signal, the mean over the outputs, by the name of the value.
  std::map<std::string, double, std::less<>> of;
  std::string unknown;  ///< why nothing is known; empty where it is
};

/// With y the outputs, each divided by its norm, and e the error of a value x on its grid,
///   noise = E |dy/dx e|^2 / number of outputs,   |dy/dx e|^2  ~  E_r sum_i (d(r.y)/dx_i)^2 e_i^2,   r a
///   random vector of variance 1:
/// errors of single numbers count as independent, and small. One run forward and backward for each of a few
/// samples serves all values. Values of bodies are left out.
OutputNoise output_noise(const Model& model, const std::map<const Value*, Affine>& grids,
                         const CodeRange& codes, const Samples& samples, std::uint64_t seed);

}  // namespace compressor::quantize
