// xml: as much of XML as annotation files use, and nothing that could harm.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace compressor::data {

struct XmlElement {
  std::string name;
  std::string text;  ///< all character data directly inside, trimmed
  std::vector<XmlElement> children;
  /// The first child of that name; null when there is none.
  const XmlElement* child(std::string_view child_name) const;
};

/// The root element. Attributes, comments and processing instructions are read over; the five named entities
/// and numbers are decoded. Throws Error::io "NAME:LINE: ..." for anything malformed, for DOCTYPE (no
/// entities of its own are needed here) and for more than 64 levels.
XmlElement parse_xml(std::string_view text, const std::string& name);

}  // namespace compressor::data
