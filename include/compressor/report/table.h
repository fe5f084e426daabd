// table: rows and columns as text for a terminal, Markdown, or CSV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace compressor {

/// 1234567 -> "1.23 M"; below 10000 all digits.
std::string count_text(double count);
/// 1234567 -> "1.23 MB", in powers of 1000.
std::string bytes_text(std::uint64_t bytes);
/// Before over after: "2.00x"; "-" when after is 0 and before is too.
std::string ratio_text(double before, double after);

/// A table whose cells have a form for people and an exact one for CSV.
class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;  ///< numbers
  };
  struct Cell {
    std::string shown, exact;
    Cell(std::string text) : shown(text), exact(std::move(text)) {}  // NOLINT(google-explicit-constructor)
    Cell(std::string people, std::string csv) : shown(std::move(people)), exact(std::move(csv)) {}
    static Cell count(double n);
    static Cell bytes(std::uint64_t n);
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  /// A last row, set apart.
  void set_total(std::vector<Cell> row) { total_ = std::move(row); }

  /// Columns as wide as needed; cells of the first two columns are cut in the middle past `limit` characters.
  std::string text(std::size_t limit = 48) const;
  std::string markdown() const;
  std::string csv() const;

 private:
  std::vector<const std::vector<Cell>*> all_rows() const;
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  std::vector<Cell> total_;
};

}  // namespace compressor
