"""Makes the golden cases of the adapters' tests with Hugging Face transformers and peft.

usage: python make_peft_goldens.py ../resources/golden/peft

A base is a folder with a tiny random model (bert/config.json, bert/model.safetensors); a case of it is a folder named
base-what with adapter/, inputs.safetensors and expected.safetensors (logits, loss, grad.NAME by the adapter's names).
LoRA, prefix and prompt are computed by peft. Bottleneck adapters and the prefix of T5 as its paper means it are plain
PyTorch here, hung into the models by hooks: AdapterHub's library is not needed.
Needs torch, transformers, peft, safetensors.
"""

import json
import os
import shutil
import sys
import warnings

import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (BertConfig, BertForSequenceClassification, GPT2Config, GPT2ForSequenceClassification,
                          GPT2LMHeadModel, OPTConfig, OPTForCausalLM, OPTForSequenceClassification, RobertaConfig,
                          RobertaForSequenceClassification, T5Config, T5ForConditionalGeneration, ViTConfig,
                          ViTForImageClassification)

warnings.filterwarnings("ignore")
if not hasattr(T5ForConditionalGeneration, "_prepare_encoder_decoder_kwargs_for_generation"):
    # peft 0.21 looks for the name that transformers 4 had; it matters for generation only
    T5ForConditionalGeneration._prepare_encoder_decoder_kwargs_for_generation = None
OUT = sys.argv[1]
G = torch.Generator().manual_seed(20260504)
D, V = 12, 40
ENCODER = dict(vocab_size=V, hidden_size=D, num_hidden_layers=2, num_attention_heads=3, intermediate_size=20,
               max_position_embeddings=24, attn_implementation="eager")


def rand(*shape, std=1.0):
    return std * torch.randn(shape, generator=G)


def shaken(model, std=0.25):
    """Random values everywhere, norms and biases too, so that nothing is tested at its identity."""
    with torch.no_grad():
        for name, p in model.named_parameters():
            norm = name.endswith("norm.weight") or "LayerNorm.weight" in name or "ln_" in name and name.endswith("weight") \
                or "layernorm" in name and name.endswith("weight")
            p.copy_(1 + 0.2 * rand(*p.shape) if norm else rand(*p.shape, std=std))
    return model.eval()


def tokens(lengths, pad, size=11):
    ids = torch.randint(4, V, (len(lengths), size), generator=G)
    mask = torch.ones_like(ids)
    for row, n in enumerate(lengths):
        mask[row, n:] = 0
        ids[row, n:] = 0 if pad is None else pad
    return dict(input_ids=ids, attention_mask=mask)


def labels(kind, batch):
    if kind == "cls":
        return torch.tensor([1, 0, 1])
    if kind == "seq2seq":
        y = torch.randint(3, V, (batch["input_ids"].shape[0], 6), generator=G)
        y[1, 4:] = -100
        return y
    return batch["input_ids"].clone()


NO_DROPOUT = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
OPT = dict(vocab_size=V, hidden_size=D, num_hidden_layers=2, ffn_dim=20, num_attention_heads=3, dropout=0.0,
           max_position_embeddings=24, pad_token_id=1, bos_token_id=2, eos_token_id=2, attn_implementation="eager")
GPT2 = dict(vocab_size=V, n_positions=24, n_embd=D, n_layer=2, n_head=3, bos_token_id=0, eos_token_id=0,
            attn_implementation="eager", **NO_DROPOUT)
