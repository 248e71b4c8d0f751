//===- ManifestNames.h - the words of a manifest -------------*- C++ -*-===//
//
// One table per enumeration, for the writer and the reader.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_RUNTIME_MANIFESTNAMES_H
#define LINNET_LIB_RUNTIME_MANIFESTNAMES_H

#include "linnet/Runtime/Manifest.h"

#include <array>
#include <string_view>
#include <utility>

namespace linnet {

template <typename Enum, size_t Count>
using Names = std::array<std::pair<std::string_view, Enum>, Count>;

inline constexpr Names<Manifest::ModelKind, 3> kModelKinds = {
    {{"causal-lm", Manifest::ModelKind::CausalLM},
     {"encoder", Manifest::ModelKind::Encoder},
     {"function", Manifest::ModelKind::Function}}};

inline constexpr Names<WeightLayout::Kind, 4> kLayoutKinds = {
    {{"raw", WeightLayout::Kind::Raw},
     {"f32", WeightLayout::Kind::F32},
     {"panel", WeightLayout::Kind::Panel},
     {"rotary", WeightLayout::Kind::Rotary}}};

inline constexpr Names<StateSpec::Kind, 2> kStateKinds = {
    {{"fixed", StateSpec::Kind::Fixed}, {"append", StateSpec::Kind::Append}}};

template <typename Enum, size_t Count>
constexpr std::string_view nameOf(const Names<Enum, Count> &names, Enum value) {
  for (const auto &[name, known] : names)
    if (known == value)
      return name;
  return "";
}

} // namespace linnet

#endif // LINNET_LIB_RUNTIME_MANIFESTNAMES_H
