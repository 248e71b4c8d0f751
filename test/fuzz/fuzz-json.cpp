//===- fuzz-json.cpp - the tolerant JSON reader ---------------------------===//
//
// Whatever parses must format and parse again to the same value; every error
// must be one line.
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/Invariant.h"

#include "linnet/Support/Json.h"
#include "linnet/Support/Quote.h"

using namespace linnet;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  Result<Json> value = parseJson(text, "fuzz");
  if (!value) {
    checkMessage(value.error().str());
    return 0;
  }
  // NaN is unequal to itself, so the formatted texts are compared.
  for (int indent : {-1, 2}) {
    std::string formatted = formatJson(*value, indent);
    check(isUtf8(formatted));
    Result<Json> back = parseJson(formatted, "formatted");
    check(static_cast<bool>(back));
    check(formatJson(*back, indent) == formatted);
  }
  check(isUtf8(describeJson(*value)));
  (void)getInt(*value, "a", "fuzz", 1);
  (void)getDouble(*value, "a", "fuzz", 1);
  (void)getInts(*value, "a", "fuzz");
  (void)getStrings(*value, "a", "fuzz");
  return 0;
}
