//===- RecurrentCells.cpp - LSTM, GRU and RNN -----------------------------===//
//
// Each direction is one linnet.recurrence. The products with the input are one
// linear map over all tokens in front of it; the cell has those with the state
// and one elementwise operation behind each. Gates lie as ONNX stores them:
// i, o, f, c for LSTM and z, r, h for GRU.
//
//===----------------------------------------------------------------------===//

#include "CellBuilder.h"
#include "Node.h"

#include "linnet/Support/Quote.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;

namespace linnet::onnx {
namespace {

enum Input : unsigned { kX, kW, kR, kB, kLengths, kHidden, kCell, kPeepholes };

} // namespace

/// Rows [begin, begin + count) of x[direction], of x [directions, rows, ...].
/// What is stored stays so: a weight of its own that kernels pack once.
static Tensor rowsOf(Node &node, unsigned i, int64_t direction, int64_t begin,
                     int64_t count) {
  Tensor &x = node.input(i);
  int64_t rows = x.sizes[1].getFactor();
  Tensor part{Sizes(ArrayRef(x.sizes).drop_front()), x.element};
  part.sizes[0] = count;
  if (!x.stored || !x.isFloat()) {
    // In front of the recurrence, not in its cell.
    Tensor &whole = node.operand(i);
    OpBuilder::InsertionGuard guard(node.g.b);
    node.g.b.setInsertionPointToEnd(whole.value.getParentBlock());
    Tensor one = node.g.slice(whole, 0, direction, 1);
    return node.g.reshaped(node.g.slice(one, 1, begin, count), part.sizes);
  }
  auto stored = std::make_shared<StoredTensor>();
  stored->name = x.stored->name + "[" + std::to_string(direction) + "][" +
                 std::to_string(begin) + ":" + std::to_string(begin + count) +
                 "]";
  stored->dtype = x.stored->dtype;
  stored->shape = {count};
  for (const Size &size : ArrayRef(part.sizes).drop_front())
    stored->shape.push_back(size.getFactor());
  size_t bytesOfRow = x.stored->bytes / size_t(x.sizes[0].getFactor() * rows);
  stored->data = x.stored->data + size_t(direction * rows + begin) * bytesOfRow;
  stored->bytes = size_t(count) * bytesOfRow;
  part.stored = std::move(stored);
  return part;
}

/// The biases of the input's products, or (`second`) of the state's.
static Tensor biasOf(Node &node, const Layer &layer, int64_t direction,
                     bool second, int64_t gate, int64_t gates) {
  if (!node.has(kB))
    return {};
  return rowsOf(node, kB, direction,
                ((second ? layer.gates : 0) + gate) * layer.hidden,
                gates * layer.hidden);
}

static Tensor recurrentOf(Node &node, const Layer &layer, int64_t direction,
                          int64_t gate, int64_t gates) {
  return rowsOf(node, kR, direction, gate * layer.hidden, gates * layer.hidden);
}

/// `count` activations per direction; `names` are the usual ones.
static void readActivations(Node &node, Layer &layer,
                            ArrayRef<const char *> usual) {
  std::vector<std::string> names = node.strings("activations");
  if (names.empty())
    for (int64_t d = 0; d < layer.directions; ++d)
      names.insert(names.end(), usual.begin(), usual.end());
  size_t wanted = usual.size() * size_t(layer.directions);
  node.require(names.size() == wanted, "expected ", wanted,
               " activations, but got ", names.size());
  for (const std::string &name : names) {
    Activation known = findActivation(name);
    if (!node.require(known,
                      "expected an activation out of Sigmoid, Tanh, Relu, "
                      "HardSigmoid, Softsign, but got ",
                      quoteName(name)))
      return;
    layer.activations.push_back(known);
  }
}

static Layer readLayer(Node &node, int64_t gates,
                       ArrayRef<const char *> activations) {
  // Products of sizes stay within their type.
  constexpr int64_t kMostUnits = 1 << 24;
  Layer layer;
  layer.gates = gates;
  layer.batchFirst = node.integer("layout", 0) != 0;
  std::string direction =
      node.choice("direction", {"forward", "reverse", "bidirectional"});
  layer.reverse = direction == "reverse";
  layer.directions = direction == "bidirectional" ? 2 : 1;
  readActivations(node, layer, activations);
  const Sizes &x = node.input(kX).sizes, &r = node.input(kR).sizes;
  for (unsigned i = 0; i < node.inputCount(); ++i)
    node.require(!node.has(i) || node.input(i).isFloat() == (i != kLengths),
                 "expected ", i == kLengths ? "integers" : "floats",
                 " as input ", i, ", but got the other");
  if (!node.require(x.size() == 3 && x[2].isStatic() && r.size() == 3 &&
                        r[2].isStatic() && r[2].getFactor() > 0 &&
                        r[2].getFactor() < kMostUnits,
                    "expected X [T, B, I] and R [directions, gates * H, H], "
                    "but got ",
                    formatSizes(x), " and ", formatSizes(r)))
    return layer;
  layer.time = x[layer.batchFirst ? 1 : 0];
  layer.batch = x[layer.batchFirst ? 0 : 1];
  layer.hidden = r[2].getFactor();
  int64_t stated = node.integer("hidden_size", layer.hidden);
  node.require(stated == layer.hidden, "expected hidden_size ", layer.hidden,
               " as in R, but got ", stated);
  Size d = layer.directions, rows = Size(gates) * layer.hidden;
  node.requireSizes(kW, "W", {d, rows, x[2]});
  node.requireSizes(kR, "R", {d, rows, layer.hidden});
  node.requireSizes(kB, "B", {d, rows * 2});
  node.requireSizes(kLengths, "sequence_lens", {layer.batch});
  Sizes state = layer.batchFirst ? Sizes{layer.batch, d, layer.hidden}
                                 : Sizes{d, layer.batch, layer.hidden};
  node.requireSizes(kHidden, "initial_h", state);
  node.requireSizes(kCell, "initial_c", state);
  node.requireSizes(kPeepholes, "P", {d, Size(3) * layer.hidden});
  return layer;
}

/// The input [B, T, I].
static Tensor batchFirst(Node &node, const Layer &layer) {
  Tensor x = node.operand(kX);
  if (layer.batchFirst)
    return x;
  return {{layer.batch, layer.time, x.sizes[2]},
          x.element,
          node.g.transpose(x, {1, 0, 2})};
}

/// The initial state of a direction [B, H], zeros without one.
static Value initialState(Node &node, const Layer &layer, unsigned i,
                          int64_t direction) {
  GraphBuilder &g = node.g;
  Sizes sizes{layer.batch, layer.hidden};
  if (!node.has(i))
    return linalg::FillOp::create(g.b, g.scalar(0),
                                  g.empty(sizes, g.b.getF32Type()))
        .getResult(0);
  Tensor state = node.operand(i);
  if (layer.directions > 1)
    state = g.slice(state, layer.batchFirst ? 1 : 0, direction, 1);
  return g.reshaped(state, sizes).value;
}

/// 1 where a row has a token, 0 behind its last: [B, T].
static Tensor tokenMask(Node &node, const Layer &layer) {
  GraphBuilder &g = node.g;
  ImplicitLocOpBuilder &b = g.b;
  Tensor mask{{layer.batch, layer.time}, b.getF32Type()};
  Value lengths = node.operand(kLengths).value;
  Type integer = node.input(kLengths).element;
  SmallVector<utils::IteratorType> loops(2, utils::IteratorType::parallel);
  SmallVector<AffineMap> maps{
      AffineMap::get(2, 0, b.getAffineDimExpr(0), b.getContext()),
      b.getMultiDimIdentityMap(2)};
  Value init = g.empty(mask.sizes, mask.element);
  mask.value =
      linalg::GenericOp::create(
          b, init.getType(), lengths, init, maps, loops,
          [&](OpBuilder &inner, Location loc, ValueRange args) {
            Value t = arith::IndexCastOp::create(
                inner, loc, integer, linalg::IndexOp::create(inner, loc, 1));
            Value inside = arith::CmpIOp::create(
                inner, loc, arith::CmpIPredicate::slt, t, args[0]);
            linalg::YieldOp::create(
                inner, loc,
                arith::UIToFPOp::create(inner, loc, mask.element, inside)
                    .getResult());
          })
          .getResult(0);
  return mask;
}

namespace {

/// What writes the cell of a direction: from the gates' inputs [B, gates, H]
/// and the states the new states, the first of which is the output.
using CellBody = SmallVector<Value> (*)(Node &, const Layer &,
                                        int64_t direction, CellBuilder &,
                                        Value gates, ArrayRef<Value> states);

} // namespace

static ir::RecurrenceOp importDirection(Node &node, const Layer &layer,
                                        Tensor x, const Tensor &mask,
                                        int64_t direction, unsigned states,
                                        StringRef name, CellBody body) {
  GraphBuilder &g = node.g;
  Tensor w = rowsOf(node, kW, direction, 0, layer.gates * layer.hidden);
  Tensor bias = biasOf(node, layer, direction, false, 0, layer.gates);
  Value factor = g.readWeight(w);
  Tensor flat{{layer.batch, layer.time, layer.gates * layer.hidden}, x.element};
  flat.value = ir::LinearOp::create(
      g.b, x.value, factor, bias.element ? g.readWeight(bias) : Value(),
      ir::DenseStructureAttr::get(g.b.getContext(), ir::Storage::OutIn));
  Tensor gates =
      g.reshaped(flat, {layer.batch, layer.time, layer.gates, layer.hidden});
  SmallVector<Value> initial;
  for (unsigned s = 0; s < states; ++s)
    initial.push_back(initialState(node, layer, kHidden + s, direction));

  CellBuilder cell(g, layer, name);
  Value gatesIn = cell.input(gates);
  Value isToken = mask.value ? cell.input(mask) : Value();
  SmallVector<Value> before;
  for (Value first : initial)
    before.push_back(cell.state(first));
  SmallVector<Value> after =
      body(node, layer, direction, cell, gatesIn, before);
  Value output = after.front();
  if (isToken) {
    // Behind its last token a row keeps its states and gives zeros.
    for (auto [next, old] : llvm::zip(after, before)) {
      cell.addRow(isToken);
      cell.addState(next);
      cell.addState(old);
      next = cell.combine(old, 1, [](Arithmetic a, ValueRange args) {
        return SmallVector<Value>{a.select(args[0], args[1], args[2])};
      })[0];
    }
    cell.addRow(isToken);
    cell.addState(output);
    output = cell.combine(output, 1, [](Arithmetic a, ValueRange args) {
      return SmallVector<Value>{a.select(args[0], args[1], a.number(0))};
    })[0];
  }
  after.insert(after.begin(), output);
  return cell.finish(after, layer.reverse || direction == 1);
}

/// The results of the directions, side by side: Y, then the final states.
static void setResults(Node &node, const Layer &layer,
                       ArrayRef<ir::RecurrenceOp> directions) {
  GraphBuilder &g = node.g;
  Type f32 = g.b.getF32Type();
  auto join = [&](unsigned number, const Sizes &one, int64_t dim,
                  llvm::function_ref<Tensor(Value)> arrange) {
    SmallVector<Tensor> parts;
    for (ir::RecurrenceOp op : directions)
      parts.push_back(g.reshaped(arrange(op->getResult(number)), one));
    node.set(number, parts.size() == 1
                         ? parts[0]
                         : g.concat(parts, dim, int64_t(parts.size())));
  };
  const Size &b = layer.batch, &t = layer.time;
  Size h = layer.hidden;
  join(0, layer.batchFirst ? Sizes{b, t, 1, h} : Sizes{t, 1, b, h},
       layer.batchFirst ? 2 : 1, [&](Value value) -> Tensor {
         Tensor y{{b, t, h}, f32, value};
         if (layer.batchFirst)
           return y;
         return {{t, b, h}, f32, g.transpose(y, {1, 0, 2})};
       });
  for (unsigned i = 1; i < node.outputCount(); ++i)
    join(i, layer.batchFirst ? Sizes{b, 1, h} : Sizes{1, b, h},
         layer.batchFirst ? 1 : 0,
         [&](Value value) -> Tensor { return {{b, h}, f32, value}; });
}

static void importCells(Node &node, const Layer &layer, unsigned states,
                        StringRef name, CellBody body) {
  if (!node.ok())
    return;
  Tensor x = batchFirst(node, layer), mask;
  if (node.has(kLengths))
    mask = tokenMask(node, layer);
  SmallVector<ir::RecurrenceOp> directions;
  for (int64_t d = 0; d < layer.directions; ++d)
    directions.push_back(
        importDirection(node, layer, x, mask, d, states, name, body));
  setResults(node, layer, directions);
}

static SmallVector<Value> lstmCell(Node &node, const Layer &layer,
                                   int64_t direction, CellBuilder &cell,
                                   Value gates, ArrayRef<Value> states) {
  Value h = states[0], c = states[1];
  Value product = cell.product(h, recurrentOf(node, layer, direction, 0, 4),
                               biasOf(node, layer, direction, true, 0, 4));
  for (int64_t gate = 0; gate < 4; ++gate) {
    cell.addGate(gates, gate);
    cell.addGate(product, gate);
  }
  cell.addState(c);
  bool peepholes = node.has(kPeepholes);
  for (int64_t p = 0; peepholes && p < 3; ++p) {
    Tensor vector =
        rowsOf(node, kPeepholes, direction, p * layer.hidden, layer.hidden);
    cell.addVector(cell.use(vector));
  }
  const Activation *f = &layer.activations[size_t(3 * direction)];
  ValueRange next = cell.combine(h, 2, [&](Arithmetic a, ValueRange args) {
    auto gate = [&](unsigned p) { return a.add(args[2 * p], args[2 * p + 1]); };
    auto look = [&](Value sum, unsigned p, Value at) {
      return peepholes ? a.add(sum, a.mul(args[9 + p], at)) : sum;
    };
    Value old = args[8];
    Value i = (a.*f[0])(look(gate(0), 0, old));
    Value forget = (a.*f[0])(look(gate(2), 2, old));
    Value fresh = (a.*f[1])(gate(3));
    Value c1 = a.add(a.mul(forget, old), a.mul(i, fresh));
    Value o = (a.*f[0])(look(gate(1), 1, c1));
    return SmallVector<Value>{a.mul(o, (a.*f[2])(c1)), c1};
  });
  return {next[0], next[1]};
}

static SmallVector<Value> gruCell(Node &node, const Layer &layer,
                                  int64_t direction, CellBuilder &cell,
                                  Value gates, ArrayRef<Value> states) {
  Value h = states[0];
  const Activation *f = &layer.activations[size_t(2 * direction)];
  auto product = [&](Value state, int64_t gate, int64_t count) {
    return cell.product(state, recurrentOf(node, layer, direction, gate, count),
                        biasOf(node, layer, direction, true, gate, count));
  };
  // The reset gate is in front of the product with the state, or behind it.
  Value zr = product(h, 0, layer.resetsProduct ? 3 : 2);
  if (!layer.resetsProduct) {
    cell.addGate(gates, 1);
    cell.addGate(zr, 1);
    cell.addState(h);
    Value reset = cell.combine(h, 1, [&](Arithmetic a, ValueRange args) {
      Value r = (a.*f[0])(a.add(args[0], args[1]));
      return SmallVector<Value>{a.mul(r, args[2])};
    })[0];
    Value behind = product(reset, 2, 1);
    cell.addGate(gates, 2);
    cell.addGate(behind, 0);
  } else {
    cell.addGate(gates, 2);
    cell.addGate(zr, 2);
  }
  cell.addGate(gates, 0);
  cell.addGate(zr, 0);
  cell.addState(h);
  cell.addGate(gates, 1);
  cell.addGate(zr, 1);
  return {cell.combine(h, 1, [&](Arithmetic a, ValueRange args) {
    Value inner = args[1];
    if (layer.resetsProduct)
      inner = a.mul((a.*f[0])(a.add(args[5], args[6])), inner);
    Value fresh = (a.*f[1])(a.add(args[0], inner));
    Value z = (a.*f[0])(a.add(args[2], args[3]));
    Value kept = a.mul(z, a.sub(args[4], fresh));
    return SmallVector<Value>{a.add(fresh, kept)};
  })[0]};
}

static SmallVector<Value> rnnCell(Node &node, const Layer &layer,
                                  int64_t direction, CellBuilder &cell,
                                  Value gates, ArrayRef<Value> states) {
  Value product =
      cell.product(states[0], recurrentOf(node, layer, direction, 0, 1),
                   biasOf(node, layer, direction, true, 0, 1));
  cell.addGate(gates, 0);
  cell.addGate(product, 0);
  Activation f = layer.activations[size_t(direction)];
  return {cell.combine(states[0], 1, [&](Arithmetic a, ValueRange args) {
    return SmallVector<Value>{(a.*f)(a.add(args[0], args[1]))};
  })[0]};
}

void importLstm(Node &node) {
  Layer layer = readLayer(node, 4, {"Sigmoid", "Tanh", "Tanh"});
  int64_t coupled = node.integer("input_forget", 0);
  node.require(coupled == 0, "expected input_forget 0, but got ", coupled);
  importCells(node, layer, 2, "lstm", lstmCell);
}

void importGru(Node &node) {
  Layer layer = readLayer(node, 3, {"Sigmoid", "Tanh"});
  layer.resetsProduct = node.integer("linear_before_reset", 0) != 0;
  importCells(node, layer, 1, "gru", gruCell);
}

void importRnn(Node &node) {
  importCells(node, readLayer(node, 1, {"Tanh"}), 1, "rnn", rnnCell);
}

} // namespace linnet::onnx
