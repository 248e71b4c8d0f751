//===- Manifest.h - the description beside a compiled library -*- C++ -*-===//
//
// OUT/manifest.json says what OUT/model.so is: which CPU it needs, which
// weights it reads in which layout, which buffers it wants. The compiler writes
// it and the runtime reads it through this one struct.
//
//===----------------------------------------------------------------------===//

#ifndef LINNET_RUNTIME_MANIFEST_H
#define LINNET_RUNTIME_MANIFEST_H

#include "linnet/Checkpoint/DataType.h"
#include "linnet/Support/Json.h"
#include "linnet/Support/Result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace linnet {

/// "0.1.0", the release that writes manifests of this form.
inline constexpr std::string_view kLinnetVersion = "0.1.0";
/// The name of the manifest in a compiled directory.
inline constexpr std::string_view kManifestFile = "manifest.json";
/// Symbols every compiled library exports:
/// `const char linnet_library_id[]` equals Manifest::id,
/// `const int64_t linnet_library_abi` equals LINNET_ABI_VERSION.
inline constexpr const char *kLibraryIdSymbol = "linnet_library_id";
inline constexpr const char *kLibraryAbiSymbol = "linnet_library_abi";
/// Phase names. A causal-lm has prefill and may have decode, an encoder has
/// encode, a function has run.
inline constexpr std::string_view kPrefillPhase = "prefill";
inline constexpr std::string_view kDecodePhase = "decode";
inline constexpr std::string_view kEncodePhase = "encode";
inline constexpr std::string_view kRunPhase = "run";

/// The form in which generated code finds a weight in memory.
struct WeightLayout {
  enum class Kind {
    /// The bytes of the file, mapped: no alignment beyond the file's.
    Raw,
    /// Converted to f32, row-major, 64-byte aligned.
    F32,
    /// A matrix W[N][K] (`transposed`: stored as [K][N]) as
    /// [ceil(N / width)][K][width], 64-byte aligned, the last panel padded with
    /// zeros. Dimensions before the last two are batch dimensions; `rowBlocks`
    /// adds one. With `together` = t > 1, t numbers of a row stay side by side:
    /// [ceil(N / width)][K / t][width][t].
    Panel,
    /// No tensor but a table: f32 [rows][2][R], cosines then sines of
    /// f32(position) * inverseFrequencies[i] (product rounded to f32), times
    /// scaling. 64-byte aligned.
    Rotary
  };

  Kind kind = Kind::Raw;
  /// Panel only: columns per panel, 1..4096.
  int64_t width = 0;
  bool transposed = false;
  /// Panel only, and only of elements as stored, in rows: a divisor of K;
  /// so many elements have at most 4 bytes.
  int64_t together = 1;
  /// Rows [begin, begin + rows) of each of `count` equal blocks of the stored
  /// rows are a matrix each: one of several parts that heads have in a tensor.
  struct RowBlocks {
    int64_t count = 0, begin = 0, rows = 0;
    bool operator==(const RowBlocks &) const = default;
  };
  /// Panel only; absent: all rows are one matrix.
  std::optional<RowBlocks> rowBlocks;
  /// Rotary only.
  std::vector<float> inverseFrequencies;
  float scaling = 1.0f;
  int64_t rows = 0;

  bool operator==(const WeightLayout &) const = default;

  static WeightLayout raw() { return {}; }
  static WeightLayout f32();
  static WeightLayout panel(int64_t width, bool transposed = false);
  static WeightLayout rotary(std::vector<float> inverseFrequencies,
                             int64_t rows, float scaling = 1.0f);
};

/// Whether kernels read panels of this type as they are stored; others are
/// converted to F32 at load. BF16, F16, I8.
bool isPackedAsStored(DataType type);

/// One entry of LinnetInvocation::weights.
struct WeightSlot {
  /// The tensor's name in its file; empty for what is computed.
  std::string key;
  /// Index into Manifest::weightFiles; -1 for what is computed.
  int64_t file = -1;
  /// Type and shape in the file; F32 and [rows, 2, R] for Rotary.
  DataType dtype = DataType::F32;
  std::vector<int64_t> shape;
  /// Panel only: the element type of the panels, which is `dtype` or F32.
  /// Absent: `dtype` if isPackedAsStored(), else F32.
  std::optional<DataType> packedType;
  WeightLayout layout;
  /// F32 and Panel of rows only: no tensor of a file but the basis of this
  /// seed, fillBasisRow(), a matrix of F32 of `shape`.
  std::optional<int64_t> seed = {};

