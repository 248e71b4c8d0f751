//===- Pattern.cpp - regular expressions of tokenizer.json ----------------===//

#include "Pattern.h"

#include "linnet/Support/Quote.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace linnet::tokenizer {

namespace {

/// A well-behaved pattern backtracks once per character at worst; ten million
/// backtracks are a fraction of a second.
constexpr uint32_t MatchLimit = 10'000'000;
/// Bounds the interpreter's backtracking memory, in KiB.
constexpr uint32_t HeapLimitKiB = 64 * 1024;
/// Bounds the compiled matcher's stack, in bytes.
constexpr size_t JitStackStart = 32 * 1024, JitStackLimit = 8 * 1024 * 1024;

// What Oniguruma's classes are in Unicode, spelled out: PCRE2 leaves marks and
// most connectors out of \w and puts U+180E into \s.
constexpr std::string_view Word = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
constexpr std::string_view Hex = "0-9A-Fa-f";

std::string errorText(int code) {
  PCRE2_UCHAR buffer[256];
  pcre2_get_error_message(code, buffer, sizeof(buffer));
  return reinterpret_cast<const char *>(buffer);
}

/// Rewrites one pattern; `position` runs over it.
class Translator {
public:
  explicit Translator(std::string_view pattern) : pattern(pattern) {}

  Result<std::string> run() {
    while (position < pattern.size()) {
      if (const Status status = step(); !status)
        return status.error();
    }
    return std::move(output);
  }

private:
  std::string_view rest() const { return pattern.substr(position); }

  Error refuse(std::string_view part) const {
    return makeError("expected a pattern without ", quoteName(part),
                     ", but got ", quoteName(pattern));
  }

  void copy(size_t count) {
    output += pattern.substr(position, count);
    position += count;
  }

  Status step() {
    const char character = pattern[position];
    if (character == '\\')
      return escape();
    if (inClass) {
      if (rest().starts_with("&&"))
        return refuse("&&");
      if (rest().starts_with("[:")) {
        const size_t end = rest().find(":]");
        if (end == std::string_view::npos)
          return refuse("[:");
        copy(end + 2);
        return {};
      }
      // Oniguruma nests classes; to PCRE2 the bracket is a character.
      if (character == '[')
        return refuse("[...[");
      inClass = character != ']';
      copy(1);
      return {};
    }
    if (character == '[') {
      inClass = true;
      copy(rest().starts_with("[^") ? 2 : 1);
      // A bracket that comes first is a character in both.
      if (rest().starts_with("]"))
        copy(1);
      return {};
    }
    if (rest().starts_with("(?"))
      return group();
    if (rest().starts_with("(*"))
      return refuse("(*");
    // Oniguruma repeats the repetition; PCRE2 makes it possessive.
    if (rest().starts_with("}+"))
      return refuse("}+");
    copy(1);
    return {};
  }

  Status group() {
    for (size_t i = position + 2; i < pattern.size(); ++i) {
      const char option = pattern[i];
      if (option == 'm' || option == 's')
        return refuse("(?m"); // multi-line to one, dot-all to the other
      if (option != 'i' && option != 'x' && option != '-')
        break;
    }
    copy(2);
    return {};
  }

