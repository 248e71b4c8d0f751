//===- Model.cpp - a compiled model in memory -----------------------------===//

#include "Model.h"

#include "linnet/Runtime/CpuFeatures.h"
#include "linnet/Support/File.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <unistd.h>

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace linnet {
namespace {

/// Refuses a file that ends before what its ELF header announces. The loader
/// maps a truncated library without complaint, and touching the missing pages
/// kills the process. The section table is the last thing a linker writes, so
/// its end is the end of the file.
Outcome checkWhole(const std::string &path) {
  auto file = MappedFile::open(path);
  if (!file)
    return fail(LINNET_ERROR_LIBRARY, file.error().str());
  Elf64_Ehdr header;
  if (file->size() < sizeof(header) ||
      std::memcmp(file->data(), ELFMAG, SELFMAG) != 0)
    return fail(LINNET_ERROR_LIBRARY, path,
                ": expected an ELF library, but got something else");
  std::memcpy(&header, file->data(), sizeof(header));
  uint64_t tables =
      std::max(header.e_shoff + uint64_t(header.e_shnum) * header.e_shentsize,
               header.e_phoff + uint64_t(header.e_phnum) * header.e_phentsize);
  if (header.e_shoff > file->size() || header.e_phoff > file->size() ||
      tables > file->size())
    return fail(LINNET_ERROR_LIBRARY, path, ": expected ", tables,
                " bytes of a whole library, but got ", file->size());
  return {};
}

/// Flushes denormal results and operands to zero for its lifetime: decays
/// drive recurrent states towards zero, and arithmetic on denormals is up to a
/// hundred times slower. The host's own setting comes back afterwards.
class FlushDenormals {
public:
#if defined(__SSE2__)
  FlushDenormals() : saved(_mm_getcsr()) {
    constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
    _mm_setcsr(saved | kFlushToZero | kDenormalsAreZero);
  }
  ~FlushDenormals() { _mm_setcsr(saved); }

private:
  unsigned saved;
#endif
};

} // namespace

Library::~Library() {
  if (handle)
    dlclose(handle);
}

Outcome Library::open(const std::string &path) {
  if (Outcome outcome = checkWhole(path); !outcome)
    return outcome;
  handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle)
    return {};
  const char *reason = dlerror();
  return fail(LINNET_ERROR_LIBRARY, "cannot load '", path,
              "': ", reason ? reason : "unknown reason");
}

void *Library::find(const char *symbol) const { return dlsym(handle, symbol); }

Outcome Model::openLibrary(const std::string &path) {
  // Before dlopen: a constructor could already use an instruction this
  // processor lacks.
  if (Status status = requireCpu(description.triple, description.features);
      !status)
    return fail(LINNET_ERROR_CPU, path, ": ", status.error().str());
  if (Outcome outcome = library.open(path); !outcome)
    return outcome;

  auto missing = [&](const std::string &symbol) {
    return fail(LINNET_ERROR_LIBRARY, path, ": expected a symbol '", symbol,
                "', but got none of that name");
  };
  const auto *abi = static_cast<int64_t *>(library.find(kLibraryAbiSymbol));
  if (!abi)
    return missing(kLibraryAbiSymbol);
  if (*abi != LINNET_ABI_VERSION)
    return fail(LINNET_ERROR_LIBRARY, path, ": expected interface version ",
                LINNET_ABI_VERSION, ", but got ", *abi);
  const auto *id = static_cast<char *>(library.find(kLibraryIdSymbol));
  if (!id)
    return missing(kLibraryIdSymbol);
  if (std::strncmp(id, description.id.c_str(), description.id.size() + 1) != 0)
    return fail(LINNET_ERROR_LIBRARY, path,
                ": manifest and library come from different compilations: "
                "expected id ",
                description.id, ", but got ",
                std::string(id, strnlen(id, 128)));

  for (const PhaseSpec &spec : description.phases) {
    void *address = library.find(spec.symbol.c_str());
    if (!address)
      return missing(spec.symbol);
    phases.push_back({spec, reinterpret_cast<LinnetPhase>(address)});
  }
  return {};
}

Outcome Model::open(const std::string &directory, int threads,
                    std::shared_ptr<Model> &result) {
  auto model = std::make_shared<Model>();
  std::string path = directory + "/" + std::string(kManifestFile);
  if (access(path.c_str(), R_OK) != 0)
    return fail(LINNET_ERROR_IO, "cannot read '", path,
                "': ", std::strerror(errno),
                "; expected a directory written by linnet-compile");
  auto manifest = readManifest(directory);
  if (!manifest)
    return fail(LINNET_ERROR_MANIFEST, manifest.error().str());
  model->description = manifest.take();
  model->text = formatJson(model->description.toJson());
  const Manifest &description = model->description;

  if (Outcome outcome =
          model->openLibrary(directory + "/" + description.library);
      !outcome)
    return outcome;

  auto pool = ThreadPool::create(threads);
  if (!pool)
    return fail(LINNET_ERROR_MEMORY, pool.error().str());
  model->pool = pool.take();

  int64_t workspaceBytes = 0, scratchBytes = 0;
  for (const PhaseSpec &phase : description.phases) {
    workspaceBytes = std::max(workspaceBytes, phase.workspaceBytes);
    scratchBytes = std::max(scratchBytes, phase.scratchBytes);
  }
  model->workspace = Buffer::allocate(workspaceBytes);
  model->scratchStride = roundUp(scratchBytes, kTensorAlignment);
  model->scratch = Buffer::allocate(model->scratchStride * threads);
  if ((workspaceBytes > 0 && !model->workspace.data()) ||
      (scratchBytes > 0 && !model->scratch.data()))
    return fail(LINNET_ERROR_MEMORY, "cannot allocate ",
                workspaceBytes + model->scratchStride * threads,
                " bytes of work space");

  if (Outcome outcome =
          model->parameters.load(description, directory, *model->pool);
      !outcome)
    return outcome;
  result = std::move(model);
  return {};
}

const Phase *Model::findPhase(std::string_view name) const {
  for (const Phase &phase : phases)
    if (phase.spec.name == name)
      return &phase;
  return nullptr;
}

int64_t Model::outputWidth() const {
  if (description.kind == Manifest::ModelKind::Function)
    return 0;
  return description.outputs[0].shape[2];
}

void Model::run(const Phase &phase, LinnetInvocation invocation) {
  std::lock_guard lock(stepping);
  invocation.weights = parameters.pointers();
  invocation.workspace = workspace.data();
  invocation.scratch = scratch.data();
  invocation.scratch_stride = scratchStride;
  invocation.barrier = ThreadPool::barrierOf;
  invocation.barrier_argument = pool.get();
  pool->run([&](int64_t thread, int64_t threads) {
    FlushDenormals guard;
    phase.function(&invocation, thread, threads);
  });
}

} // namespace linnet
