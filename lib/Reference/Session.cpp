//===- Session.cpp - the reference, token by token ------------------------===//

#include "linnet/Reference/Session.h"

#include "Interpreter.h"

#include "passes/Form/Passes.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"

namespace linnet {

using reference::ir::kForward;

/// Runs linnet-thread-state; its diagnostics become the error.
static Status threadState(mlir::ModuleOp module, int64_t maxContext) {
  std::string message;
  mlir::ScopedDiagnosticHandler handler(
      module.getContext(), [&](mlir::Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error &&
            message.empty())
          message = diagnostic.str();
        return mlir::success();
      });
  mlir::PassManager passes(module.getContext());
  reference::ir::ThreadStateOptions options;
  options.maxContext = maxContext;
  passes.addPass(reference::ir::createThreadState(options));
  if (succeeded(passes.run(module)))
    return {};
  return makeError("cannot stream the model: ", message);
}

Result<ReferenceSession> ReferenceSession::create(mlir::ModuleOp module,
                                                  const Archive *archive,
                                                  int64_t maxContext) {
  ReferenceSession session;
  session.threaded = module.clone();
  auto forward = session.threaded->lookupSymbol<mlir::func::FuncOp>(kForward);
  if (!forward)
    return makeError("expected a function @", kForward.str());
  unsigned plain = forward.getNumArguments();
  auto isPosition = [&](unsigned i) {
    return forward.getArgument(i).getType().isIndex();
  };
  if (plain != 2 || forward.getNumResults() != 1 ||
      isPosition(0) == isPosition(1))
    return makeError("expected @", kForward.str(),
                     " to take tokens and a position, but got ",
                     reference::formatType(forward.getFunctionType()));
  session.positionFirst = isPosition(0);
  if (Status status = threadState(*session.threaded, maxContext); !status)
    return status.error();
  auto model =
      (*session.threaded)
          ->getAttrOfType<mlir::DictionaryAttr>(reference::ir::kModelAttr);
  if (auto attr = model ? model.getAs<mlir::IntegerAttr>("max_context")
                        : mlir::IntegerAttr())
    session.context = attr.getInt();
  Result<Evaluator> evaluator = Evaluator::create(*session.threaded, archive);
  if (!evaluator)
    return evaluator.error();
  session.evaluator = evaluator.take();
  return session;
}

Result<HostTensor> ReferenceSession::feed(const HostTensor &tokens) {
  if (tokens.rank() != 2)
    return makeError("expected tokens [B, T], but got shape ",
                     formatShape(tokens.shape));
  if (tokens.shape[1] > context - fed)
    return makeError("expected a context of at most ", context,
                     " tokens, but got ", tokens.shape[1], " tokens behind ",
                     fed);
  auto forward = threaded->lookupSymbol<mlir::func::FuncOp>(kForward);
  std::vector<HostTensor> inputs{tokens, HostTensor::scalar(double(fed))};
  if (positionFirst)
    std::swap(inputs[0], inputs[1]);
  if (states.empty())
    for (mlir::Type type : forward.getArgumentTypes().drop_front(2)) {
      // The one dynamic dimension of a state is the batch.
      std::vector<int64_t> dims =
          mlir::cast<mlir::RankedTensorType>(type).getShape().vec();
      for (int64_t &size : dims)
        if (mlir::ShapedType::isDynamic(size))
          size = tokens.shape[0];
      Result<HostTensor> zeros = reference::makeZeros(dims);
      if (!zeros)
        return zeros.error();
      inputs.push_back(zeros.take());
    }
  else
    inputs.insert(inputs.end(), states.begin(), states.end());
  Result<std::vector<HostTensor>> results =
      evaluator->run(kForward, std::move(inputs));
  if (!results)
    return results.error();
  fed += tokens.shape[1];
  states.assign(std::make_move_iterator(results->begin() + 1),
                std::make_move_iterator(results->end()));
  return std::move(results->front());
}

void ReferenceSession::reset() {
  fed = 0;
  states.clear();
}

} // namespace linnet
