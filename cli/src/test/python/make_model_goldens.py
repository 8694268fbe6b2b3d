"""Makes the golden cases of the command line's tests for RoBERTa, GPT-2, OPT, ViT and question answering.

usage: python make_model_goldens.py ../resources/golden

Each case is a folder with a tiny random model (config.json and weights), inputs.safetensors and expected.safetensors
(logits, loss, hidden.N, grad.NAME), as Hugging Face transformers computes them. Between them they have what checkpoints
of the hub have: no prefix, old names of LayerNorm's parameters, buffers, shards, BF16 and F16, tied and untied heads,
left padding. vit-images has a PNG, a grey PNG and a JPEG beside, and the pixel_values that ViTImageProcessorPil makes.
Needs torch, transformers, safetensors, pillow.
"""

import json
import os
import re
import shutil
import sys
import warnings

import torch
from safetensors.torch import load_file, save_file
from transformers import (BertConfig, BertForQuestionAnswering, GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM,
                          OPTForSequenceClassification, RobertaConfig, RobertaForQuestionAnswering,
                          RobertaForSequenceClassification, ViTConfig, ViTForImageClassification)

warnings.filterwarnings("ignore")
OUT = sys.argv[1]
GENERATOR = torch.Generator().manual_seed(20260202)
ENCODER = dict(vocab_size=53, hidden_size=20, num_hidden_layers=2, num_attention_heads=4, intermediate_size=36,
               max_position_embeddings=24, attn_implementation="eager")
GPT2 = dict(vocab_size=53, n_positions=20, n_embd=20, n_layer=2, n_head=4, n_inner=36, resid_pdrop=0.0, embd_pdrop=0.0,
            attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, attn_implementation="eager")
OPT = dict(vocab_size=53, hidden_size=20, num_hidden_layers=2, ffn_dim=36, num_attention_heads=4,
           max_position_embeddings=20, dropout=0.0, attention_dropout=0.0, pad_token_id=1, bos_token_id=2,
           eos_token_id=2, word_embed_proj_dim=20, attn_implementation="eager")


def shaken(model, dtype=None, std=0.15):
    """Random values everywhere, norms and biases too; rounded to a narrower type where one is given."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=GENERATOR)
            norm = re.search(r"norm|ln_", name.lower()) and name.endswith("weight")
            value = 1 + 0.2 * noise if norm else std * noise
            p.copy_(value.to(dtype).float() if dtype else value)
    return model.eval()


def tokens(lengths, pad, left=False, size=10):
    ids = torch.randint(3, 53, (len(lengths), size), generator=GENERATOR)
    mask = torch.ones_like(ids)
    for row, n in enumerate(lengths):
        padding = slice(0, size - n) if left else slice(n, size)
        mask[row, padding] = 0
        ids[row, padding] = pad
    return dict(input_ids=ids, attention_mask=mask)


def causal_labels(batch):
    """The tokens; padding is ignored, and so is the first token after it, which padding would predict."""
    mask = batch["attention_mask"]
    before = torch.cat([torch.zeros_like(mask[:, :1]), mask[:, :-1]], dim=1)
    return torch.where(mask * before == 1, batch["input_ids"], -100)


def save(name, file, tensors):
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, f"{OUT}/{name}/{file}")


def expect(name, model, batch, rename=lambda n: n, real_only=False):
    """real_only: hidden states of padding are left out, set to zero; what they are is nobody's business."""
    model.zero_grad()
    o = model(**batch, output_hidden_states=True)
    o.loss.backward()
    kinds = ("logits", "start_logits", "end_logits")
    found = {k: o[k] for k in kinds if k in o} | {"loss": o.loss.reshape(())}
    keep = batch["attention_mask"][..., None] if real_only else 1
    found |= {f"hidden.{i}": h * keep for i, h in enumerate(o.hidden_states)}
    if real_only and "logits" in o and o["logits"].dim() == 3:
        found["logits"] = o["logits"] * keep
    found |= {f"grad.{rename(n)}": p.grad for n, p in model.named_parameters() if p.grad is not None}
    save(name, "inputs.safetensors", batch)
    save(name, "expected.safetensors", found)
    print(name, float(o.loss), len(found))


def write(name, model, rename=lambda n: n, dtype=None, extra=None, shards=1):
    """A directory as the hub has them: names, types, buffers and shards to taste."""
    directory = f"{OUT}/{name}"
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory)
    file = f"{directory}/model.safetensors"
    weights = {rename(k): v.to(dtype) if dtype else v for k, v in load_file(file).items()} | (extra or {})
    os.remove(file)
    if shards == 1:
        save_file(weights, file, metadata={"format": "pt"})
        return
    names = sorted(weights)
    index = {"metadata": {"total_size": sum(v.nbytes for v in weights.values())}, "weight_map": {}}
    for i in range(shards):
        shard = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = names[i::shards]
        save_file({k: weights[k].contiguous() for k in part}, f"{directory}/{shard}", metadata={"format": "pt"})
        index["weight_map"] |= {k: shard for k in part}
    with open(f"{file}.index.json", "w", encoding="utf-8") as f:
        json.dump(index, f, indent=2)


def bert_qa():
    """No prefix, gamma and beta, position_ids; an answer that begins before the text and one that ends behind it."""
    config = BertConfig(**ENCODER, type_vocab_size=2, pad_token_id=0, hidden_act="gelu_new")
    model = shaken(BertForQuestionAnswering(config))
    old = lambda n: re.sub(r"^bert\.", "", n).replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta")
    write("bert-qa", model, old, extra={"embeddings.position_ids": torch.arange(24)[None]})
    batch = tokens([10, 7, 5], 0)
    batch["token_type_ids"] = torch.cat([torch.zeros(3, 4), torch.ones(3, 6)], 1).long() * batch["attention_mask"]
    batch |= dict(start_positions=torch.tensor([2, 0, 1]), end_positions=torch.tensor([4, 12, 3]))
    expect("bert-qa", model, batch, old)


