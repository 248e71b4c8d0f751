//===- VectorMaps.cpp - matrices of one vector ----------------------------===//

#include "MapStructure.h"

#include "linnet/Numerics/VectorFit.h"

#include <algorithm>

namespace linnet::compress {
namespace {

using Values = std::vector<double>;

/// A vector, and the matrix that it makes.
class VectorMap : public FittedMap {
public:
  using Maker = Matrix (*)(const Values &values, int64_t rows, int64_t columns);

  VectorMap(Values values, Maker make, int64_t rows, int64_t columns)
      : values(std::move(values)), make(make), rows(rows), columns(columns) {}
  Matrix toDense() const override { return make(values, rows, columns); }
  Result<std::vector<std::vector<std::byte>>>
  store(const LinearMap &map) override {
    Matrix row(1, int64_t(values.size()), values);
    Result<std::vector<std::byte>> bytes = roundMatrix(row, map.dtype);
    if (!bytes)
      return bytes.error();
    values.assign(row.data(), row.data() + row.size());
    return std::vector<std::vector<std::byte>>{bytes.take()};
  }

private:
  Values values;
  Maker make;
  int64_t rows, columns;
};

/// So many numbers as the shape says: there is nothing to plan.
class VectorStructure : public MapStructure {
public:
  std::vector<PlanNumbers> candidates(const LinearMap &map,
                                      const CompressOptions &) const override {
    if (!check(map, {}))
      return {};
    return {{}};
  }
  FitResult fit(const Matrix &target, const FitInputs &inputs,
                const PlanNumbers &) const override {
    Result<Values> values = fitValues(target, inputs.knownMoment());
    if (!values)
      return values.error();
    return std::unique_ptr<FittedMap>(std::make_unique<VectorMap>(
        values.take(), maker(), target.rows(), target.columns()));
  }
  int64_t parameters(const LinearMap &map, const PlanNumbers &) const override {
    return length(map);
  }
  std::vector<TensorSpec> factors(const LinearMap &map,
                                  const PlanNumbers &) const override {
    return {{"values", map.dtype, {length(map)}}};
  }

private:
  virtual int64_t length(const LinearMap &map) const = 0;
  virtual Result<Values> fitValues(const Matrix &target,
                                   const Matrix *moment) const = 0;
  virtual VectorMap::Maker maker() const = 0;
};

/// What low rank lacks; no structure of its own.
class DiagonalStructure : public VectorStructure {
public:
  std::string_view name() const override { return "diag"; }
  std::string attribute(const LinearMap &map,
                        const PlanNumbers &) const override {
    return "diag<" + std::to_string(map.rows) + ", " +
           std::to_string(map.columns) + ">";
  }

private:
  int64_t length(const LinearMap &map) const override {
    return std::min(map.rows, map.columns);
  }
  Result<Values> fitValues(const Matrix &target,
                           const Matrix *moment) const override {
    return fitDiagonal(target, moment);
  }
  VectorMap::Maker maker() const override { return diagonalMatrix; }
};

/// Equal along diagonals. All products are multiplied.
class ToeplitzStructure : public VectorStructure {
public:
  std::string_view name() const override { return "toeplitz"; }
  int64_t operations(const LinearMap &map, const PlanNumbers &) const override {
    return map.parameters();
  }
  std::string attribute(const LinearMap &map,
                        const PlanNumbers &) const override {
    return "toeplitz<" + std::to_string(map.rows) + ">";
  }

private:
  int64_t length(const LinearMap &map) const override {
    return map.rows + map.columns - 1;
  }
  Result<Values> fitValues(const Matrix &target,
                           const Matrix *moment) const override {
    return fitToeplitz(target, moment);
  }
  VectorMap::Maker maker() const override {
    return [](const Values &values, int64_t rows, int64_t) {
      return toeplitzMatrix(values, rows);
    };
  }
};

/// Equal along cyclic diagonals. All products are multiplied.
class CirculantStructure : public VectorStructure {
public:
  std::string_view name() const override { return "circulant"; }
  Status check(const LinearMap &map, const PlanNumbers &) const override {
    if (map.rows != map.columns)
      return makeError("key 'structure': expected as many outputs as inputs "
                       "for 'circulant', but got ",
                       map.rows, " x ", map.columns);
    return {};
  }
  std::string obstacle(const LinearMap &map) const override {
    return "it is " + std::to_string(map.rows) + " x " +
           std::to_string(map.columns) + ", and 'circulant' is square";
  }
  int64_t operations(const LinearMap &map, const PlanNumbers &) const override {
    return map.parameters();
  }
  std::string attribute(const LinearMap &, const PlanNumbers &) const override {
    return "circulant";
  }

private:
  int64_t length(const LinearMap &map) const override { return map.columns; }
  Result<Values> fitValues(const Matrix &target,
                           const Matrix *moment) const override {
    return fitCirculant(target, moment);
  }
  VectorMap::Maker maker() const override {
    return [](const Values &values, int64_t, int64_t) {
      return circulantMatrix(values);
    };
  }
};

} // namespace

const MapStructure &diagonalStructure() {
  static const DiagonalStructure structure;
  return structure;
}

const MapStructure &toeplitzStructure() {
  static const ToeplitzStructure structure;
  return structure;
}

const MapStructure &circulantStructure() {
  static const CirculantStructure structure;
  return structure;
}

} // namespace linnet::compress
