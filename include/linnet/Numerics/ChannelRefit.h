//===- ChannelRefit.h - maps around an elementwise function ---*- C++ -*-===//
//
// Channels z = f(y_1, ..., y_k) stand between maps: y_i = A_i x + b_i of the
// producers, entry by entry through f, and D z of the consumer. All matrices
// are fitted together, so that E|t - D z|^2 is small for targets t: D in closed
// form, and the A_i by Gauss and Newton's method (Nocedal and Wright 2006,
// 10.3). With the slopes s_i = df/dy_i, steps V_i change D z by
// D sum_i s_i o (V_i x), where o is the product of entries: a least squares
// problem of k c n unknowns, which conjugate gradients solve without its
// matrix, a pass over the tokens for each iteration (7.1). Nothing of a model
// but these maps is looked at, and only slopes of f are taken.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_NUMERICS_CHANNELREFIT_H
#define LINNET_NUMERICS_CHANNELREFIT_H

#include "linnet/Numerics/Matrix.h"

#include <vector>

namespace linnet {

/// f, of arrays of size() entries at a time.
class ChannelFunction {
public:
  virtual ~ChannelFunction() = default;
  virtual int64_t size() const = 0;
  virtual Status run(const std::vector<std::vector<float>> &y,
                     std::vector<float> &z) const = 0;
};

struct ChannelMaps {
  /// A_i, c x n, and b_i, c entries or none.
  std::vector<Matrix> producers;
  std::vector<std::vector<float>> biases;
  /// D, m x c.
  Matrix consumer;
};

/// Row-major rows x [n] and t [m].
struct ChannelTokens {
  int64_t count = 0;
  std::vector<float> inputs, targets;
};

struct ChannelRefitOptions {
  /// How often the A_i, then D, are fitted.
  int64_t steps = 4;
  /// Of conjugate gradients, in each step.
  int64_t iterations = 6;
  /// Tokens that slopes are taken of in a step, others in the next.
  int64_t stepTokens = 16384;
  /// What weighs changes, relative to what they add to z on average; of D as
  /// refitTarget() says.
  double damping = 1e-3;
};

/// E|t - D z|^2. Errors: sizes that disagree; what f says.
Result<double> channelLoss(const ChannelMaps &maps, const ChannelTokens &tokens,
                           const ChannelFunction &function);

/// A step is taken as far as it makes the loss on its tokens smaller: in whole,
/// in halves of it, or not. Errors: as above; entries that are not finite.
Result<ChannelMaps> refitChannels(ChannelMaps maps, const ChannelTokens &tokens,
                                  const ChannelFunction &function,
                                  const ChannelRefitOptions &options = {});

/// What a step solves: the slopes [tokens, c] and residuals r = t - D z.
struct ChannelSlopes {
  std::vector<std::vector<float>> slopes;
  std::vector<float> residuals;
};

/// The V_i that make E|r - D sum_i s_i o (V_i x)|^2 +
/// damping sum_ij |D_:j|^2 E[s_ij^2] E(V_ij x)^2 least, as near as so many
/// iterations come; V_ij is row j. Of `tokens` the inputs count.
Result<std::vector<Matrix>> solveProducers(const Matrix &consumer,
                                           const ChannelTokens &tokens,
                                           const ChannelSlopes &slopes,
                                           int64_t iterations, double damping);

} // namespace linnet

#endif // LINNET_NUMERICS_CHANNELREFIT_H
