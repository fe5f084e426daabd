// recurrence_trace: one direction of LSTM, GRU or RNN run forward, with all that its gradient reads.
#pragma once

#include <vector>

#include "compressor/ops/run.h"
#include "ops/recurrence_setting.h"

namespace compressor::ops {

/// Lists are [steps, N, gates H] or [steps, N, H], a step being the order in which the direction reads.
struct RecurrenceTrace {
  using Numbers = std::vector<float>;
  const Recurrence* setting = nullptr;
  std::int64_t direction = 0, hidden = 0;
  std::int64_t wide = 0;  ///< gates times hidden
  bool reverse = false;
  Numbers gates, slopes;      ///< after their activations; what these' slopes were, 0 where `clip` cut
  Numbers before, memory;     ///< the hidden state and the memory that a step read
  Numbers side;               ///< LSTM: a(C); GRU: h R + b of the candidate, or r h where r comes first
  Numbers side_slopes, cell;  ///< LSTM: a'(C), C

  /// Which time a sample reads at a step; -1: it is done.
  std::int64_t time_of(std::int64_t step, std::int64_t n) const {
    const std::int64_t length = setting->lengths[static_cast<std::size_t>(n)];
    if (step >= length) return -1;
    return reverse ? length - 1 - step : step;
  }
  /// Sample n of a step in a list of `width` numbers each.
  template <class List>
  auto* row(List& list, std::int64_t step, std::int64_t n, std::int64_t width) const {
    return list.data() + (step * setting->batch + n) * width;
  }
};

/// `s` must outlive the result.
RecurrenceTrace record_recurrence(GradientContext& ctx, const Recurrence& s, std::int64_t direction);

}  // namespace compressor::ops
