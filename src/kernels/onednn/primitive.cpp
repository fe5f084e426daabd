// primitive: the engine, the streams and the post-operations of oneDNN.
#include "kernels/onednn/primitive.h"

#include <omp.h>

namespace compressor::kernels::onednn {

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

void execute(const dnnl::primitive& primitive, const dnnl::memory::desc& scratchpad,
             std::unordered_map<int, dnnl::memory> arguments) {
  Buffer scratch;
  if (scratchpad.get_size() > 0) {
    scratch = Buffer(scratchpad.get_size());
    arguments.insert({DNNL_ARG_SCRATCHPAD, memory_over(scratchpad, scratch.data())});
  }
  primitive.execute(stream(), arguments);
  stream().wait();
}

OneThread::OneThread() : before_(omp_get_max_threads()) {
  omp_set_num_threads(1);
}

OneThread::~OneThread() {
  omp_set_num_threads(before_);
}

}  // namespace compressor::kernels::onednn
