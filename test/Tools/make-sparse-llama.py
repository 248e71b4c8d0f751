#!/usr/bin/env python3
"""Writes a Llama checkpoint directory of any size that takes no disk space.

The weights are a hole in a sparse file: bf16 zeros. The default is the shape of
Llama 3 8B, for measuring import and compilation.

    make-sparse-llama.py DIR [--layers 32] [--hidden 4096] ...
"""

import argparse
import json
import os
import struct

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("directory")
parser.add_argument("--layers", type=int, default=32)
parser.add_argument("--hidden", type=int, default=4096)
parser.add_argument("--inter", type=int, default=14336)
parser.add_argument("--heads", type=int, default=32)
parser.add_argument("--kv-heads", type=int, default=8)
parser.add_argument("--vocab", type=int, default=128256)
parser.add_argument("--context", type=int, default=8192)
args = parser.parse_args()

head_dim = args.hidden // args.heads
shapes = {
    "model.embed_tokens.weight": [args.vocab, args.hidden],
    "model.norm.weight": [args.hidden],
    "lm_head.weight": [args.vocab, args.hidden],
}
for layer in range(args.layers):
    prefix = f"model.layers.{layer}."
    shapes[prefix + "input_layernorm.weight"] = [args.hidden]
    shapes[prefix + "post_attention_layernorm.weight"] = [args.hidden]
    for name, out in (("q", args.heads), ("k", args.kv_heads), ("v", args.kv_heads)):
        shapes[prefix + f"self_attn.{name}_proj.weight"] = [out * head_dim, args.hidden]
    shapes[prefix + "self_attn.o_proj.weight"] = [args.hidden, args.heads * head_dim]
    for name in ("gate", "up"):
        shapes[prefix + f"mlp.{name}_proj.weight"] = [args.inter, args.hidden]
    shapes[prefix + "mlp.down_proj.weight"] = [args.hidden, args.inter]

header, end = {}, 0
for name, shape in shapes.items():
    size = 2
    for dimension in shape:
        size *= dimension
    header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size]}
    end += size
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)

config = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    "hidden_size": args.hidden,
    "intermediate_size": args.inter,
    "num_hidden_layers": args.layers,
    "num_attention_heads": args.heads,
    "num_key_value_heads": args.kv_heads,
    "vocab_size": args.vocab,
    "max_position_embeddings": args.context,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
os.makedirs(args.directory, exist_ok=True)
with open(os.path.join(args.directory, "config.json"), "w") as file:
    json.dump(config, file, indent=2)
with open(os.path.join(args.directory, "model.safetensors"), "wb") as file:
    file.write(struct.pack("<Q", len(text)) + text)
    file.truncate(8 + len(text) + end)
print(f"{args.directory}: {args.layers} layers, {end / 2e9:.2f}e9 parameters")
