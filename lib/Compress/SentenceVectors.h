//===- SentenceVectors.h - what encoders make of sentences ----*- C++ -*-===//

#ifndef LIB_COMPRESS_SENTENCEVECTORS_H
#define LIB_COMPRESS_SENTENCEVECTORS_H

#include "linnet/Checkpoint/Archive.h"
#include "linnet/Compress/Compress.h"
#include "linnet/Numerics/Matrix.h"

#include "mlir/IR/BuiltinOps.h"

namespace linnet::compress {

/// Vectors of length 1, one per row.
struct SentenceVectors {
  Matrix fitted, heldOut, evaluated;
  /// How they come from outputs, in words.
  std::string pooling;
};

/// Runs the encoder `module` on the texts of `options`. Errors: those of
/// readWindows(); fewer than 16 sentences to calibrate with, of which 2 are
/// held out; outputs that are not finite.
Result<SentenceVectors> readSentenceVectors(const CompressOptions &options,
                                            mlir::ModuleOp module,
                                            const Archive &archive,
                                            CompressReport &report);

/// The matrix [kept, width] that takes the first entries.
Matrix firstEntries(int64_t kept, int64_t width);

/// The directions [kept, width] that hold most of `vectors`, and their share of
/// the squares.
struct PrincipalDirections {
  Matrix directions;
  double share = 0;
};
Result<PrincipalDirections> findPrincipalDirections(const Matrix &vectors,
                                                    int64_t kept);

/// How the cosines of all pairs of vectors change.
struct CosineChange {
  /// The mean of by how much they differ.
  double error = 0;
  /// Pearson's, of before and after: what is lost of their order. 1 where a
  /// common shift or factor is all.
  double correlation = 1;
};

/// By a projection [kept, width] of `vectors`. A vector of which nothing is
/// left has cosine 0.
CosineChange compareCosines(const Matrix &vectors, const Matrix &projection);

} // namespace linnet::compress

#endif // LIB_COMPRESS_SENTENCEVECTORS_H
