#!/usr/bin/env python3
"""Writes the models and tensors beside this file.

    pip install onnx==1.23.2 numpy
    python3 generate.py

Every case is a folder NAME with model.onnx, input_0.npy, ... in the order of
the graph's inputs and output_0.npy, ..., which ONNX's own reference evaluator
computed. The tests need neither this script nor the package.
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


def write(name, nodes, inputs, outputs, weights=None, opset=OPSET, opens=None):
    """`inputs`: name to array; `outputs`: names; `weights`: name to array;
    `opens`: input name to a shape with symbolic dimensions."""
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
    results = ReferenceEvaluator(model).run(None, inputs)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    for i, array in enumerate(inputs.values()):
        np.save(folder / f"input_{i}.npy", array)
    for i, array in enumerate(results):
        assert np.isfinite(array).all(), name
        np.save(folder / f"output_{i}.npy", np.asarray(array))


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


def causal_conv(name, seed, taps=4, channels=5, time=7, bias=False, state=False, activation=None):
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
    write(name, [node], inputs, ["output", "present_state"], weights)


def recurrences():
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


if __name__ == "__main__":
    recurrences()
