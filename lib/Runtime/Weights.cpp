//===- Weights.cpp - weights in memory ------------------------------------===//

#include "Weights.h"

#include "Packing.h"

#include "linnet/Support/Hash.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <tuple>

namespace linnet {
namespace {

/// Source bytes per piece of work: small beside a tensor, so that threads end
/// together, and large beside the cost of handing one out.
constexpr int64_t kPieceBytes = int64_t(1) << 20;

/// No machine has more, and sums of a few stay within int64.
constexpr int64_t kMaxMemory = int64_t(1) << 48;

/// How one buffer is filled from contiguous ranges of its source.
struct Filling {
  const WeightSlot *slot = nullptr;
  const std::byte *source = nullptr;
  std::byte *target = nullptr;
  /// Panel: one per batch dimension; all pieces of the first come first.
  std::vector<PanelPacking> matrices;

  int64_t units() const;
  /// Units of one piece.
  int64_t grain() const;
  void fill(int64_t begin, int64_t end) const;
};

int64_t Filling::units() const {
  if (slot->seed)
    return slot->shape[0];
  switch (slot->layout.kind) {
  case WeightLayout::Kind::Raw:
    return 0;
  case WeightLayout::Kind::F32:
    return *elementCount(slot->shape);
  case WeightLayout::Kind::Panel:
    return matrices.empty() ? 0
                            : int64_t(matrices.size()) * matrices[0].pieces();
  case WeightLayout::Kind::Rotary:
    return slot->layout.rows;
  }
  return 0;
}

int64_t Filling::grain() const {
  int64_t unitBytes =
      int64_t(dataTypeSize(slot->dtype)) * slot->layout.together;
  if (slot->seed)
    // A number costs a few multiplications rather than a copy.
    unitBytes *= 8 * slot->shape[1];
  else if (slot->layout.kind == WeightLayout::Kind::Panel)
    unitBytes *= (matrices[0].transposed ? 1 : matrices[0].width) *
                 matrices[0].rowLength();
  else if (slot->layout.kind == WeightLayout::Kind::Rotary)
    // An element costs two transcendental functions rather than a copy.
    unitBytes *= 64 * int64_t(slot->layout.inverseFrequencies.size());
  return std::max<int64_t>(1, kPieceBytes / std::max<int64_t>(1, unitBytes));
}

/// Packs pieces, then lets go of the mapped source: otherwise every weight
/// would be in memory twice. A raw slot of the same tensor maps its rows again.
void packAndRelease(const PanelPacking &packing, int64_t begin, int64_t end) {
  packing.pack(begin, end);
  int64_t rowBytes = packing.rowLength() * packing.sourceSize();
  int64_t first = packing.firstRow(begin), last = packing.lastRow(end);
  releasePages(packing.source + first * rowBytes, (last - first) * rowBytes);
}

void Filling::fill(int64_t begin, int64_t end) const {
  if (slot->seed)
    return fillBasisRows(*slot->seed, begin, end, slot->shape[1],
                         std::max<int64_t>(1, slot->layout.width),
                         reinterpret_cast<float *>(target));
  int64_t size = int64_t(dataTypeSize(slot->dtype));
  switch (slot->layout.kind) {
  case WeightLayout::Kind::Raw:
    return;
  case WeightLayout::Kind::F32:
    convertToF32(source + begin * size, slot->dtype,
                 reinterpret_cast<float *>(target) + begin, end - begin);
    releasePages(source + begin * size, (end - begin) * size);
    return;
  case WeightLayout::Kind::Panel: {
    int64_t perMatrix = matrices[0].pieces();
    while (begin < end) {
      int64_t matrix = begin / perMatrix;
      int64_t stop = std::min(end, (matrix + 1) * perMatrix);
      packAndRelease(matrices[matrix], begin - matrix * perMatrix,
                     stop - matrix * perMatrix);
      begin = stop;
    }
    return;
  }
  case WeightLayout::Kind::Rotary:
    fillRotaryRows(slot->layout.inverseFrequencies, slot->layout.scaling, begin,
                   end, reinterpret_cast<float *>(target));
    return;
  }
}

std::vector<PanelPacking>
matricesOf(const WeightSlot &slot, const std::byte *source, std::byte *target) {
  PanelPacking packing;
  auto [count, rows, columns] = slot.matrices();
  packing.sourceType = slot.dtype;
  packing.transposed = slot.layout.transposed;
  packing.n = packing.transposed ? columns : rows;
  packing.together = slot.layout.together;
  packing.k = (packing.transposed ? rows : columns) / packing.together;
  packing.width = slot.layout.width;
  packing.packedType = slot.memoryType();
  if (rows == 0 || columns == 0)
    count = 0;
  std::vector<PanelPacking> matrices;
  int64_t rowBytes = columns * int64_t(dataTypeSize(slot.dtype));
  int64_t first = 0, distance = rows;
  if (const auto &blocks = slot.layout.rowBlocks) {
    first = blocks->begin;
    distance = slot.shape[slot.shape.size() - 2] / blocks->count;
  }
  for (int64_t i = 0; i < count; ++i) {
    packing.source = source + (i * distance + first) * rowBytes;
    packing.panels = target + i * (slot.memoryBytes() / count);
    matrices.push_back(packing);
  }
  return matrices;
}

/// What makes two slots the same buffer.
using Identity =
    std::tuple<int64_t, std::string, int, int64_t, bool, int64_t, int64_t,
               int64_t, int64_t, int, std::vector<float>, float, int64_t,
               std::optional<int64_t>, std::vector<int64_t>>;

Identity identityOf(const WeightSlot &slot) {
  auto blocks =
      slot.layout.rowBlocks.value_or(WeightLayout::RowBlocks{1, 0, 0});
  return {slot.file, slot.key, int(slot.layout.kind), slot.layout.width,
          slot.layout.transposed, slot.layout.together, blocks.count,
          blocks.begin, blocks.rows, int(slot.memoryType()),
          slot.layout.inverseFrequencies, slot.layout.scaling, slot.layout.rows,
          slot.seed,
          // A tensor has one shape, a seed any.
          slot.seed ? slot.shape : std::vector<int64_t>()};
}

Outcome checkTensor(const WeightSlot &slot, const TensorInfo *tensor,
                    const std::string &path) {
  if (!tensor)
    return fail(LINNET_ERROR_WEIGHTS, path, ": expected a tensor '", slot.key,
                "', but got none of that name");
  if (tensor->dtype != slot.dtype)
    return fail(LINNET_ERROR_WEIGHTS, path, ": tensor '", slot.key,
                "': expected type ", dataTypeName(slot.dtype), ", but got ",
                dataTypeName(tensor->dtype));
  if (tensor->shape != slot.shape)
    return fail(LINNET_ERROR_WEIGHTS, path, ": tensor '", slot.key,
                "': expected shape ", formatShape(slot.shape), ", but got ",
                formatShape(tensor->shape));
  return {};
}

} // namespace

Outcome Weights::openFiles(const Manifest &manifest,
                           const std::string &directory) {
  for (const WeightFile &expected : manifest.weightFiles) {
    std::string path = expected.path.starts_with('/')
                           ? expected.path
                           : directory + "/" + expected.path;
    auto file = SafetensorsFile::open(path);
    if (!file)
      return fail(LINNET_ERROR_WEIGHTS, file.error().str());
    constexpr std::string_view kAdvice =
        "; the file has changed, compile the model again";
    if (int64_t(file->size()) != expected.bytes)
      return fail(LINNET_ERROR_WEIGHTS, path, ": expected ", expected.bytes,
                  " bytes, but got ", file->size(), kAdvice);
    if (std::string hash = toHex(file->headerHash()); hash != expected.hash)
      return fail(LINNET_ERROR_WEIGHTS, path, ": expected header hash ",
                  expected.hash, ", but got ", hash, kAdvice);
    files.push_back(file.take());
  }
  return {};
}

Outcome Weights::load(const Manifest &manifest, const std::string &directory,
                      ThreadPool &pool) {
  if (Outcome outcome = openFiles(manifest, directory); !outcome)
    return outcome;

  // Place the distinct buffers one after the other.
  std::map<Identity, int64_t> offsets;
  std::vector<Filling> fillings;
  std::vector<const std::byte *> raw(manifest.slots.size(), nullptr);
  std::vector<int64_t> offsetOf(manifest.slots.size(), -1);
  bool anyRaw = false;
  int64_t size = 0;
  for (size_t i = 0; i < manifest.slots.size(); ++i) {
    const WeightSlot &slot = manifest.slots[i];
    const std::byte *source = nullptr;
    if (slot.isStored()) {
      const SafetensorsFile &file = files[slot.file];
      const TensorInfo *tensor = file.find(slot.key);
      if (Outcome outcome = checkTensor(slot, tensor, file.path()); !outcome)
        return outcome;
      source = file.data(*tensor);
    }
    auto [place, isNew] = offsets.try_emplace(identityOf(slot), size);
    offsetOf[i] = place->second;
    if (isNew)
      total += slot.memoryBytes();
    if (slot.layout.kind == WeightLayout::Kind::Raw) {
      raw[i] = source;
      anyRaw = true;
      // Orders of inputs, unlike rows that are looked up.
      if (isNew && !isFloat(slot.dtype))
        step += slot.memoryBytes();
      continue;
    }
    if (!isNew)
      continue;
    if (slot.layout.kind != WeightLayout::Kind::Rotary)
      step += slot.memoryBytes();
    size += roundUp(slot.memoryBytes(), kTensorAlignment);
    if (size > kMaxMemory)
      return fail(LINNET_ERROR_MANIFEST, "expected weights of at most ",
                  kMaxMemory, " bytes, but got more up to slot ", i);
    Filling filling;
    filling.slot = &slot;
    filling.source = source;
    fillings.push_back(filling);
  }

  if (size > 0) {
    memory = Buffer::allocate(size);
    if (!memory.data())
      return fail(LINNET_ERROR_MEMORY, "cannot allocate ", size,
                  " bytes for weights");
  }
  slots.resize(manifest.slots.size());
  for (size_t i = 0; i < slots.size(); ++i)
    // Generated code reads weights only; the mapping is read-only anyway.
    slots[i] =
        raw[i] ? const_cast<std::byte *>(raw[i]) : memory.data() + offsetOf[i];

  // In file order, so that a cold file is read from front to back.
  for (Filling &filling : fillings) {
    const WeightSlot &slot = *filling.slot;
    filling.target = memory.data() + offsets.at(identityOf(slot));
    if (slot.layout.kind == WeightLayout::Kind::Panel && slot.isStored())
      filling.matrices = matricesOf(slot, filling.source, filling.target);
  }
  std::sort(fillings.begin(), fillings.end(),
            [](const Filling &a, const Filling &b) {
              return std::tuple(a.slot->file, a.source, a.slot) <
                     std::tuple(b.slot->file, b.source, b.slot);
            });

  struct Piece {
    const Filling *filling;
    int64_t begin, end;
  };
  std::vector<Piece> pieces;
  for (const Filling &filling : fillings) {
    int64_t units = filling.units();
    int64_t grain = units ? filling.grain() : 1;
    for (int64_t begin = 0; begin < units; begin += grain)
      pieces.push_back({&filling, begin, std::min(begin + grain, units)});
  }
  std::atomic<size_t> next{0};
  pool.run([&](int64_t, int64_t) {
    for (size_t i;
         (i = next.fetch_add(1, std::memory_order_relaxed)) < pieces.size();) {
      const Piece &piece = pieces[i];
      if (piece.begin == 0 && piece.filling->source)
        expectPages(piece.filling->source,
                    *elementCount(piece.filling->slot->shape) *
                        dataTypeSize(piece.filling->slot->dtype));
      piece.filling->fill(piece.begin, piece.end);
    }
  });

  // Without raw slots nothing points into the files any more.
  if (!anyRaw)
    files.clear();
  return {};
}

} // namespace linnet
