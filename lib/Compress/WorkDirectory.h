//===- WorkDirectory.h - finished parts of a run --------------*- C++ -*-===//
//
// A run that is ended leaves what it has finished here, and the same run goes
// on from there: ROOT/analysis-KEY/layer-N.json says what was found of a layer,
// ROOT/fits-KEY/TENSOR.safetensors what stands in for a matrix (the factors as
// they are stored, and `dense`, what they make, in f32) and TENSOR.json what
// else is said of it. KEY is a hash of all that the content depends on, so
// another run never reads it.
//
//===----------------------------------------------------------------------===//

#ifndef LIB_COMPRESS_WORKDIRECTORY_H
#define LIB_COMPRESS_WORKDIRECTORY_H

#include "MapStructure.h"

#include "linnet/Support/Json.h"

namespace linnet::compress {

class WorkDirectory {
public:
  /// Keeps nothing.
  WorkDirectory() = default;
  /// ROOT/KIND-KEY, which is made; an empty `root` keeps nothing. `content`
  /// says all that parts depend on. Errors: a directory that cannot be made.
  static Result<WorkDirectory> open(const std::string &root,
                                    const std::string &kind,
                                    const std::string &content);

  bool has(const std::string &name) const;
  Result<Json> readJson(const std::string &name) const;
  Status writeJson(const std::string &name, const Json &content) const;

  /// Keeps what replaces `map` by `plan`: its stored factors and what is
  /// reported of it. `fitted` has been rounded as stored.
  Status keep(const LinearMap &map, const MapPlan &plan, FittedMap &fitted,
              double error) const;
  /// The same again, with the error; null if it is not there. Errors: files
  /// that are not what keep() writes.
  struct Kept {
    std::unique_ptr<FittedMap> fitted;
    double error = 0;
  };
  Result<Kept> find(const LinearMap &map, const MapPlan &plan) const;

private:
  std::string fileOf(const std::string &name) const {
    return directory + "/" + name;
  }

  std::string directory;
};

} // namespace linnet::compress

#endif // LIB_COMPRESS_WORKDIRECTORY_H
