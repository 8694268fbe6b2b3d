"""Makes src/test/resources/tokenizers: small tokenizer.json files and what the tokenizers library
does with them. Run with no argument from the module's folder; needs tokenizers (0.23).

NAME.json is a tokenizer, trained on the text below and given a pipeline by hand. NAME.jsonl has one
case per line: text, pair, add (special tokens), truncation [max, strategy, stride, side] or null,
windows [[ids, type ids, starts, ends, sequences]…] (the truncated encoding, then the overflowing
ones), text_only and all (decoded ids of the first window without and with special tokens), or error
where the library refuses. Offsets are in UTF-16 units, sequences are -1 for special tokens.

Other uses, which write nothing into the project:
  make_tokenizers.py fuzz DIR SEED COUNT       random pipelines over the same models
  make_tokenizers.py file DIR TOKENIZER SQUAD  a real tokenizer on SQuAD's contexts and questions
"""

import base64
import json
import os
import random
import struct
import sys

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

TEXT = """A rest is a sign for silence. In a score, the word tacet tells a player to be silent for a
whole movement; the flute is tacet, the horns play on. It isn't hard, but they'll count 128 bars.
Neurons can be silent too: a neuron that doesn't fire costs nothing, and nothing is what we'd like
to pay. We've measured it; I'm sure you're curious. Sparse models are small models in disguise.
The quick brown fox jumps over the lazy dog, the dog sleeps, the fox is tacet. 3.14159 is not 22/7!
Ein naïves Café in Zürich: Größe, Straße, Übung. Où est la forêt? À côté du château, là-bas.
El niño toca el piano mañana. Το τέλος είναι σιωπή. Тишина стоит недорого. 静かな夜 東京 音楽。
Silence, silence, silence; playing, played, player, plays; counting, counted, counter, counts.
""".split("\n")

WORDS = (
    "silence tacet player the flute is isn't they'll We've 128 3.14159 22/7! Größe Straße À côté "
    "château Το τέλος ΤΈΛΟΣ Тишина 静かな夜 東京 音楽。 playing COUNTED unbelievable xyzzy e\u0301tude "
    "A\u030angstro\u0308m q\u0323\u0307 q\u0307\u0323 İstanbul ﬁne Ａｌｐｈａ ① ½ ㎏ 한국 \u1112\u1161\u11ab "
    "🙂 👩‍👩‍👧 🇫🇷 नमस्ते สวัสดี שָׁלוֹם مَرْحَبًا \u200b \ufeff \u00ad \u00a0 \u3000 \u2028 \r\n \t \n \x00 \x07 \x85 "
    "{brace} a_b --- '' ' 's don't 'S [MASK] [SEP] <mask> <s> </s> <unk> <new> word wordless ▁ ▁▁ Ġ ## "
    "##ing \ufffd \U0001d400 ǅ ß ﷺ \u0344 \u0f73 ᾳ Ω ª º ² 가 ㄱ ﾊﾞ ﾡ x\u0300\u0301\u0302\u0303\u0304\u0305 "
    "\u05b0\u0591 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
).split(" ")


# ---------------------------------------------------------------- models


