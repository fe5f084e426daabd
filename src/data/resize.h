// resize: pictures of another size.
#pragma once

#include "compressor/data/image.h"
#include "compressor/data/preprocess.h"

namespace compressor::data {

/// Pixel centres stay in proportion (half-pixel); 8 bits in, 8 bits out.
Image resized(const Image& image, std::int64_t height, std::int64_t width, Preprocess::Filter filter);

/// Grey <-> RGB <-> BGR.
Image in_order(const Image& image, Preprocess::Order order);

}  // namespace compressor::data