BASES = {
    "bert": (lambda: BertForSequenceClassification(BertConfig(**ENCODER, pad_token_id=0)), "cls", 0),
    "roberta": (lambda: RobertaForSequenceClassification(RobertaConfig(**ENCODER, type_vocab_size=1, pad_token_id=1)), "cls", 1),
    "gpt2": (lambda: GPT2LMHeadModel(GPT2Config(**GPT2)), "lm", None),
    "gpt2cls": (lambda: GPT2ForSequenceClassification(GPT2Config(**GPT2, pad_token_id=3)), "cls", 3),
    "opt": (lambda: OPTForCausalLM(OPTConfig(**OPT, word_embed_proj_dim=D)), "lm", None),
    "optcls": (lambda: OPTForSequenceClassification(OPTConfig(**OPT, word_embed_proj_dim=8, do_layer_norm_before=False)), "cls", 1),
    "vit": (lambda: ViTForImageClassification(ViTConfig(hidden_size=D, num_hidden_layers=2, num_attention_heads=3,
            intermediate_size=20, image_size=8, patch_size=4, num_labels=2, attn_implementation="eager")), "image", None),
    "t5": (lambda: T5ForConditionalGeneration(T5Config(vocab_size=V, d_model=D, d_kv=4, d_ff=20, num_layers=3,
           num_decoder_layers=2, num_heads=3, relative_attention_num_buckets=8, relative_attention_max_distance=20,
           dropout_rate=0.0, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, feed_forward_proj="gated-gelu")),
           "seq2seq", 0),
}
STATES = {}


def base(name):
    """A fresh copy of a base with the weights that its folder has."""
    make, kind, pad = BASES[name]
    model = make()
    if name not in STATES:
        shaken(model)
        model.save_pretrained(f"{OUT}/{name}")
        for extra in ("generation_config.json",):
            if os.path.exists(f"{OUT}/{name}/{extra}"):
                os.remove(f"{OUT}/{name}/{extra}")
        if kind == "image":
            batch = dict(pixel_values=rand(3, 3, 8, 8), labels=torch.tensor([1, 0, 1]))
        else:
            batch = tokens([11, 7, 4] if pad is not None else [11, 11], pad)
            if kind == "seq2seq":
                batch = {k: v[:2] for k, v in batch.items()}
            batch["labels"] = labels(kind, batch)
        STATES[name] = ({k: v.clone() for k, v in model.state_dict().items()}, batch)
    model.load_state_dict(STATES[name][0])
    return model.eval(), STATES[name][1]


def save(case, tensors, file):
    os.makedirs(f"{OUT}/{case}", exist_ok=True)
    save_file({k: v.detach().clone().contiguous() for k, v in tensors.items()}, f"{OUT}/{case}/{file}")


def expect(case, model, batch, named):
    """logits, loss and the gradients of some parameters by the names that they have in the adapter's file"""
    model.zero_grad()
    o = model(**batch)
    o.loss.backward()
    found = {"logits": o.logits, "loss": o.loss.reshape(())}
    found |= {f"grad.{n}": p.grad if p.grad is not None else torch.zeros_like(p) for n, p in named.items()}
    save(case, batch, "inputs.safetensors")
    save(case, found, "expected.safetensors")
    print(case, float(o.loss), len(found))


# ---------------------------------------------------------------- peft's methods

def peft_case(case, config):
    model, batch = base(case.split("-")[0])
    adapted = get_peft_model(model, config)
    with torch.no_grad():
        for p in adapted.parameters():
            if p.requires_grad:
                p.copy_(rand(*p.shape, std=0.4))
    adapted.eval()
    folder = f"{OUT}/{case}/adapter"
    adapted.save_pretrained(folder)
    if os.path.exists(f"{folder}/README.md"):
        os.remove(f"{folder}/README.md")
    rename = lambda n: (n.replace(".modules_to_save.default", "").replace(".default", "")
                        .replace("prompt_encoder.embedding.weight", "prompt_embeddings"))
    expect(case, adapted, batch, {rename(n): p for n, p in adapted.named_parameters() if p.requires_grad})


# ---------------------------------------------------------------- bottleneck adapters

