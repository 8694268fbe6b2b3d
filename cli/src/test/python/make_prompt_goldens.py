"""Makes the golden cases of generation with virtual tokens, by Hugging Face transformers and peft.

usage: python make_prompt_goldens.py ../resources/golden/virtual-tokens

A model is a folder with a tiny random model and its inputs: padded.safetensors (a decoder's at the beginning, an encoder's
at the end), whole.safetensors without padding and single.safetensors with prompts of one token. Each of its adapters is a
folder in it, in peft's format, with generated.safetensors: what peft's generate returns, named by the inputs and the
arguments, as in "padded num_beams=3 max_new_tokens=9". The end token is one that the model with the first adapter likes to
write, so that some examples end early. Needs torch, transformers, peft, safetensors.
"""

import os
import re
import shutil
import sys
import warnings

import torch
from peft import PeftModel, PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import save_file
from transformers import (GPT2Config, GPT2LMHeadModel, OPTConfig, OPTForCausalLM, T5Config, T5ForConditionalGeneration)

warnings.filterwarnings("ignore")
if not hasattr(T5ForConditionalGeneration, "_prepare_encoder_decoder_kwargs_for_generation"):
    # peft 0.21 keeps and restores a method by the name that it had in transformers 4; nothing calls it by that name
    T5ForConditionalGeneration._prepare_encoder_decoder_kwargs_for_generation = None
OUT = sys.argv[1]
G = torch.Generator().manual_seed(20261126)
V, P = 47, 4
STRATEGIES = ["num_beams=1 max_new_tokens=9", "num_beams=3 max_new_tokens=9"]
NO_END = dict(eos_token_id=None, do_sample=False)


def shaken(module, std):
    with torch.no_grad():
        for name, p in module.named_parameters():
            noise = torch.randn(p.shape, generator=G)
            norm = re.search(r"norm|ln_", name.lower()) and name.endswith("weight")
            p.copy_(1 + 0.2 * noise if norm else std * noise)
    return module.eval()


def tokens(lengths, pad, left):
    size = max(lengths)
    ids = torch.randint(3, V, (len(lengths), size), generator=G)
    mask = torch.ones_like(ids)
    for row, n in enumerate(lengths):
        padding = slice(0, size - n) if left else slice(n, size)
        mask[row, padding] = 0
        ids[row, padding] = pad
    return dict(input_ids=ids, attention_mask=mask)


def adapted(model, config, folder):
    """The model with a random adapter, saved and read again: what a P-tuning's network makes is a table in the file."""
    peft = get_peft_model(model, config)
    shaken(peft.prompt_encoder, 0.5)
    peft.save_pretrained(folder)
    if os.path.exists(f"{folder}/README.md"):
        os.remove(f"{folder}/README.md")
    return PeftModel.from_pretrained(peft.get_base_model(), folder).eval()


def generate(name, model, inputs, configs):
    directory = f"{OUT}/{name}"
    for i, (adapter, config) in enumerate(configs.items()):
        folder = f"{directory}/{adapter}"
        peft = adapted(model, config, folder)
        if i == 0:  # an end token that ends an example early
            written = peft.generate(**inputs["padded"], max_new_tokens=4, **NO_END)
            eos = int(written[1, -1])
            model.config.eos_token_id = eos
            model.generation_config.eos_token_id = eos
            model.save_pretrained(directory)
            os.remove(f"{directory}/generation_config.json")
            for what, batch in inputs.items():
                save_file(batch, f"{directory}/{what}.safetensors")
        peft.generation_config.eos_token_id = eos
        found = {}
        for what, batch in inputs.items():
            for strategy in STRATEGIES:
                arguments = {k: int(v) for k, v in (item.split("=") for item in strategy.split())}
                ids = peft.generate(**batch, do_sample=False, **arguments)
                found[f"{what} {strategy}"] = ids.to(torch.int64).contiguous()
                print(name, adapter, what, strategy, ids.tolist())
        save_file(found, f"{folder}/generated.safetensors")
        model = peft.get_base_model()


def decoder(name, model, prompt_width):
    inputs = dict(padded=tokens([7, 4, 2], 1, True), whole=tokens([7, 7], 1, True), single=tokens([1, 1], 1, True))
    task = dict(task_type="CAUSAL_LM", num_virtual_tokens=P)
    generate(name, shaken(model, 0.3), inputs, {
        "prompt": PromptTuningConfig(**task, token_dim=prompt_width),
        "p-tuning": PromptEncoderConfig(**task, token_dim=prompt_width, encoder_hidden_size=12),
        "prefix": PrefixTuningConfig(**task),
        "prefix-projected": PrefixTuningConfig(**task, prefix_projection=True, encoder_hidden_size=12)})


shutil.rmtree(OUT, ignore_errors=True)
decoder("gpt2", GPT2LMHeadModel(GPT2Config(
    vocab_size=V, n_positions=24, n_embd=16, n_layer=2, n_head=4, n_inner=24, bos_token_id=0, eos_token_id=0,
    pad_token_id=1)), 16)
decoder("opt", OPTForCausalLM(OPTConfig(
    vocab_size=V, hidden_size=16, num_hidden_layers=2, ffn_dim=24, num_attention_heads=4, max_position_embeddings=24,
    pad_token_id=1, bos_token_id=2, eos_token_id=2, word_embed_proj_dim=12)), 12)
t5 = T5ForConditionalGeneration(T5Config(
    vocab_size=V, d_model=16, d_kv=4, d_ff=24, num_layers=3, num_decoder_layers=2, num_heads=4,
    relative_attention_num_buckets=8, relative_attention_max_distance=20, pad_token_id=0, eos_token_id=1,
    decoder_start_token_id=0, feed_forward_proj="gated-gelu"))
task = dict(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=P)
generate("t5", shaken(t5, 0.3), dict(
    padded=tokens([7, 4, 2], 0, False), left=tokens([7, 4, 2], 0, True), whole=tokens([7, 7], 0, False),
    single=tokens([1, 1], 0, False)), {
        "prompt": PromptTuningConfig(**task),
        "prompt-encoder": PromptTuningConfig(**task, num_transformer_submodules=1),
        "p-tuning": PromptEncoderConfig(**task, encoder_hidden_size=12),
        "prefix": PrefixTuningConfig(**task)})