  /// Whether a file has it: the others are computed at load.
  bool isStored() const {
    return layout.kind != WeightLayout::Kind::Rotary && !seed;
  }
  /// The element type in memory.
  DataType memoryType() const;
  /// Panel only: the number of matrices, and the rows and columns of each as
  /// stored. The slot must be valid.
  struct Matrices {
    int64_t count = 0, rows = 0, columns = 0;
  };
  Matrices matrices() const;
  /// Bytes in memory. The slot must be valid.
  int64_t memoryBytes() const;
};

/// A safetensors file that slots read from.
struct WeightFile {
  /// Relative paths are relative to the compiled directory.
  std::string path;
  int64_t bytes = 0;
  /// toHex(SafetensorsFile::headerHash()).
  std::string hash;
};

/// One entry of LinnetInvocation::states. Sessions start with zeros.
struct StateSpec {
  enum class Kind {
    /// Rewritten by every step: cannot be rewound.
    Fixed,
    /// Indexed by position: what lies at or beyond the position is not read.
    Append
  };
  std::string name;
  std::vector<int64_t> shape;
  int64_t bytes = 0;
  Kind kind = Kind::Fixed;
};

/// A function of the library with the signature LinnetPhase.
struct PhaseSpec {
  std::string name;
  std::string symbol;
  /// Most tokens per batch row in one call; 1 for a function.
  int64_t maxTokens = 1;
  /// Bytes shared by all threads.
  int64_t workspaceBytes = 0;
  /// Bytes per thread.
  int64_t scratchBytes = 0;
};

/// An entry of LinnetInvocation::inputs or outputs. Causal models have the
/// input "tokens" (I32 [batch, -1]) and one F32 output [batch, -1, width];
/// encoders also take "token_types" and "attention_mask" (I32, same shape) if
/// listed. Functions have static shapes.
struct ArgumentSpec {
  std::string name;
  DataType dtype = DataType::F32;
  std::vector<int64_t> shape;
};

struct Manifest {
  enum class ModelKind { CausalLM, Encoder, Function };

  std::string version = std::string(kLinnetVersion);
  int64_t abi = 0;
  /// Identifies the compilation.
  std::string id;
  /// File name of the library, relative to the directory.
  std::string library = "model.so";

  std::string triple;
  std::string cpu;
  /// LLVM names of the features the code needs, without '+'.
  std::vector<std::string> features;

  std::string modelType;
  ModelKind kind = ModelKind::CausalLM;
  int64_t vocabSize = 0;
  int64_t hiddenSize = 0;
  /// 0: not limited (no cache, no position table).
  int64_t maxContext = 0;
  int64_t batch = 1;
  std::optional<int64_t> bos;
  std::vector<int64_t> eos;
  /// The checkpoint compiled.
  std::string source;
  /// What was done to the model, one line each.
  std::vector<std::string> changes;

  std::vector<WeightFile> weightFiles;
  std::vector<WeightSlot> slots;
  std::vector<StateSpec> states;
  std::vector<PhaseSpec> phases;
  std::vector<ArgumentSpec> inputs;
  std::vector<ArgumentSpec> outputs;

  /// The phase called `name`, or null.
  const PhaseSpec *findPhase(std::string_view name) const;
  /// Sum of the states' bytes.
  int64_t stateBytes() const;

  /// The JSON document. Does not check anything.
  Json toJson() const;
  /// Parses and checks a document; `what` (the file's name) prefixes errors,
  /// which name the field: "WHAT: weights.slots[3].dtype: expected ..., but got
  /// ...". Unknown, missing and wrongly typed members are errors, and so are
  /// sizes no machine can hold.
  static Result<Manifest> fromJson(const Json &json, std::string_view what);
  /// The checks of fromJson that look at values rather than types; the writer
  /// calls it so that nothing unreadable is written.
  Status check(std::string_view what) const;
};

/// "causal-lm", "encoder", "function".
std::string_view modelKindName(Manifest::ModelKind kind);

/// Reads DIRECTORY/manifest.json.
Result<Manifest> readManifest(const std::string &directory);
/// Checks `manifest` and writes DIRECTORY/manifest.json atomically.
Status writeManifest(const std::string &directory, const Manifest &manifest);

/// Opens the safetensors file at `path` and fills in size and hash; the entry's
/// path is `path` as given.
Result<WeightFile> describeWeightFile(const std::string &path);

} // namespace linnet

#endif // LINNET_RUNTIME_MANIFEST_H