def vocabulary(kind, **options):
    """The model section of a small trained tokenizer."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    if kind == "wordpiece":
        t = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        t.normalizer = normalizers.BertNormalizer()
        t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=260, special_tokens=special, show_progress=False)
    elif kind == "bytes":
        t = Tokenizer(models.BPE())
        t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=360, show_progress=False, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    elif kind == "bpe":
        t = Tokenizer(models.BPE(unk_token="<unk>", **options))
        t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
        if options:
            t.pre_tokenizer = pre_tokenizers.Whitespace()
        trainer = trainers.BpeTrainer(
            vocab_size=240, show_progress=False, special_tokens=["<unk>", "<s>", "</s>"], **options)
    else:
        t = Tokenizer(models.Unigram())
        t.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(
            vocab_size=200, show_progress=False, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>")
    t.train_from_iterator(TEXT, trainer)
    return json.loads(t.to_str())["model"]


def with_bytes(model):
    """Adds the 256 byte tokens and byte fallback."""
    model = json.loads(json.dumps(model))
    names = [f"<0x{b:02X}>" for b in range(256)]
    if model["type"] == "Unigram":
        model["vocab"] += [[n, 0.0] for n in names]
    else:
        base = max(model["vocab"].values()) + 1
        model["vocab"].update({n: base + i for i, n in enumerate(names)})
    model["byte_fallback"] = True
    return model


# ---------------------------------------------------------------- SentencePiece's character map


def charsmap(rules):
    """A double-array trie of darts-clone's layout and the pool of replacements, in base64."""
    pool, offsets = b"", {}
    for replacement in rules.values():
        if replacement not in offsets:
            offsets[replacement] = len(pool)
            pool += replacement.encode() + b"\0"
    tree = {}
    for key, replacement in rules.items():
        node = tree
        for b in key.encode():
            node = node.setdefault(b, {})
        node[0] = offsets[replacement]
    units, used = {0: 0}, {0}

    def place(node, at):
        base = 1
        while any((base ^ b) in used for b in node) or (at ^ base) >= 1 << 21:
            base += 1
        used.update(base ^ b for b in node)
        units[at] |= (at ^ base) << 10
        for b, child in node.items():
            if b == 0:
                units[at] |= 1 << 8
                units[base] = 1 << 31 | child
            else:
                units[base ^ b] = b
        for b, child in node.items():
            if b != 0:
                place(child, base ^ b)

    place(tree, 0)
    n = (max(units) | 255) + 1
    trie = b"".join(struct.pack("<I", units.get(i, 0)) for i in range(n))
    return base64.b64encode(struct.pack("<I", len(trie)) + trie + pool).decode()


CHARSMAP = charsmap({
    "ﬁ": "fi", "Ａ": "A", "ｌ": "l", "ｐ": "p", "ｈ": "h", "ａ": "a", "①": "1", "½": "1⁄2", "㎏": "kg",
    "\t": " ", "\n": " ", "\r": " ", "\u00a0": " ", "\u3000": " ", "e\u0301": "é", "…": "...", "ﷺ": "صلى الله",
    "\u200b": " ", "\ufeff": " ", "\u0301": "", "\u1112\u1161": "하",
})


# ---------------------------------------------------------------- pipelines


def added(model, contents, **flags):
    """The added_tokens entries of tokens of the model or, after it, new ones."""
    vocab = model["vocab"]
    ids = vocab if isinstance(vocab, dict) else {v[0]: i for i, v in enumerate(vocab)}
    top = len(ids)
    out = []
    for c in contents:
        special = c[0] in "<["
        token = dict(id=ids.get(c, top), content=c, single_word=False, lstrip=False, rstrip=False,
                     normalized=not special, special=special)
        top += c not in ids
        token.update(flags.get(c.strip("<>[]/"), {}))
        out.append(token)
    return out


def pipeline(model, tokens, normalizer=None, pre=None, post=None, decoder=None):
    return dict(version="1.0", truncation=None, padding=None, added_tokens=tokens, normalizer=normalizer,
                pre_tokenizer=pre, post_processor=post, decoder=decoder, model=model)


def seq(kind, *steps):
    key = dict(n="normalizers", p="pretokenizers", o="processors", d="decoders")[kind]
    return {"type": "Sequence", key: list(steps)}


def template(single, pair, ids):
    def parts(s):
        out = []
        for part in s.split():
            name, type_id = part.rsplit(":", 1)
            kind = "Sequence" if name in "AB" else "SpecialToken"
            out.append({kind: {"id": name, "type_id": int(type_id)}})
        return out
    special = {k: dict(id=k, ids=v, tokens=[f"t{i}" for i in v]) for k, v in ids.items()}
    return dict(type="TemplateProcessing", single=parts(single), pair=parts(pair), special_tokens=special)