class Bottleneck(nn.Module):
    """z = N(h + x) if the norm comes first, else h; up(f(down(z))) * scaling + h, in the place of h"""

    def __init__(self, width, reduction, f, norm_first, scaling):
        super().__init__()
        b = max(1, int(width // reduction))
        self.adapter_down = nn.Sequential(nn.Linear(width, b), f)
        self.adapter_up = nn.Linear(b, width)
        self.norm_first, self.scaling = norm_first, scaling
        self.stream = None

    def hang(self, branch, stream, norm):
        """branch gives h; stream is a module whose input is x; norm is the block's own, or None in pre-norm blocks"""
        stream.register_forward_pre_hook(lambda m, args: setattr(self, "stream", args[0]))

        def after(module, args, h):
            z = h
            if self.norm_first:
                z = h + self.stream
                z = z if norm is None else norm(z)
            return self.adapter_up(self.adapter_down(z)) * self.scaling + h

        branch.register_forward_hook(after)


def places(name, model):
    """(attention or mlp, the library's name, branch, stream, norm) of every place"""
    if name in ("bert", "roberta"):
        for i, l in enumerate(getattr(model, name).encoder.layer):
            at = f"{name}.encoder.layer.{i}"
            a = l.attention
            yield "attention", f"{at}.attention.output", a.output.dense, a.self.query, a.output.LayerNorm
            yield "mlp", f"{at}.output", l.output.dense, l.intermediate.dense, l.output.LayerNorm
    elif name.startswith("gpt2"):
        for i, l in enumerate(model.transformer.h):
            yield "attention", f"transformer.h.{i}.attention_adapters", l.attn.c_proj, l.ln_1, None
            yield "mlp", f"transformer.h.{i}.output_adapters", l.mlp, l.ln_2, None
    elif name.startswith("opt"):
        before = model.config.do_layer_norm_before
        for i, l in enumerate(model.model.decoder.layers):
            at = f"model.decoder.layers.{i}"
            yield ("attention", f"{at}.attention_adapters", l.self_attn.out_proj,
                   l.self_attn_layer_norm if before else l.self_attn.q_proj, None if before else l.self_attn_layer_norm)
            yield ("mlp", f"{at}.output_adapters", l.fc2, l.final_layer_norm if before else l.fc1,
                   None if before else l.final_layer_norm)
    elif name == "vit":
        layers = model.vit.layers if hasattr(model.vit, "layers") else model.vit.encoder.layer
        for i, l in enumerate(layers):
            at = f"vit.encoder.layer.{i}"
            yield "attention", f"{at}.attention_adapters", l.attention.o_proj, l.layernorm_before, None
            yield "mlp", f"{at}.output.output_adapters", l.mlp.fc2, l.layernorm_after, None
    else:
        for stack in ("encoder", "decoder"):
            for i, b in enumerate(getattr(model, stack).block):
                first, last = b.layer[0], b.layer[-1]
                at = f"{stack}.block.{i}.layer."
                yield "attention", f"{at}0", first.SelfAttention.o, first.layer_norm, None
                yield "mlp", f"{at}{len(b.layer) - 1}", last.DenseReluDense, last.layer_norm, None


ACTIVATIONS = {"relu": nn.ReLU(), "swish": nn.SiLU(), "gelu": nn.GELU()}
SEQ_BN = dict(mh_adapter=False, output_adapter=True, original_ln_before=True, non_linearity="relu", reduction_factor=3)
DOUBLE_SEQ_BN = dict(mh_adapter=True, output_adapter=True, original_ln_before=False, non_linearity="swish",
                     reduction_factor=4)


def bottleneck_case(case, settings, scaling=1.0, name="quiet", head=None, pickled=False, prefix=""):
    """head: parameters of the model's head that are saved, by their names in the library"""
    which = case.split("-")[0]
    model, batch = base(which)
    model.requires_grad_(False)
    named = {}
    for kind, at, branch, stream, norm in places(which, model):
        if not settings["mh_adapter" if kind == "attention" else "output_adapter"]:
            continue
        adapter = Bottleneck(D, settings["reduction_factor"], ACTIVATIONS[settings["non_linearity"]],
                             settings["original_ln_before"], scaling)
        adapter.hang(branch, stream, norm)
        for n, p in adapter.named_parameters():
            named[f"{at}.adapters.{name}.{n}"] = p
    heads = {n.replace("NAME", name): dict(model.named_parameters())[of] for n, of in (head or {}).items()}
    for p in heads.values():
        p.requires_grad_(True)
    with torch.no_grad():
        for p in (named | heads).values():
            p.copy_(rand(*p.shape, std=0.4))
    folder = f"{OUT}/{case}/adapter"
    os.makedirs(folder, exist_ok=True)

    def write(tensors, plain, pickle):
        tensors = {prefix + n: p.detach().clone() for n, p in tensors.items()}
        torch.save(tensors, f"{folder}/{pickle}") if pickled else save_file(tensors, f"{folder}/{plain}")

    config = dict(adapter_residual_before_ln=False, cross_adapter=False, dropout=0.0, init_weights="bert", inv_adapter=None,
                  inv_adapter_reduction_factor=None, is_parallel=False, leave_out=[], ln_after=False, ln_before=False,
                  original_ln_after=True, phm_layer=False, residual_before_ln=True, scaling=scaling, use_gating=False)
    about = dict(hidden_size=D, model_class="", model_name=which, model_type=which, name=name, version="adapters.1.2.0")
    write(named, "adapter.safetensors", "pytorch_adapter.bin")
    with open(f"{folder}/adapter_config.json", "w") as f:
        json.dump(about | dict(config=config | settings), f, indent=2, sort_keys=True)
    if heads:
        write(heads, "model_head.safetensors", "pytorch_model_head.bin")
        layers = 2 if any(".4." in n for n in heads) else 1
        image = which == "vit"
        flexible = dict(activation_function="tanh", bias=True, dropout_prob=None, layers=layers, num_labels=2,
                        head_type="image_classification" if image else "classification",
                        label2id={"LABEL_0": 0, "LABEL_1": 1}, use_pooler=layers == 1 and not image)
        with open(f"{folder}/head_config.json", "w") as f:
            json.dump(about | dict(config=flexible), f, indent=2, sort_keys=True)
    expect(case, model, batch, named | heads)


def two_layers(dense, out):
    return {f"heads.NAME.{i}.{w}": f"{m}.{w}" for i, m in ((1, dense), (4, out)) for w in ("weight", "bias")}


# ---------------------------------------------------------------- the prefix of T5 as its paper means it

def paper_prefix_case(case, p=4):
    """
    Learnt keys and values before those of the tokens in all attention: encoder layers, then self-attention and
    cross-attention of each decoder layer. In self-attention they take the positions 0 to p - 1, tokens the next ones.
    """
    model, batch = base("t5")
    model.requires_grad_(False)
    c = model.config
    order = [b.layer[0].SelfAttention for b in model.encoder.block]
    for b in model.decoder.block:
        order += [b.layer[0].SelfAttention, b.layer[1].EncDecAttention]
    table = nn.Parameter(rand(p, 2 * len(order) * D))
    source = batch["attention_mask"][:, None, None, :]
    for i, attention in enumerate(order):
        decoder = i >= c.num_layers
        cross = decoder and (i - c.num_layers) % 2 == 1
        first = model.decoder.block[0] if decoder else model.encoder.block[0]
        bias = first.layer[0].SelfAttention.relative_attention_bias

        def forward(hidden_states, mask=None, key_value_states=None, position_bias=None, *args, a=attention, i=i,
                    decoder=decoder, cross=cross, bias=bias, **kwargs):
            split = lambda x: x.view(x.shape[0], x.shape[1], c.num_heads, c.d_kv).transpose(1, 2)
            x = hidden_states
            states = key_value_states if cross else x
            n = x.shape[0]
            before = lambda column: table[:, column * D:(column + 1) * D].expand(n, p, D)
            k = split(torch.cat([before(2 * i), a.k(states)], 1))
            v = split(torch.cat([before(2 * i + 1), a.v(states)], 1))
            scores = split(a.q(x)) @ k.transpose(2, 3)
            sq, sk = x.shape[1], states.shape[1]
            if not cross:
                at = torch.arange(p + sk)[None, :] - (p + torch.arange(sq))[:, None]
                bucket = a._relative_position_bucket(at, not decoder, c.relative_attention_num_buckets,
                                                     c.relative_attention_max_distance)
                scores = scores + bias(bucket).permute(2, 0, 1)
                visible = torch.tril(torch.ones(sq, sk))[None, None] if decoder else source
            else:
                visible = source
            visible = visible.expand(n, 1, sq, sk)
            visible = torch.cat([torch.ones(n, 1, sq, p), visible], 3)
            scores = scores.masked_fill(visible == 0, torch.finfo(torch.float32).min)
            y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(n, sq, -1)
            return a.o(y), position_bias, None

        attention.forward = forward
    folder = f"{OUT}/{case}/adapter"
    os.makedirs(folder, exist_ok=True)
    save_file({"prompt_embeddings": table.detach().clone()}, f"{folder}/adapter_model.safetensors")
    with open(f"{folder}/adapter_config.json", "w") as f:
        json.dump(dict(peft_type="PREFIX_TUNING_PAPER", num_virtual_tokens=p, num_layers=len(order), token_dim=D,
                       num_attention_heads=c.num_heads, task_type="SEQ_2_SEQ_LM"), f, indent=2, sort_keys=True)
    expect(case, model, batch, {"prompt_embeddings": table})


shutil.rmtree(OUT, ignore_errors=True)
SEQ, LM, S2S = "SEQ_CLS", "CAUSAL_LM", "SEQ_2_SEQ_LM"
peft_case("bert-lora-patterns", LoraConfig(
    task_type=SEQ, r=3, lora_alpha=6, target_modules="all-linear", exclude_modules=["pooler.dense", "key"],
    rank_pattern={"query": 2, r"layer\.1\.intermediate\.dense": 4}, alpha_pattern={"output.dense": 5}))
peft_case("roberta-lora-layers", LoraConfig(
    task_type=SEQ, r=2, lora_alpha=3, target_modules=["query", "value"], layers_to_transform=[1], layers_pattern="layer"))
peft_case("roberta-lora-regex", LoraConfig(
    task_type=SEQ, r=2, lora_alpha=3, use_rslora=True, target_modules=r".*layer\.\d+\.(attention\.self\.key|output\.dense)"))
peft_case("gpt2-lora", LoraConfig(
    task_type=LM, r=3, lora_alpha=4, fan_in_fan_out=True, target_modules=["c_attn", "c_fc", "mlp.c_proj"]))
peft_case("optcls-lora", LoraConfig(task_type=SEQ, r=2, lora_alpha=4))
peft_case("t5-lora", LoraConfig(task_type=S2S, r=2, lora_alpha=4, target_modules=["q", "v", "wi_0", "wo"]))
for name, task in (("bert", SEQ), ("roberta", SEQ), ("gpt2", LM), ("opt", LM), ("gpt2cls", SEQ), ("t5", S2S)):
    peft_case(f"{name}-prefix", PrefixTuningConfig(task_type=task, num_virtual_tokens=5))
for name, task in (("bert", SEQ), ("roberta", SEQ), ("gpt2", LM), ("opt", LM), ("gpt2cls", SEQ), ("t5", S2S)):
    peft_case(f"{name}-prompt", PromptTuningConfig(task_type=task, num_virtual_tokens=4))
paper_prefix_case("t5-prefix-paper")
bottleneck_case("roberta-pfeiffer", SEQ_BN, head=two_layers("classifier.dense", "classifier.out_proj"))
bottleneck_case("bert-pfeiffer", SEQ_BN, scaling=0.7, pickled=True, head=two_layers("bert.pooler.dense", "classifier"))
bottleneck_case("bert-houlsby", DOUBLE_SEQ_BN, head={f"heads.NAME.1.{w}": f"classifier.{w}" for w in ("weight", "bias")})
bottleneck_case("roberta-houlsby", DOUBLE_SEQ_BN | dict(non_linearity="gelu"))
bottleneck_case("vit-pfeiffer", SEQ_BN, head={f"heads.NAME.1.{w}": f"classifier.{w}" for w in ("weight", "bias")})
for name in ("gpt2", "gpt2cls", "opt", "optcls", "t5"):
    head = {"score.weight": "score.weight"} if name == "optcls" else None
    bottleneck_case(f"{name}-pfeiffer", SEQ_BN, head=head, prefix="transformer." if name == "t5" else "")
for name in ("vit", "gpt2", "opt", "optcls", "t5"):
    bottleneck_case(f"{name}-houlsby", DOUBLE_SEQ_BN)
