// convolution: oneDNN's direct convolution with channels-last activations and weights in the order it likes.
#include "compressor/kernels/convolution.h"

#include <algorithm>

#include "compressor/base/error.h"
#include "kernels/onednn/primitive.h"

namespace compressor::kernels {
namespace {

using dnnl::memory;
using onednn::attributes;
using onednn::cpu;
using onednn::memory_over;

using Dims64 = memory::dims;

/// What oneDNN wants to be told of a shape.
struct Sizes {
  explicit Sizes(const ConvShape& s) {
    const auto first = static_cast<std::size_t>(3 - s.spatial);
    src = {s.n, s.c_in};
    dst = {s.n, s.c_out};
    weights =
        s.groups == 1 ? Dims64{s.c_out, s.c_in} : Dims64{s.groups, s.c_out / s.groups, s.c_in / s.groups};
    for (std::size_t i = first; i < 3; ++i) {
      src.push_back(s.in[i]);
      dst.push_back(s.out[i]);
      weights.push_back(s.kernel[i]);
      strides.push_back(s.stride[i]);
      dilations.push_back(s.dilation[i] - 1);
      left.push_back(s.pad_begin[i]);
      right.push_back(s.pad_end[i]);
    }
    const bool volume = s.spatial == 3;
    activations = volume ? memory::format_tag::ndhwc : memory::format_tag::nhwc;
    plain = s.groups == 1 ? (volume ? memory::format_tag::oidhw : memory::format_tag::oihw)
                          : (volume ? memory::format_tag::goidhw : memory::format_tag::goihw);
    bias = {s.c_out};
  }
  memory::desc x() const { return {src, memory::data_type::f32, activations}; }
  memory::desc y() const { return {dst, memory::data_type::f32, activations}; }
  memory::desc w(memory::format_tag tag) const { return {weights, memory::data_type::f32, tag}; }
  memory::desc b() const { return {bias, memory::data_type::f32, memory::format_tag::x}; }

  Dims64 src, dst, weights, bias, strides, dilations, left, right;
  memory::format_tag activations, plain;
};

using Forward = dnnl::convolution_forward;

Forward::primitive_desc describe(const Sizes& s, const dnnl::primitive_attr& attr, bool bias) {
  const auto kind = dnnl::prop_kind::forward_inference;
  const auto direct = dnnl::algorithm::convolution_direct;
  const memory::desc w = s.w(memory::format_tag::any);
  const memory::desc b = bias ? s.b() : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return {cpu(), kind, direct, s.x(), w, b, s.y(), s.strides, s.dilations, s.left, s.right, attr};
#else
  return {Forward::desc(kind, direct, s.x(), w, b, s.y(), s.strides, s.dilations, s.left, s.right), attr,
          cpu()};
#endif
}

void reorder(const memory::desc& from, const void* in, const memory::desc& to, void* out) {
  const dnnl::reorder::primitive_desc pd(cpu(), from, cpu(), to);
  memory source = memory_over(from, in);
  memory target = memory_over(to, out);
  dnnl::reorder(pd).execute(onednn::stream(), source, target);
  onednn::stream().wait();
}

class Direct final : public Convolution {
 public:
  Direct(const ConvShape& shape, const Activation& f, bool sums, bool bias)
      : sizes_(shape),
        pd_(describe(sizes_, attributes(sums, f), bias)),
        runner_(Forward(pd_), arguments(pd_, bias), pd_.scratchpad_desc()),
        bias_(bias) {}

  Buffer pack(const std::byte* w) const override {
    Buffer packed(pd_.weights_desc().get_size());
    reorder(sizes_.w(sizes_.plain), w, pd_.weights_desc(), packed.data());
    return packed;
  }

  void forward(const float* x, const Buffer& packed, const float* b, float* y) const override {
    if (bias_) return runner_.run({x, packed.data(), y, b});
    runner_.run({x, packed.data(), y});
  }

 private:
  static std::vector<onednn::Runner::Argument> arguments(const Forward::primitive_desc& pd, bool bias) {
    std::vector<onednn::Runner::Argument> list{
        {DNNL_ARG_SRC, pd.src_desc()}, {DNNL_ARG_WEIGHTS, pd.weights_desc()}, {DNNL_ARG_DST, pd.dst_desc()}};
    if (bias) list.push_back({DNNL_ARG_BIAS, pd.bias_desc()});
    return list;
  }

  Sizes sizes_;
  Forward::primitive_desc pd_;
  onednn::Runner runner_;
  bool bias_;
};

struct Key {
  ConvShape shape;
  Activation f;
  bool sums = false, bias = false;
  int kind = 0;  ///< 0 forward, 1 by data, 2 by weights
  bool operator==(const Key&) const = default;
};

struct KeyHash {
  std::size_t operator()(const Key& k) const {
    onednn::Mix mix;
    const ConvShape& s = k.shape;
    mix.add(s.n).add(s.groups).add(s.c_in).add(s.c_out).add(s.spatial);
    for (std::size_t i = 0; i < 3; ++i) {
      mix.add(s.in[i]).add(s.out[i]).add(s.kernel[i]).add(s.stride[i]).add(s.dilation[i]);
      mix.add(s.pad_begin[i]).add(s.pad_end[i]);
    }
    return mix.add(k.f).add(k.sums).add(k.bias).add(k.kind).value();
  }
};

class ByData final : public Convolution {
 public:
  explicit ByData(const ConvShape& shape)
      : sizes_(shape),
        pd_(describe(sizes_)),
        runner_(Backward(pd_),
                {{DNNL_ARG_DIFF_DST, pd_.diff_dst_desc()},
                 {DNNL_ARG_WEIGHTS, pd_.weights_desc()},
                 {DNNL_ARG_DIFF_SRC, pd_.diff_src_desc()}},
                pd_.scratchpad_desc()) {}
  Buffer pack(const std::byte* w) const override {
    Buffer packed(pd_.weights_desc().get_size());
    reorder(sizes_.w(sizes_.plain), w, pd_.weights_desc(), packed.data());
    return packed;
  }
  void forward(const float* dy, const Buffer& packed, const float* /*b*/, float* dx) const override {
    runner_.run({dy, packed.data(), dx});
  }

