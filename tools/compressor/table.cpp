// table: every command of the program.
#include <string>

#include "command.h"

namespace compressor::cli {

CommandTable all_commands() {
  CommandTable table;
  register_all(table);
  add_pass_commands(table);
  return table;
}

}  // namespace compressor::cli
