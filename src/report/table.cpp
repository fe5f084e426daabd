// table: alignment, escaping, and numbers for people.
#include "compressor/report/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace compressor {
namespace {

std::string scaled(double value, const std::array<const char*, 5>& units) {
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < units.size()) {
    value /= 1000;
    ++unit;
  }
  const int digits = std::abs(value) < 9.995 ? 2 : std::abs(value) < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, digits, units[unit]);
}

// Characters, not bytes, of UTF-8 text.
std::size_t length(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string shortened(const std::string& text, std::size_t limit) {
  if (text.size() <= limit || length(text) != text.size()) return text;
  const std::size_t tail = (limit - 2) * 2 / 3;
  return text.substr(0, limit - 2 - tail) + ".." + text.substr(text.size() - tail);
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::size_t n = length(text);
  const std::string space(width > n ? width - n : 0, ' ');
  return right ? space + text : text + space;
}

void trim_end(std::string& text) {
  while (!text.empty() && text.back() == ' ') text.pop_back();
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string markdown_cell(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c == '\n' ? ' ' : c;
  }
  return escaped;
}

}  // namespace

std::string count_text(double count) {
  if (std::abs(count) < 10000) return fmt::format("{:.0f}", count);
  return scaled(count, {"", "k", "M", "G", "T"});
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  return scaled(static_cast<double>(bytes), {"B", "kB", "MB", "GB", "TB"});
}

std::string ratio_text(double before, double after) {
  if (after == 0) return before == 0 ? "-" : "inf";
  return fmt::format("{:.2f}x", before / after);
}

Table::Cell Table::Cell::count(double n) {
  return {count_text(n), fmt::format("{:.0f}", n)};
}
Table::Cell Table::Cell::bytes(std::uint64_t n) {
  return {bytes_text(n), std::to_string(n)};
}

std::vector<const std::vector<Table::Cell>*> Table::all_rows() const {
  std::vector<const std::vector<Cell>*> rows;
  for (const auto& row : rows_) rows.push_back(&row);
  if (!total_.empty()) rows.push_back(&total_);
  return rows;
}

std::string Table::text(std::size_t limit) const {
  const auto shown = [&](const std::vector<Cell>& row, std::size_t c) {
    return c < 2 ? shortened(row[c].shown, limit) : row[c].shown;
  };
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t width = length(columns_[c].title);
    for (const auto* row : all_rows()) width = std::max(width, length(shown(*row, c)));
    widths.push_back(width);
  }
  std::string text, rule;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    text += (c ? "  " : "") + padded(columns_[c].title, widths[c], columns_[c].right);
    rule += (c ? "  " : "") + std::string(widths[c], '-');
  }
  trim_end(text);
  text += "\n" + rule + "\n";
  for (const auto* row : all_rows()) {
    if (row == &total_) text += rule + "\n";
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      text += (c ? "  " : "") + padded(shown(*row, c), widths[c], columns_[c].right);
    }
    trim_end(text);
    text += "\n";
  }
  return text;
}

std::string Table::markdown() const {
  std::string text = "|", rule = "|";
  for (const Column& column : columns_) {
    text += " " + markdown_cell(column.title) + " |";
    rule += column.right ? "---:|" : "---|";
  }
  text += "\n" + rule + "\n";
  for (const auto* row : all_rows()) {
    text += "|";
    for (const Cell& cell : *row) text += " " + markdown_cell(cell.shown) + " |";
    text += "\n";
  }
  return text;
}

std::string Table::csv() const {
  std::string text;
  for (const Column& column : columns_) text += (text.empty() ? "" : ",") + csv_cell(column.title);
  text += "\n";
  for (const auto& row : rows_) {  // sums are for people
    std::string line;
    for (const Cell& cell : row) line += (&cell == row.data() ? "" : ",") + csv_cell(cell.exact);
    text += line + "\n";
  }
  return text;
}

}  // namespace compressor