BERT = dict(type="BertNormalizer", clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
BYTES = dict(type="ByteLevel", add_prefix_space=False, trim_offsets=True, use_regex=True)
META = dict(type="Metaspace", replacement="▁", prepend_scheme="always", split=True)
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
          r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def all_models():
    return dict(
        wordpiece=vocabulary("wordpiece"), bytes=vocabulary("bytes"), bpe=vocabulary("bpe"),
        suffix=vocabulary("bpe", end_of_word_suffix="</w>"),
        prefix=vocabulary("bpe", continuing_subword_prefix="##"), unigram=vocabulary("unigram"))


def fixtures(m):
    """NAME -> tokenizer.json."""
    wp, by, bpe, uni = m["wordpiece"], m["bytes"], m["bpe"], m["unigram"]
    bert_tokens = added(wp, ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "word", "<new>", "Straße"],
                        MASK=dict(lstrip=True), word=dict(single_word=True), new=dict(rstrip=True))
    roberta_tokens = added(by, ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "word"], mask=dict(lstrip=True),
                           word=dict(single_word=True, lstrip=True, rstrip=True))
    t5_tokens = added(uni, ["<pad>", "</s>", "<unk>", "<new>"])
    llama = with_bytes(bpe)
    llama["fuse_unk"] = True
    eos = template("A:0 </s>:0", "A:0 </s>:0 B:0 </s>:0", {"</s>": [1]})
    no_types = {k: v for k, v in by.items() if k != "type"}
    no_types["merges"] = [" ".join(p) for p in by["merges"]]  # as old files write them
    return {
        "bert-uncased": pipeline(
            wp, bert_tokens, BERT, {"type": "BertPreTokenizer"},
            dict(type="BertProcessing", sep=["[SEP]", 3], cls=["[CLS]", 2]),
            dict(type="WordPiece", prefix="##", cleanup=True)),
        "bert-cased": pipeline(
            {k: v for k, v in wp.items() if k != "type"} | {"max_input_chars_per_word": 9}, bert_tokens[:5],
            {**BERT, "lowercase": False, "strip_accents": False}, {"type": "BertPreTokenizer"},
            template("[CLS]:0 A:0 [SEP]:0", "[CLS]:0 A:0 [SEP]:0 B:1 [SEP]:1 two:2",
                     {"[CLS]": [2], "[SEP]": [3], "two": [4, 0]}),
            dict(type="WordPiece", prefix="##", cleanup=False)),
        "gpt2": pipeline(
            by, added(by, ["</s>"]), None, {**BYTES, "add_prefix_space": True},
            {**BYTES, "add_prefix_space": True}, BYTES),
        "roberta": pipeline(
            no_types, roberta_tokens, None, BYTES,
            dict(type="RobertaProcessing", sep=["</s>", 2], cls=["<s>", 0], trim_offsets=True,
                 add_prefix_space=False), BYTES),
        "split-bytes": pipeline(
            {**by, "ignore_merges": True}, roberta_tokens[:3], {"type": "NFC"},
            seq("p", dict(type="Split", pattern={"Regex": LLAMA3}, behavior="Isolated", invert=False),
                {**BYTES, "use_regex": False}),
            seq("o", BYTES, template("<s>:0 A:0", "<s>:0 A:0 <s>:1 B:1", {"<s>": [0]})), BYTES),
        "llama": pipeline(
            llama, added(llama, ["<unk>", "<s>", "</s>"]),
            seq("n", dict(type="Prepend", prepend="▁"), dict(type="Replace", pattern={"String": " "}, content="▁")),
            None, template("<s>:0 A:0", "<s>:0 A:0 <s>:1 B:1", {"<s>": [1]}),
            seq("d", dict(type="Replace", pattern={"String": "▁"}, content=" "), dict(type="ByteFallback"),
                dict(type="Fuse"), dict(type="Strip", content=" ", start=1, stop=0))),
        "end-of-word": pipeline(
            m["suffix"], [], seq("n", {"type": "NFKC"}, {"type": "Lowercase"}), {"type": "Whitespace"}),
        "continuing": pipeline(
            {**m["prefix"], "fuse_unk": True}, [], seq("n", {"type": "NFKD"}, {"type": "StripAccents"}),
            seq("p", {"type": "WhitespaceSplit"}, dict(type="Digits", individual_digits=True),
                dict(type="Punctuation", behavior="Contiguous"))),
        "t5": pipeline(
            uni, t5_tokens, dict(type="Precompiled", precompiled_charsmap=CHARSMAP),
            seq("p", {"type": "WhitespaceSplit"}, dict(type="Metaspace", replacement="▁", add_prefix_space=True)),
            eos, META),
        "t5-new": pipeline(
            uni, t5_tokens,
            seq("n", dict(type="Precompiled", precompiled_charsmap=CHARSMAP),
                dict(type="Strip", strip_left=False, strip_right=True),
                dict(type="Replace", pattern={"Regex": " {2,}"}, content="▁")),
            {**META, "prepend_scheme": "first"}, eos, {**META, "prepend_scheme": "first"}),
        "unigram-bytes": pipeline(
            with_bytes(uni), [], seq("n", {"type": "NFD"}, {"type": "Strip", "strip_left": True, "strip_right": True}),
            {**META, "prepend_scheme": "never", "split": False}, None,
            seq("d", dict(type="ByteFallback"), {**META, "prepend_scheme": "never"})),
    }


