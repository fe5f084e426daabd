// settings: defaults that depend on other options are resolved here.
#include "passes/quantize/settings.h"

#include "compressor/base/error.h"

namespace compressor::quantize {
namespace {

bool is_symmetric(const Quantize& q) {
  if (*q.symmetric) return true;
  if (*q.asymmetric || *q.clip == "hqq") return false;
  return bits_of(q) > 2;
}

DType code_of(const Quantize& q) {
  return *q.type == "auto" ? codec::code_type(bits_of(q), is_symmetric(q)) : dtype_of(*q.type);
}

}  // namespace

int bits_of(const Quantize& q) {
  if (*q.type == "auto") return std::stoi(*q.bits);
  return bits(dtype_of(*q.type));
}

WeightOnlyOptions weight_options(const Quantize& q) {
  WeightOnlyOptions o;
  const int width = bits_of(q);
  o.code = code_of(q);
  o.fit.symmetric = is_symmetric(q);
  const bool is_signed = codec::lowest(o.code) < 0;
  // Of 8 bits the lowest code is left out, as runtimes want it of symmetric weights; below, none can be
  // spared.
  o.fit.codes = code_range(width, is_signed, o.fit.symmetric && width == 8);
  o.fit.clip = *q.clip == "hqq"                                       ? Clip::kHqq
               : *q.clip == "mse" || (*q.clip == "auto" && width < 8) ? Clip::kMse
                                                                      : Clip::kMinMax;
  const bool grouped = *q.storage == "blocked" || *q.storage == "matmulnbits";
  const bool auto_group = *q.granularity == "auto" && (grouped || (width < 8 && *q.storage != "qdq"));
  o.output_clip = *q.awq && *q.clip == "auto";
  o.granularity = *q.granularity == "group" || auto_group ? Granularity::kGroup
                  : *q.granularity == "tensor"            ? Granularity::kTensor
                                                          : Granularity::kChannel;
  o.group = static_cast<std::uint64_t>(*q.group_size);
  o.storage = *q.storage == "qdq"           ? codec::Storage::kQdq
              : *q.storage == "blocked"     ? codec::Storage::kBlocked
              : *q.storage == "matmulnbits" ? codec::Storage::kMatMulNBits
                                            : codec::Storage::kPortable;
  return o;
}

Target target_for(const Quantize& q) {
  const Target& target = target_of(*q.target);
  return *q.activation_type == "auto" ? target : with_activation(target, dtype_of(*q.activation_type));
}

std::optional<GptqOptions> rounding_of(const Quantize& q, bool has_data) {
  if (*q.rounding == "nearest") return std::nullopt;
  if (!has_data)
    throw Error::usage("--rounding {} needs --data: it measures what layers take in", *q.rounding);
  return GptqOptions{.damping = *q.damping};
}

}  // namespace compressor::quantize
