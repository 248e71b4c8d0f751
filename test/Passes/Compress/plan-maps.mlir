// RUN: rm -rf %t && split-file %s %t
// DEFINE: %{llama} = %oracle/hf/llama
// RUN: linnet-import %{llama} -o %t/model.mlir
// RUN: linnet-opt %t/model.mlir --linnet-analyse-maps="structure=low_rank,int8 rank-multiple=1 output=%t/analysis.json" -o /dev/null
//
// What linnet-compress plans, with a remark on each map.
// RUN: linnet-opt %t/model.mlir --linnet-plan-maps="analysis=%t/analysis.json budget=bytes:0.25 output=%t/plan.json" --remarks-filter="linnet-plan-maps" --remark-format=emitRemark -o /dev/null 2> %t/remarks.txt
// RUN: FileCheck %s < %t/remarks.txt
// CHECK: model.layers.0.self_attn.q_proj.weight{{.*}}map{{.*}}Parameters
// RUN: linnet-compress %{llama} -o %t/whole --structure=low_rank,int8 --rank-multiple=1 --budget=bytes:0.25 > /dev/null
// RUN: %python %t/same.py %t/plan.json %t/whole/plan.json
//
// The same by linnet-compress from the file, with all bytes of the result.
// RUN: linnet-compress %{llama} -o %t/again --analysis=%t/analysis.json --budget=bytes:0.25 > /dev/null
// RUN: cmp %t/whole/model.safetensors %t/again/model.safetensors
// RUN: cmp %t/whole/analysis.json %t/again/analysis.json
//
// An edited analysis: a matrix that must not lose anything stays.
// RUN: %python %t/edit.py %t/analysis.json %t/heavy.json weight 1e9
// RUN: linnet-opt %t/model.mlir --linnet-plan-maps="analysis=%t/heavy.json budget=bytes:0.5 layer-kinds=0 output=%t/heavy-plan.json" -o /dev/null
// RUN: FileCheck %s --check-prefix=HEAVY < %t/heavy-plan.json
// HEAVY: "model.layers.0.mlp.up_proj.weight": {
// HEAVY-NOT: }
// HEAVY: "structure": "dense"
//
// A floor under every matrix.
// RUN: %python %t/edit.py %t/analysis.json %t/low-rank.json only low_rank
// RUN: linnet-opt %t/model.mlir --linnet-plan-maps="analysis=%t/low-rank.json budget=params:0.5 output=%t/free.json" -o /dev/null
// RUN: linnet-opt %t/model.mlir --linnet-plan-maps="analysis=%t/low-rank.json budget=params:0.6 floor=0.5 output=%t/floor.json" -o /dev/null
// RUN: %python %t/floor.py %t/free.json %t/floor.json 0.5
//
// DEFINE: %{bad} = not linnet-opt %t/model.mlir -o /dev/null --linnet-plan-maps
// RUN: %{bad}="analysis=%t/analysis.json budget=bytes:0.001 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=LEAST
// LEAST: error: --budget: expected at least bytes:{{0[.][0-9]+}} with these structures, but got 'bytes:0.001'
// RUN: %{bad}="budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=ANALYSIS
// ANALYSIS: error: expected an analysis and a budget, but got no analysis
// RUN: %{bad}="analysis=%t/analysis.json output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=BUDGET
// BUDGET: error: expected an analysis and a budget, but got no budget
// RUN: %python %t/edit.py %t/analysis.json %t/other.json model nothing
// RUN: %{bad}="analysis=%t/other.json budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=MODEL
// MODEL: error: {{.*}}other.json: key 'model': expected '{{[0-9a-f]+}}', this model, but got 'nothing'
// RUN: %python %t/edit.py %t/analysis.json %t/less.json weight -1
// RUN: %{bad}="analysis=%t/less.json budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=WEIGHT
// WEIGHT: error: {{.*}}less.json: key 'maps', entry 'model.layers.0.mlp.up_proj.weight': key 'weight': expected at least 0, but got -1
// RUN: %python %t/edit.py %t/analysis.json %t/rank.json rank 1000
// RUN: %{bad}="analysis=%t/rank.json budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=RANK
// RANK: error: {{.*}}rank.json: key 'maps', entry 'model.layers.0.mlp.up_proj.weight': key 'choices': {{.*}}1000
// RUN: %python %t/edit.py %t/analysis.json %t/loss.json loss -3
// RUN: %{bad}="analysis=%t/loss.json budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=LOSS
// LOSS: error: {{.*}}key 'choices': expected losses of at least 0, but got -3
// RUN: %python %t/edit.py %t/analysis.json %t/fewer.json fewer 0
// RUN: %{bad}="analysis=%t/fewer.json budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=FEWER
// FEWER: error: {{.*}}entry 'model.layers.1.mlp.up_proj.weight': key 'choices': expected those of 'model.layers.0.mlp.up_proj.weight' (with losses of their own), but got others
// RUN: %python %t/edit.py %t/analysis.json %t/lacking.json lacking 0
// RUN: %{bad}="analysis=%t/lacking.json budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=LACKING
// LACKING: error: {{.*}}lacking.json: key 'maps': {{.*}}model.layers.0.mlp.up_proj.weight
// RUN: %python %t/edit.py %t/analysis.json %t/options.json options 0
// RUN: %{bad}="analysis=%t/options.json budget=bytes:0.5 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=OPTIONS
// OPTIONS: error: {{.*}}options.json: {{.*}}'options'
// RUN: %{bad}="analysis=%t/low-rank.json budget=params:0.5 floor=0.9 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=FLOOR
// FLOOR: error: --budget: expected at least params:{{0[.]9[0-9]*}} with these structures and this --floor, but got 'params:0.5'
// RUN: %{bad}="analysis=%t/low-rank.json budget=params:0.5 floor=2 output=%t/bad.json" 2>&1 | FileCheck %s --check-prefix=FLOORS
// FLOORS: error: --floor: expected at least 0 and at most 1, but got 2
// RUN: not ls %t/bad.json
// RUN: not linnet-compress %{llama} -o %t/bad --analysis=%t/analysis.json 2>&1 | FileCheck %s --check-prefix=ALONE
// ALONE: error: expected --budget=
// RUN: not linnet-compress %{llama} -o %t/bad --analysis=%t/analysis.json --budget=bytes:0.5 --structure=int8 2>&1 | FileCheck %s --check-prefix=BOTH
// BOTH: error: --analysis: expected no --structure with it (the analysis says which)
// RUN: not ls %t/bad