 private:
  using Backward = dnnl::convolution_backward_data;
  static Backward::primitive_desc describe(const Sizes& s) {
    const auto direct = dnnl::algorithm::convolution_direct;
    const memory::desc w = s.w(memory::format_tag::any);
    const auto hint = onednn_hint(s);
#if DNNL_VERSION_MAJOR >= 3
    return {
        cpu(), direct, s.x(), w, s.y(), s.strides, s.dilations, s.left, s.right, hint, attributes(false, {})};
#else
    return {Backward::desc(direct, s.x(), w, s.y(), s.strides, s.dilations, s.left, s.right),
            attributes(false, {}), cpu(), hint};
#endif
  }
  static Forward::primitive_desc onednn_hint(const Sizes& s) {
    return compressor::kernels::describe(s, attributes(false, {}), false);
  }
  Sizes sizes_;
  Backward::primitive_desc pd_;
  onednn::Runner runner_;
};

class ByWeights {
 public:
  ByWeights(const ConvShape& shape, bool bias)
      : sizes_(shape),
        bias_(bias),
        pd_(describe(sizes_, bias)),
        runner_(Backward(pd_), arguments(pd_, bias), pd_.scratchpad_desc()) {}
  void run(const float* x, const float* dy, float* dw, float* db) const {
    const Buffer packed(pd_.diff_weights_desc().get_size());
    if (bias_) {
      runner_.run({x, dy, packed.data(), db});
    } else {
      runner_.run({x, dy, packed.data()});
    }
    reorder(pd_.diff_weights_desc(), packed.data(), sizes_.w(sizes_.plain), dw);
  }

 private:
  using Backward = dnnl::convolution_backward_weights;
  static std::vector<onednn::Runner::Argument> arguments(const Backward::primitive_desc& pd, bool bias) {
    std::vector<onednn::Runner::Argument> list{{DNNL_ARG_SRC, pd.src_desc()},
                                               {DNNL_ARG_DIFF_DST, pd.diff_dst_desc()},
                                               {DNNL_ARG_DIFF_WEIGHTS, pd.diff_weights_desc()}};
    if (bias) list.push_back({DNNL_ARG_DIFF_BIAS, pd.diff_bias_desc()});
    return list;
  }
  static Backward::primitive_desc describe(const Sizes& s, bool bias) {
    const auto direct = dnnl::algorithm::convolution_direct;
    const memory::desc w = s.w(memory::format_tag::any);
    const memory::desc b = bias ? s.b() : memory::desc();
    const auto hint = compressor::kernels::describe(s, attributes(false, {}), bias);
#if DNNL_VERSION_MAJOR >= 3
    return {cpu(),     direct,      s.x(),  w,       b,    s.y(),
            s.strides, s.dilations, s.left, s.right, hint, attributes(false, {})};
#else
    return {Backward::desc(direct, s.x(), w, b, s.y(), s.strides, s.dilations, s.left, s.right),
            attributes(false, {}), cpu(), hint};
#endif
  }
  Sizes sizes_;
  bool bias_;
  Backward::primitive_desc pd_;
  onednn::Runner runner_;
};

}  // namespace

std::shared_ptr<const Convolution> convolution(const ConvShape& shape, const Activation& f, bool sums,
                                               bool bias) {
  static auto* const cache = new onednn::Cache<Key, Convolution, KeyHash>;
  return cache->get({shape, f, sums, bias, 0}, [&]() -> std::shared_ptr<const Convolution> {
    try {
      return std::make_shared<const Direct>(shape, f, sums, bias);
    } catch (const dnnl::error&) {
      return nullptr;
    }
  });
}

std::shared_ptr<const Convolution> transposed_convolution(const ConvShape& shape) {
  static auto* const cache = new onednn::Cache<Key, Convolution, KeyHash>;
  return cache->get({shape, {}, false, false, 1}, [&]() -> std::shared_ptr<const Convolution> {
    try {
      return std::make_shared<const ByData>(shape);
    } catch (const dnnl::error&) {
      return nullptr;
    }
  });
}

void convolution_backward_data(const ConvShape& shape, const float* dy, const float* w, float* dx) {
  const auto by_data = transposed_convolution(shape);
  if (!by_data) throw Error::model("oneDNN has no gradient of this convolution");
  by_data->forward(dy, by_data->pack(reinterpret_cast<const std::byte*>(w)), nullptr, dx);
}

void convolution_backward_weights(const ConvShape& shape, const float* x, const float* dy, float* dw,
                                  float* db) {
  static auto* const cache = new onednn::Cache<Key, ByWeights, KeyHash>;
  const bool bias = db != nullptr;
  cache->get({shape, {}, false, bias, 2}, [&] { return std::make_shared<const ByWeights>(shape, bias); })
      ->run(x, dy, dw, db);
}

}  // namespace compressor::kernels
