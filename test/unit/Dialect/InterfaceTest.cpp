//===- InterfaceTest.cpp - what attributes and ops say of themselves ------===//

#include "dialects/Linnet/Linnet.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

using namespace mlir;
using namespace mlir::linnet;

namespace {

class InterfaceTest : public testing::Test {
protected:
  InterfaceTest()
      : context(MLIRContext::Threading::DISABLED), builder(&context) {
    context.loadDialect<LinnetDialect, func::FuncDialect>();
  }

  std::vector<TransitionAttrInterface> transitions() {
    return {NoneTransitionAttr::get(&context),
            ScalarTransitionAttr::get(&context),
            DiagonalTransitionAttr::get(&context),
            FullTransitionAttr::get(&context),
            DeltaTransitionAttr::get(&context, "none"),
            DeltaTransitionAttr::get(&context, "scalar"),
            DeltaTransitionAttr::get(&context, "diagonal"),
            ValueDiagonalTransitionAttr::get(&context),
            TwoSidedTransitionAttr::get(&context),
            RankOneTransitionAttr::get(&context, "none"),
            RankOneTransitionAttr::get(&context, "scalar"),
            RankOneTransitionAttr::get(&context, "diagonal"),
            ComplexTransitionAttr::get(&context),
            ComplexValueTransitionAttr::get(&context),
            BlockTransitionAttr::get(&context),
            RankOneTransitionAttr::get(&context, "block")};
  }

  RankedTensorType matrix(int64_t rows, int64_t columns) {
    return RankedTensorType::get({rows, columns}, builder.getF32Type());
  }

  RankedTensorType floats(std::vector<int64_t> shape) {
    return RankedTensorType::get(shape, builder.getF32Type());
  }

  OwningOpRef<ModuleOp> parse(StringRef source) {
    auto module = parseSourceString<ModuleOp>(source, &context);
    EXPECT_TRUE(module) << source.str();
    return module;
  }

  MLIRContext context;
  Builder builder;
};

TEST_F(InterfaceTest, NormalFormsFitTheirOperands) {
  for (TransitionAttrInterface transition : transitions()) {
    SmallVector<StringRef> dims = transition.getOperandDims();
    NormalForm form = transition.getNormalForm();
    std::vector<bool> used(dims.size());
    auto use = [&](int operand, StringRef letters) {
      ASSERT_LT(operand, int(dims.size()));
      EXPECT_EQ(dims[operand], letters);
      used[operand] = true;
    };
    for (ArrayRef<int> term : form.logDecay) {
      EXPECT_FALSE(term.empty());
      for (int operand : term) {
        ASSERT_LT(operand, int(dims.size()));
        EXPECT_TRUE(dims[operand].starts_with("th"));
        used[operand] = true;
      }
    }
    EXPECT_EQ(form.tied, form.beta >= 0);
    if (form.beta >= 0)
      use(form.beta, "th");
    if (form.hasPhase())
      used[form.phase] = true;
    if (form.hasMixing())
      use(form.mixing, "thkm");
    EXPECT_EQ(form.hasReader(), form.writer >= 0);
    EXPECT_FALSE(form.tied && form.hasReader());
    if (form.hasReader()) {
      use(form.reader, "thk");
      use(form.writer, "thk");
    }
    for (bool operand : used)
      EXPECT_TRUE(operand) << "an operand without a place in the normal form";
  }
}

TEST_F(InterfaceTest, LegalFormsFollowFromTheNormalForm) {
  using enum ScanForm;
  std::vector<std::vector<ScanForm>> expected{
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative},
      {Step, Sequential, Associative},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential, Associative, Chunkwise, Quadratic},
      {Step, Sequential},
      {Step, Sequential, Associative},
      {Step, Sequential, Associative}};
  for (auto [transition, forms] : llvm::zip_equal(transitions(), expected)) {
    auto got = transition.getLegalForms();
    EXPECT_EQ(std::vector<ScanForm>(got.begin(), got.end()), forms);
    for (ScanForm form : got)
      EXPECT_GT(transition.getCost(form, 64, 128, 32), 0);
  }
}

