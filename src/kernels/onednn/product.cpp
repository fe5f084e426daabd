// product: oneDNN's matmul, one thread a tile. How a product is cut depends on its shape alone, so that its
// bits do not depend on the number of threads.
#include "compressor/kernels/product.h"

#include <algorithm>
#include <exception>

#include "compressor/base/error.h"
#include "compressor/kernels/in_parallel.h"
#include "kernels/onednn/primitive.h"

namespace compressor::kernels {
namespace {

using dnnl::memory;
using onednn::memory_over;

constexpr std::int64_t kTileWork = std::int64_t{1} << 21;  ///< multiply-adds that are worth a thread
constexpr std::int64_t kMaxTiles = 16;
constexpr std::int64_t kTileStep = 16;  ///< rows or columns are cut at multiples of this

using Primitive = dnnl::matmul;

/// One size of tile: [m, k] x [k, n].
struct Tile {
  Tile(const ProductShape& whole, std::int64_t m, std::int64_t n, const Activation& f, bool bias, bool any)
      : a({m, whole.k}, memory::data_type::f32,
          whole.trans_a ? memory::dims{1, whole.m} : memory::dims{whole.k, 1}),
        b({whole.k, n}, memory::data_type::f32,
          whole.trans_b ? memory::dims{1, whole.k} : memory::dims{whole.n, 1}),
        y({m, n}, memory::data_type::f32, memory::dims{whole.n, 1}),
        bias_desc(bias ? memory::desc({1, n}, memory::data_type::f32, memory::format_tag::ab)
                       : memory::desc()),
        pd(describe(any ? memory::desc({whole.k, n}, memory::data_type::f32, memory::format_tag::any) : b,
                    f)),
        has_bias(bias) {
    std::vector<onednn::Runner::Argument> list{
        {DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, pd.weights_desc()}, {DNNL_ARG_DST, y}};
    if (bias) list.push_back({DNNL_ARG_BIAS, bias_desc});
    runner = std::make_unique<onednn::Runner>(Primitive(pd), std::move(list), pd.scratchpad_desc());
  }
  Primitive::primitive_desc describe(const memory::desc& b_desc, const Activation& f) const {
    const dnnl::primitive_attr attr = onednn::attributes(false, f);
#if DNNL_VERSION_MAJOR >= 3
    return {onednn::cpu(), a, b_desc, bias_desc, y, attr};
#else
    return {Primitive::desc(a, b_desc, bias_desc, y), attr, onednn::cpu()};
#endif
  }
  void run(const float* at_a, const void* at_b, const float* bias, float* at_y) const {
    if (has_bias) return runner->run({at_a, at_b, at_y, bias});
    runner->run({at_a, at_b, at_y});
  }
  memory::desc a, b, y, bias_desc;
  Primitive::primitive_desc pd;
  std::unique_ptr<onednn::Runner> runner;
  bool has_bias;
};

class Tiled final : public Product {
 public:
  Tiled(const ProductShape& shape, const Activation& f, bool bias) : s_(shape), bias_(bias) {
    by_rows_ = s_.m >= s_.n;
    const std::int64_t length = by_rows_ ? s_.m : s_.n;
    const std::int64_t wanted = std::clamp<std::int64_t>(s_.m * s_.n * s_.k / kTileWork, 1,
                                                         std::min(kMaxTiles, length / kTileStep + 1));
    step_ = ((length + wanted - 1) / wanted + kTileStep - 1) / kTileStep * kTileStep;
    step_ = std::min(step_, length);
    count_ = (length + step_ - 1) / step_;
    const std::int64_t rest = length - (count_ - 1) * step_;
    const onednn::OneThread one;
    for (const bool any : {false, true}) {
      auto& tiles = any ? packed_ : plain_;
      for (const std::int64_t size : {step_, rest}) {
        tiles.emplace_back(s_, by_rows_ ? size : s_.m, by_rows_ ? s_.n : size, f, bias, any);
      }
    }
  }

