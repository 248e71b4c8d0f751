//===- TestFiles.h - helpers of tests that touch files --------*- C++ -*-===//
//
// A directory that vanishes with the test, and what every error must look like.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_TEST_UNIT_SUPPORT_TESTFILES_H
#define LINNET_TEST_UNIT_SUPPORT_TESTFILES_H

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <vector>

namespace linnet::test {

/// A fresh directory under the system's temporary directory.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "linnet-test-XXXXXX")
            .string();
    if (!::mkdtemp(pattern.data()))
      std::abort();
    path = pattern;
    // Some tests run as another user inside.
    ::chmod(path.c_str(), 0755);
  }
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

  std::string str() const { return path; }
  std::string file(std::string_view name) const {
    return path + "/" + std::string(name);
  }
  /// Creates a file with this content and returns its path.
  std::string put(std::string_view name, std::string_view content) const {
    std::ofstream(file(name), std::ios::binary) << content;
    return file(name);
  }
  /// All names in the directory, hidden ones included, sorted.
  std::vector<std::string> list() const {
    std::vector<std::string> names;
    for (const auto &entry : std::filesystem::directory_iterator(path))
      names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

private:
  std::string path;
};

inline std::string slurp(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

/// Fails unless `outcome` (a Result or Status) is an error whose message is one
/// line, does not end in a full stop and contains `part`.
template <typename Outcome>
::testing::AssertionResult failsWith(const Outcome &outcome,
                                     std::string_view part) {
  if (outcome)
    return ::testing::AssertionFailure()
           << "expected an error with '" << part << "', but it succeeded";
  const std::string &message = outcome.error().str();
  if (message.find('\n') != message.npos || message.empty() ||
      (message.ends_with('.') && !message.ends_with("...")) ||
      message.size() > 1000)
    return ::testing::AssertionFailure()
           << "not a well-formed message: " << message;
  if (message.find(part) == message.npos)
    return ::testing::AssertionFailure()
           << "expected '" << part << "' in: " << message;
  return ::testing::AssertionSuccess();
}

/// Fails with the message unless `outcome` succeeded.
template <typename Outcome>
::testing::AssertionResult succeeds(const Outcome &outcome) {
  if (outcome)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << outcome.error().str();
}

} // namespace linnet::test

#endif // LINNET_TEST_UNIT_SUPPORT_TESTFILES_H
