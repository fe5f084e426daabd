// layer_input: convolutions by columns of patches, products by rows as they lie.
#include "compressor/ops/layer_input.h"

#include <algorithm>

#include "compressor/base/error.h"
#include "compressor/base/random.h"
#include "ops/convolve.h"

namespace compressor::ops {
namespace {

constexpr std::int64_t kBlock = std::int64_t{1} << 20;  ///< floats of a block

std::int64_t product(const Dims& shape, std::size_t from) {
  return static_cast<std::int64_t>(
      num_elements(Dims(shape.begin() + static_cast<std::ptrdiff_t>(from), shape.end())));
}

/// Calls visit(first, last) for the stretches of [0, all) that an excerpt takes of a sample: one, or two
/// where it runs over the end.
template <class Visit>
void each_stretch(std::int64_t all, std::int64_t sample, const Excerpt& excerpt, Visit&& visit) {
  if (excerpt.columns <= 0 || excerpt.columns >= all) return visit(std::int64_t{0}, all);
  Random random(excerpt.seed * 1000003 + static_cast<std::uint64_t>(sample));
  const auto first = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(all)));
  const std::int64_t last = first + excerpt.columns;
  visit(first, std::min(last, all));
  if (last > all) visit(std::int64_t{0}, last - all);
}

/// Columns of several samples side by side: one large product is faster than many small ones.
class Gathered {
 public:
  using Visit = std::function<void(std::int64_t n, const float* data)>;
  Gathered(std::int64_t k, std::int64_t room, Visit visit) : k_(k), room_(room), visit_(std::move(visit)) {}

  /// columns [k, n]
  void add(const float* columns, std::int64_t n) {
    if (held_ + n > room_) flush();
    if (n * 2 > room_) return visit_(n, columns);
    pieces_.emplace_back(columns, columns + k_ * n);
    held_ += n;
  }
  void flush() {
    if (pieces_.size() == 1) visit_(held_, pieces_[0].data());
    if (pieces_.size() > 1) {
      std::vector<float> all(static_cast<std::size_t>(k_ * held_));
      std::int64_t before = 0;
      for (const std::vector<float>& piece : pieces_) {
        const std::int64_t n = static_cast<std::int64_t>(piece.size()) / k_;
        for (std::int64_t i = 0; i < k_; ++i)
          std::copy_n(piece.data() + i * n, n, all.data() + i * held_ + before);
        before += n;
      }
      visit_(held_, all.data());
    }
    pieces_.clear();
    held_ = 0;
  }

 private:
  std::int64_t k_, room_, held_ = 0;
  Visit visit_;
  std::vector<std::vector<float>> pieces_;
};

void conv_blocks(const Node& node, const Tensor& x, const Dims& weight, const LayerRow& row,
                 const std::function<void(const InputBlock&)>& visit, const Excerpt& excerpt) {
  SymDims kernel;
  for (std::size_t i = 2; i < weight.size(); ++i) kernel.emplace_back(weight[i]);
  const FixedWindow w =
      fix(node, read_window(node, weight.size() - 2, kernel), std::span(x.shape).subspan(2));
  const std::int64_t places = w.out_plane();
  const std::int64_t channels = weight[1];
  const std::int64_t step = std::max<std::int64_t>(1, kBlock / row.k);
  const BytesView view = x.bytes.view();
  const auto* image = reinterpret_cast<const float*>(view.data());
  std::vector<float> columns(static_cast<std::size_t>(row.k * std::min(step, places)));
  for (std::int64_t g = 0; g < row.groups; ++g) {
    Gathered gathered(row.k, step, [&](std::int64_t n, const float* data) { visit({g, n, data, false}); });
    for (std::int64_t n = 0; n < x.shape[0]; ++n) {
      const float* plane = image + (n * row.groups + g) * channels * w.in_plane();
      each_stretch(places, n, excerpt, [&](std::int64_t from, std::int64_t to) {
        for (std::int64_t first = from; first < to; first += step) {
          const std::int64_t last = std::min(to, first + step);
          to_columns(w, plane, channels, first, last, columns.data());
          gathered.add(columns.data(), last - first);
        }
      });
    }
    gathered.flush();
  }
}

}  // namespace

std::optional<LayerRow> layer_row(const Node& node, const Dims& weight) {
  if (node.is("Conv") && weight.size() >= 3) {
    const std::int64_t groups = node.int_or("group", 1);
    return LayerRow{product(weight, 1), std::max<std::int64_t>(groups, 1)};
  }
  if (node.is("MatMul") && weight.size() == 2) return LayerRow{weight[0], 1};
  if (node.is("Gemm") && weight.size() == 2)
    return LayerRow{weight[node.int_or("transB", 0) != 0 ? 1 : 0], 1};
  return std::nullopt;
}

void each_input_block(const Node& node, const Tensor& x, const Dims& weight,
                      const std::function<void(const InputBlock&)>& visit, const Excerpt& excerpt) {
  const auto row = layer_row(node, weight);
  CHECK(row, "node '{}': {} has no input matrix", node.label(), node.op());
  CHECK(x.dtype == DType::kFloat, "node '{}': input is {}", node.label(), name(x.dtype));
  if (x.size() == 0) return;
  if (node.is("Conv")) {
    if (x.shape.size() != weight.size() || x.shape[1] != weight[1] * row->groups) {
      throw Error::model("node '{}': input is {}, which the weight of {} does not take", node.label(),
                         to_string(x.shape), to_string(weight));
    }
    return conv_blocks(node, x, weight, *row, visit, excerpt);
  }
  const BytesView view = x.bytes.view();
  const auto* rows = reinterpret_cast<const float*>(view.data());
  const std::int64_t total = static_cast<std::int64_t>(x.size()) / row->k;
  if (node.is("Gemm") && node.int_or("transA", 0) != 0) {  // [K, M] as it lies
    return visit({0, total, rows, false});
  }
  const std::int64_t step = std::max<std::int64_t>(1, kBlock / row->k);
  const std::int64_t samples = x.shape.size() > 2 ? x.shape[0] : 1;
  const std::int64_t length = total / samples;
  const Excerpt taken = x.shape.size() > 2 ? excerpt : Excerpt{};  // rows of a matrix are samples
  for (std::int64_t n = 0; n < samples; ++n) {
    each_stretch(length, n, taken, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t first = from; first < to; first += step)
        visit({0, std::min(step, to - first), rows + (n * length + first) * row->k, true});
    });
  }
}

}  // namespace compressor::ops
