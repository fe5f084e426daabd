// base64: bytes that a JSON file carries as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace compressor::data {

/// nullopt for anything but whole, padded groups of the standard alphabet.
std::optional<std::string> base64_decoded(std::string_view text);

}  // namespace compressor::data
