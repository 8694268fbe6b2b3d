"""The checksum of the signed dynamic 8-bit map in Nf4Test: bitsandbytes' create_dynamic_map in PyTorch.

Prints the checksum (Java's Arrays.hashCode of the float bits); with a file of one value a line,
compares them too.
"""
import struct
import sys

import torch

values = [0.0, 1.0]
for i in range(7):
    edges = torch.linspace(0.1, 1, 2**i + 1, dtype=torch.float32)
    means = (edges[:-1] + edges[1:]) / 2.0
    values += (10.0 ** (i - 6) * means).tolist() + (-(10.0 ** (i - 6)) * means).tolist()
table = torch.tensor(sorted(values), dtype=torch.float32)

total = 1
for v in table.tolist():
    bits = struct.unpack("<i", struct.pack("<f", v))[0]
    total = (31 * total + bits) & 0xFFFFFFFF
print("checksum", total - (1 << 32) if total >= 1 << 31 else total)

if len(sys.argv) > 1:
    listed = torch.tensor([float(t) for t in open(sys.argv[1]).read().split()], dtype=torch.float32)
    print("listed", len(listed), "different bits:", int((listed != table).sum()), "largest difference", float((listed - table).abs().max()))