  Status escape() {
    if (position + 1 == pattern.size())
      return makeError(
          "expected a character after the last '\\', but got the end of ",
          quoteName(pattern));
    const char name = pattern[position + 1];
    const auto replaceBy = [&](const std::string &text) -> Status {
      output += text;
      position += 2;
      return {};
    };
    const auto brackets = [&](std::string_view set) {
      return inClass ? std::string(set) : "[" + std::string(set) + "]";
    };
    switch (name) {
    case 's':
      return replaceBy("\\p{White_Space}");
    case 'S':
      return replaceBy("\\P{White_Space}");
    case 'w':
      return replaceBy(brackets(Word));
    case 'h':
      return replaceBy(brackets(Hex));
    case 'W':
      return inClass ? Status(refuse("[...\\W"))
                     : replaceBy("[^" + std::string(Word) + "]");
    case 'H':
      return inClass ? Status(refuse("[...\\H"))
                     : replaceBy("[^" + std::string(Hex) + "]");
    case 'u': {
      const std::string_view digits = rest().substr(2, 4);
      if (digits.size() != 4 ||
          digits.find_first_not_of("0123456789abcdefABCDEF") !=
              std::string_view::npos)
        return refuse(rest().substr(0, 6));
      output += "\\x{" + std::string(digits) + "}";
      position += 6;
      return {};
    }
    case 'p':
    case 'P': {
      const size_t end = rest().find('}');
      if (!rest().substr(2).starts_with("{") || end == std::string_view::npos)
        return refuse(rest().substr(0, 3));
      copy(end + 1);
      return {};
    }
    case 'x': {
      const size_t end = rest().find('}');
      copy(rest().substr(2).starts_with("{") && end != std::string_view::npos
               ? end + 1
               : 2);
      return {};
    }
    default:
      break;
    }
    const bool isLetter =
        (name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z');
    if (isLetter && std::strchr("adDefnrtAGzZ", name) == nullptr)
      return refuse(rest().substr(0, 2));
    copy(2);
    return {};
  }

  std::string_view pattern;
  size_t position = 0;
  std::string output;
  bool inClass = false;
};

} // namespace

Result<std::string> translatePattern(std::string_view pattern) {
  return Translator(pattern).run();
}

struct Pattern::Code {
  pcre2_code *code = nullptr;
  std::string source;
  bool compiledToMachineCode = false;
  ~Code() { pcre2_code_free(code); }
};

Result<Pattern> Pattern::compile(const std::string &pattern, bool literal) {
  std::string translated = pattern;
  // Oniguruma's ^ and $ are at every line, and only \n ends a line.
  uint32_t options =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  if (literal) {
    options = PCRE2_UTF | PCRE2_LITERAL;
  } else {
    Result<std::string> result = translatePattern(pattern);
    if (!result)
      return result.error();
    translated = result.take();
  }
  const std::unique_ptr<pcre2_compile_context,
                        decltype(&pcre2_compile_context_free)>
      context(pcre2_compile_context_create(nullptr),
              pcre2_compile_context_free);
  if (!context)
    return makeError("out of memory while compiling a pattern");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int errorCode = 0;
  PCRE2_SIZE errorOffset = 0;
  auto code = std::make_shared<Code>();
  code->source = pattern;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()),
                             translated.size(), options, &errorCode,
                             &errorOffset, context.get());
  if (!code->code)
    return makeError("expected a valid pattern, but got ", quoteName(pattern),
                     ": ", errorText(errorCode));
  code->compiledToMachineCode =
      pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE) == 0;
  Pattern result;
  result.code = std::move(code);
  return result;
}

Result<std::vector<Pattern::Range>>
Pattern::findAll(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)>
      data(pcre2_match_data_create_from_pattern(code->code, nullptr),
           pcre2_match_data_free);
  const std::unique_ptr<pcre2_match_context,
                        decltype(&pcre2_match_context_free)>
      context(pcre2_match_context_create(nullptr), pcre2_match_context_free);
  const std::unique_ptr<pcre2_jit_stack, decltype(&pcre2_jit_stack_free)> stack(
      code->compiledToMachineCode
          ? pcre2_jit_stack_create(JitStackStart, JitStackLimit, nullptr)
          : nullptr,
      pcre2_jit_stack_free);
  if (!data || !context)
    return makeError("out of memory while matching a pattern");
  pcre2_set_match_limit(context.get(), MatchLimit);
  pcre2_set_heap_limit(context.get(), HeapLimitKiB);
  pcre2_jit_stack_assign(context.get(), nullptr, stack.get());

  std::vector<Range> ranges;
  size_t position = 0;
  while (position < text.size()) {
    const auto match = [&](uint32_t options) {
      return pcre2_match(code->code, reinterpret_cast<PCRE2_SPTR>(text.data()),
                         text.size(), position, options | PCRE2_NO_UTF_CHECK,
                         data.get(), context.get());
    };
    int outcome = match(0);
    if (outcome == PCRE2_ERROR_JIT_STACKLIMIT)
      outcome = match(PCRE2_NO_JIT);
    if (outcome == PCRE2_ERROR_NOMATCH)
      break;
    if (outcome < 0)
      return makeError("pattern ", quoteName(code->source), " failed at byte ",
                       position, " of the text: ", errorText(outcome));
    const PCRE2_SIZE *bounds = pcre2_get_ovector_pointer(data.get());
    if (bounds[1] > bounds[0] && bounds[0] >= position) {
      ranges.emplace_back(bounds[0], bounds[1]);
      position = bounds[1];
    } else {
      // An empty match: step over one character.
      position = std::max<size_t>(bounds[1], position) + 1;
      while (position < text.size() &&
             (static_cast<uint8_t>(text[position]) & 0xC0) == 0x80)
        ++position;
    }
  }
  return ranges;
}

} // namespace linnet::tokenizer