TEST_F(InterfaceTest, BroadcastRule) {
  EXPECT_TRUE(fitsByBroadcast('t', 5, 5));
  EXPECT_TRUE(fitsByBroadcast('t', 1, 5));
  EXPECT_TRUE(fitsByBroadcast('t', ShapedType::kDynamic, 5));
  EXPECT_TRUE(fitsByBroadcast('t', 5, ShapedType::kDynamic));
  EXPECT_FALSE(fitsByBroadcast('t', 5, 10));
  EXPECT_TRUE(fitsByBroadcast('h', 5, 10));
  EXPECT_FALSE(fitsByBroadcast('h', 4, 10));
  EXPECT_FALSE(fitsByBroadcast('h', 20, 10));
  EXPECT_FALSE(fitsByBroadcast('h', 0, 10));
  EXPECT_FALSE(fitsByBroadcast('k', 5, 1));
}

TEST_F(InterfaceTest, WeightKeys) {
  EXPECT_EQ(resolveWeightKey("a.{}.b", 12), "a.12.b");
  EXPECT_EQ(resolveWeightKey("{}{}", 3), "33");
  EXPECT_EQ(resolveWeightKey("plain", 3), "plain");
  EXPECT_EQ(resolveWeightKey("", 3), "");
  EXPECT_EQ(resolveWeightKey("{", 3), "{");
}

