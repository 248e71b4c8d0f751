//===- StoredStructures.h - matrices that follow from tensors -*- C++ -*-===//
//
// A checkpoint whose matrices are not all stored as such says in config.json
// how they follow from what is stored:
//
//   "linnet": {"structures": {"model.layers.0.mlp.up_proj.weight":
//                 {"structure": "low_rank", "factors": ["left", "right"]}}}
//
// The structure is an attribute of the dialect, and factor `left` the tensor
// "model.layers.0.mlp.up_proj.weight.left". A matrix that others store as
// [in, out] has "transposed": true, which only an export reads.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_FRONTEND_STOREDSTRUCTURES_H
#define LINNET_FRONTEND_STOREDSTRUCTURES_H

#include "dialects/Linnet/Linnet.h"
#include "linnet/Checkpoint/Archive.h"
#include "linnet/Support/Json.h"

#include <map>
#include <string>
#include <vector>

namespace linnet {

struct StoredStructure {
  mlir::linnet::StructureAttrInterface structure;
  /// The attribute as the configuration writes it.
  std::string text;
  /// What stands behind the matrix's name and a dot in those of its factors.
  std::vector<std::string> factors;
};

/// By the name of the matrix.
using StoredStructures = std::map<std::string, StoredStructure>;

/// What the object `entries`, of the key that `where` names ("FILE: key
/// 'linnet.structures'"), says of tensors of `archive`. Errors: entries that
/// are malformed; structures that there are not; factors that are missing.
Result<StoredStructures> readStoredStructures(mlir::MLIRContext &context,
                                              const Json &entries,
                                              const std::string &where,
                                              const Archive &archive);

/// Why the factors of the matrix `name`, tensors of `archive` that the IR gives
/// `types`, are none of a map from `in` to `out` features; empty if they are.
/// Values of integers are looked at too.
std::string findStructureObstacle(const StoredStructure &stored,
                                  const std::string &name,
                                  mlir::TypeRange types, const Archive &archive,
                                  int64_t in, int64_t out);

/// The type of elements of weights that are stored as `dtype`; f32 for those
/// that no weight has.
mlir::Type weightElementType(mlir::MLIRContext *context, DataType dtype);

} // namespace linnet

#endif // LINNET_FRONTEND_STOREDSTRUCTURES_H
