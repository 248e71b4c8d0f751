//===- Scratch.cpp - a directory for the time of a run --------------------===//

#include "Scratch.h"

#include <filesystem>
#include <unistd.h>

namespace linnet::compress {

Result<AtomicDirectory> createScratch(const std::string &purpose) {
  std::error_code code;
  std::filesystem::path base = std::filesystem::temp_directory_path(code);
  // Several may be there at a time: AtomicDirectory's name is its own.
  return AtomicDirectory::create(
      ((code ? "/tmp" : base) /
       ("linnet-compress-" + purpose + "-" + std::to_string(getpid())))
          .string());
}

} // namespace linnet::compress
