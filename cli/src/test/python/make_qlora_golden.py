"""Makes the QLoRA cases of the command line's tests: models in four bits as bitsandbytes stores them.

usage: python make_qlora_golden.py ../resources/qlora

The quantiser here is plain PyTorch, written from bitsandbytes' rules (functional.py, csrc/kernels.cu) and not from
Tacet's. Each case is a folder with floats/ (a tiny random model), model/ (the same, quantised), adapter/ (a LoRA that
is not zero), inputs.safetensors and expected.safetensors: logits, loss, hidden.N and the gradients of the adapter that
PyTorch computes with the expanded weights. Needs torch, transformers, peft, safetensors.
"""

import json
import os
import shutil
import sys
import warnings

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (BertConfig, BertForSequenceClassification, GPT2Config, GPT2LMHeadModel, OPTConfig,
                          OPTForSequenceClassification, T5Config, T5ForConditionalGeneration)
from transformers.pytorch_utils import Conv1D

warnings.filterwarnings("ignore")
OUT = sys.argv[1]
GENERATOR = torch.Generator().manual_seed(20260301)
KEPT = ["lm_head", "classifier", "score", "qa_outputs", "classification_head"]

LEVELS = torch.tensor([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                       -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                       0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                       0.7229568362236023, 1.0])


def dynamic_map():
    values = [0.0, 1.0]
    for i in range(7):
        edges = torch.linspace(0.1, 1, 2**i + 1, dtype=torch.float32)
        means = (edges[:-1] + edges[1:]) / 2.0
        values += (10.0 ** (i - 6) * means).tolist() + (-(10.0 ** (i - 6)) * means).tolist()
    return torch.tensor(sorted(values), dtype=torch.float32)


MAP = dynamic_map()


def blocks(values, size):
    """Rows of `size` values, the last one filled with zeros."""
    padded = torch.zeros((len(values) + size - 1) // size * size)
    padded[: len(values)] = values
    return padded.view(-1, size)


def nearest(values, table):
    return torch.bucketize(values, (table[:-1] + table[1:]) / 2)  # a value halfway goes to the lower one


def quantize(weight, nested):
    """The tensors of a weight by the ends of their names, and its expanded values."""
    flat = weight.flatten()
    rows = blocks(flat, 64)
    absmax = rows.abs().amax(1)
    scaled = (rows * (1 / absmax.clamp(min=1e-38))[:, None]).clamp(-1, 1)
    codes = nearest(scaled, LEVELS).flatten()[: len(flat)]
    state = {"quant_type": "nf4", "blocksize": 64, "dtype": "float32", "shape": list(weight.shape)}
    found = {".quant_map": LEVELS}
    scales = absmax
    if nested:
        offset = absmax.mean()
        groups = blocks(absmax - offset, 256)
        top = groups.abs().amax(1)
        bytes_ = nearest((groups * (1 / top.clamp(min=1e-38))[:, None]).clamp(-1, 1), MAP).flatten()[: len(absmax)]
        scales = MAP[bytes_] * top.repeat_interleave(256)[: len(absmax)] + offset
        found |= {".absmax": bytes_.to(torch.uint8), ".nested_absmax": top, ".nested_quant_map": MAP}
        state |= {"nested_blocksize": 256, "nested_dtype": "float32", "nested_offset": offset.item()}
    else:
        found[".absmax"] = absmax
    value = (LEVELS[codes] * scales.repeat_interleave(64)[: len(flat)]).view(weight.shape)
    padded = torch.cat([codes, torch.full((len(codes) % 2,), 7)])
    found[""] = (padded[0::2] * 16 + padded[1::2]).to(torch.uint8).view(-1, 1)
    text = json.dumps(state).encode()
    found[".quant_state.bitsandbytes__nf4"] = torch.tensor(list(text), dtype=torch.uint8)
    return found, value


def case(name, model, lora, batch, nested=True, kept=KEPT):
    folder = f"{OUT}/{name}"
    shutil.rmtree(folder, ignore_errors=True)
    with torch.no_grad():
        for n, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=GENERATOR)
            norm = "norm" in n.lower() or "ln_" in n
            p.copy_(1 + 0.2 * noise if norm and n.endswith("weight") else 0.12 * noise)
    model.eval()
    model.save_pretrained(f"{folder}/floats")
    stored = load_file(f"{folder}/floats/model.safetensors")
    modules = dict(model.named_modules())
    for path, module in modules.items():
        linear = isinstance(module, (torch.nn.Linear, Conv1D))
        if not linear or any(k in path.split(".") for k in kept):
            continue
        weight = module.weight.detach()
        turned = weight.T.contiguous() if isinstance(module, Conv1D) else weight  # as transformers turns it
        parts, value = quantize(turned, nested)
        key = path + ".weight"
        if key not in stored:
            key = key.removeprefix("transformer.").removeprefix("model.")
        del stored[key]
        stored |= {key + end: t.clone().contiguous() for end, t in parts.items()}
        with torch.no_grad():
            module.weight.copy_(value.T if isinstance(module, Conv1D) else value)
    os.makedirs(f"{folder}/model")
    save_file(stored, f"{folder}/model/model.safetensors", metadata={"format": "pt"})
    config = json.load(open(f"{folder}/floats/config.json"))
    config["quantization_config"] = {
        "quant_method": "bitsandbytes", "load_in_4bit": True, "load_in_8bit": False, "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": nested, "bnb_4bit_compute_dtype": "float32", "bnb_4bit_quant_storage": "uint8",
        "llm_int8_skip_modules": kept}
    json.dump(config, open(f"{folder}/model/config.json", "w"), indent=2)
    adapted = get_peft_model(model, lora)
    with torch.no_grad():
        for p in adapted.parameters():
            if p.requires_grad:
                p.copy_(0.2 * torch.randn(p.shape, generator=GENERATOR))
    adapted.eval()
    adapted.save_pretrained(f"{folder}/adapter")
    os.remove(f"{folder}/adapter/README.md")
    o = adapted(**batch, output_hidden_states=True)
    o.loss.backward()
    found = {"logits": o.logits, "loss": o.loss.reshape(())}
    hidden = o.hidden_states if "hidden_states" in o else o.encoder_hidden_states
    found |= {f"hidden.{i}": h for i, h in enumerate(hidden)}
    names = {n: n.replace(".default", "").replace(".modules_to_save", "") for n, _ in adapted.named_parameters()}
    found |= {f"grad.{names[n]}": p.grad for n, p in adapted.named_parameters() if p.requires_grad}
    save_file({k: v.detach().clone().contiguous() for k, v in found.items()}, f"{folder}/expected.safetensors")
    save_file({k: v.contiguous() for k, v in batch.items()}, f"{folder}/inputs.safetensors")


