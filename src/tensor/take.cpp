// take: gather along axes, run by run, out of bounded pieces of the source.
#include "compressor/tensor/take.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "compressor/base/error.h"
#include "tensor/convert.h"

namespace compressor {
namespace {

/// Piece of the source that is held at once.
constexpr std::uint64_t kSpan = 8U << 20U;

/// The output as runs of bytes that are contiguous in the source. Run r is at source offset start(r).
struct Runs {
  std::uint64_t run_bytes = 0;
  std::vector<std::vector<std::uint64_t>>
      offsets;  ///< per outer axis: source offset in bytes of each kept index

  std::uint64_t count() const {
    return std::accumulate(offsets.begin(), offsets.end(), std::uint64_t{1},
                           [](std::uint64_t n, const auto& o) { return n * o.size(); });
  }
  std::uint64_t start(std::uint64_t run) const {
    std::uint64_t at = 0;
    for (std::size_t i = offsets.size(); i-- > 0;) {
      at += offsets[i][run % offsets[i].size()];
      run /= offsets[i].size();
    }
    return at;
  }
};

void fill(const Bytes& source, const Runs& runs, std::uint64_t offset, std::span<std::byte> out) {
  std::vector<std::byte> buffer;
  std::uint64_t run = offset / runs.run_bytes;
  std::uint64_t skip = offset % runs.run_bytes;
  std::size_t done = 0;
  while (done < out.size()) {
    // As many runs as lie within one span of the source after the first.
    const std::uint64_t first = runs.start(run);
    std::uint64_t low = first;
    std::uint64_t high = first + runs.run_bytes;
    std::vector<std::uint64_t> starts = {first};
    std::uint64_t wanted = runs.run_bytes - skip;
    while (wanted < out.size() - done) {
      const std::uint64_t next = runs.start(run + starts.size());
      const std::uint64_t new_low = std::min(low, next);
      const std::uint64_t new_high = std::max(high, next + runs.run_bytes);
      if (new_high - new_low > std::max(kSpan, runs.run_bytes)) break;
      low = new_low;
      high = new_high;
      starts.push_back(next);
      wanted += runs.run_bytes;
    }
    if (starts.size() == 1) {  // straight into the output
      const std::size_t n = std::min<std::uint64_t>(runs.run_bytes - skip, out.size() - done);
      source.read(first + skip, out.subspan(done, n));
      done += n;
    } else {
      buffer.resize(high - low);
      source.read(low, buffer);
      for (const std::uint64_t start : starts) {
        const std::size_t n = std::min<std::uint64_t>(runs.run_bytes - skip, out.size() - done);
        std::memcpy(out.data() + done, buffer.data() + (start - low) + skip, n);
        done += n;
        skip = 0;
      }
    }
    run += starts.size();
    skip = 0;
  }
}

/// Elements of less than a byte have no address: gather them as numbers.
Tensor take_small(const Tensor& tensor, const Dims& shape, const Runs& element_runs) {
  const std::vector<double> numbers = to_doubles(tensor);
  std::vector<double> taken;
  taken.reserve(num_elements(shape));
  for (std::uint64_t r = 0; r < element_runs.count(); ++r) {
    const std::uint64_t start = element_runs.start(r);
    for (std::uint64_t i = 0; i < element_runs.run_bytes; ++i) taken.push_back(numbers[start + i]);
  }
  return Tensor::of(tensor.dtype, shape, taken);
}

}  // namespace

Tensor take(const Tensor& tensor, const std::map<std::int64_t, std::vector<std::int64_t>>& kept) {
  const auto width = static_cast<std::uint64_t>(bits(tensor.dtype));
  if (width == 0) throw Error::model("a tensor of type {} cannot be cut", name(tensor.dtype));
  const bool small = width < 8;
  const std::uint64_t unit = small ? 1 : width / 8;
  Dims shape = tensor.shape;
  for (const auto& [axis, indices] : kept) {
    CHECK(axis >= 0 && axis < tensor.rank(), "axis {} of a tensor of shape {}", axis,
          to_string(tensor.shape));
    for (const std::int64_t i : indices) CHECK(i >= 0 && i < tensor.shape[static_cast<std::size_t>(axis)]);
    shape[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(indices.size());
  }
  Runs runs;
  runs.run_bytes = unit;
  // Axes to the right of the last one that is cut are one run; so is that axis where its kept indices are one
  // range.
  std::int64_t axis = tensor.rank() - 1;
  for (; axis >= 0 && !kept.contains(axis); --axis)
    runs.run_bytes *= static_cast<std::uint64_t>(tensor.shape[static_cast<std::size_t>(axis)]);
  std::uint64_t stride = runs.run_bytes;
  for (; axis >= 0; --axis) {
    const auto it = kept.find(axis);
    std::vector<std::uint64_t> offsets;
    const auto n = static_cast<std::uint64_t>(tensor.shape[static_cast<std::size_t>(axis)]);
    if (it == kept.end()) {
      for (std::uint64_t i = 0; i < n; ++i) offsets.push_back(i * stride);
    } else {
      for (const std::int64_t i : it->second) offsets.push_back(static_cast<std::uint64_t>(i) * stride);
    }
    runs.offsets.insert(runs.offsets.begin(), std::move(offsets));
    stride *= n;
  }
  if (small) {
    Tensor result = take_small(tensor, shape, runs);
    result.field = tensor.field;
    result.notes = tensor.notes;
    return result;
  }
  Tensor result = tensor;
  result.shape = shape;
  const std::uint64_t size = packed_bytes(tensor.dtype, num_elements(shape));
  result.bytes = size == 0 ? Bytes()
                           : Bytes::derive(size, [source = tensor.bytes, runs](std::uint64_t offset,
                                                                               std::span<std::byte> out) {
                               fill(source, runs, offset, out);
                             });
  return result;
}

}  // namespace compressor
