"""Makes src/test/resources/checkpoint: small files by safetensors, torch and by hand (ONNX), each
beside an expected.json of {name: {"dtype", "shape", "values"}}, values as float32.

Run from the module's folder:  python src/test/python/make_checkpoint_goldens.py
Needs torch and safetensors. The files are committed; running it again must change no meaning.
"""

import json
import pathlib
import struct

import torch
from safetensors.torch import save_file

ROOT = pathlib.Path(__file__).parents[1] / "resources" / "checkpoint"
CONFIG = {"model_type": "bert", "hidden_size": 4, "num_hidden_layers": 1}

torch.manual_seed(20240101)


def expected(tensors, path):
    out = {}
    for name, t in tensors.items():
        out[name] = {
            "dtype": str(t.dtype).removeprefix("torch."),
            "shape": list(t.shape),
            "values": t.detach().to(torch.float32).flatten().tolist(),
        }
    path.write_text(json.dumps(out, indent=1) + "\n")


def all_dtypes():
    """One tensor of every type that has a float32 meaning, an empty one and a scalar."""
    awkward = torch.tensor([0.0, -0.0, 1.0, -1.5, 3.1415927, 65504.0, 6e-8, 1e-7, -2049.0, 0.1])
    return {
        "f32": torch.randn(2, 3),
        "f16": awkward.to(torch.float16).reshape(2, 5),
        "bf16": (awkward * 1e20).to(torch.bfloat16).reshape(5, 2),
        "f64": torch.randn(4, dtype=torch.float64),
        "i8": torch.tensor([-128, -1, 0, 127], dtype=torch.int8),
        "i16": torch.tensor([-32768, -1, 0, 32767], dtype=torch.int16),
        "i32": torch.tensor([-(2**31), -1, 0, 16777217], dtype=torch.int32),
        "i64": torch.tensor([[-(2**62), -1], [0, 2**53 + 1]], dtype=torch.int64),
        "u8": torch.tensor([0, 1, 128, 255], dtype=torch.uint8),
        "bool": torch.tensor([True, False, True]),
        "empty": torch.zeros(2, 0),
        "scalar": torch.tensor(2.5),
        "ünï.weight": torch.randn(1, 1, 2),
    }


def model(prefix=""):
    names = {
        "embeddings.word_embeddings.weight": (7, 4),
        "embeddings.LayerNorm.gamma": (4,),  # the old names, as in bert-base-uncased
        "embeddings.LayerNorm.beta": (4,),
        "encoder.layer.0.output.dense.weight": (4, 6),
        "encoder.layer.0.output.dense.bias": (4,),
    }
    tensors = {prefix + n: torch.randn(*s) for n, s in names.items()}
    tensors[prefix + "embeddings.position_ids"] = torch.arange(5).reshape(1, 5)
    return tensors


def folder(name):
    d = ROOT / name
    d.mkdir(parents=True, exist_ok=True)
    (d / "config.json").write_text(json.dumps(CONFIG, indent=2) + "\n")
    return d


def single_safetensors():
    d = folder("safetensors")
    t = all_dtypes()
    save_file(t, d / "model.safetensors", metadata={"format": "pt", "note": "\"quoted\" ü"})
    expected(t, d / "expected.json")


def shards(tensors, d, index, pattern, save):
    names = list(tensors)
    half = len(names) // 2
    weight_map = {}
    for k, part in enumerate([names[:half], names[half:]]):
        file = pattern % k
        save({n: tensors[n] for n in part}, d / file)
        weight_map.update({n: file for n in part})
    total = sum(t.numel() * t.element_size() for t in tensors.values())
    text = json.dumps({"metadata": {"total_size": total}, "weight_map": weight_map}, indent=2)
    (d / index).write_text(text + "\n")
    expected(tensors, d / "expected.json")


def sharded():
    d = folder("sharded-safetensors")
    save = lambda t, f: save_file(t, f, metadata={"format": "pt"})
    shards(model("bert."), d, "model.safetensors.index.json", "odd_name_%d.safetensors", save)
    d = folder("sharded-torch")
    index, pattern = "pytorch_model.bin.index.json", "pytorch_model-0000%d-of-00002.bin"
    shards(model(), d, index, pattern, lambda t, f: torch.save(t, f))


