// rope: a message under construction: text, and payloads that will be read from where they are while writing.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "compressor/tensor/bytes.h"
#include "onnx/wire.h"

namespace compressor::wire {

struct Rope {
  /// A payload that stands before text[at].
  struct Cut {
    std::size_t at;
    Bytes bytes;
  };
  std::string text;
  std::vector<Cut> cuts;  ///< in order
  std::uint64_t payload = 0;

  std::uint64_t size() const { return text.size() + payload; }
  void add(const Bytes& bytes) {
    if (bytes.size() <= kInline) {
      const std::size_t old = text.size();
      text.resize(old + bytes.size());
      bytes.read(0, std::as_writable_bytes(std::span(text).subspan(old)));
      return;
    }
    cuts.push_back({text.size(), bytes});
    payload += bytes.size();
  }
  void add(Rope&& other) {
    for (Cut& cut : other.cuts) cuts.push_back({cut.at + text.size(), std::move(cut.bytes)});
    text += other.text;
    payload += other.payload;
  }
  /// A field that holds a message or bytes; the length is known before, so that 64-bit sizes come out right.
  void put(std::uint32_t number, Rope&& message) {
    put_tag(text, number, Kind::kBytes);
    put_varint(text, message.size());
    add(std::move(message));
  }
  void put(std::uint32_t number, const Bytes& bytes) {
    put_tag(text, number, Kind::kBytes);
    put_varint(text, bytes.size());
    add(bytes);
  }

  static constexpr std::uint64_t kInline = 2048;  ///< payloads up to this are copied into the text
};

}  // namespace compressor::wire