def roberta():
    config = dict(**ENCODER, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2)
    model = shaken(RobertaForQuestionAnswering(RobertaConfig(**config, hidden_act="relu")))
    write("roberta-qa", model)
    answers = dict(start_positions=torch.tensor([1, 6]), end_positions=torch.tensor([3, 8]))
    expect("roberta-qa", model, tokens([10, 9], 1) | answers)
    settings = RobertaConfig(**config, num_labels=4, problem_type="multi_label_classification")
    model = shaken(RobertaForSequenceClassification(settings))
    write("roberta-multilabel", model)
    labels = torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]])
    expect("roberta-multilabel", model, tokens([10, 6, 3], 1) | dict(labels=labels))


def gpt2():
    """The hub's gpt2 has no prefix and carries the masks of its attention."""
    model = shaken(GPT2LMHeadModel(GPT2Config(**GPT2)))
    bare = lambda n: re.sub(r"^transformer\.", "", n)
    masks = {}
    for i in range(2):
        masks[f"h.{i}.attn.bias"] = torch.ones(20, 20).tril()[None, None]
        masks[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4)
    write("gpt2-bare", model, bare, extra=masks, shards=2)
    batch = tokens([10, 7, 4], 0, left=True)
    expect("gpt2-bare", model, batch | dict(labels=causal_labels(batch)), bare, real_only=True)
    settings = GPT2Config(**GPT2, tie_word_embeddings=False, activation_function="relu",
                          scale_attn_by_inverse_layer_idx=True)
    model = shaken(GPT2LMHeadModel(settings))
    write("gpt2-untied", model)
    batch = tokens([10, 8], 0)
    expect("gpt2-untied", model, batch | dict(labels=causal_labels(batch)))


def opt():
    model = shaken(OPTForCausalLM(OPTConfig(**OPT)), torch.bfloat16)
    write("opt-bf16", model, dtype=torch.bfloat16)
    batch = tokens([10, 6, 3], 1, left=True)
    expect("opt-bf16", model, batch | dict(labels=causal_labels(batch)), real_only=True)
    settings = OPTConfig(**OPT, num_labels=1, enable_bias=False, activation_function="gelu")
    model = shaken(OPTForSequenceClassification(settings), torch.float16)
    bare = lambda n: re.sub(r"^model\.decoder\.", "", n)
    write("opt-bare-f16", model, bare, dtype=torch.float16)
    batch = tokens([10, 7, 2], 1, left=True)
    expect("opt-bare-f16", model, batch | dict(labels=torch.tensor([0.5, -1.0, 2.0])), bare, real_only=True)


def vit():
    """An oblong image in oblong patches, with a pooler that classification has no use for."""
    from PIL import Image
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = ViTConfig(hidden_size=20, num_hidden_layers=2, num_attention_heads=4, intermediate_size=36,
                       image_size=[12, 20], patch_size=[6, 4], num_channels=3, num_labels=3, qkv_bias=False,
                       hidden_act="relu", attn_implementation="eager")
    model = shaken(ViTForImageClassification(config))
    blocks = [(r"^vit\.layers\.", "vit.encoder.layer."), ("attention.q_proj", "attention.attention.query"),
              ("attention.k_proj", "attention.attention.key"), ("attention.v_proj", "attention.attention.value"),
              ("attention.o_proj", "attention.output.dense"), ("mlp.fc1", "intermediate.dense"),
              ("mlp.fc2", "output.dense")]

    def in_file(name):
        for pattern, replacement in blocks:
            name = re.sub(pattern, replacement, name)
        return name

    pooler = {"vit.pooler.dense.weight": torch.zeros(20, 20), "vit.pooler.dense.bias": torch.zeros(20)}
    write("vit-images", model, extra=pooler)
    directory = f"{OUT}/vit-images"
    y, x = torch.meshgrid(torch.arange(31), torch.arange(47), indexing="ij")
    waves = [127 + 80 * torch.sin(x / a + y / b) + 40 * torch.rand(31, 47, generator=GENERATOR)
             for a, b in ((3, 7), (-5, 4), (9, -2))]
    rgb = torch.stack(waves, -1).clamp(0, 255).to(torch.uint8).numpy()
    Image.fromarray(rgb).save(f"{directory}/large.png")
    Image.fromarray(rgb[:9, :14]).save(f"{directory}/small.png")
    Image.fromarray(rgb[..., 0]).save(f"{directory}/grey.png")
    Image.fromarray(rgb).resize((160, 120), Image.BICUBIC).save(f"{directory}/photo.jpg", quality=92)
    processor = ViTImageProcessorPil(size=dict(height=12, width=20), image_mean=[0.4, 0.5, 0.6],
                                     image_std=[0.2, 0.25, 0.5])
    processor.save_pretrained(directory)
    images = [Image.open(f"{directory}/{n}").convert("RGB") for n in ("large.png", "small.png", "grey.png", "photo.jpg")]
    pixels = processor(images, return_tensors="pt")["pixel_values"]
    cubic = ViTImageProcessorPil(size=dict(height=12, width=20), resample=3, do_normalize=False)
    save("vit-images", "cubic.safetensors", cubic(images, return_tensors="pt"))
    expect("vit-images", model, dict(pixel_values=pixels, labels=torch.tensor([2, 0, 1, 1])), in_file)


bert_qa()
roberta()
gpt2()
opt()
vit()