# ---------------------------------------------------------------- cases

TEMPLATES = (processors.BertProcessing, processors.RobertaProcessing, processors.TemplateProcessing,
             processors.Sequence)


def utf16(text):
    """Offset in code points -> offset in UTF-16 units."""
    out = [0]
    for c in text:
        out.append(out[-1] + (2 if ord(c) > 0xFFFF else 1))
    return out


def encode(tokenizer, text, pair, add, truncation):
    """All windows. encode() of this version stops once it has max_length tokens and so loses most of
    the overflow; therefore the steps after the model are called by themselves."""
    tokenizer.no_truncation()
    if not truncation:
        return [tokenizer.encode(text, pair, add_special_tokens=add)]
    post = tokenizer.post_processor
    tokenizer.post_processor = None
    first = tokenizer.encode(text, add_special_tokens=False)
    second = None if pair is None else tokenizer.encode(pair, add_special_tokens=False)
    tokenizer.post_processor = post
    added = tokenizer.num_special_tokens_to_add(pair is not None) if add else 0
    truncation[0] = max(truncation[0], added)
    size, strategy, stride, side = truncation
    tokenizer.enable_truncation(max_length=size, strategy=strategy, stride=stride, direction=side)
    e = tokenizer.post_process(first, second, add)
    return [e] + e.overflowing


def window(encoding, maps, types):
    starts, ends, sequences, type_ids = [], [], [], list(encoding.type_ids)
    for (s, e), sequence, special in zip(encoding.offsets, encoding.sequence_ids, encoding.special_tokens_mask):
        sequence = -1 if special else (sequence or 0)
        starts.append(0 if special else maps[sequence][s])
        ends.append(0 if special else maps[sequence][e])
        type_ids[len(sequences)] = type_ids[len(sequences)] if special else types[sequence]
        sequences.append(sequence)
    return [encoding.ids, type_ids, starts, ends, sequences]


