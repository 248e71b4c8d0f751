//===- Packing.cpp - weights in the order kernels read them ---------------===//

#include "Packing.h"

#include "linnet/Support/SeededBasis.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace linnet {
namespace {

/// Columns of the source taken at a time. With rows a power of two apart all
/// lines of a column fall into the same few cache sets, so a tile must use up
/// the lines it touches before they are evicted.
constexpr int64_t kTileColumns = 64;
/// Rows converted at a time when the element type changes.
constexpr int64_t kTileRows = 16;

/// out[c * stride + r] = in[r * pitch + c]: `rows` x `columns` elements of
/// `Size` bytes, neither side aligned.
template <int Size>
void transposeAny(const std::byte *in, int64_t pitch, std::byte *out,
                  int64_t stride, int64_t rows, int64_t columns) {
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t r = 0; r < rows; ++r)
      std::memcpy(out + (c * stride + r) * Size, in + (r * pitch + c) * Size,
                  Size);
}

#if defined(__SSE2__)

__m128i load(const std::byte *from) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i *>(from));
}

void store(std::byte *to, __m128i value) {
  _mm_storeu_si128(reinterpret_cast<__m128i *>(to), value);
}

/// 4 x 4 elements of 4 bytes.
void transposeTile4(const std::byte *in, int64_t pitch, std::byte *out,
                    int64_t stride) {
  __m128i a = load(in), b = load(in + pitch * 4), c = load(in + pitch * 8),
          d = load(in + pitch * 12);
  __m128i ab0 = _mm_unpacklo_epi32(a, b), ab1 = _mm_unpackhi_epi32(a, b);
  __m128i cd0 = _mm_unpacklo_epi32(c, d), cd1 = _mm_unpackhi_epi32(c, d);
  store(out, _mm_unpacklo_epi64(ab0, cd0));
  store(out + stride * 4, _mm_unpackhi_epi64(ab0, cd0));
  store(out + stride * 8, _mm_unpacklo_epi64(ab1, cd1));
  store(out + stride * 12, _mm_unpackhi_epi64(ab1, cd1));
}

/// 8 x 8 elements of 2 bytes.
void transposeTile2(const std::byte *in, int64_t pitch, std::byte *out,
                    int64_t stride) {
  std::array<__m128i, 8> row, pair, quad;
  for (int r = 0; r < 8; ++r)
    row[r] = load(in + pitch * 2 * r);
  for (int i = 0; i < 4; ++i) {
    pair[2 * i] = _mm_unpacklo_epi16(row[2 * i], row[2 * i + 1]);
    pair[2 * i + 1] = _mm_unpackhi_epi16(row[2 * i], row[2 * i + 1]);
  }
  for (int i = 0; i < 2; ++i) {
    quad[4 * i] = _mm_unpacklo_epi32(pair[4 * i], pair[4 * i + 2]);
    quad[4 * i + 1] = _mm_unpackhi_epi32(pair[4 * i], pair[4 * i + 2]);
    quad[4 * i + 2] = _mm_unpacklo_epi32(pair[4 * i + 1], pair[4 * i + 3]);
    quad[4 * i + 3] = _mm_unpackhi_epi32(pair[4 * i + 1], pair[4 * i + 3]);
  }
  for (int c = 0; c < 4; ++c) {
    store(out + stride * 4 * c, _mm_unpacklo_epi64(quad[c], quad[c + 4]));
    store(out + stride * 4 * c + stride * 2,
          _mm_unpackhi_epi64(quad[c], quad[c + 4]));
  }
}

/// The same as transposeAny, in tiles of one register per row.
template <int Size>
void transpose(const std::byte *in, int64_t pitch, std::byte *out,
               int64_t stride, int64_t rows, int64_t columns) {
  if constexpr (Size == 1)
    return transposeAny<1>(in, pitch, out, stride, rows, columns);
  constexpr int64_t kTile = 16 / Size;
  int64_t fullRows = rows - rows % kTile,
          fullColumns = columns - columns % kTile;
  for (int64_t r = 0; r < fullRows; r += kTile)
    for (int64_t c = 0; c < fullColumns; c += kTile) {
      const std::byte *from = in + (r * pitch + c) * Size;
      std::byte *to = out + (c * stride + r) * Size;
      if constexpr (Size == 4)
        transposeTile4(from, pitch, to, stride);
      else if constexpr (Size == 2)
        transposeTile2(from, pitch, to, stride);
    }
  if (fullColumns < columns)
    transposeAny<Size>(in + fullColumns * Size, pitch,
                       out + fullColumns * stride * Size, stride, fullRows,
                       columns - fullColumns);
  if (fullRows < rows)
    transposeAny<Size>(in + fullRows * pitch * Size, pitch,
                       out + fullRows * Size, stride, rows - fullRows, columns);
}

