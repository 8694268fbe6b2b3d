"""Reads what SafeTensorsTest left in target/for-python with the safetensors library and torch, and
compares it with what Java says it wrote. Also: the bytes of the file must be those that the
reference library would have written for the same tensors.

Run from the module's folder after its tests:  python src/test/python/check_written_files.py
"""

import json
import pathlib
import sys

import torch
from safetensors import safe_open
from safetensors.torch import save

DTYPES = {
    "F32": torch.float32, "F64": torch.float64, "F16": torch.float16, "BF16": torch.bfloat16,
    "BOOL": torch.bool, "U8": torch.uint8, "I8": torch.int8, "I16": torch.int16,
    "I32": torch.int32, "I64": torch.int64,
}


def main():
    out = pathlib.Path("target/for-python")
    expected = json.loads((out / "expected.json").read_text())
    with safe_open(out / "model.safetensors", "pt") as f:
        assert f.metadata() == {"format": "pt"}, f.metadata()
        tensors = {name: f.get_tensor(name) for name in f.keys()}
    assert tensors.keys() == expected.keys(), tensors.keys() ^ expected.keys()
    for name, values in expected.items():
        dtype = DTYPES.get(name, torch.float32)
        via = torch.float32 if dtype.is_floating_point else torch.int64
        want = torch.tensor(values, dtype=via).to(dtype)  # torch's own rounding
        got = tensors[name]
        assert got.dtype == dtype, (name, got.dtype)
        assert torch.equal(got.flatten(), want), (name, got, want)
    same = save(tensors, metadata={"format": "pt"}) == (out / "model.safetensors").read_bytes()
    assert same, "the bytes differ from those of the reference writer"
    print(len(tensors), "tensors equal, file byte-identical to the reference writer's")


if __name__ == "__main__":
    sys.exit(main())