def case(tokenizer, text, pair=None, add=True, truncation=None):
    out = dict(text=text, pair=pair, add=add, truncation=truncation)
    try:
        # Overflowing windows lose the template's type ids: they are those of the whole encoding.
        tokenizer.no_truncation()
        whole = tokenizer.encode(text, pair)
        types = {s: t for s, t, m in zip(whole.sequence_ids, whole.type_ids, whole.special_tokens_mask) if not m}
        windows = encode(tokenizer, text, pair, add, truncation)
        maps = [utf16(text), utf16(pair or "")]
        if not isinstance(tokenizer.post_processor, TEMPLATES):
            types = {0: 0, 1: 1}
        out["windows"] = [window(w, maps, types) for w in windows]
        out["text_only"] = tokenizer.decode(windows[0].ids, skip_special_tokens=True)
        out["all"] = tokenizer.decode(windows[0].ids, skip_special_tokens=False)
    except IndexError:  # offsets of the library that lie outside the text
        return None
    except BaseException as error:  # the library panics on some truncations
        if isinstance(error, KeyboardInterrupt):
            raise
        out["error"] = str(error)[:60]
    return out


def sentence(rng):
    words = [rng.choice(WORDS) if rng.random() < 0.6 else rng.choice(rng.choice(TEXT).split() or ["x"])
             for _ in range(rng.randint(0, 12))]
    return "".join(w + rng.choice(["", " ", " ", " ", "  "]) for w in words)


def cases(tokenizer, rng, n):
    yield case(tokenizer, "")
    for line in TEXT[:-1]:
        yield case(tokenizer, line)
    yield case(tokenizer, " ".join(WORDS))
    yield case(tokenizer, TEXT[0], TEXT[1])
    for _ in range(n):
        pair = sentence(rng) if rng.random() < 0.5 else None
        truncation = None
        # Without a post-processor the library forgets which text an overflowing token belongs to.
        if rng.random() < 0.6 and not (pair is not None and tokenizer.post_processor is None):
            strategy = rng.choice(["longest_first", "only_first", "only_second"] if pair else ["longest_first"] * 2 + ["only_first"])
            size = rng.randint(6, 24)
            truncation = [size, strategy, rng.choice([0, 0, 1, 2, 5]), rng.choice(["right", "right", "left"])]
        yield case(tokenizer, sentence(rng), pair, rng.random() < 0.8, truncation)


def write(folder, name, text, rng, n):
    tokenizer = Tokenizer.from_str(text)
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
        f.write(text)
    with open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8") as f:
        for c in cases(tokenizer, rng, n):
            if c and len(c.get("windows", [])) <= 8:  # every window of one text meets all of the other: keep files small
                f.write(json.dumps(c, ensure_ascii=False, separators=(",", ":")) + "\n")


# ---------------------------------------------------------------- random pipelines