TEST_F(InterfaceTest, DenseMatricesOfStructures) {
  std::vector<double> w{1, 2, 3, 4, 5, 6};
  RankedTensorType twoByThree = floats({2, 3}), threeByTwo = floats({3, 2});
  auto outIn = DenseStructureAttr::get(&context, Storage::OutIn);
  EXPECT_EQ(outIn.toDense({{twoByThree, w}}), w);
  auto inOut = DenseStructureAttr::get(&context, Storage::InOut);
  EXPECT_EQ(inOut.toDense({{threeByTwo, w}}),
            std::vector<double>({1, 3, 5, 2, 4, 6}));
  auto lowRank = LowRankStructureAttr::get(&context);
  std::vector<double> u{1, 2}, v{3, 4, 5};
  RankedTensorType column = floats({2, 1}), row = floats({1, 3});
  EXPECT_EQ(lowRank.toDense({{column, u}, {row, v}}),
            std::vector<double>({3, 4, 5, 6, 8, 10}));
  // One block after the other, each transposed where it is stored so.
  std::vector<double> two{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  RankedTensorType blocks = floats({2, 2, 3});
  EXPECT_EQ(BlockDiagonalStructureAttr::get(&context, Storage::OutIn)
                .toDense({{blocks, two}}),
            two);
  EXPECT_EQ(BlockDiagonalStructureAttr::get(&context, Storage::InOut)
                .toDense({{blocks, two}}),
            std::vector<double>({1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12}));
}

TEST_F(InterfaceTest, DenseMatricesOfOrders) {
  std::vector<double> order{2, 0, 1};
  RankedTensorType three = floats({3}), twoByOne = floats({2, 1}),
                   oneByTwo = floats({1, 2});
  EXPECT_EQ(PermutationStructureAttr::get(&context).toDense({{three, order}}),
            std::vector<double>({0, 0, 1, 1, 0, 0, 0, 1, 0}));
  // Column 2 is kept, column 0 is 3 and column 1 is 4 times it.
  std::vector<double> columns{1, 2}, coefficients{3, 4};
  EXPECT_EQ(
      PivotedLowRankStructureAttr::get(&context).toDense(
          {{twoByOne, columns}, {oneByTwo, coefficients}, {three, order}}),
      std::vector<double>({3, 4, 1, 6, 8, 2}));
}

TEST_F(InterfaceTest, DenseMatricesOfCodes) {
  RankedTensorType twoByThree = floats({2, 3}), twoByTwo = floats({2, 2}),
                   twoByOne = floats({2, 1});
  std::vector<double> bytes{-128, 127, 5, 0, -1, 2}, scales{0.5, 2, 1, 10};
  EXPECT_EQ(QuantizedStructureAttr::get(&context, 8, 2)
                .toDense({{twoByThree, bytes}, {twoByTwo, scales}}),
            std::vector<double>({-64, 63.5, 10, 0, -1, 20}));
  // 0x7f is 15 (that is -1) then 7, 0x80 is 0 then -8, 0x21 is 1 then 2.
  std::vector<double> halves{0x7f, -128, 0x21, 0}, rows{1, 3};
  EXPECT_EQ(QuantizedStructureAttr::get(&context, 4, 4)
                .toDense({{twoByTwo, halves}, {twoByOne, rows}}),
            std::vector<double>({-1, 7, 0, -8, 3, 6, 0, 0}));
  // Each group's codes less its zero.
  std::vector<double> zeros{-128, 127, -5, 0}, rowZeros{7, -2};
  EXPECT_EQ(
      QuantizedStructureAttr::get(&context, 8, 2, /*hasZeros=*/true)
          .toDense(
              {{twoByThree, bytes}, {twoByTwo, scales}, {twoByTwo, zeros}}),
      std::vector<double>({0, 127.5, 2 * (5 - 127), 5, 4, 20}));
  EXPECT_EQ(
      QuantizedStructureAttr::get(&context, 4, 4, /*hasZeros=*/true)
          .toDense(
              {{twoByTwo, halves}, {twoByOne, rows}, {twoByOne, rowZeros}}),
      std::vector<double>({-8, 0, -7, -15, 9, 12, 6, 6}));
}

/// Against products written out, with blocks among the parts.
TEST_F(InterfaceTest, DenseMatricesOfComposites) {
  StructureAttrInterface dense =
                             DenseStructureAttr::get(&context, Storage::OutIn),
                         blocks = BlockDiagonalStructureAttr::get(
                             &context, Storage::OutIn),
                         order = PermutationStructureAttr::get(&context),
                         lowRank = LowRankStructureAttr::get(&context);
  auto product = ProductStructureAttr::get(&context, {dense, blocks, order});
  EXPECT_EQ(product.getNumFactors(), 3u);
  // [1 2; 3 4] diag([1 2], [3 4]) P, P x = (x_3, x_0, x_1, x_2).
  std::vector<double> w{1, 2, 3, 4}, rows{1, 2, 3, 4}, shift{3, 0, 1, 2};
  EXPECT_EQ(product.toDense(
                {{floats({2, 2}), w},
                 {floats({2, 1, 2}), rows},
                 {floats({4}).clone(IntegerType::get(&context, 32)), shift}}),
            std::vector<double>({2, 6, 8, 1, 6, 12, 16, 3}));
  EXPECT_NE(product.findObstacle(2, {floats({4}), w}), "");
  EXPECT_EQ(product.findObstacle(1, {floats({4}), w}), "");
  auto sum = SumStructureAttr::get(&context, {blocks, lowRank});
  EXPECT_EQ(sum.getNumFactors(), 3u);
  std::vector<double> u{1, 1}, v{10, 20, 30, 40};
  EXPECT_EQ(sum.toDense({{floats({2, 1, 2}), rows},
                         {floats({2, 1}), u},
                         {floats({1, 4}), v}}),
            std::vector<double>({11, 22, 30, 40, 10, 20, 33, 44}));
}

TEST_F(InterfaceTest, CompositesHaveParts) {
  std::string said;
  ScopedDiagnosticHandler collect(
      &context, [&](Diagnostic &diagnostic) { said = diagnostic.str(); });
  auto error = [&] { return mlir::emitError(UnknownLoc::get(&context)); };
  using Parts = ArrayRef<StructureAttrInterface>;
  EXPECT_FALSE(SumStructureAttr::getChecked(error, &context, Parts()));
  EXPECT_EQ(said, "expected at least one part, but got none");
  EXPECT_FALSE(
      ProductStructureAttr::getChecked(error, &context, Parts{nullptr}));
  EXPECT_EQ(said, "expected parts that are structures");
}

TEST_F(InterfaceTest, ObstaclesOfOrders) {
  RankedTensorType three = floats({3}), none = floats({0});
  StructureAttrInterface permutation = PermutationStructureAttr::get(&context);
  StructureAttrInterface pivoted = PivotedLowRankStructureAttr::get(&context);
  std::vector<double> good{2, 0, 1}, twice{2, 0, 2}, high{0, 1, 3},
      low{0, -1, 2};
  EXPECT_EQ(permutation.findObstacle(0, {none, {}}), "");
  EXPECT_EQ(permutation.findObstacle(0, {three, good}), "");
  EXPECT_EQ(permutation.findObstacle(0, {three, twice}),
            "expected an order of every number from 0 to 2 once, but got 2 "
            "twice");
  EXPECT_EQ(permutation.findObstacle(0, {three, high}),
            "expected an order of every number from 0 to 2 once, but got 3 at "
            "2");
  EXPECT_EQ(permutation.findObstacle(0, {three, low}),
            "expected an order of every number from 0 to 2 once, but got -1 at "
            "1");
  // The other factors may hold anything.
  EXPECT_EQ(pivoted.findObstacle(1, {three, twice}), "");
  EXPECT_NE(pivoted.findObstacle(2, {three, twice}), "");
  EXPECT_EQ(StructureAttrInterface(LowRankStructureAttr::get(&context))
                .findObstacle(0, {three, twice}),
            "");
}

TEST_F(InterfaceTest, ObstaclesOfColumns) {
  RankedTensorType table = floats({2, 3});
  StructureAttrInterface structure =
      BlockSparseStructureAttr::get(&context, 16, 4, 20);
  std::vector<double> good{0, 1, 4, 2, 3, 4}, twice{0, 1, 4, 2, 2, 4},
      high{0, 1, 5, 2, 3, 4}, low{-1, 1, 4, 2, 3, 4};
  auto said = [](const char *what) {
    return std::string("expected ascending numbers from 0 to 4 in each row, "
                       "but got ") +
           what;
  };
  EXPECT_EQ(structure.findObstacle(1, {table, good}), "");
  EXPECT_EQ(structure.findObstacle(1, {table, twice}), said("2 at (1, 1)"));
  EXPECT_EQ(structure.findObstacle(1, {table, high}), said("5 at (0, 2)"));
  EXPECT_EQ(structure.findObstacle(1, {table, low}), said("-1 at (0, 0)"));
  // Values may be any.
  EXPECT_EQ(structure.findObstacle(0, {table, twice}), "");
}

TEST_F(InterfaceTest, ObstaclesOfPositions) {
  RankedTensorType bytes = floats({1, 2});
  StructureAttrInterface of4 = NmSparseStructureAttr::get(&context, 2, 4),
                         of6 = NmSparseStructureAttr::get(&context, 1, 6);
  // 0 1, 2 3 and 1 3, 0 2, as bytes with a sign.
  std::vector<double> good{0 + 4 * 1 + 16 * 2 + 64 * 3 - 256.0,
                           1 + 4 * 3 + 16 * 0 + 64 * 2 - 256.0};
  EXPECT_EQ(of4.findObstacle(1, {bytes, good}), "");
  std::vector<double> twice = good;
  twice[1] = 1 + 4 * 3 + 16 * 2 + 64 * 2 - 256.0;
  EXPECT_EQ(of4.findObstacle(1, {bytes, twice}),
            "expected ascending numbers from 0 to 3 in each group, but got 2 "
            "at (0, 7)");
  EXPECT_EQ(of4.findObstacle(0, {bytes, twice}), "");
  std::vector<double> small{5 + 16 * 0, 3 + 16 * 5}, high{5 + 16 * 6, 0};
  EXPECT_EQ(of6.findObstacle(1, {bytes, small}), "");
  EXPECT_EQ(of6.findObstacle(1, {bytes, high}),
            "expected ascending numbers from 0 to 5 in each group, but got 6 "
            "at (0, 1)");
}

TEST_F(InterfaceTest, ShapesFlopsAndBytesOfStructures) {
  auto noError = [&]() -> InFlightDiagnostic {
    ADD_FAILURE() << "unexpected error";
    return mlir::emitError(UnknownLoc::get(&context));
  };
  std::vector<Type> dense{matrix(40, 32)}, stored{matrix(32, 40)};
  std::vector<Type> factors{matrix(40, 4), matrix(4, 32)};
  auto outIn = DenseStructureAttr::get(&context, Storage::OutIn);
  auto inOut = DenseStructureAttr::get(&context, Storage::InOut);
  auto lowRank = LowRankStructureAttr::get(&context);
  auto block = BlockDiagonalStructureAttr::get(&context, Storage::OutIn);
  auto turned = BlockDiagonalStructureAttr::get(&context, Storage::InOut);
  auto matrices = [&](int64_t rows, int64_t columns) -> std::vector<Type> {
    return {
        RankedTensorType::get({4, rows, columns}, Float32Type::get(&context))};
  };
  for (auto [structure, types, flops] :
       {std::tuple(StructureAttrInterface(outIn), dense, 2 * 40 * 32),
        {StructureAttrInterface(inOut), stored, 2 * 40 * 32},
        {StructureAttrInterface(block), matrices(10, 8), 2 * 40 * 8},
        {StructureAttrInterface(turned), matrices(8, 10), 2 * 40 * 8},
        {StructureAttrInterface(lowRank), factors, 2 * 4 * (40 + 32)}}) {
    auto shape = structure.inferShape(types, noError);
    ASSERT_TRUE(succeeded(shape));
    EXPECT_EQ(shape->in, 32);
    EXPECT_EQ(shape->out, 40);
    EXPECT_EQ(shape->blocks,
              isa<BlockDiagonalStructureAttr>(structure) ? 4 : 1);
    EXPECT_EQ(structure.getFlops(types), flops);
    EXPECT_EQ(structure.getBytes(types), flops / 2 * 4);
  }
  auto order = RankedTensorType::get({32}, IntegerType::get(&context, 32));
  StructureAttrInterface pivoted = PivotedLowRankStructureAttr::get(&context);
  std::vector<Type> parts{matrix(40, 4), matrix(4, 28), order};
  auto shape = pivoted.inferShape(parts, noError);
  ASSERT_TRUE(succeeded(shape));
  EXPECT_EQ(shape->in, 32);
  EXPECT_EQ(shape->out, 40);
  EXPECT_EQ(pivoted.getFlops(parts), 2 * 4 * (40 + 32 - 4));
  EXPECT_EQ(pivoted.getBytes(parts), 4 * (4 * (40 + 32 - 4) + 32));
  StructureAttrInterface codes = QuantizedStructureAttr::get(&context, 4, 24);
  // A Monarch matrix: the blocks do the work.
  StructureAttrInterface monarch = ProductStructureAttr::get(
      &context, {block, PermutationStructureAttr::get(&context), block});
  std::vector<Type> factorsOfMonarch{matrices(10, 8)[0], order,
                                     matrices(8, 8)[0]};
  shape = monarch.inferShape(factorsOfMonarch, noError);
  ASSERT_TRUE(succeeded(shape));
  EXPECT_EQ(shape->in, 32);
  EXPECT_EQ(shape->out, 40);
  EXPECT_EQ(shape->blocks, 1);
  EXPECT_EQ(monarch.getFlops(factorsOfMonarch), 2 * (40 * 8 + 32 * 8));
  EXPECT_EQ(monarch.getBytes(factorsOfMonarch), 4 * (40 * 8 + 32 * 8 + 32));
  std::vector<Type> halves{
      RankedTensorType::get({40, 16}, IntegerType::get(&context, 8)),
      matrix(40, 2)};
  shape = codes.inferShape(halves, noError);
  ASSERT_TRUE(succeeded(shape));
  EXPECT_EQ(shape->in, 32);
  EXPECT_EQ(shape->out, 40);
  EXPECT_EQ(codes.getFlops(halves), 2 * 40 * 32);
  EXPECT_EQ(codes.getBytes(halves), 40 * 16 + 4 * 40 * 2);
  StructureAttrInterface asymmetric =
      QuantizedStructureAttr::get(&context, 4, 24, /*hasZeros=*/true);
  EXPECT_EQ(codes.getNumFactors(), 2u);
  EXPECT_EQ(asymmetric.getNumFactors(), 3u);
  halves.push_back(
      RankedTensorType::get({40, 2}, IntegerType::get(&context, 8)));
  shape = asymmetric.inferShape(halves, noError);
  ASSERT_TRUE(succeeded(shape));
  EXPECT_EQ(shape->in, 32);
  EXPECT_EQ(shape->out, 40);
  EXPECT_EQ(asymmetric.getFlops(halves), 2 * 40 * 32);
  EXPECT_EQ(asymmetric.getBytes(halves), 40 * 16 + 5 * 40 * 2);
  // 5 of 8 blocks in each of three rows of blocks, the last of 8 outputs.
  StructureAttrInterface sparse =
      BlockSparseStructureAttr::get(&context, 16, 4, 32);
  std::vector<Type> stored5{
      matrix(40, 20),
      RankedTensorType::get({3, 5}, IntegerType::get(&context, 32))};
  shape = sparse.inferShape(stored5, noError);
  ASSERT_TRUE(succeeded(shape));
  EXPECT_EQ(shape->in, 32);
  EXPECT_EQ(shape->out, 40);
  EXPECT_EQ(shape->blocks, 1);
  EXPECT_EQ(sparse.getNumFactors(), 2u);
  EXPECT_EQ(sparse.getFlops(stored5), 2 * 40 * 20);
  EXPECT_EQ(sparse.getBytes(stored5), 4 * 40 * 20 + 4 * 3 * 5);
  StructureAttrInterface pattern = NmSparseStructureAttr::get(&context, 2, 4);
  std::vector<Type> half{
      matrix(40, 16),
      RankedTensorType::get({40, 4}, IntegerType::get(&context, 8))};
  shape = pattern.inferShape(half, noError);
  ASSERT_TRUE(succeeded(shape));
  EXPECT_EQ(shape->in, 32);
  EXPECT_EQ(shape->out, 40);
  EXPECT_EQ(pattern.getFlops(half), 2 * 40 * 16);
  EXPECT_EQ(pattern.getBytes(half), 4 * 40 * 16 + 40 * 4);
  // Two blocks of 16 inputs, of which the basis makes 4 numbers each.
  StructureAttrInterface seeded =
      SeededStructureAttr::get(&context, 4, 16, 12345);
  std::vector<Type> coefficients{matrix(40, 8)};
  shape = seeded.inferShape(coefficients, noError);
  ASSERT_TRUE(succeeded(shape));
  EXPECT_EQ(shape->in, 32);
  EXPECT_EQ(shape->out, 40);
  EXPECT_EQ(shape->blocks, 1);
  EXPECT_EQ(seeded.getNumFactors(), 1u);
  EXPECT_EQ(seeded.getFlops(coefficients), 2 * 40 * 8 + 2 * 4 * 32);
  EXPECT_EQ(seeded.getBytes(coefficients), 4 * 40 * 8);
  // Matrices of one vector.
  for (auto [structure, length, out, flops] :
       {std::tuple(
            StructureAttrInterface(DiagStructureAttr::get(&context, 40, 32)),
            32, 40, 32),
        {StructureAttrInterface(DiagStructureAttr::get(&context, 24, 32)), 24,
         24, 24},
        {StructureAttrInterface(ToeplitzStructureAttr::get(&context, 40)), 71,
         40, 2 * 40 * 32},
        {StructureAttrInterface(CirculantStructureAttr::get(&context)), 32, 32,
         2 * 32 * 32}}) {
    std::vector<Type> vector{
        RankedTensorType::get({length}, Float32Type::get(&context))};
    shape = structure.inferShape(vector, noError);
    ASSERT_TRUE(succeeded(shape));
    EXPECT_EQ(shape->in, 32);
    EXPECT_EQ(shape->out, out);
    EXPECT_EQ(shape->blocks, 1);
    EXPECT_EQ(structure.getNumFactors(), 1u);
    EXPECT_EQ(structure.getFlops(vector), flops);
    EXPECT_EQ(structure.getBytes(vector), 4 * length);
  }
}

TEST_F(InterfaceTest, StatesOfStatefulOperations) {
  auto module = parse(R"(
    func.func @f(%q: tensor<2x?x4x6xf32>, %k: tensor<2x?x2x6xf32>, %v: tensor<2x?x2x8xf32>,
                 %x: tensor<2x?x5xf32>, %w: tensor<5x1x4xf32>) {
      %a = linnet.attention %q, %k, %v {causal, scale = 1.0 : f64}
        : (tensor<2x?x4x6xf32>, tensor<2x?x2x6xf32>, tensor<2x?x2x8xf32>) -> tensor<2x?x4x8xf32>
      %l = linnet.attention %q, %k {causal, scale = 1.0 : f64, value_width = 4 : i64}
        : (tensor<2x?x4x6xf32>, tensor<2x?x2x6xf32>) -> tensor<2x?x4x4xf32>
      %c, %t = linnet.short_conv %x, %w : (tensor<2x?x5xf32>, tensor<5x1x4xf32>) -> (tensor<2x?x5xf32>, tensor<2x3x5xf32>)
      %o, %s = linnet.scan #linnet.none %k, %k, %v : (tensor<2x?x2x6xf32>, tensor<2x?x2x6xf32>, tensor<2x?x2x8xf32>) -> (tensor<2x?x2x8xf32>, tensor<2x2x6x8xf32>)
      return
    })");
  std::vector<std::string> found;
  module->walk([&](StatefulOpInterface op) {
    EXPECT_EQ(op.getStreamingObstacle(), "");
    EXPECT_TRUE(op.getStates().empty());
    for (const StateSpec &spec : op.getStateSpecs(64)) {
      std::string text = spec.name + (spec.append ? "+" : "");
      for (int64_t size : spec.type.getShape())
        text += " " + std::to_string(size);
      found.push_back(text);
    }
  });
  EXPECT_EQ(found, std::vector<std::string>(
                       {"keys+ 2 64 2 6", "values+ 2 64 2 8", "keys+ 2 64 2 6",
                        "tail 2 3 5", "state 2 2 6 8"}));
}

TEST_F(InterfaceTest, ObstaclesNameTheReason) {
  auto module = parse(R"(
    func.func @f(%q: tensor<2x5x2x6xf32>, %m: tensor<2x5xi32>) {
      %a = linnet.attention %q, %q, %q {scale = 1.0 : f64}
        : (tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>) -> tensor<2x5x2x6xf32>
      %b = linnet.attention %q, %q, %q key_mask(%m) {causal, scale = 1.0 : f64}
        : (tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5xi32>) -> tensor<2x5x2x6xf32>
      %o, %s = linnet.scan #linnet.none %q, %q, %q {reverse} : (tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>, tensor<2x5x2x6xf32>) -> (tensor<2x5x2x6xf32>, tensor<2x2x6x6xf32>)
      return
    })");
  std::vector<std::string> obstacles;
  module->walk([&](StatefulOpInterface op) {
    obstacles.push_back(op.getStreamingObstacle());
  });
  EXPECT_EQ(obstacles,
            std::vector<std::string>(
                {"attention without causal mask reads later tokens",
                 "attention with a bias or key mask has no cached form",
                 "a reverse scan reads later tokens"}));
}

TEST_F(InterfaceTest, TimeOperandsLeaveOutInvariantOnes) {
  auto module = parse(R"(
    func.func @f(%k: tensor<2x?x2x6xf32>, %d: tensor<2x?x2x6xf32>, %a: tensor<1x1x2x6x6xf32>) {
      %o, %s = linnet.scan #linnet.full(%d, %a) %k, %k, %k
        : (tensor<2x?x2x6xf32>, tensor<2x?x2x6xf32>, tensor<2x?x2x6xf32>, tensor<2x?x2x6xf32>, tensor<1x1x2x6x6xf32>)
          -> (tensor<2x?x2x6xf32>, tensor<2x2x6x6xf32>)
      return
    })");
  module->walk([&](StatefulOpInterface op) {
    SmallVector<unsigned> operands = op.getTimeOperands();
    EXPECT_EQ(std::vector<unsigned>(operands.begin(), operands.end()),
              std::vector<unsigned>({0, 1, 2, 3}));
  });
}

} // namespace