def single_torch():
    d = folder("torch")
    t = all_dtypes()
    base = torch.randn(4, 6)
    t["transposed"] = base.t()
    t["slice"] = base[1:3, 2:5]  # shares the storage of "transposed"
    t["parameter"] = torch.nn.Parameter(torch.randn(3))
    torch.save(t, d / "pytorch_model.bin")
    expected(t, d / "expected.json")

    layer = torch.nn.Linear(2, 3)  # a state_dict: an OrderedDict with _metadata
    torch.save(layer.state_dict(), ROOT / "pytorch_adapter.bin")
    expected(layer.state_dict(), ROOT / "pytorch_adapter.expected.json")
    torch.save(layer.state_dict(), ROOT / "protocol4.bin", pickle_protocol=4)
    torch.save(layer.state_dict(), ROOT / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "w": torch.ones(1)}, ROOT / "not-only-tensors.bin")
    torch.save({"w": torch.ones(1).expand(1000, 1000)}, ROOT / "expanded.bin")
    torch.save(layer, ROOT / "whole-module.bin")


# ---- ONNX, by hand: field numbers of onnx.proto


def varint(v):
    out = b""
    v &= 2**64 - 1
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def num(field, v):
    return varint(field << 3) + varint(v)


def blob(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def floats(t):
    return struct.pack("<%df" % t.numel(), *t.contiguous().flatten().tolist())


def initializer(name, t, packed_dims=False, as_float_data=False):
    if packed_dims:
        out = blob(1, b"".join(varint(d) for d in t.shape))
    else:
        out = b"".join(num(1, d) for d in t.shape)
    kind = {torch.float32: 1, torch.int64: 7, torch.float16: 10}[t.dtype]
    out += num(2, kind) + blob(8, name)
    if as_float_data:
        return out + blob(4, floats(t))
    if kind == 7 and len(t.shape) == 1:
        return out + blob(7, b"".join(varint(v) for v in t.tolist()))
    return out + blob(9, t.contiguous().numpy().tobytes())


def node(op, name, inputs, output, attributes=b""):
    out = b"".join(blob(1, i) for i in inputs) + blob(2, output) + blob(3, name) + blob(4, op)
    return out + attributes


def onnx():
    t = {
        "embeddings.position_ids": torch.arange(3).reshape(1, 3),
        "embeddings.word_embeddings.weight": torch.randn(5, 4),
        "embeddings.LayerNorm.weight": torch.randn(4),
        "encoder.layer.0.attention.self.query.weight": torch.randn(4, 4),
        "encoder.layer.0.attention.self.query.bias": torch.randn(4),
        "encoder.layer.0.intermediate.dense.weight": torch.randn(6, 4),
        "encoder.layer.0.output.dense.weight": torch.randn(4, 6).to(torch.float16),
        "pooler.dense.weight": torch.randn(4, 4),
        "pooler.dense.bias": torch.randn(4),
    }
    anonymous = {
        "encoder.layer.0.attention.self.query.weight": "onnx::MatMul_10",
        "encoder.layer.0.intermediate.dense.weight": "onnx::MatMul_11",
        "encoder.layer.0.output.dense.weight": "onnx::MatMul_12",
    }
    graph = b""
    for i, (name, linear) in enumerate((n, a) for n, a in anonymous.items()):
        path = "/" + name.removesuffix(".weight").replace("layer.0", "layer#0").replace(".", "/")
        path = path.replace("layer#0", "layer.0")
        graph += blob(1, node("MatMul", path + "/MatMul", ["x%d" % i, linear], "x%d" % (i + 1)))
    graph += blob(1, node("MatMul", "/encoder/layer.0/attention/self/MatMul", ["q", "k"], "s"))
    trans_b = blob(5, blob(1, "transB") + num(3, 1) + num(20, 2))
    gemm = node("Gemm", "/pooler/dense/Gemm", ["x3", "pooler.dense.weight", "pooler.dense.bias"], "y", trans_b)
    graph += blob(1, gemm) + blob(2, "main_graph")
    for name, v in t.items():
        if name in anonymous:
            graph += blob(5, initializer(anonymous[name], v.t()))
        else:
            in_fields = name == "embeddings.LayerNorm.weight"
            graph += blob(5, initializer(name, v, packed_dims=in_fields, as_float_data=in_fields))
    graph += blob(5, initializer("onnx::Slice_99", torch.tensor([0, -1, 2])))
    graph += blob(5, initializer("/Constant_output_0", torch.tensor(1.0)))
    (ROOT / "tiny.onnx").write_bytes(num(1, 7) + blob(2, "by hand") + blob(7, graph))
    expected(t, ROOT / "tiny.onnx.expected.json")


if __name__ == "__main__":
    ROOT.mkdir(parents=True, exist_ok=True)
    single_safetensors()
    sharded()
    single_torch()
    onnx()
