// recurrence_setting: what a node of LSTM, GRU or RNN says, as numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "compressor/ops/op.h"
#include "ops/gate.h"

namespace compressor::ops {

enum class Cell : std::uint8_t { kRnn, kGru, kLstm };

/// All that a node says, as numbers.
struct Recurrence {
  Cell cell = Cell::kRnn;
  std::int64_t gates = 1;
  std::int64_t steps = 0, batch = 0, inputs = 0, hidden = 0, directions = 1;
  bool reverse = false;      ///< of the only direction
  bool batch_first = false;  ///< layout 1
  bool linear_before_reset = false;
  bool input_forget = false;
  bool quantizes_state = false;  ///< to 8 bits, before every product
  double clip = 0;               ///< 0: none
  std::vector<Gate> gate_list;   ///< of all directions
  std::vector<std::int64_t> lengths;

  std::int64_t row(std::int64_t step, std::int64_t sample) const {
    return batch_first ? sample * steps + step : step * batch + sample;
  }
  std::int64_t output(std::int64_t step, std::int64_t direction, std::int64_t sample) const {
    return (batch_first ? (sample * steps + step) * directions + direction
                        : (step * directions + direction) * batch + sample) *
           hidden;
  }
  std::int64_t state(std::int64_t direction, std::int64_t sample) const {
    return (batch_first ? sample * directions + direction : direction * batch + sample) * hidden;
  }
};

/// Reads and checks attributes and shapes; throws Error::model for what does not fit.
Recurrence read_recurrence(const ComputeContext& ctx);

}  // namespace compressor::ops
