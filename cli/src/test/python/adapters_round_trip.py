"""Adapters trained by Tacet load in Hugging Face peft, and twenty steps of training in Python are repeated by Tacet.

usage: python adapters_round_trip.py path/to/tacet WORKDIR [MODEL,…]

Makes tiny models with random weights and a small task, then for every method and architecture
 1. trains 20 steps with tacet train, loads the adapter with peft (bottleneck adapters with plain PyTorch modules, as in
    make_peft_goldens.py) and compares the logits with those of tacet forward: at most 1e-4 apart;
 2. trains 20 steps in Python without dropout (AdamW, linear schedule with warm-up), has tacet train repeat them from the
    same adapter and the same examples, and compares the losses: at most 1e-3 apart, relative.
QLoRA goes the first way: over weights in four bits, which Python expands.
Needs torch, transformers, peft, safetensors.
"""

import json
import os
import random
import subprocess
import sys
import warnings

import torch
from peft import LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (AutoModelForSequenceClassification, BertConfig, BertModel,
                          GPT2Config, GPT2Model, OPTConfig, OPTModel, RobertaConfig, RobertaModel,
                          get_linear_schedule_with_warmup)

warnings.filterwarnings("ignore")
TACET, WORK = sys.argv[1], sys.argv[2]
WORDS = "good fine great lovely bad poor awful dull the a film plot was is and of with it very quite".split()
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + WORDS
STEPS, BATCH, LR, DECAY = 20, 8, 5e-3, 0.01
SHAPE = dict(vocab_size=len(VOCABULARY), hidden_size=24, num_hidden_layers=2, num_attention_heads=3,
             intermediate_size=40, max_position_embeddings=90, hidden_dropout_prob=0.0,
             attention_probs_dropout_prob=0.0, attn_implementation="eager")
MODELS = {
    "bert": lambda: BertModel(BertConfig(**SHAPE)),
    "roberta": lambda: RobertaModel(RobertaConfig(**SHAPE, type_vocab_size=1, pad_token_id=0), add_pooling_layer=False),
    "gpt2": lambda: GPT2Model(GPT2Config(vocab_size=len(VOCABULARY), n_positions=90, n_embd=24, n_layer=2, n_head=3,
                                         resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, pad_token_id=0,
                                         attn_implementation="eager")),
    "opt": lambda: OPTModel(OPTConfig(vocab_size=len(VOCABULARY), hidden_size=24, num_hidden_layers=2, ffn_dim=40,
                                      num_attention_heads=3, max_position_embeddings=90, dropout=0.0, pad_token_id=0,
                                      word_embed_proj_dim=24, attn_implementation="eager")),
}
TARGETS = {"bert": "query,value,intermediate.dense", "roberta": "query,value,intermediate.dense", "gpt2": "c_attn,c_fc",
           "opt": "q_proj,v_proj,fc1"}
METHODS = ["lora", "adapter", "prefix", "prompt"]


def prepare():
    random.seed(5)
    torch.manual_seed(5)
    for name, make in MODELS.items():
        model = make()
        with torch.no_grad():
            for n, p in model.named_parameters():
                if p.dim() > 1:
                    p.copy_(0.2 * torch.randn(p.shape))
        folder = f"{WORK}/{name}"
        model.save_pretrained(folder)
        with open(f"{folder}/vocab.txt", "w") as f:
            f.write("\n".join(VOCABULARY) + "\n")
    os.makedirs(f"{WORK}/task", exist_ok=True)
    for split, n in (("train", STEPS * BATCH), ("dev", 24)):
        with open(f"{WORK}/task/{split}.tsv", "w") as f:
            f.write("sentence\tlabel\n")
            for i in range(n):
                words = random.choices(WORDS[8:], k=random.randint(2, 7))
                words[random.randrange(len(words))] = random.choice(WORDS[:4] if i % 2 else WORDS[4:8])
                f.write(" ".join(words) + f"\t{i % 2}\n")


def examples(split, n):
    rows = [line.rstrip("\n").split("\t") for line in open(f"{WORK}/task/{split}.tsv")][1:n + 1]
    ids = [[2] + [VOCABULARY.index(w) for w in text.split()] + [3] for text, _ in rows]
    length = max(map(len, ids))
    return dict(input_ids=torch.tensor([x + [0] * (length - len(x)) for x in ids]),
                attention_mask=torch.tensor([[1] * len(x) + [0] * (length - len(x)) for x in ids]),
                labels=torch.tensor([int(label) for _, label in rows]))


