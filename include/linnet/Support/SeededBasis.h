//===- SeededBasis.h - a matrix that a seed stands for --------*- C++ -*-===//
//
// What the structure `seeded` of the dialect is made of, the same to the bit
// in fits, in the evaluator and at load.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_SUPPORT_SEEDEDBASIS_H
#define LINNET_SUPPORT_SEEDEDBASIS_H

#include "linnet/Support/SplitMix64.h"

namespace linnet {

/// Entries [0, length) of row `row` of the basis of `seed`: numbers of [-1, 1)
/// with 53 bits, of the SplitMix64 stream that starts at
/// seed + 1000003 row (mod 2^64), each rounded to T. A row does not depend on
/// how many there are, nor an entry on how long rows are.
template <typename T>
void fillBasisRow(int64_t seed, int64_t row, int64_t length, T *entries) {
  uint64_t state = uint64_t(seed) + uint64_t(1000003) * uint64_t(row);
  for (int64_t i = 0; i < length; ++i)
    entries[i] = T(nextUniform(state) * 2 - 1);
}

} // namespace linnet

#endif // LINNET_SUPPORT_SEEDEDBASIS_H
