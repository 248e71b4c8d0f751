//===- TestCheckpoint.h - an editable copy of a fixture -------*- C++ -*-===//

#ifndef TEST_UNIT_FRONTEND_TESTCHECKPOINT_H
#define TEST_UNIT_FRONTEND_TESTCHECKPOINT_H

#include "linnet/Checkpoint/DataType.h"
#include "linnet/Frontend/HuggingFace.h"
#include "linnet/Support/Json.h"

#include "mlir/IR/MLIRContext.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace linnet::test {

/// A fixture of test/oracle/hf in memory: tests edit its configuration and
/// tensors, then import it from a temporary directory, which goes with it.
class TestCheckpoint {
public:
  struct Tensor {
    DataType dtype = DataType::F32;
    std::vector<int64_t> shape;
    std::vector<std::byte> bytes;

    bool operator==(const Tensor &) const = default;
  };

  explicit TestCheckpoint(std::string_view fixture);
  ~TestCheckpoint();
  TestCheckpoint(const TestCheckpoint &) = delete;

  Json config;
  std::map<std::string, Tensor> tensors;

  /// Gives every tensor whose name contains `part` a name with `replacement`
  /// in its place. Fails the test if there is none.
  void rename(std::string_view part, std::string_view replacement);
  /// Adds f32 zeros.
  void addZeros(const std::string &name, std::vector<int64_t> shape);

  /// Writes the directory and imports it.
  Result<mlir::OwningOpRef<mlir::ModuleOp>>
  import(const ImportOptions &options = {});
  /// The error of import(), or "" with a test failure if it succeeds.
  std::string importError(const ImportOptions &options = {});
  /// Relative RMS difference between what the imported model computes in the
  /// reference evaluator and the fixture's own output.
  double errorAgainstFixture();

  /// The directory: exists after the first import().
  const std::string &directory() const { return dir; }
  mlir::MLIRContext &context() { return mlirContext; }

private:
  Status write();

  std::map<std::string, Tensor> written;
  mlir::MLIRContext mlirContext;
  std::string fixtureDir;
  std::string dir;
};

/// Text of the module without locations.
std::string printed(mlir::ModuleOp module);

/// The number of times `needle` occurs in `text`.
size_t occurrences(std::string_view text, std::string_view needle);

} // namespace linnet::test

#endif // TEST_UNIT_FRONTEND_TESTCHECKPOINT_H