def tacet(*args):
    done = subprocess.run([TACET, *map(str, args)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"tacet {' '.join(map(str, args))}: {done.stderr}")


def forward(name, adapter, batch):
    save_file(batch, f"{WORK}/inputs.safetensors")
    tacet("forward", "--model", f"{WORK}/{name}", "--adapter", adapter, "--inputs", f"{WORK}/inputs.safetensors",
          "--output", f"{WORK}/out.safetensors", "--quiet")
    return load_file(f"{WORK}/out.safetensors")["logits"]


def classifier(name):
    torch.manual_seed(1)
    return AutoModelForSequenceClassification.from_pretrained(f"{WORK}/{name}", num_labels=2, attn_implementation="eager")


class Bottleneck(nn.Module):
    def __init__(self, width, config, tensors, at):
        super().__init__()
        f = {"relu": nn.ReLU(), "swish": nn.SiLU()}[config["non_linearity"]]
        b = max(1, int(width // config["reduction_factor"]))
        self.adapter_down, self.adapter_up = nn.Sequential(nn.Linear(width, b), f), nn.Linear(b, width)
        if tensors is not None:
            self.load_state_dict({k: tensors.pop(at + k) for k in self.state_dict()})
        self.first = config["original_ln_before"]

    def hang(self, branch, stream, norm):
        stream.register_forward_pre_hook(lambda m, args: setattr(self, "x", args[0]))

        def after(module, args, h):
            z = h if not self.first else h + self.x if norm is None else norm(h + self.x)
            return self.adapter_up(self.adapter_down(z)) + h

        branch.register_forward_hook(after)


def bottleneck(name, model, config, tensors=None):
    """hangs adapters after the MLPs; returns them by their names in the file"""
    found = {}
    body = getattr(model, {"gpt2": "transformer", "opt": "model"}.get(name, name))
    if name in ("bert", "roberta"):
        sites = [(f"{name}.encoder.layer.{i}.output.", l.output.dense, l.intermediate.dense, l.output.LayerNorm)
                 for i, l in enumerate(body.encoder.layer)]
    elif name == "gpt2":
        sites = [(f"transformer.h.{i}.output_adapters.", l.mlp, l.ln_2, None) for i, l in enumerate(body.h)]
    else:
        sites = [(f"model.decoder.layers.{i}.output_adapters.", l.fc2, l.final_layer_norm, None)
                 for i, l in enumerate(body.decoder.layers)]
    for at, branch, stream, norm in sites:
        prefix = at + "adapters.default."
        adapter = Bottleneck(24, config, tensors, prefix)
        adapter.hang(branch, stream, norm)
        found |= {prefix + k: p for k, p in adapter.named_parameters()}
    return found


def heads(name, model):
    """the head's parameters by their names in AdapterHub's files"""
    if name == "bert":
        modules = {"1": model.bert.pooler.dense, "4": model.classifier}
    elif name == "roberta":
        modules = {"1": model.classifier.dense, "4": model.classifier.out_proj}
    else:
        return {"score.weight": model.score.weight}
    return {f"heads.default.{i}.{k}": p for i, m in modules.items() for k, p in m.named_parameters()}


def load_adapterhub(name, folder):
    model = classifier(name)
    config = json.load(open(f"{folder}/adapter_config.json"))["config"]
    tensors = load_file(f"{folder}/adapter.safetensors")
    bottleneck(name, model, config, tensors)
    assert not tensors, tensors.keys()
    saved = load_file(f"{folder}/model_head.safetensors")
    if "heads.default.1.weight" in saved and "heads.default.4.weight" not in saved:
        model.classifier.load_state_dict({k.split(".")[-1]: v for k, v in saved.items()})
    else:
        with torch.no_grad():
            for k, p in heads(name, model).items():
                p.copy_(saved[k])
    return model


def tacet_to_python():
    worst = 0
    batch = examples("dev", 24)
    for name in MODELS:
        for method in METHODS:
            out = f"{WORK}/{name}-{method}"
            tacet("train", "--model", f"{WORK}/{name}", "--task", "SST-2", "--data", f"{WORK}/task", "--method", method,
                  "--targets", TARGETS[name], "--rank", 4, "--virtual-tokens", 6, "--reduction", 4, "--batch", BATCH,
                  "--epochs", 1, "--lr", 1e-2, "--quiet", "--out", out)
            steps = sum('"loss"' in line for line in open(f"{out}/log.jsonl"))
            assert steps == STEPS, steps
            ours = forward(name, f"{out}/adapter", batch)
            model = load_adapterhub(name, f"{out}/adapter") if method == "adapter" else \
                PeftModel.from_pretrained(classifier(name), f"{out}/adapter")
            with torch.no_grad():
                theirs = model.eval()(**batch).logits
            off = (ours - theirs).abs().max().item()
            worst = max(worst, off)
            print(f"Tacet -> Python  {name:8} {method:8} {STEPS} steps, logits at most {off:.1e} apart", flush=True)
            assert off < 1e-4
    print(f"largest difference of logits {worst:.1e}")


def expanded(folder):
    """the weights of a quantised directory, those in four bits expanded as bitsandbytes does"""
    tensors = load_file(f"{folder}/model.safetensors")
    end = ".quant_state.bitsandbytes__nf4"
    for key in [k[:-len(end)] for k in tensors if k.endswith(end)]:
        state = json.loads(bytes(tensors.pop(key + end).tolist()))
        codes, scales = tensors.pop(key).flatten(), tensors.pop(key + ".absmax")
        if "nested_offset" in state:
            groups = tensors.pop(key + ".nested_absmax").repeat_interleave(state["nested_blocksize"])
            scales = tensors.pop(key + ".nested_quant_map")[scales.long()] * groups[:len(scales)] + state["nested_offset"]
        count = torch.Size(state["shape"]).numel()
        levels = tensors.pop(key + ".quant_map")[torch.stack([codes >> 4, codes & 15], 1).flatten()[:count].long()]
        value = (levels * scales.repeat_interleave(state["blocksize"])[:count]).view(state["shape"])
        tensors[key] = value.T.contiguous() if key.startswith("h.") else value  # GPT-2's layers lie the other way round
    return tensors


def qlora_to_python():
    """LoRA trained over weights in four bits: peft loads it over the expanded weights"""
    batch = examples("dev", 24)
    for name in MODELS:
        small, out = f"{WORK}/{name}-nf4", f"{WORK}/{name}-qlora"
        tacet("quantize", "--model", f"{WORK}/{name}", "--out", small, "--quiet")
        tacet("train", "--model", small, "--task", "SST-2", "--data", f"{WORK}/task", "--method", "qlora", "--targets",
              TARGETS[name], "--rank", 4, "--batch", BATCH, "--epochs", 1, "--lr", 1e-2, "--quiet", "--out", out)
        ours = forward(f"{name}-nf4", f"{out}/adapter", batch)
        model = classifier(name)
        body = getattr(model, {"gpt2": "transformer", "opt": "model"}.get(name, name))
        found = body.load_state_dict(expanded(small), strict=False)
        assert not found.unexpected_keys, found.unexpected_keys
        model = PeftModel.from_pretrained(model, f"{out}/adapter")
        with torch.no_grad():
            off = (ours - model.eval()(**batch).logits).abs().max().item()
        print(f"Tacet -> Python  {name:8} qlora    {STEPS} steps, logits at most {off:.1e} apart", flush=True)
        assert off < 1e-4


def write_adapterhub(name, folder, config, adapter, head):
    os.makedirs(folder, exist_ok=True)
    copy = lambda ps: {k: p.detach().clone() for k, p in ps.items()}
    save_file(copy(adapter), f"{folder}/adapter.safetensors")
    save_file(copy(head), f"{folder}/model_head.safetensors")
    json.dump(dict(config=config, name="default", version="adapters.1.2.0"), open(f"{folder}/adapter_config.json", "w"))
    flexible = dict(layers=2, activation_function="tanh", use_pooler=False, bias=True, num_labels=2)
    json.dump(dict(config=flexible if name in ("bert", "roberta") else None), open(f"{folder}/head_config.json", "w"))


def python_to_tacet():
    worst = 0
    batch = examples("train", BATCH)
    for name in MODELS:
        for method in METHODS:
            model = classifier(name)
            start, out = f"{WORK}/{name}-{method}-start", f"{WORK}/{name}-{method}-repeated"
            if method == "adapter":
                config = dict(mh_adapter=False, output_adapter=True, original_ln_before=True, non_linearity="relu",
                              reduction_factor=4)
                model.requires_grad_(False)
                adapter, head = bottleneck(name, model, config), heads(name, model)
                for p in head.values():
                    p.requires_grad_(True)
                trained = list((adapter | head).values())
                write_adapterhub(name, start, config, adapter, head)
            else:
                config = {"lora": lambda: LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, lora_dropout=0.0,
                                                     fan_in_fan_out=name == "gpt2", target_modules=TARGETS[name].split(",")),
                          "prefix": lambda: PrefixTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=6),
                          "prompt": lambda: PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=6)}[method]()
                model = get_peft_model(model, config)
                model.save_pretrained(start)
                trained = [p for p in model.parameters() if p.requires_grad]
            model.eval()  # no dropout; gradients flow all the same
            optimizer = torch.optim.AdamW(trained, lr=LR, weight_decay=DECAY)
            schedule = get_linear_schedule_with_warmup(optimizer, 2, STEPS)
            losses = []
            for _ in range(STEPS):
                loss = model(**batch).loss
                losses.append(loss.item())
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
            tacet("train", "--model", f"{WORK}/{name}", "--task", "SST-2", "--data", f"{WORK}/task", "--adapter", start,
                  "--train-samples", BATCH, "--batch", BATCH, "--epochs", STEPS, "--lr", LR, "--warmup", 2 / STEPS,
                  "--weight-decay", DECAY, "--quiet", "--out", out)
            lines = [json.loads(line) for line in open(f"{out}/log.jsonl")]
            ours = [x["loss"] for x in lines if "loss" in x]
            assert len(ours) == STEPS
            off = max(abs(a - b) / abs(b) for a, b in zip(ours, losses))
            worst = max(worst, off)
            print(f"Python -> Tacet  {name:8} {method:8} losses {losses[0]:.4f} .. {losses[-1]:.4f},"
                  f" at most {off:.1e} apart", flush=True)
            assert off < 1e-3
    print(f"largest relative difference of losses {worst:.1e}")


prepare()
if len(sys.argv) > 3:  # only some: the names of the models
    MODELS = {n: MODELS[n] for n in sys.argv[3].split(",")}
tacet_to_python()
qlora_to_python()
python_to_tacet()
