// quantize: the pass that puts weights on a grid of a few bits.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compressor/pass/pass.h"

namespace compressor {

/// Post-training quantization. Weight-only: weights become whole numbers with scales, which operators in
/// front of their readers decode; arithmetic stays in float.
class Quantize : public Pass {
 public:
  Quantize() {
    ranges.path();
    max_memory.no_effect();
  }
  std::string name() const override { return "quantize"; }
  std::string summary() const override {
    return "store weights, and with data activations, as whole numbers of 8, 4 or 2 bits";
  }
  bool reads_data() const override {
    return ((*mode == "auto" || *mode == "static") && !ranges.is_set()) ||
           (*mode == "dynamic" && smooth.is_set()) ||
           (*mode == "weight-only" && (*rounding != "nearest" || *awq));
  }
  std::string layer_action() const override { return "quantized"; }
  std::vector<std::string> layer_options() const override;
  void check() const override;
  void run(Model& model, PassContext& context) override;

  Option<std::string> mode{*this, "mode", "auto",
                           "weight-only: weights, with arithmetic in float; static: weights and activations, "
                           "with scales from --data or --ranges; dynamic: products, with scales found while "
                           "they run; auto: static with data or ranges, else weight-only",
                           Choices{{"auto", "weight-only", "static", "dynamic"}}};
  Option<std::string> ranges{*this, "ranges", "",
                             "for mode static: YAML or JSON file of what values hold (name: [low, high])"};
  Option<std::string> observer{*this, "observer", "auto",
                               "with --data: how a range is chosen from what was seen; auto: for each value "
                               "the one with the least squared error",
                               Choices{{"auto", "minmax", "moving", "percentile", "entropy", "mse"}}};
  Option<double> percentile{*this, "percentile", 99.99,
                            "share of the numbers that observer percentile leaves inside",
                            Range{.low = 50, .high = 100}};
  Option<std::string> equalize{
      *this, "equalize", "none",
      "scale channels between layers, exactly in float: by what activations were seen to hold, or by weights",
      Choices{{"none", "activations", "weights"}}};
  Option<std::string> relu6{
      *this, "relu6", "auto",
      "with --equalize or --absorb-bias: Clip from 0 to a bound becomes Relu, through which these pass, "
      "where "
      "what was seen or norms tell stays below the bound (auto), nowhere (keep), or everywhere (replace)",
      Choices{{"auto", "keep", "replace"}}};
  Option<bool> absorb_bias{
      *this, "absorb-bias", false,
      "for mode static: what a channel always holds, as was seen or norms tell, moves through Relu into the "
      "biases of what reads it"};
  Option<std::optional<double>> smooth{
      *this, "smooth", std::nullopt,
      "scale channels between norms and products by max|x|^a / max|w|^(1-a), with this a",
      Range{.low = 0, .high = 1}};
  Option<bool> awq{*this, "awq", false,
                   "for mode weight-only with --data: input channels of weights are scaled by mean|x|^a, and "
                   "ranges clipped, so that outputs of layers change least (AWQ)"};
  Option<std::vector<std::string>> input_range{
      *this,
      "input-range",
      {},
      "for mode static without --data: what an input lies in, LOW,HIGH or name=LOW,HIGH; calibration is on "
      "pictures that are made from it; may be repeated"};
  Option<std::string> bias_correction{
      *this, "bias-correction", "auto",
      "biases take back what rounded weights shift on average: by means that were seen (empirical) or that "
      "norms tell (analytic); auto: what there is",
      Choices{{"auto", "empirical", "analytic", "none"}}};
  Option<double> noise_share{
      *this, "noise-share", 0.5,
      "for mode static, calibrated: a value whose rounding alone brings more than this share of the noise "
      "at the outputs stays in float, and the layers around it; 1: none does",
      Range{.low = 0.1, .high = 1}};
  Option<bool> reestimate{
      *this, "reestimate", false,
      "for mode static with --data: each convolution gets the mean and deviation back that its "
      "channels had in float, in order; runs the net once for each"};
  Option<std::int64_t> max_memory{*this, "max-memory", 0,
                                  "megabytes that calibration may take for what it gathers; more passes over "
                                  "the data where that is not enough; 0: no limit, 1024 for rounding gptq",
                                  Range::at_least(0)};
  Option<std::string> target{
      *this, "target", "generic",
      "for modes static and dynamic: the runtime whose kernels decide what is quantized, and how",
      Choices{{"generic", "ort-cpu", "ort-cpu-avx2", "trt", "tflite"}}};
  Option<std::string> format{*this, "format", "qdq",
                             "for mode static: operators in float between QuantizeLinear and "
                             "DequantizeLinear (qdq), which runtimes fuse, or integer operators (qoperator)",
                             Choices{{"qdq", "qoperator"}}};
  Option<std::string> activation_type{
      *this, "activation-type", "auto",
      "for mode static: type of the codes of activations; auto: what the target computes fastest in",
      Choices{{"auto", "uint8", "int8", "int16", "uint16"}}};
  Option<std::string> rest{
      *this, "rest", "int8",
      "for modes static and dynamic: weights of layers that stay in float: as codes of 8 "
      "bits, decoded when the model is loaded, or as they are",
      Choices{{"int8", "float"}}};
  Option<bool> dynamic_conv{*this, "dynamic-conv", false, "for mode dynamic: convolutions too (ConvInteger)"};
  Option<bool> dynamic_activations{*this, "dynamic-activations", false,
                                   "for mode dynamic: MatMul of two activations too (attention)"};
  Option<std::string> bits{*this, "bits", "8", "bits of a weight", Choices{{"8", "4", "2"}}};
  Option<std::string> type{*this, "type", "auto",
                           "type of the codes; auto: signed when symmetric, else unsigned",
                           Choices{{"auto", "int8", "uint8", "int4", "uint4", "int2", "uint2"}}};
  Option<std::string> granularity{*this, "granularity", "auto",
                                  "what shares a scale: a tensor, an output channel, or a group of a "
                                  "channel's inputs; auto: channel for 8 "
                                  "bits, group below",
                                  Choices{{"auto", "tensor", "channel", "group"}}};
  Option<std::int64_t> group_size{*this, "group-size", 32, "inputs in a group",
                                  Range{.low = 16, .high = 256}};
  Option<bool> symmetric{
      *this, "symmetric", false,
      "no zero points: the range is as wide on both sides of 0 (default for 8 and 4 bits)"};
  Option<bool> asymmetric{*this, "asymmetric", false,
                          "a zero point for every scale: the range need not be centred (default for 2 bits)"};
  Option<std::string> clip{*this, "clip", "auto",
                           "how the range is found: all of it, least squared error, or half-quadratic; auto: "
                           "minmax for 8 bits, mse below",
                           Choices{{"auto", "minmax", "mse", "hqq"}}};
  Option<std::string> rounding{
      *this, "rounding", "nearest",
      "nearest: every weight to its nearest code; gptq: with --data, codes with which "
      "the outputs of layers change least",
      Choices{{"nearest", "gptq"}}};
  Option<double> damping{*this, "damping", 0.01,
                         "for rounding gptq: share of the mean square of the inputs that is added to each",
                         Range{.low = 1e-6, .high = 10}};
  Option<std::string> storage{*this, "storage", "auto",
                              "form in the file: DequantizeLinear (qdq, blocked), MatMulNBits, or operators "
                              "of opset 7; auto: portable",
                              Choices{{"auto", "qdq", "blocked", "matmulnbits", "portable"}}};

 private:
  void rewrite(Model& model, PassContext& context);
};

/// What --target may be, each with one sentence.
std::vector<std::pair<std::string, std::string>> quantize_targets();

}  // namespace compressor