def random_pipeline(rng, m):
    def normalizer(depth=0):
        return rng.choice([
            lambda: {"type": rng.choice(["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"])},
            lambda: dict(type="BertNormalizer", clean_text=rng.random() < 0.5, handle_chinese_chars=rng.random() < 0.5,
                         strip_accents=rng.choice([None, True, False]), lowercase=rng.random() < 0.5),
            lambda: dict(type="Strip", strip_left=rng.random() < 0.5, strip_right=rng.random() < 0.5),
            lambda: dict(type="Replace", pattern=rng.choice([{"String": " "}, {"Regex": "\\s+"}, {"Regex": "[aeiou]{1,2}"},
                         {"String": "--"}]), content=rng.choice(["▁", "xy", "é"])),
            lambda: dict(type="Prepend", prepend=rng.choice(["▁", "ab"])),
            lambda: dict(type="Precompiled", precompiled_charsmap=CHARSMAP),
            lambda: seq("n", *[normalizer(1) for _ in range(rng.randint(0, 3))]) if depth == 0 else {"type": "NFC"},
        ])()

    def pre(depth=0):
        return rng.choice([
            lambda: {"type": rng.choice(["BertPreTokenizer", "Whitespace", "WhitespaceSplit"])},
            lambda: dict(type="Punctuation", behavior=rng.choice(BEHAVIORS)),
            lambda: dict(type="Digits", individual_digits=rng.random() < 0.5),
            lambda: dict(type="Split", pattern=rng.choice([{"String": " "}, {"Regex": "\\s+"}, {"Regex": LLAMA3},
                         {"Regex": "[aeiou]"}, {"Regex": "\\w+|[^\\w\\s]+"}]), behavior=rng.choice(BEHAVIORS),
                         invert=rng.random() < 0.3),
            lambda: {**BYTES, "add_prefix_space": rng.random() < 0.5, "use_regex": rng.random() < 0.7},
            lambda: dict(META, prepend_scheme=rng.choice(["first", "always", "never"]), split=rng.random() < 0.7),
            lambda: seq("p", *[pre(1) for _ in range(rng.randint(0, 3))]) if depth == 0 else {"type": "WhitespaceSplit"},
        ])()

    name = rng.choice(list(m))
    model = m[name]
    tokens = added(model, rng.sample(["<mask>", "[SEP]", "word", "<new>", "--", "the", "Straße", "x"], 4))
    for t in tokens:
        t.update(single_word=rng.random() < 0.3, lstrip=rng.random() < 0.3, rstrip=rng.random() < 0.3,
                 special=rng.random() < 0.5)
        t["normalized"] = not t["special"] and rng.random() < 0.7
    post = rng.choice([
        None, dict(type="BertProcessing", sep=["a", 3], cls=["b", 2]), dict(BYTES, add_prefix_space=rng.random() < 0.5),
        dict(type="RobertaProcessing", sep=["a", 2], cls=["b", 0], trim_offsets=rng.random() < 0.5,
             add_prefix_space=rng.random() < 0.5),
        template("x:0 A:1 y:3", "A:0 x:1 B:0", {"x": [1], "y": [2, 3]}),
        seq("o", BYTES, template("x:0 A:1", "x:0 B:1 x:1 A:0 x:0", {"x": [1]}))])
    before = pre() if rng.random() < 0.9 else None
    if name == "bytes":  # the library counts wrong where a character is not in the vocabulary
        before = seq("p", before or {"type": "WhitespaceSplit"}, {**BYTES, "use_regex": rng.random() < 0.5})
    elif post and "trim" in json.dumps(post):  # only of use with bytes
        post = None
    decoder = rng.choice([
        None, BYTES, META, dict(type="WordPiece", prefix="##", cleanup=True),
        seq("d", dict(type="ByteFallback"), dict(type="Fuse"), dict(type="Strip", content="s", start=2, stop=0)),
        seq("d", dict(type="Replace", pattern={"Regex": "[aeiou]+"}, content="$0\\"), dict(type="Strip", content="t", start=1, stop=0))])
    return pipeline(model, tokens, normalizer() if rng.random() < 0.8 else None, before, post, decoder)


BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]


def fuzz(folder, seed, count):
    m = all_models()
    m.update(fallback=with_bytes(m["bpe"]), bytes_unigram=with_bytes(m["unigram"]))
    rng = random.Random(seed)
    for i in range(count):
        p = random_pipeline(rng, m)
        write(folder, f"fuzz-{i}", json.dumps(p, ensure_ascii=False), rng, 12)


def squad(folder, file, data):
    tokenizer = Tokenizer.from_file(file)
    tokenizer.no_padding()
    name = os.path.basename(os.path.dirname(file))
    with open(os.path.join(folder, name + ".jsonl"), "w", encoding="utf-8") as f:
        for article in json.load(open(data, encoding="utf-8"))["data"]:
            for p in article["paragraphs"]:
                cs = [case(tokenizer, p["context"]),
                      case(tokenizer, p["qas"][0]["question"], p["context"], True, [96, "only_second", 32, "right"])]
                for c in cs:
                    f.write(json.dumps(c, separators=(",", ":")) + "\n")
    with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
        f.write(open(file, encoding="utf-8").read())


if __name__ == "__main__":
    if len(sys.argv) == 1:
        for fixture, content in fixtures(all_models()).items():
            text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
            write("src/test/resources/tokenizers", fixture, text, random.Random(fixture), 24)
    elif sys.argv[1] == "fuzz":
        fuzz(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        squad(sys.argv[2], sys.argv[3], sys.argv[4])
