"""Makes the golden cases of the command line's tests with Hugging Face transformers, peft and ONNX Runtime.

usage: python make_golden.py ../resources/golden [all-minilm-l6-v2.onnx all-minilm-l6-v2-tokenizer.json]

Each case is a folder with a tiny random model (config.json, model.safetensors), inputs.safetensors and
expected.safetensors (logits, loss, hidden.N, grad.NAME), and adapter/ where there is one. The minilm case has no
model (it comes with Tacet): only token ids of real sentences and ONNX Runtime's last hidden state for them.
Needs torch, transformers, peft, safetensors; for minilm also onnxruntime, tokenizers.
"""

import os
import sys
import warnings

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import BertConfig, BertForSequenceClassification

warnings.filterwarnings("ignore")
OUT = sys.argv[1]
GENERATOR = torch.Generator().manual_seed(20260101)
CONFIG = dict(vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=44,
              max_position_embeddings=20, type_vocab_size=2, pad_token_id=0, attn_implementation="eager")


def shaken(model, std=0.12):
    """Random values everywhere, norms and biases too, so that nothing is tested at its identity."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=GENERATOR)
            p.copy_(1 + 0.2 * noise if "LayerNorm.weight" in name else std * noise)
    return model.eval()


def inputs(labels):
    ids = torch.randint(3, 61, (4, 13), generator=GENERATOR)
    mask = torch.ones_like(ids)
    for row, length in enumerate([13, 9, 4, 1]):
        mask[row, length:] = 0
        ids[row, length:] = 0
    types = torch.zeros_like(ids)
    types[:, 5:] = 1
    return dict(input_ids=ids, attention_mask=mask, token_type_ids=types * mask, labels=labels)


def save(name, tensors, file):
    os.makedirs(f"{OUT}/{name}", exist_ok=True)
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, f"{OUT}/{name}/{file}")


def expected(model, batch, rename=lambda n: n):
    model.zero_grad()
    o = model(**batch, output_hidden_states=True)
    o.loss.backward()
    found = {"logits": o.logits, "loss": o.loss.reshape(())}
    found |= {f"hidden.{i}": h for i, h in enumerate(o.hidden_states)}
    found |= {f"grad.{rename(n)}": p.grad for n, p in model.named_parameters() if p.grad is not None}
    return found


def plain(name, labels, **config):
    model = shaken(BertForSequenceClassification(BertConfig(**CONFIG, **config)))
    model.save_pretrained(f"{OUT}/{name}")
    batch = inputs(labels)
    save(name, batch, "inputs.safetensors")
    save(name, expected(model, batch), "expected.safetensors")


def lora(name, labels, settings, **config):
    model = shaken(BertForSequenceClassification(BertConfig(**CONFIG, **config)))
    model.save_pretrained(f"{OUT}/{name}")
    adapted = get_peft_model(model, LoraConfig(task_type="SEQ_CLS", **settings))
    with torch.no_grad():
        for p in adapted.parameters():
            if p.requires_grad:
                p.copy_(0.2 * torch.randn(p.shape, generator=GENERATOR))
    adapted.eval()
    adapted.save_pretrained(f"{OUT}/{name}/adapter")
    os.remove(f"{OUT}/{name}/adapter/README.md")
    batch = inputs(labels)
    save(name, batch, "inputs.safetensors")
    rename = lambda n: n.replace(".modules_to_save.default", "").replace(".default", "")
    save(name, expected(adapted, batch, rename), "expected.safetensors")


def minilm(onnx, tokenizer_file):
    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer_file)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    sentences = [
        "A quietly devastating film, and the best I have seen this year.",
        "Not bad.",
        "The waiter was friendly but the soup was cold, the room was loud, and we left before dessert; never again!",
        "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich.",
    ]
    encoded = [tokenizer.encode(s) for s in sentences]
    length = max(len(e.ids) for e in encoded)
    ids = np.zeros((len(encoded), length), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, e in enumerate(encoded):
        ids[row, : len(e.ids)] = e.ids
        mask[row, : len(e.ids)] = 1
    session = onnxruntime.InferenceSession(onnx, providers=["CPUExecutionProvider"])
    feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    hidden = torch.from_numpy(session.run(None, feed)[0])
    keep = torch.zeros(hidden.shape[-1], dtype=torch.bool)
    keep[::8] = True  # every eighth dimension of every token is proof enough, and small
    save("minilm", {k: torch.from_numpy(v) for k, v in feed.items()}, "inputs.safetensors")
    save("minilm", {"last_hidden_state.every8th": hidden[..., keep]}, "expected.safetensors")
    with open(f"{OUT}/minilm/sentences.txt", "w", encoding="utf-8") as f:
        f.write("\n".join(sentences) + "\n")


plain("bert-relu", torch.tensor([1, 0, 2, 1]), hidden_act="relu", num_labels=3)
plain("bert-gelu-regression", torch.tensor([0.5, -1.25, 3.0, 0.1]), hidden_act="gelu", num_labels=1)
lora("bert-lora", torch.tensor([1, 0, 0, 1]),
     dict(r=4, lora_alpha=10, lora_dropout=0.0, target_modules=["query", "value", "intermediate.dense", "output.dense"]),
     hidden_act="relu", num_labels=2)
lora("bert-rslora", torch.tensor([1, 0, 0, 1]),
     dict(r=3, lora_alpha=5, lora_dropout=0.0, use_rslora=True, target_modules="all-linear"),
     hidden_act="gelu", num_labels=2)
if len(sys.argv) > 2:
    minilm(sys.argv[2], sys.argv[3])