def ids(pad, labels):
    tokens = torch.randint(3, 61, (3, 11), generator=GENERATOR)
    mask = torch.ones_like(tokens)
    for row, length in enumerate([11, 7, 3]):
        mask[row, length:] = 0
        tokens[row, length:] = pad
    batch = {"input_ids": tokens, "attention_mask": mask}
    batch["labels"] = labels if labels is not None else torch.where(mask == 1, tokens, -100)
    return batch


case("bert-nested",
     BertForSequenceClassification(BertConfig(
         vocab_size=61, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=80,
         max_position_embeddings=20, pad_token_id=0, attn_implementation="eager")),
     LoraConfig(task_type="SEQ_CLS", r=3, lora_alpha=5, target_modules="all-linear"),
     ids(0, torch.tensor([1, 0, 1])) | {"token_type_ids": torch.zeros(3, 11, dtype=torch.int64)})
case("gpt2-nested",
     GPT2LMHeadModel(GPT2Config(vocab_size=61, n_positions=20, n_embd=24, n_layer=2, n_head=3,
                                attn_implementation="eager")),
     LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=5, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True),
     ids(0, None))
case("opt-plain",
     OPTForSequenceClassification(OPTConfig(
         vocab_size=61, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, ffn_dim=64,
         max_position_embeddings=20, word_embed_proj_dim=32, pad_token_id=1, attn_implementation="eager")),
     LoraConfig(task_type="SEQ_CLS", r=2, lora_alpha=5, target_modules=["q_proj", "v_proj", "fc1", "fc2"]),
     ids(1, torch.tensor([0, 1, 1])), nested=False)
case("t5-nested",
     T5ForConditionalGeneration(T5Config(
         vocab_size=61, d_model=24, d_kv=5, d_ff=40, num_layers=2, num_heads=4, feed_forward_proj="gated-gelu",
         tie_word_embeddings=False, decoder_start_token_id=0, attn_implementation="eager")),
     LoraConfig(r=2, lora_alpha=5, target_modules=["q", "v", "wi_0", "wi_1", "wo"]),
     ids(0, torch.randint(3, 61, (3, 6), generator=GENERATOR)), kept=KEPT + ["wo"])  # transformers keeps wo as it is
