//===- ModelHandle.h - owners of models and sessions ----------*- C++ -*-===//

#ifndef LINNET_RUNTOOL_MODELHANDLE_H
#define LINNET_RUNTOOL_MODELHANDLE_H

#include "linnet/Runtime/linnet.h"

#include <memory>

namespace linnet::runtool {

struct CloseModel {
  void operator()(linnet_model *model) const { linnet_model_close(model); }
};
struct DestroySession {
  void operator()(linnet_session *session) const {
    linnet_session_destroy(session);
  }
};
using ModelHandle = std::unique_ptr<linnet_model, CloseModel>;
/// Goes before its model does.
using SessionHandle = std::unique_ptr<linnet_session, DestroySession>;

} // namespace linnet::runtool

#endif // LINNET_RUNTOOL_MODELHANDLE_H