  std::vector<Buffer> pack(const std::byte* b) const override {
    std::vector<Buffer> result;
    for (std::int64_t t = 0; t < (by_rows_ ? 1 : count_); ++t) {
      const Tile& tile = of(packed_, t);
      const memory::desc to = tile.pd.weights_desc();
      Buffer buffer(to.get_size());
      const dnnl::reorder::primitive_desc pd(onednn::cpu(), tile.b, onednn::cpu(), to);
      memory source = memory_over(tile.b, b + sizeof(float) * static_cast<std::size_t>(offset_b(t)));
      memory target = memory_over(to, buffer.data());
      dnnl::reorder(pd).execute(onednn::stream(), source, target);
      onednn::stream().wait();
      result.push_back(std::move(buffer));
    }
    // Tiles of rows share one b; the last, shorter one may want another order of it.
    if (by_rows_ && packed_[0].pd.weights_desc() != packed_[1].pd.weights_desc()) result.clear();
    return result;
  }

  void run(const float* a, const float* b, const float* bias, float* y) const override {
    each([&](std::int64_t t) {
      of(plain_, t).run(a + offset_a(t), b + offset_b(t), bias_at(bias, t), y + offset_y(t));
    });
  }

  void run(const float* a, const std::vector<Buffer>& packed, const float* bias, float* y) const override {
    each([&](std::int64_t t) {
      const Buffer& b = packed[by_rows_ ? 0 : static_cast<std::size_t>(t)];
      of(packed_, t).run(a + offset_a(t), b.data(), bias_at(bias, t), y + offset_y(t));
    });
  }

 private:
  template <class Body>
  void each(const Body& body) const {
    std::exception_ptr error;
    const auto tile = [&](std::int64_t t) {
      try {
        body(t);
      } catch (...) {
#pragma omp critical(compressor_product)
        error = std::current_exception();
      }
    };
    // A region of one thread costs as much as a small product.
    if (count_ == 1 || !has_pool()) {
      for (std::int64_t t = 0; t < count_; ++t) tile(t);
    } else {
#pragma omp parallel for schedule(dynamic)
      for (std::int64_t t = 0; t < count_; ++t) tile(t);
    }
    if (error) std::rethrow_exception(error);
  }
  const Tile& of(const std::vector<Tile>& tiles, std::int64_t t) const {
    return tiles[t + 1 == count_ ? 1 : 0];
  }
  std::int64_t offset_a(std::int64_t t) const {
    return by_rows_ ? t * step_ * (s_.trans_a ? 1 : s_.k) : 0;
  }
  std::int64_t offset_b(std::int64_t t) const {
    return by_rows_ ? 0 : t * step_ * (s_.trans_b ? s_.k : 1);
  }
  std::int64_t offset_y(std::int64_t t) const {
    return by_rows_ ? t * step_ * s_.n : t * step_;
  }
  const float* bias_at(const float* bias, std::int64_t t) const {
    return bias_ ? bias + (by_rows_ ? 0 : t * step_) : nullptr;
  }

  ProductShape s_;
  bool bias_;
  bool by_rows_ = true;
  std::int64_t step_ = 0, count_ = 0;
  std::vector<Tile> plain_, packed_;  ///< for whole tiles and for the last one
};

struct Key {
  ProductShape shape;
  Activation f;
  bool bias = false;
  bool operator==(const Key&) const = default;
};
struct KeyHash {
  std::size_t operator()(const Key& k) const {
    const ProductShape& s = k.shape;
    return onednn::Mix()
        .add(s.m)
        .add(s.n)
        .add(s.k)
        .add(s.trans_a)
        .add(s.trans_b)
        .add(k.f)
        .add(k.bias)
        .value();
  }
};

}  // namespace

std::shared_ptr<const Product> product(const ProductShape& shape, const Activation& f, bool bias) {
  static auto* const cache = new onednn::Cache<Key, Product, KeyHash>;
  CHECK(shape.m > 0 && shape.n > 0 && shape.k > 0, "product of empty matrices");
  return cache->get({shape, f, bias}, [&]() -> std::shared_ptr<const Product> {
    try {
      return std::make_shared<const Tiled>(shape, f, bias);
    } catch (const dnnl::error&) {
      return nullptr;
    }
  });
}

}  // namespace compressor::kernels
