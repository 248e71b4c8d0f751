//===- HeadAndRowTransition.cpp - a transition from out of tree -----------===//
//
// All that a new transition takes: an attribute that describes itself, and its
// registration. Here a decay per head times a decay per row, one of which may
// be time-invariant,
//   S_t = e^{g_t + r_t} S_{t-1} + k_t v_t^T.
//
//===----------------------------------------------------------------------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/IR/DialectImplementation.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"

using namespace mlir;

namespace outside {

class HeadAndRowAttr
    : public Attribute::AttrBase<HeadAndRowAttr, Attribute, AttributeStorage,
                                 linnet::TransitionAttrInterface::Trait> {
public:
  using Base::Base;
  static constexpr StringLiteral name = "outside.head_and_row";

  SmallVector<StringRef> getOperandDims() const { return {"th", "thk"}; }
  linnet::NormalForm getNormalForm() const {
    linnet::NormalForm form;
    form.logDecay = {{0}, {1}};
    return form;
  }
};

class OutsideDialect : public Dialect {
public:
  explicit OutsideDialect(MLIRContext *context)
      : Dialect(getDialectNamespace(), context, TypeID::get<OutsideDialect>()) {
    addAttributes<HeadAndRowAttr>();
    context->getOrLoadDialect<linnet::LinnetDialect>()->addTransition(
        HeadAndRowAttr::get(context));
  }
  static constexpr StringLiteral getDialectNamespace() { return "outside"; }

  Attribute parseAttribute(DialectAsmParser &parser, Type) const override {
    if (parser.parseKeyword("head_and_row"))
      return {};
    return HeadAndRowAttr::get(getContext());
  }
  void printAttribute(Attribute, DialectAsmPrinter &printer) const override {
    printer << "head_and_row";
  }
};

} // namespace outside

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "outside", "1.0",
          [](DialectRegistry *registry) {
            registry->insert<outside::OutsideDialect>();
          }};
}
