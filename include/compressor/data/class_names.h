// class_names: names of classes that models and data sets share, and which of one list mean which of another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace compressor {

/// "coco" (80), "voc" (20), "cifar10", "fashion_mnist"; empty for an unknown list.
const std::vector<std::string>& class_list(std::string_view name);

/// For each of `from` the index in `to` of the class that means the same, -1 when there is none. Case,
/// spaces, `_` and
/// `-` do not count, and the names that Pascal VOC and COCO have for the same things (aeroplane, airplane)
/// are one.
std::vector<std::int64_t> match_classes(const std::vector<std::string>& from,
                                        const std::vector<std::string>& to);

/// The characters that a recogniser of texts knows, by class: one a line. Throws Error::io naming a file that
/// cannot be read or is empty.
std::vector<std::string> read_characters(const std::string& path);

}  // namespace compressor