//--- same.py
"""Two plans give each map the same structure and numbers."""
import json
import sys

a, b = (json.load(open(path)) for path in sys.argv[1:3])
drop = lambda entry: {k: v for k, v in entry.items() if k not in ("error", "refit")}
assert a["model"] == b["model"] and a["maps"].keys() == b["maps"].keys()
for name, entry in a["maps"].items():
    assert drop(entry) == drop(b["maps"][name]), (name, entry, b["maps"][name])
assert {entry["structure"] for entry in a["maps"].values()} == {"low_rank", "int8"}

//--- floor.py
"""No matrix keeps less than a share in the second plan; some do in the first."""
import json
import sys

least = lambda path: min(m["parameters"] / m["of"] for m in json.load(open(path))["maps"].values())
assert least(sys.argv[1]) < float(sys.argv[3]) <= least(sys.argv[2]), (least(sys.argv[1]), least(sys.argv[2]))

//--- edit.py
"""edit.py IN OUT WHAT VALUE: an analysis with one matrix's entry changed."""
import json
import sys

source, out, what, value = sys.argv[1:]
file = json.load(open(source))
name = "model.layers.0.mlp.up_proj.weight"
entry = file["maps"][name]
low_rank = next(c for c in entry["choices"] if c["structure"] == "low_rank")
if what == "weight":
    entry["weight"] = float(value)
elif what == "model":
    file["model"] = value
elif what in ("rank", "loss"):
    low_rank[what] = int(value)
elif what == "fewer":
    entry["choices"].pop()
elif what == "lacking":
    del file["maps"][name]
elif what == "options":
    del file["options"]
elif what == "only":
    file["options"]["structures"] = [value]
    for other in file["maps"].values():
        other["choices"] = [c for c in other["choices"] if c["structure"] == value]
json.dump(file, open(out, "w"))
