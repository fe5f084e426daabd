// bodies: what operators share whose work is done by graphs inside them.
#pragma once

#include "compressor/ops/channels.h"
#include "compressor/ops/op.h"

namespace compressor::ops {

/// What holds of a value that is a or b.
Facts either(const Facts& a, const Facts& b);
/// The same kind, type and dimensions; two unknown dimensions count as the same.
bool same_shape(const Facts& a, const Facts& b);
/// Without constants and contents: of a value that changes from step to step.
Facts without_contents(Facts facts);
/// The facts of the body's outputs once the first `states` of `arguments` from `first` on are what every step
/// sees, whatever the step before made of them (outputs from `out` on). `arguments` is brought to that.
std::vector<Facts> settle_states(InferContext& ctx, const Graph& body, std::vector<Facts>& arguments,
                                 std::size_t first, std::size_t out, std::size_t states);

/// Two values that stand for one: lists of the same axes are joined; freezes where the shapes differ.
void join_values(ChannelContext& ctx, const Value& a, const Value& b);
/// `to` gets the lists of `from`, whose axis i is its axis map(i); axes mapped to -1 are frozen.
void pass_value(ChannelContext& ctx, const Value& from, const Value& to,
                const std::function<std::int64_t(std::int64_t)>& map);

}  // namespace compressor::ops
