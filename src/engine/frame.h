// frame: the values of one run of one program, and the orders they lie in.
#pragma once

#include "engine/program.h"

namespace compressor::engine {

struct Frame {
  Program* program = nullptr;
  Frame* outer = nullptr;
  std::vector<HeldPtr> slots;

  HeldPtr& at(const Ref& ref) {
    Frame* f = this;
    for (int i = 0; i < ref.up; ++i) f = f->outer;
    const auto slot = static_cast<std::size_t>(ref.slot);
    HeldPtr& constant = f->program->constants[slot];
    return constant ? constant : f->slots[slot];
  }
};

/// The value's tensor in the order asked for, aligned for its elements; made on first use and kept.
const Tensor& tensor_in(Held& held, ops::Layout layout);
/// A tensor with its elements in another order.
Tensor reordered(const Tensor& tensor, ops::Layout from, ops::Layout to);
/// a + b, elements in the order of a; in the memory of a or b where nobody else holds it.
void add_to(ops::RunValue& a, ops::RunValue b);

}  // namespace compressor::engine
