// primitive: the engine, the streams and the post-operations of oneDNN.
#include "kernels/onednn/primitive.h"

#include <omp.h>

#include "compressor/base/error.h"

namespace compressor::kernels::onednn {
namespace {

constexpr std::size_t kKeptScratch = 1 << 14;  ///< bytes

}  // namespace

const dnnl::engine& cpu() {
  static const dnnl::engine* const engine = new dnnl::engine(dnnl::engine::kind::cpu, 0);
  return *engine;
}

dnnl::stream& stream() {
  thread_local dnnl::stream s(cpu());
  return s;
}

bool append(dnnl::post_ops& ops, const Activation& f) {
  using K = Activation::Kind;
  using A = dnnl::algorithm;
  const auto add = [&](A algorithm, float a = 0, float b = 0) {
#if DNNL_VERSION_MAJOR >= 3
    ops.append_eltwise(algorithm, a, b);
#else
    ops.append_eltwise(1.0F, algorithm, a, b);
#endif
    return true;
  };
  switch (f.kind) {
    case K::kNone:
      return true;
    case K::kRelu:
      return add(A::eltwise_relu);
    case K::kLeakyRelu:
      return add(A::eltwise_relu, f.a);
    case K::kClip:
      return add(A::eltwise_clip, f.a, f.b);
    case K::kElu:
      return add(A::eltwise_elu, f.a);
    case K::kSigmoid:
      return add(A::eltwise_logistic);
    case K::kTanh:
      return add(A::eltwise_tanh);
    case K::kHardSigmoid:
      return add(A::eltwise_linear, f.a, f.b) && add(A::eltwise_clip, 0, 1);
    case K::kHardSwish:
#if DNNL_VERSION_MAJOR >= 3
      return add(A::eltwise_hardswish, 1.0F / 6, 0.5F);
#else
      return add(A::eltwise_hardswish);
#endif
    case K::kSilu:
      return add(A::eltwise_swish, f.a);
    case K::kGelu:
      return add(A::eltwise_gelu_erf);
    case K::kGeluTanh:
      return add(A::eltwise_gelu_tanh);
    case K::kMish:
      return add(A::eltwise_mish);
    case K::kSoftplus:
      return false;
  }
  return false;
}

dnnl::primitive_attr attributes(bool sums, const Activation& f) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  dnnl::post_ops ops;
  if (sums) ops.append_sum(1.0F);
  if (!append(ops, f)) throw dnnl::error(dnnl_unimplemented, "activation");
  attr.set_post_ops(ops);
  return attr;
}

Runner::Runner(dnnl::primitive primitive, std::vector<Argument> arguments,
               const dnnl::memory::desc& scratchpad)
    : primitive_(std::move(primitive)), arguments_(std::move(arguments)), scratch_(scratchpad.get_size()) {
  if (scratch_ > 0) arguments_.push_back({DNNL_ARG_SCRATCHPAD, scratchpad});
}

std::unique_ptr<Runner::Call> Runner::take() const {
  {
    const std::lock_guard lock(guard_);
    if (!idle_.empty()) {
      auto call = std::move(idle_.back());
      idle_.pop_back();
      return call;
    }
  }
  auto call = std::make_unique<Call>();
  for (const Argument& argument : arguments_) {
    call->memories.push_back(memory_over(argument.desc, DNNL_MEMORY_NONE));
    call->list.push_back({argument.name, call->memories.back().get()});
  }
  call->data.resize(arguments_.size());
  return call;
}

void Runner::run(std::initializer_list<const void*> data) const {
  CHECK(data.size() + (scratch_ > 0 ? 1 : 0) == arguments_.size());
  auto call = take();
  const auto point = [&](std::size_t i, const void* to) {
    // What stays where it was, as weights do, is not told again: oneDNN looks at all of it for padding then.
    if (call->data[i] == to) return;
    call->data[i] = to;
    call->memories[i].set_data_handle(
        const_cast<void*>(to));  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  };
  std::size_t i = 0;
  for (const void* p : data) point(i++, p);
  if (scratch_ > 0) {
    if (!call->scratch) call->scratch = Buffer(scratch_);
    point(i, call->scratch.data());
  }
  dnnl::error::wrap_c_api(dnnl_primitive_execute(primitive_.get(), stream().get(),
                                                 static_cast<int>(call->list.size()), call->list.data()),
                          "could not execute a primitive");
  stream().wait();
  // A large scratchpad is for whoever comes next.
  if (scratch_ > kKeptScratch) call->scratch = {};
  const std::lock_guard lock(guard_);
  idle_.push_back(std::move(call));
}

OneThread::OneThread() : before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

OneThread::~OneThread() {
  omp_set_num_threads(before_);
}

}  // namespace compressor::kernels::onednn
