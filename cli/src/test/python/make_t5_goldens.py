"""Makes the golden cases of the command line's tests for T5 and for generation.

usage: python make_t5_goldens.py ../resources/golden

Each t5 case is a folder with a tiny random model, inputs.safetensors and expected.safetensors (logits, loss, the encoder's
hidden.N, grad.NAME), as Hugging Face transformers computes them. Every case has generated.safetensors, what its generate
returns for the inputs: named by the arguments, as in "num_beams=3 max_new_tokens=9". The end token is one that the model
likes to write, so that some examples end early. Needs torch, transformers, safetensors.
"""

import json
import os
import re
import shutil
import sys
import warnings

import torch
from safetensors.torch import save_file
from transformers import (GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM, T5Config, T5ForConditionalGeneration)

warnings.filterwarnings("ignore")
OUT = sys.argv[1]
GENERATOR = torch.Generator().manual_seed(20260509)
T5 = dict(d_model=20, d_ff=36, num_layers=3, num_decoder_layers=2, dropout_rate=0.0, pad_token_id=0,
          decoder_start_token_id=0)


def shaken(model, std):
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=GENERATOR)
            norm = re.search(r"norm|ln_", name.lower()) and name.endswith("weight")
            p.copy_(1 + 0.2 * noise if norm else std * noise)
    return model.eval()


def tokens(lengths, vocabulary, pad, size, left=False):
    ids = torch.randint(3, vocabulary, (len(lengths), size), generator=GENERATOR)
    mask = torch.ones_like(ids)
    for row, n in enumerate(lengths):
        padding = slice(0, size - n) if left else slice(n, size)
        mask[row, padding] = 0
        ids[row, padding] = pad
    return dict(input_ids=ids, attention_mask=mask)


def save(name, file, tensors):
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, f"{OUT}/{name}/{file}",
              metadata={"format": "pt"})


def write(name, model, changes):
    """The configuration as files of the hub have it."""
    directory = f"{OUT}/{name}"
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    config = model.config.to_dict()
    kept = {k: v for k, v in config.items() if v is not None and not k.startswith("_")} | changes
    for old in ("scale_decoder_outputs", "is_gated_act", "dense_act_fn", "transformers_version", "dtype"):
        kept.pop(old, None)
    with open(f"{directory}/config.json", "w", encoding="utf-8") as f:
        json.dump(kept, f, indent=2, sort_keys=True)
    weights, seen = {}, set()
    for k, v in model.state_dict().items():
        if v.data_ptr() not in seen:
            weights[k] = v
            seen.add(v.data_ptr())
    save(name, "model.safetensors", weights)


def expect(name, model, batch):
    o = model(**batch, output_hidden_states=True)
    o.loss.backward()
    found = {"logits": o.logits, "loss": o.loss.reshape(())}
    found |= {f"hidden.{i}": h for i, h in enumerate(o.encoder_hidden_states)}
    found |= {f"grad.{n}": p.grad for n, p in model.named_parameters() if p.grad is not None}
    save(name, "inputs.safetensors", batch)
    save(name, "expected.safetensors", found)
    print(name, float(o.loss), len(found))


def end_token(model, batch, row, place):
    """A token that greedy decoding writes at that place."""
    model.generation_config.eos_token_id = None
    return int(model.generate(**batch, max_new_tokens=place + 1, do_sample=False, num_beams=1)[row, -1])


def generate(name, model, batch, cases):
    found = {}
    for case in cases:
        arguments = dict(item.split("=") for item in case.split())
        arguments = {k: v if v == "never" else json.loads(v) for k, v in arguments.items()}
        found[case] = model.generate(**batch, do_sample=False, **arguments).to(torch.int64)
        print(name, case, found[case].tolist())
    save(name, "generated.safetensors", found)


BEAMS = ["num_beams=1 max_new_tokens=9", "num_beams=3 max_new_tokens=9",
         "num_beams=4 max_new_tokens=9 length_penalty=2.0 early_stopping=true",
         "num_beams=4 max_new_tokens=9 length_penalty=-1.5",
         'num_beams=2 max_new_tokens=12 length_penalty=0.5 early_stopping=never',
         "num_beams=1 max_new_tokens=12 min_new_tokens=7", "num_beams=3 max_new_tokens=9 min_new_tokens=5"]


def t5():
    """Flan-T5's form: a gated MLP, a head of its own, heads that do not add up to the width."""
    config = T5Config(**T5, vocab_size=61, d_kv=6, num_heads=4, feed_forward_proj="gated-gelu",
                      tie_word_embeddings=False, eos_token_id=1)
    model = T5ForConditionalGeneration(config)
    model.lm_head.weight = torch.nn.Parameter(torch.zeros(61, 20))
    shaken(model, 0.3)
    batch = tokens([13, 8, 13], 61, 0, 13)
    eos = end_token(model, batch, 0, 4)
    model.config.eos_token_id = eos
    model.generation_config.eos_token_id = eos
    write("t5-untied", model, dict(tie_word_embeddings=False))
    labels = torch.randint(3, 61, (3, 6), generator=GENERATOR)
    labels[1, 4:] = -100
    labels[2, 2] = -100
    expect("t5-untied", model, batch | dict(labels=labels))
    generate("t5-untied", model, batch, BEAMS)
    # The original form, long enough for the table's last buckets.
    config = T5Config(**(T5 | dict(num_layers=2)), vocab_size=41, d_kv=5, num_heads=4, feed_forward_proj="relu", eos_token_id=1)
    model = shaken(T5ForConditionalGeneration(config), 0.3)
    batch = tokens([140, 100], 41, 0, 140)
    eos = end_token(model, batch, 1, 3)
    model.config.eos_token_id = eos
    model.generation_config.eos_token_id = eos
    write("t5-tied", model, {})
    expect("t5-tied", model, batch | dict(labels=torch.randint(3, 41, (2, 120), generator=GENERATOR)))
    generate("t5-tied", model, batch, BEAMS)


def decoders():
    cases = BEAMS
    config = GPT2Config(vocab_size=53, n_positions=40, n_embd=20, n_layer=2, n_head=4, n_inner=36, bos_token_id=0,
                        eos_token_id=0, activation_function="relu", pad_token_id=1)
    model = shaken(GPT2LMHeadModel(config), 0.3)
    batch = tokens([9, 5, 2], 53, 1, 9, left=True)
    eos = end_token(model, batch, 1, 4)
    model.config.eos_token_id = eos
    model.generation_config.eos_token_id = eos
    write("gpt2-generates", model, {})
    save("gpt2-generates", "inputs.safetensors", batch)
    generate("gpt2-generates", model, batch, cases)
    config = OPTConfig(vocab_size=53, hidden_size=20, num_hidden_layers=2, ffn_dim=36, num_attention_heads=4,
                       max_position_embeddings=40, pad_token_id=1, bos_token_id=2, eos_token_id=2,
                       word_embed_proj_dim=16, do_layer_norm_before=False)
    model = shaken(OPTForCausalLM(config), 0.3)
    batch = tokens([9, 4, 7], 53, 1, 9, left=True)
    eos = end_token(model, batch, 2, 3)
    model.config.eos_token_id = eos
    model.generation_config.eos_token_id = eos
    write("opt-generates", model, {})
    save("opt-generates", "inputs.safetensors", batch)
    generate("opt-generates", model, batch, cases)


t5()
decoders()
