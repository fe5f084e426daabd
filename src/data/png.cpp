// png: PNG pictures and masks by libpng.
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <vector>

#include "compressor/base/error.h"
#include "data/decode.h"

namespace compressor::data {
namespace {

// What outlives libpng's longjmp: nothing with a destructor may stand in the frames that it leaves.
struct Job {
  std::span<const std::byte> bytes;
  std::size_t position = 0;
  std::string error;
  PngColours colours = PngColours::kExpand;
  Image image;
  std::vector<png_bytep> rows;
  png_structp png = nullptr;
  png_infop info = nullptr;
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { png_destroy_read_struct(&png, &info, nullptr); }
};

void fail(png_structp png, png_const_charp message) {
  static_cast<Job*>(png_get_error_ptr(png))->error = message;
  png_longjmp(png, 1);
}
void ignore_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, png_size_t size) {
  Job& job = *static_cast<Job*>(png_get_io_ptr(png));
  if (size > job.bytes.size() - job.position) png_error(png, "the file is cut short");
  std::memcpy(out, job.bytes.data() + job.position, size);
  job.position += size;
}

// The transformations that leave grey or RGB at 8 bits, or a palette's indices.
void set_transformations(Job& job) {
  const int colour = png_get_color_type(job.png, job.info);
  const bool palette = colour == PNG_COLOR_TYPE_PALETTE;
  if (job.colours == PngColours::kIndices) {
    if (!palette && colour != PNG_COLOR_TYPE_GRAY)
      png_error(job.png, "it has colours, expected class indices (grey or a palette)");
    if (png_get_bit_depth(job.png, job.info) == 16)
      png_error(job.png, "it has 16 bits a pixel, expected class indices of 8");
    png_set_packing(job.png);  // 1, 2 and 4 bits to bytes, not stretched
    return;
  }
  png_set_strip_16(job.png);
  if (palette) png_set_palette_to_rgb(job.png);
  if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(job.png);
  if (png_get_valid(job.png, job.info, PNG_INFO_tRNS) != 0) png_set_tRNS_to_alpha(job.png);
  png_set_strip_alpha(job.png);
}

bool decode(Job& job) {
  if (setjmp(png_jmpbuf(job.png)) != 0) return false;
  png_set_read_fn(job.png, &job, read_bytes);
  png_read_info(job.png, job.info);
  set_transformations(job);
  png_set_interlace_handling(job.png);
  png_read_update_info(job.png, job.info);
  return true;
}

bool decode_rows(Job& job) {
  if (setjmp(png_jmpbuf(job.png)) != 0) return false;
  png_read_image(job.png, job.rows.data());
  png_read_end(job.png, nullptr);
  return true;
}

}  // namespace

Image decode_png(std::span<const std::byte> bytes, const std::string& name, PngColours colours) {
  Job job;
  job.bytes = bytes;
  job.colours = colours;
  job.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, fail, ignore_warning);
  if (job.png != nullptr) job.info = png_create_info_struct(job.png);
  if (job.info == nullptr) throw Error::io("{}: cannot start the PNG decoder", name);
  if (!decode(job)) throw Error::io("{}: damaged PNG: {}", name, job.error);

  const std::uint64_t height = png_get_image_height(job.png, job.info);
  const std::uint64_t width = png_get_image_width(job.png, job.info);
  check_picture_size(height, width, name);
  job.image = Image(static_cast<std::int64_t>(height), static_cast<std::int64_t>(width),
                    png_get_channels(job.png, job.info));
  CHECK(png_get_rowbytes(job.png, job.info) == job.image.row_size());
  for (std::int64_t y = 0; y < job.image.height; ++y) job.rows.push_back(job.image.row(y));
  if (!decode_rows(job)) throw Error::io("{}: damaged PNG: {}", name, job.error);
  return std::move(job.image);
}

}  // namespace compressor::data
