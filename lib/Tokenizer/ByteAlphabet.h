//===- ByteAlphabet.h - bytes spelled as printable characters ---*- C++ -*-===//
//
// Byte-level vocabularies write each byte as one printable character, so that
// token strings are text: printable Latin-1 stands for itself, every other
// byte for the next free character from U+0100 on.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_LIB_TOKENIZER_BYTEALPHABET_H
#define LINNET_LIB_TOKENIZER_BYTEALPHABET_H

#include <cstdint>
#include <string>
#include <string_view>

namespace linnet::tokenizer {

/// The spelling of one byte, UTF-8.
std::string_view spellByte(uint8_t byte);

/// `bytes` spelled in the alphabet.
std::string spell(std::string_view bytes);

/// The bytes that `token` spells, or its own bytes if some character of it is
/// not in the alphabet. That is the reference decoder's rule, also for added
/// tokens; it makes an added token with an accent decode to other bytes.
std::string unspell(std::string_view token);

} // namespace linnet::tokenizer

#endif // LINNET_LIB_TOKENIZER_BYTEALPHABET_H
