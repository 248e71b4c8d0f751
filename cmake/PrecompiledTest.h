//===- PrecompiledTest.h - the precompiled header of unit tests -*- C++ -*-===//
//
// It names only headers that most tests need; a test still includes what it
// uses.
//
//===----------------------------------------------------------------------===//

#include <filesystem>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
