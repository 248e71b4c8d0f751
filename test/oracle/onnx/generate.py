#!/usr/bin/env python3
"""Writes the models and tensors beside this file.

    pip install onnx==1.23.2 onnxruntime==1.32.0 numpy
    python3 generate.py

Every case is a folder NAME with model.onnx, input_0.npy, ... in the order of
the graph's inputs and output_0.npy, ..., which ONNX's own reference evaluator
computed, or ONNX Runtime what that evaluator reads over. The tests need neither this script nor the package.
"""

import pathlib
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

HERE = pathlib.Path(__file__).resolve().parent
OPSET = 27


def value(name, shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, shape)


def write(name, nodes, inputs, outputs, weights=None, opset=OPSET, opens=None, runtime=False):
    """`inputs`: name to array; `outputs`: names; `weights`: name to array;
    `opens`: input name to a shape with symbolic dimensions; `runtime`: ONNX Runtime computes."""
    opens = opens or {}
    types = {array.dtype.type: helper.np_dtype_to_tensor_dtype(array.dtype) for array in inputs.values()}
    graph = helper.make_graph(
        nodes, name,
        [value(key, opens.get(key, array.shape), types[array.dtype.type]) for key, array in inputs.items()],
        [onnx.ValueInfoProto(name=key) for key in outputs],
        [onnx.numpy_helper.from_array(array, key) for key, array in (weights or {}).items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=13,
                              producer_name="linnet-oracle")
    model = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    if runtime:
        import onnxruntime
        results = onnxruntime.InferenceSession(model.SerializeToString()).run(None, inputs)
    else:
        results = ReferenceEvaluator(model).run(None, inputs)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    for i, array in enumerate(inputs.values()):
        np.save(folder / f"input_{i}.npy", array)
    for i, array in enumerate(results):
        assert np.isfinite(array).all(), name
        np.save(folder / f"output_{i}.npy", np.ascontiguousarray(array))


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


def keys(rng, batch, time, heads, width):
    """Keys of length one keep the delta rule stable."""
    k = normal(rng, batch, time, heads, width)
    k /= np.linalg.norm(k, axis=-1, keepdims=True)
    return k.reshape(batch, time, heads * width)


def linear_attention(name, seed, rule, heads=(4, 4), width=(8, 6), time=9, decay=None, beta=None, state=False,
                     scale=None, dtype=np.float32, opens=None):
    rng = np.random.default_rng(seed)
    batch, (hq, hk), (dk, dv) = 2, heads, width
    inputs = {"query": normal(rng, batch, time, hq * dk), "key": keys(rng, batch, time, hk, dk),
              "value": normal(rng, batch, time, hk * dv)}
    names = ["query", "key", "value", "", "", ""]
    if state:
        inputs["past_state"] = normal(rng, batch, hk, dk, dv)
        names[3] = "past_state"
    if decay:
        inputs["decay"] = -np.abs(normal(rng, batch, time, hk if decay == "head" else hk * dk)) * np.float32(0.3)
        names[4] = "decay"
    if beta:
        inputs["beta"] = rng.random((batch, time, hk if beta == "head" else 1)).astype(np.float32)
        names[5] = "beta"
    while not names[-1]:
        names.pop()
    extra = {} if scale is None else {"scale": scale}
    node = helper.make_node("LinearAttention", names, ["output", "present_state"], name="attention",
                            update_rule=rule, q_num_heads=hq, kv_num_heads=hk, **extra)
    inputs = {key: array.astype(dtype) for key, array in inputs.items()}
    write(name, [node], inputs, ["output", "present_state"], opens=opens)


def causal_conv(name, seed, taps=4, channels=5, time=7, bias=False, state=False, activation=None, opens=None):
    rng = np.random.default_rng(seed)
    batch = 2
    inputs = {"input": normal(rng, batch, channels, time)}
    weights = {"weight": normal(rng, channels, 1, taps)}
    names = ["input", "weight", "", ""]
    if bias:
        weights["bias"] = normal(rng, channels)
        names[2] = "bias"
    if state:
        inputs["past_state"] = normal(rng, batch, channels, taps - 1)
        names[3] = "past_state"
    while not names[-1]:
        names.pop()
    extra = {} if activation is None else {"activation": activation}
    node = helper.make_node("CausalConvWithState", names, ["output", "present_state"], name="conv", **extra)
    write(name, [node], inputs, ["output", "present_state"], weights, opens=opens)


def contributed(name, seed, heads, channels_last):
    """The operators of com.microsoft, which ONNX's evaluator does not have: the expectation comes from the standard ones
    with queries and keys repeated and with transpositions."""
    rng = np.random.default_rng(seed)
    batch, time, (hq, hk, hv), dk, dv, taps = 2, 7, heads, 4, 6, 3
    shape = (batch, time, hv * dv) if channels_last else (batch, hv * dv, time)
    inputs = {"query": normal(rng, batch, time, hq * dk), "key": keys(rng, batch, time, hk, dk), "value": normal(rng, *shape),
              "past_state": normal(rng, batch, hv, dk, dv), "a": normal(rng, batch, time, hv), "b": normal(rng, batch, time, hv)}
    weights = {"taps": normal(rng, hv * dv, 1, taps), "dt_bias": normal(rng, hv), "decay_scale": -np.abs(normal(rng, hv))}
    node = helper.make_node

    def graph(domain, layers):
        swap = [] if channels_last else [node("Transpose", ["conv"], ["value_last"], perm=[0, 2, 1])]
        return layers + swap + [
            node("LinearAttention", ["q", "k", "conv" if channels_last else "value_last", "past_state", "decay", "beta"],
                 ["output", "present_state"], name="attention", domain=domain, kv_num_heads=hv,
                 q_num_heads=hv if domain == "" else hq)]

    def repeated(key, count, result):
        i64 = lambda *values: np.array(values, dtype=np.int64)
        weights.update({f"{key}_split": i64(0, 0, count, 1, dk), f"{key}_wide": i64(1, 1, 1, hv // count, 1),
                        f"{key}_flat": i64(0, 0, hv * dk)})
        return [node("Reshape", [key, f"{key}_split"], [f"{key}_5"]), node("Expand", [f"{key}_5", f"{key}_wide"], [f"{key}_e"]),
                node("Reshape", [f"{key}_e", f"{key}_flat"], [result])]

    conv_in = ["value"] if channels_last else []
    swap = dict(perm=[0, 2, 1])
    standard = [
        *([node("Transpose", ["value"], ["value_first"], **swap)] if conv_in else []),
        node("CausalConvWithState", ["value_first" if conv_in else "value", "taps"], ["conv_first" if conv_in else "conv", "tail"],
             activation="silu"),
        *([node("Transpose", ["conv_first"], ["conv"], **swap)] if conv_in else []),
        node("Add", ["a", "dt_bias"], ["a1"]), node("Softplus", ["a1"], ["a2"]), node("Mul", ["a2", "decay_scale"], ["decay"]),
        node("Sigmoid", ["b"], ["beta"]), *repeated("query", hq, "q"), *repeated("key", hk, "k")]
    write(name, graph("", standard), inputs, ["output", "present_state"], weights)
    fused = [
        node("CausalConvWithState", ["value", "taps"], ["conv", "tail"], activation="silu", domain="com.microsoft", ndim=1,
             channels_last=int(channels_last), dilation=1, state_window=0),
        node("LinearAttentionGate", ["a", "dt_bias", "decay_scale", "b"], ["decay", "beta"], domain="com.microsoft"),
        node("Identity", ["query"], ["q"]), node("Identity", ["key"], ["k"])]
    model = onnx.load(HERE / name / "model.onnx")
    del model.graph.node[:]
    model.graph.node.extend(graph("com.microsoft", fused))
    kept = [tensor for tensor in model.graph.initializer if tensor.name in ("taps", "dt_bias", "decay_scale")]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, HERE / name / "model.onnx")


def recurrences():
    contributed("contributed-first", 30, (2, 2, 4), False)
    contributed("contributed-last", 31, (2, 1, 6), True)
    linear_attention("attention-linear", 1, "linear")
    linear_attention("attention-linear-state", 2, "linear", state=True, scale=0.5)
    linear_attention("attention-gated-head", 3, "gated", decay="head")
    linear_attention("attention-gated-key", 4, "gated", decay="key", state=True)
    linear_attention("attention-delta", 5, "delta", beta="head")
    linear_attention("attention-delta-shared-beta", 6, "delta", beta="one", state=True)
    linear_attention("attention-gated_delta-head", 7, "gated_delta", decay="head", beta="head")
    linear_attention("attention-gated_delta-key", 8, "gated_delta", decay="key", beta="head", state=True)
    linear_attention("attention-groups", 9, "gated_delta", heads=(6, 2), decay="head", beta="head", state=True)
    linear_attention("attention-one-key-head", 10, "gated", heads=(3, 1), decay="key", state=True)
    linear_attention("attention-step", 11, "gated_delta", time=1, decay="head", beta="head", state=True)
    linear_attention("attention-width-one", 12, "gated", width=(1, 5), decay="head")
    linear_attention("attention-half", 13, "gated_delta", decay="head", beta="head", dtype=np.float16)
    linear_attention("attention-half-groups", 15, "gated", heads=(4, 2), decay="key", state=True, dtype=np.float16)
    linear_attention("attention-open", 14, "gated_delta", heads=(4, 2), decay="key", beta="head",
                     opens={"query": ["batch", "time", 32], "key": ["batch", "time", 16],
                            "value": ["batch", "time", 12], "decay": ["batch", "time", 16],
                            "beta": ["batch", "time", 2]})
    causal_conv("conv-plain", 20)
    causal_conv("conv-silu-bias-state", 21, bias=True, state=True, activation="silu")
    causal_conv("conv-swish", 22, activation="swish", bias=True)
    causal_conv("conv-step", 23, time=1, state=True)
    causal_conv("conv-one-tap", 24, taps=1, bias=True)
    causal_conv("conv-short", 25, time=2, taps=5)
    causal_conv("conv-open", 26, state=True, opens={"input": ["batch", 5, "time"], "past_state": ["batch", 5, 3]})


def glue():
    """The operators around recurrences, many in one model each: every output is one operator's."""
    rng = np.random.default_rng(50)
    n = helper.make_node
    x, y, positive = normal(rng, 2, 3, 4), normal(rng, 3, 4), np.abs(normal(rng, 2, 3, 4)) + np.float32(0.1)
    row, column = normal(rng, 4), normal(rng, 3, 1)
    write("glue-arithmetic", [
        n("Add", ["x", "y"], ["add"]), n("Sub", ["y", "x"], ["sub"]), n("Mul", ["x", "column"], ["mul"]),
        n("Div", ["x", "positive"], ["div"]), n("Pow", ["x", "two"], ["square"]),
        n("Pow", ["x", "three"], ["cube"]), n("Add", ["x", "row"], ["add_weight"]), n("Max", ["x", "y", "half"], ["max"]),
        n("Min", ["x", "y"], ["min"]), n("Mul", ["column", "y"], ["outer"]),
        n("Pow", ["positive", "root"], ["root_out"]), n("Pow", ["positive", "minus"], ["minus_out"]),
    ], {"x": x, "y": y, "positive": positive, "column": column},
        ["add", "sub", "mul", "div", "square", "cube", "add_weight", "max", "min", "outer", "root_out", "minus_out"],
        {"two": np.float32(2), "three": np.int64(3), "row": row, "half": np.float32(0.5), "root": np.float32(0.5),
         "minus": np.array([-0.5], dtype=np.float32)})
    # Kernels have no general powers yet.
    write("reference-power", [n("Pow", ["positive", "x"], ["power"]), n("Pow", ["x", "five"], ["fifth"])],
          {"x": x, "positive": positive}, ["power", "fifth"], {"five": np.int64(5)})
    unary = ["Neg", "Exp", "Abs", "Erf", "Sin", "Cos", "Sigmoid", "Tanh", "Relu", "Softplus", "Identity"]
    write("glue-unary", [n(op, ["x"], [op.lower()]) for op in unary] + [
        n("Log", ["positive"], ["log"]), n("Sqrt", ["positive"], ["sqrt"]), n("Reciprocal", ["positive"], ["reciprocal"]),
        n("Gelu", ["x"], ["gelu"]), n("Gelu", ["x"], ["gelu_tanh"], approximate="tanh"), n("Swish", ["x"], ["swish"]),
        n("Sigmoid", ["x"], ["gate"]), n("Mul", ["x", "gate"], ["silu"]),
        n("Cast", ["x"], ["cast"], to=TensorProto.FLOAT),
        n("Cast", ["numbers"], ["float"], to=TensorProto.FLOAT), n("Cast", ["numbers"], ["narrow"], to=TensorProto.INT32),
    ], {"x": x, "positive": positive, "numbers": np.arange(6).reshape(2, 3)},
        [op.lower() for op in unary] + ["log", "sqrt", "reciprocal", "gelu", "gelu_tanh", "swish", "silu", "cast", "float",
                                        "narrow"])
    wide = normal(rng, 2, 5, 12)
    i64 = lambda *values: np.array(values, dtype=np.int64)
    write("glue-shapes", [
        n("Reshape", ["x", "heads"], ["split"]), n("Transpose", ["split"], ["front"], perm=[0, 2, 1, 3]),
        n("Transpose", ["front"], ["back"], perm=[0, 2, 1, 3]), n("Reshape", ["back", "rows"], ["rows_out"]),
        n("Transpose", ["front"], ["other"], perm=[1, 0, 3, 2]), n("Flatten", ["x"], ["flat"], axis=2),
        n("Unsqueeze", ["x", "axes"], ["unsqueezed"]), n("Squeeze", ["unsqueezed", "axes"], ["squeezed"]),
        n("Slice", ["x", "starts", "ends", "slice_axes", "steps"], ["slice"]),
        n("Split", ["x", "parts"], ["part_a", "part_b"], axis=-1),
        n("Split", ["x"], ["a", "b", "c"], axis=1, num_outputs=3),
        n("Concat", ["part_b", "part_a"], ["concat"], axis=2), n("Expand", ["y", "wide"], ["expand"]),
        n("Gather", ["x", "one"], ["gather"], axis=1), n("Gather", ["x", "minus"], ["gather_last"], axis=-1),
        n("Transpose", ["y"], ["reverse"]),
    ], {"x": wide, "y": normal(rng, 3, 1)},
        ["split", "front", "back", "rows_out", "other", "flat", "unsqueezed", "squeezed", "slice", "part_a", "part_b", "a",
         "b", "c", "concat", "expand", "gather", "gather_last", "reverse"],
        {"heads": i64(0, 0, 3, -1), "rows": i64(-1, 12), "axes": i64(1, -1), "starts": i64(1, -9), "ends": i64(-1, 2**62),
         "slice_axes": i64(1, 2), "steps": i64(1, 2), "parts": i64(5, 7), "wide": i64(2, 1, 4), "one": np.int64(1),
         "minus": i64(-1)})
    a, b = normal(rng, 2, 3, 5), normal(rng, 5, 4)
    write("glue-products", [
        n("MatMul", ["a", "weight"], ["weight_out"]), n("MatMul", ["a", "b"], ["plain"]),
        n("MatMul", ["q", "k"], ["batched"]), n("Gemm", ["rows", "weight", "bias"], ["gemm"]),
        n("Gemm", ["rows", "weight_t", "bias"], ["gemm_t"], transB=1),
        n("Gemm", ["rows", "weight_t", "column"], ["gemm_scaled"], transB=1, alpha=0.5, beta=2.0),
        n("Gemm", ["columns", "b"], ["gemm_a"], transA=1), n("Gather", ["table", "ids"], ["embedding"]),
    ], {"a": a, "b": b, "q": normal(rng, 2, 3, 4, 5), "k": normal(rng, 3, 5, 2), "rows": normal(rng, 6, 5),
        "columns": normal(rng, 5, 6), "ids": rng.integers(0, 7, (2, 3))},
        ["weight_out", "plain", "batched", "gemm", "gemm_t", "gemm_scaled", "gemm_a", "embedding"],
        {"weight": normal(rng, 5, 4), "weight_t": normal(rng, 4, 5), "bias": normal(rng, 4), "column": normal(rng, 6, 1),
         "table": normal(rng, 7, 3).astype(np.float16)})
    write("glue-norms", [
        n("Softmax", ["x"], ["softmax"]), n("Softmax", ["x"], ["softmax_1"], axis=1),
        n("RMSNormalization", ["x", "scale"], ["rms"], epsilon=1e-6),
        n("LayerNormalization", ["x", "scale", "bias"], ["layer"]), n("LayerNormalization", ["x", "scale"], ["layer_plain"]),
        n("ReduceMean", ["x", "last"], ["mean"]), n("ReduceMean", ["x"], ["mean_all"], keepdims=0),
        n("ReduceSum", ["x", "both"], ["sum"], keepdims=0), n("ReduceSumSquare", ["x", "last"], ["squares"]),
        n("ReduceL2", ["x", "last"], ["length"]), n("ReduceMax", ["x", "both"], ["most"]),
    ], {"x": normal(rng, 2, 3, 8)},
        ["softmax", "softmax_1", "rms", "layer", "layer_plain", "mean", "mean_all", "sum", "squares", "length", "most"],
        {"scale": normal(rng, 8), "bias": normal(rng, 8), "last": i64(-1), "both": i64(0, -1)})


def open_shapes():
    """Shapes that are computed from open dimensions, as exporters write them."""
    rng = np.random.default_rng(70)
    n = helper.make_node
    i64 = lambda *values: np.array(values, dtype=np.int64)
    write("open-shapes", [
        n("Shape", ["x"], ["shape"]), n("Gather", ["shape", "zero"], ["batch"]), n("Gather", ["shape", "one"], ["time"]),
        n("Unsqueeze", ["batch", "first"], ["batch_1"]), n("Unsqueeze", ["time", "first"], ["time_1"]),
        n("Concat", ["batch_1", "time_1", "heads"], ["split_shape"], axis=0),
        n("Reshape", ["x", "split_shape"], ["split"]), n("Transpose", ["split"], ["front"], perm=[0, 2, 1, 3]),
        n("Transpose", ["front"], ["keys"], perm=[0, 1, 3, 2]), n("MatMul", ["front", "keys"], ["scores"]),
        n("Softmax", ["scores"], ["weights"]), n("MatMul", ["weights", "front"], ["mixed"]),
        n("Transpose", ["mixed"], ["mixed_back"], perm=[0, 2, 1, 3]),
        n("Mul", ["batch", "time"], ["count"]), n("Unsqueeze", ["count", "first"], ["count_1"]),
        n("Concat", ["count_1", "width"], ["rows_shape"], axis=0), n("Reshape", ["mixed_back", "rows_shape"], ["rows"]),
        n("Slice", ["x", "last_start", "last_end", "one_1"], ["last"]), n("Add", ["x", "last"], ["added"]),
        n("Slice", ["x", "one_1", "last_end", "one_1"], ["later"]),
    ], {"x": normal(rng, 2, 5, 12)}, ["rows", "last", "added", "later"],
        {"zero": np.int64(0), "one": np.int64(1), "one_1": i64(1), "first": i64(0), "heads": i64(3, 4), "width": i64(12),
         "last_start": i64(-1), "last_end": i64(2**63 - 1)},
        opens={"x": ["batch", "time", 12]})


def layers():
    """Whole layers as exporters write them, with open batch and time."""
    rng = np.random.default_rng(90)
    n = helper.make_node
    i64 = lambda *values: np.array(values, dtype=np.int64)
    hidden, heads, dk, dv, taps = 24, 3, 4, 8, 4
    qk, wide = heads * dk, heads * dv
    small = lambda *shape: normal(rng, *shape) * np.float32(0.3)

    def unit(name, result, width):
        """Heads of length one, as x / sqrt(sum(x^2) + eps)."""
        return [n("Reshape", [name, "heads"], [f"{name}_heads"]), n("Mul", [f"{name}_heads"] * 2, [f"{name}_2"]),
                n("ReduceSum", [f"{name}_2", "last"], [f"{name}_s"]), n("Add", [f"{name}_s", "eps"], [f"{name}_e"]),
                n("Sqrt", [f"{name}_e"], [f"{name}_r"]), n("Div", [f"{name}_heads", f"{name}_r"], [f"{name}_u"]),
                n("Reshape", [f"{name}_u", "flat"], [result])]

    write("layer-gated-delta", [
        n("RMSNormalization", ["x", "norm"], ["h"], epsilon=1e-6),
        n("MatMul", ["h", "w_qkv"], ["qkv"]), n("Transpose", ["qkv"], ["qkv_first"], perm=[0, 2, 1]),
        n("CausalConvWithState", ["qkv_first", "taps", "", "past_conv"], ["mixed_first", "present_conv"], activation="silu"),
        n("Transpose", ["mixed_first"], ["mixed"], perm=[0, 2, 1]), n("Split", ["mixed", "parts"], ["q", "k", "v"], axis=-1),
        *unit("q", "q_unit", dk), *unit("k", "k_unit", dk),
        n("MatMul", ["h", "w_a"], ["a"]), n("Add", ["a", "dt_bias"], ["a_bias"]), n("Softplus", ["a_bias"], ["step"]),
        n("Exp", ["A_log"], ["rate"]), n("Neg", ["rate"], ["minus_rate"]), n("Mul", ["minus_rate", "step"], ["decay"]),
        n("MatMul", ["h", "w_b"], ["b"]), n("Sigmoid", ["b"], ["beta"]),
        n("LinearAttention", ["q_unit", "k_unit", "v", "past_state", "decay", "beta"], ["o", "present_state"],
          q_num_heads=heads, kv_num_heads=heads, update_rule="gated_delta", chunk_size=32),
        n("Shape", ["x"], ["shape"], start=0, end=2), n("Concat", ["shape", "head_dims"], ["o_shape"], axis=0),
        n("Reshape", ["o", "o_shape"], ["o_heads"]), n("RMSNormalization", ["o_heads", "o_norm"], ["o_normed"], epsilon=1e-6),
        n("Reshape", ["o_normed", "flat"], ["o_flat"]), n("MatMul", ["h", "w_g"], ["g"]), n("Sigmoid", ["g"], ["g_s"]),
        n("Mul", ["g", "g_s"], ["gate"]), n("Mul", ["o_flat", "gate"], ["gated"]), n("MatMul", ["gated", "w_o"], ["out"]),
        n("Add", ["x", "out"], ["y"]),
    ], {"x": normal(rng, 2, 6, hidden), "past_conv": normal(rng, 2, 2 * qk + wide, taps - 1),
        "past_state": normal(rng, 2, heads, dk, dv)}, ["y", "present_conv", "present_state"],
        {"norm": normal(rng, hidden), "w_qkv": small(hidden, 2 * qk + wide), "taps": normal(rng, 2 * qk + wide, 1, taps),
         "parts": i64(qk, qk, wide), "heads": i64(0, 0, heads, -1), "flat": i64(0, 0, -1), "last": i64(-1),
         "eps": np.float32(1e-6), "w_a": small(hidden, heads), "dt_bias": normal(rng, heads), "A_log": small(heads),
         "w_b": small(hidden, heads), "head_dims": i64(heads, dv), "o_norm": normal(rng, dv), "w_g": small(hidden, wide),
         "w_o": small(wide, hidden)},
        opens={"x": ["batch", "time", hidden], "past_conv": ["batch", 2 * qk + wide, taps - 1],
               "past_state": ["batch", heads, dk, dv]})

    def split(name):
        return [n("Reshape", [name, "heads"], [f"{name}_4"]), n("Transpose", [f"{name}_4"], [f"{name}_t"], perm=[0, 2, 1, 3])]

    vocabulary, width = 11, 16
    write("layer-tokens-to-logits", [
        n("Gather", ["table", "tokens"], ["x"]), n("LayerNormalization", ["x", "norm", "norm_bias"], ["h"]),
        n("MatMul", ["h", "w_q"], ["q"]), n("MatMul", ["h", "w_k"], ["k"]), n("MatMul", ["h", "w_v"], ["v"]),
        *split("q"), *split("k"), *split("v"), n("Transpose", ["k_t"], ["k_tt"], perm=[0, 1, 3, 2]),
        n("MatMul", ["q_t", "k_tt"], ["scores"]), n("Mul", ["scores", "scale"], ["scaled"]), n("Softmax", ["scaled"], ["p"]),
        n("MatMul", ["p", "v_t"], ["o"]), n("Transpose", ["o"], ["o_t"], perm=[0, 2, 1, 3]),
        n("Reshape", ["o_t", "flat"], ["o_flat"]), n("MatMul", ["o_flat", "w_o"], ["out"]), n("Add", ["x", "out"], ["y"]),
        n("Slice", ["y", "minus_one", "end", "one"], ["last"]), n("Squeeze", ["last", "one"], ["row"]),
        n("Gemm", ["row", "head", "head_bias"], ["logits"], transB=1),
    ], {"tokens": rng.integers(0, vocabulary, (2, 5))}, ["logits"],
        {"table": normal(rng, vocabulary, width), "norm": normal(rng, width), "norm_bias": normal(rng, width),
         "w_q": small(width, width), "w_k": small(width, width), "w_v": small(width, width), "w_o": small(width, width),
         "heads": i64(0, 0, 2, 8), "flat": i64(0, 0, 16), "scale": np.float32(8 ** -0.5), "minus_one": i64(-1),
         "end": i64(2**31 - 1), "one": i64(1), "head": normal(rng, vocabulary, width), "head_bias": normal(rng, vocabulary)},
        opens={"tokens": ["batch", "time"]})


def cells(name, seed, op, time=6, batch=2, width=5, hidden=7, direction="forward", bias=True, states=(), lengths=None,
          peepholes=False, runtime=False, computed=False, dtype=np.float32, opens=None, opset=22, **attributes):
    """LSTM, GRU and RNN. `states`: the initial states given; `computed`: R is an input, not stored."""
    rng = np.random.default_rng(seed)
    gates, count = {"LSTM": 4, "GRU": 3, "RNN": 1}[op], 2 if direction == "bidirectional" else 1
    last = attributes.get("layout", 0)
    state = (batch, count, hidden) if last else (count, batch, hidden)
    inputs = {"x": normal(rng, *((batch, time, width) if last else (time, batch, width)))}
    small = lambda *shape: (normal(rng, *shape) * np.float32(0.5)).astype(dtype)
    weights = {"w": small(count, gates * hidden, width)}
    (inputs if computed else weights)["r"] = small(count, gates * hidden, hidden)
    names = ["x", "w", "r", "", "", "", "", ""]
    if bias:
        weights["b"] = small(count, 2 * gates * hidden)
        names[3] = "b"
    if lengths:
        inputs["lengths"] = np.array(lengths, dtype=np.int32)
        names[4] = "lengths"
    for i, key in enumerate(["h", "c"]):
        if key in states:
            inputs[key] = normal(rng, *state)
            names[5 + i] = key
    if peepholes:
        weights["p"] = small(count, 3 * hidden)
        names[7] = "p"
    while not names[-1]:
        names.pop()
    inputs = {key: array.astype(array.dtype if array.dtype == np.int32 else dtype) for key, array in inputs.items()}
    outputs = ["y", "y_h", "y_c"][:3 if op == "LSTM" else 2]
    node = helper.make_node(op, names, outputs, name="cells", hidden_size=hidden, direction=direction, **attributes)
    write(name, [node], inputs, outputs, weights, opset=opset, runtime=runtime, opens=opens)


def recurrent():
    cells("lstm-plain", 110, "LSTM", bias=False)
    cells("lstm-states", 111, "LSTM", states="hc")
    cells("lstm-hidden-state", 112, "LSTM", states="h", opset=14)
    cells("lstm-reverse", 113, "LSTM", direction="reverse", states="hc")
    cells("lstm-both-directions", 114, "LSTM", direction="bidirectional", states="hc")
    cells("lstm-batch-first", 115, "LSTM", layout=1, states="hc", opset=14)
    cells("lstm-batch-first-both", 116, "LSTM", layout=1, direction="bidirectional", states="c")
    cells("lstm-step", 117, "LSTM", time=1, batch=1, states="hc")
    cells("lstm-one-row", 118, "LSTM", batch=1, time=9, hidden=16)
    cells("lstm-peepholes", 119, "LSTM", peepholes=True, states="hc")
    cells("lstm-opset-7", 120, "LSTM", opset=7)
    cells("lstm-lengths", 121, "LSTM", batch=3, lengths=[6, 2, 4], states="hc", direction="bidirectional", runtime=True, opset=14)
    cells("lstm-activations", 122, "LSTM", runtime=True, opset=14, activations=["HardSigmoid", "Softsign", "Relu"])
    cells("lstm-computed-matrix", 123, "LSTM", computed=True, states="hc")
    cells("lstm-open", 124, "LSTM", states="hc", opens={"x": ["time", "batch", 5], "h": [1, "batch", 7], "c": [1, "batch", 7]})
    cells("lstm-half", 125, "LSTM", states="hc", dtype=np.float16)
    cells("gru-plain", 130, "GRU", bias=False)
    cells("gru-states", 131, "GRU", states="h")
    cells("gru-linear-before-reset", 132, "GRU", states="h", linear_before_reset=1)
    cells("gru-linear-reverse", 133, "GRU", states="h", linear_before_reset=1, direction="reverse", opset=14)
    cells("gru-both-directions", 134, "GRU", states="h", direction="bidirectional", layout=1)
    cells("gru-lengths", 135, "GRU", batch=3, lengths=[1, 6, 3], direction="reverse", runtime=True, opset=14)
    cells("gru-computed-matrix", 136, "GRU", computed=True)
    cells("gru-open", 137, "GRU", linear_before_reset=1, opens={"x": ["time", "batch", 5]}, direction="bidirectional")
    cells("rnn-plain", 140, "RNN")
    cells("rnn-one-unit", 141, "RNN", hidden=1, width=1, states="h")
    cells("rnn-relu-both", 142, "RNN", direction="bidirectional", activations=["Relu", "Tanh"], runtime=True, opset=14)

    # Two layers as PyTorch exports them: the directions dimension squeezed between.
    rng = np.random.default_rng(150)
    n = helper.make_node
    hidden = 8
    small = lambda *shape: normal(rng, *shape) * np.float32(0.5)
    write("layer-two-lstms", [
        n("Transpose", ["x"], ["x_t"], perm=[1, 0, 2]),
        n("LSTM", ["x_t", "w0", "r0", "b0", "", "h0", "c0"], ["y0", "h0_last", ""], hidden_size=hidden),
        n("Squeeze", ["y0", "one"], ["y0_s"]),
        n("LSTM", ["y0_s", "w1", "r1", "b1", "", "h0", "c0"], ["y1"], hidden_size=hidden),
        n("Squeeze", ["y1", "one"], ["y1_s"]), n("Transpose", ["y1_s"], ["y1_t"], perm=[1, 0, 2]),
        n("MatMul", ["y1_t", "head"], ["logits"]), n("Squeeze", ["h0_last", "zero"], ["last"]),
    ], {"x": normal(rng, 2, 5, 6), "h0": normal(rng, 1, 2, hidden), "c0": normal(rng, 1, 2, hidden)}, ["logits", "last"],
        {"w0": small(1, 32, 6), "r0": small(1, 32, hidden), "b0": small(1, 64), "w1": small(1, 32, hidden),
         "r1": small(1, 32, hidden), "b1": small(1, 64), "one": np.array([1]), "zero": np.array([0]),
         "head": small(hidden, 11)},
        opens={"x": ["batch", "time", 6], "h0": [1, "batch", hidden], "c0": [1, "batch", hidden]}, opset=14)


if __name__ == "__main__":
    recurrences()
    recurrent()
    glue()
    open_shapes()
    layers()
