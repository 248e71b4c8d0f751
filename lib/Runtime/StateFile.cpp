//===- StateFile.cpp - sessions on disk -----------------------------------===//
//
// A fixed header, the id of the compilation, the size of each state, then from
// the next page on the states' bytes. The checksum covers all of it. Zero pages
// become holes of the file.
//
//===----------------------------------------------------------------------===//

#include "Session.h"
#include "SparseCopy.h"

#include "linnet/Support/File.h"
#include "linnet/Support/Hash.h"

#include <cstring>

namespace linnet {
namespace {

constexpr char kMagic[8] = {'L', 'I', 'N', 'N', 'E', 'T', 'S', '1'};

struct Header {
  char magic[8];
  uint64_t idBytes;
  int64_t position;
  uint64_t stateCount;
  int64_t payloadBytes;
  uint64_t checksum;
};
static_assert(sizeof(Header) == 48, "written as it stands");

/// What precedes the payload: header, id, sizes, zeros up to a page.
std::string prefixOf(const Manifest &manifest, int64_t position,
                     const std::byte *payload, int64_t payloadBytes) {
  Header header{};
  std::memcpy(header.magic, kMagic, sizeof(kMagic));
  header.idBytes = manifest.id.size();
  header.position = position;
  header.stateCount = manifest.states.size();
  header.payloadBytes = payloadBytes;
  std::string prefix(reinterpret_cast<const char *>(&header), sizeof(header));
  prefix += manifest.id;
  for (const StateSpec &state : manifest.states)
    prefix.append(reinterpret_cast<const char *>(&state.bytes),
                  sizeof(state.bytes));
  prefix.resize(roundUp(int64_t(prefix.size()), kSparseBlock));
  // Hashed with the checksum's own field at zero.
  uint64_t checksum =
      Hasher().update(prefix).update(payload, payloadBytes).finish();
  std::memcpy(prefix.data() + offsetof(Header, checksum), &checksum,
              sizeof(checksum));
  return prefix;
}

} // namespace

Outcome Session::save(const std::string &path) const {
  std::string prefix =
      prefixOf(owner->manifest(), consumed, memory.data(), memory.size());
  auto file = AtomicFile::create(path);
  if (!file)
    return fail(LINNET_ERROR_IO, file.error().str());
  Status status = file->write(prefix);
  int64_t end = 0;
  auto writeBlock = [&](int64_t offset, int64_t count) {
    if (status)
      status =
          file->writeAt(prefix.size() + offset, memory.data() + offset, count);
    end = offset + count;
  };
  forEachBlock(memory.data(), memory.size(), writeBlock);
  // The last byte gives the file its length even where it is zero.
  if (end < memory.size())
    writeBlock(memory.size() - 1, 1);
  if (status)
    status = file->commit();
  if (!status)
    return fail(LINNET_ERROR_IO, status.error().str());
  return {};
}

Outcome Session::load(const std::string &path) {
  const Manifest &manifest = owner->manifest();
  auto file = MappedFile::open(path);
  if (!file)
    return fail(LINNET_ERROR_IO, file.error().str());
  auto damaged = [&](const auto &...what) {
    return fail(LINNET_ERROR_STATE, path, ": ", what...);
  };

  Header header;
  if (file->size() < sizeof(header) ||
      std::memcmp(file->data(), kMagic, sizeof(kMagic)) != 0)
    return damaged("expected a saved state, but got something else");
  std::memcpy(&header, file->data(), sizeof(header));
  if (header.idBytes > 128 || file->size() < sizeof(header) + header.idBytes)
    return damaged("expected a whole file, but got a damaged header");
  std::string_view id = file->text().substr(sizeof(header), header.idBytes);
  if (id != manifest.id)
    return damaged("expected a state of compilation ", manifest.id,
                   ", but got one of ", id);

  std::string expected = prefixOf(manifest, header.position, nullptr, 0);
  size_t wanted = expected.size() + size_t(memory.size());
  if (file->size() != wanted)
    return damaged("expected ", wanted, " bytes, but got ", file->size());
  if (header.position < 0 ||
      (manifest.maxContext > 0 && header.position > manifest.maxContext))
    return damaged("expected a position within the context, but got ",
                   header.position);

  // Into memory of its own first: what is checked is what is used, and a
  // damaged file leaves the session as it was.
  Buffer loaded = Buffer::allocate(memory.size());
  if (memory.size() > 0 && !loaded.data())
    return fail(LINNET_ERROR_MEMORY, "cannot allocate ", memory.size(),
                " bytes of state");
  copySparse(loaded.data(), file->data() + expected.size(), memory.size());
  expected = prefixOf(manifest, header.position, loaded.data(), loaded.size());
  if (std::memcmp(expected.data(), file->data(), expected.size()) != 0)
    return damaged("expected a checksum that matches, but got a damaged file");

  for (void *&state : states)
    state = loaded.data() + (static_cast<std::byte *>(state) - memory.data());
  memory = std::move(loaded);
  consumed = header.position;
  history->restart(consumed);
  return {};
}

} // namespace linnet