#else

template <int Size>
void transpose(const std::byte *in, int64_t pitch, std::byte *out,
               int64_t stride, int64_t rows, int64_t columns) {
  transposeAny<Size>(in, pitch, out, stride, rows, columns);
}

#endif

/// Packs one panel of a row-major source.
template <int Size>
void packPanel(const PanelPacking &packing, int64_t panel) {
  const bool convert = packing.sourceType != packing.packedType;
  const int64_t sourceSize = packing.sourceSize();
  const int64_t firstRow = panel * packing.width;
  const int64_t rows = std::min(packing.width, packing.n - firstRow);
  std::byte *out = packing.panels + panel * packing.k * packing.width * Size;
  std::array<float, kTileRows * kTileColumns> converted;

  for (int64_t c = 0; c < packing.k; c += kTileColumns) {
    int64_t columns = std::min(kTileColumns, packing.k - c);
    std::byte *to = out + c * packing.width * Size;
    const std::byte *from =
        packing.source + (firstRow * packing.k + c) * sourceSize;
    if (!convert) {
      transpose<Size>(from, packing.k, to, packing.width, rows, columns);
      continue;
    }
    if constexpr (Size == 4)
      for (int64_t r = 0; r < rows; r += kTileRows) {
        int64_t count = std::min(kTileRows, rows - r);
        for (int64_t i = 0; i < count; ++i)
          convertToF32(from + (r + i) * packing.k * sourceSize,
                       packing.sourceType, &converted[i * kTileColumns],
                       columns);
        transpose<4>(reinterpret_cast<const std::byte *>(converted.data()),
                     kTileColumns, to + r * 4, packing.width, count, columns);
      }
  }
}

/// Packs rows [begin, end) of a transposed source: each row k is a run of
/// `width` elements per panel.
template <int Size>
void packTransposedRows(const PanelPacking &packing, int64_t begin,
                        int64_t end) {
  const bool convert = packing.sourceType != packing.packedType;
  const int64_t sourceSize = packing.sourceSize();
  // A few rows at a time, so that a panel receives more than one line at once.
  constexpr int64_t kRows = 8;
  for (int64_t first = begin; first < end; first += kRows) {
    int64_t last = std::min(first + kRows, end);
    for (int64_t column = 0; column < packing.n; column += packing.width) {
      int64_t count = std::min(packing.width, packing.n - column);
      for (int64_t row = first; row < last; ++row) {
        const std::byte *from =
            packing.source + (row * packing.n + column) * sourceSize;
        std::byte *to =
            packing.panels + (column * packing.k + row * packing.width) * Size;
        if (!convert)
          std::memcpy(to, from, count * Size);
        else if constexpr (Size == 4)
          convertToF32(from, packing.sourceType, reinterpret_cast<float *>(to),
                       count);
      }
    }
  }
}

template <int Size>
void packPieces(const PanelPacking &packing, int64_t begin, int64_t end) {
  if (packing.transposed)
    return packTransposedRows<Size>(packing, begin, end);
  for (int64_t panel = begin; panel < end; ++panel)
    packPanel<Size>(packing, panel);
}

} // namespace

void PanelPacking::pack(int64_t begin, int64_t end) const {
  switch (int64_t(dataTypeSize(packedType)) * together) {
  case 1:
    return packPieces<1>(*this, begin, end);
  case 2:
    return packPieces<2>(*this, begin, end);
  default:
    return packPieces<4>(*this, begin, end);
  }
}

void fillRotaryRows(const std::vector<float> &inverseFrequencies, float scaling,
                    int64_t begin, int64_t end, float *table) {
  const int64_t count = int64_t(inverseFrequencies.size());
  for (int64_t row = begin; row < end; ++row) {
    float *cosines = table + row * 2 * count;
    for (int64_t i = 0; i < count; ++i) {
      // The product is rounded to f32 as the models' own code does it.
      float angle = float(row) * inverseFrequencies[i];
      cosines[i] = float(std::cos(double(angle))) * scaling;
      cosines[count + i] = float(std::sin(double(angle))) * scaling;
    }
  }
}

void fillBasisRows(int64_t seed, int64_t begin, int64_t end, int64_t columns,
                   int64_t width, float *panels) {
  std::vector<float> entries(static_cast<size_t>(columns));
  for (int64_t row = begin; row < end; ++row) {
    fillBasisRow(seed, row, columns, entries.data());
    float *to = panels + row / width * width * columns + row % width;
    for (int64_t i = 0; i < columns; ++i)
      to[i * width] = entries[size_t(i)];
  }
}

} // namespace linnet
