package tacet.transformer.text;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * Finds the tokenizer of a directory. The files from before tokenizer.json hold only a vocabulary;
 * the rest of the pipeline is what the models that used them do, put into the form of a
 * tokenizer.json. A {@code tokenizer_config.json} beside has the last word. Tokens that were added to
 * the vocabulary later are in its {@code added_tokens_decoder}, or in an {@code added_tokens.json}.
 */
final class TokenizerFiles {
  private static final int EXTRA_IDS = 100; // T5's <extra_id_99> to <extra_id_0>

  private TokenizerFiles() {}

  /** Reads a directory or a file of any known kind. */
  static Tokenizer open(Path path) throws IOException {
    if (!Files.isDirectory(path)) {
      return file(path);
    }
    for (String name : List.of("tokenizer.json", "vocab.json", "spiece.model", "vocab.txt")) {
      if (Files.exists(path.resolve(name))) {
        return file(path.resolve(name));
      }
    }
    throw new NoSuchFileException(
        path.toString(), null, "no tokenizer.json, vocab.json, spiece.model or vocab.txt in it");
  }

  private static Tokenizer file(Path file) throws IOException {
    String name = file.getFileName().toString();
    Json config = beside(file, "tokenizer_config.json");
    if (name.endsWith(".txt") && !name.equals("merges.txt")) {
      return build(file, wordPiece(file, config), config);
    }
    if (name.endsWith(".model")) {
      return build(file, sentencePiece(file, config), config);
    }
    if (name.equals("vocab.json") || name.equals("merges.txt")) {
      return build(file, byteLevel(file, config), config);
    }
    return Tokenizer.of(Json.read(file), config);
  }

  /** As text and back, so that errors name the file. */
  private static Tokenizer build(Path file, Map<String, Object> json, Json config)
      throws FormatException {
    return Tokenizer.of(Json.parse(Json.of(json).toString(), file.toString()), config);
  }

  private static Json beside(Path file, String name) throws IOException {
    Path other = file.resolveSibling(name);
    return Files.exists(other) ? Json.read(other) : null;
  }

  // ---------------------------------------------------------------- vocab.txt: BERT

  private static Map<String, Object> wordPiece(Path file, Json config) throws IOException {
    List<String> lines = lines(file);
    Map<String, Object> vocab = new LinkedHashMap<>();
    for (int i = 0; i < lines.size(); i++) {
      vocab.put(lines.get(i), i);
    }
    boolean lowercase =
        config == null || !config.has("do_lower_case")
            ? isLowerCase(lines)
            : config.get("do_lower_case").asBoolean();
    String cls = token(config, "cls_token", "[CLS]");
    String sep = token(config, "sep_token", "[SEP]");
    String unk = token(config, "unk_token", "[UNK]");
    List<Object> added = new ArrayList<>();
    for (String token :
        List.of(
            token(config, "pad_token", "[PAD]"),
            unk,
            cls,
            sep,
            token(config, "mask_token", "[MASK]"))) {
      if (vocab.containsKey(token)) {
        added.add(special((Integer) vocab.get(token), token, false));
      }
    }
    added.addAll(addedLater(file, config));
    Map<String, Object> normalizer = new LinkedHashMap<>();
    normalizer.put("type", "BertNormalizer");
    normalizer.put("clean_text", true);
    normalizer.put(
        "handle_chinese_chars", config == null || config.booleanOr("tokenize_chinese_chars", true));
    normalizer.put(
        "strip_accents",
        config != null && config.has("strip_accents") ? config.get("strip_accents") : null);
    normalizer.put("lowercase", lowercase);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("added_tokens", added);
    json.put("normalizer", normalizer);
    json.put("pre_tokenizer", Map.of("type", "BertPreTokenizer"));
    json.put(
        "post_processor",
        Map.of(
            "type", "BertProcessing",
            "sep", List.of(sep, id(vocab, sep, file)),
            "cls", List.of(cls, id(vocab, cls, file))));
    json.put("decoder", Map.of("type", "WordPiece", "prefix", "##", "cleanup", true));
    json.put("model", Map.of("type", "WordPiece", "unk_token", unk, "vocab", vocab));
    return json;
  }

  /** Whether no token but those in brackets has a capital letter. */
  private static boolean isLowerCase(List<String> tokens) {
    return tokens.stream()
        .filter(t -> !t.startsWith("["))
        .noneMatch(t -> t.codePoints().anyMatch(c -> Character.toLowerCase(c) != c));
  }

  // ---------------------------------------------------------------- vocab.json + merges.txt

  private static Map<String, Object> byteLevel(Path file, Json config) throws IOException {
    Path vocabFile = file.resolveSibling("vocab.json");
    Json vocab = Json.read(vocabFile);
    Path mergesFile = file.resolveSibling("merges.txt");
    List<String> merges = new ArrayList<>();
    for (String line : lines(mergesFile)) {
      if (!line.isEmpty() && !(merges.isEmpty() && line.startsWith("#version"))) {
        merges.add(line);
      }
    }
    Map<String, Object> ids = new HashMap<>(vocab.members());
    boolean prefixSpace = config != null && config.booleanOr("add_prefix_space", false);
    Json modelConfig = beside(file, "config.json");
    String kind = modelConfig == null ? "" : modelConfig.stringOr("model_type", "");
    boolean roberta = kind.isEmpty() ? ids.containsKey("<mask>") : kind.equals("roberta");
    boolean bos = kind.equals("opt");
    if (config != null && config.has("add_bos_token")) {
      bos = config.get("add_bos_token").asBoolean();
      roberta &= !bos;
    }

    List<Object> added = new ArrayList<>();
    for (String token : List.of("<s>", "<pad>", "</s>", "<unk>", "<mask>", "<|endoftext|>")) {
      if (ids.containsKey(token)) {
        added.add(special(vocab.get(token).asInt(), token, token.equals("<mask>")));
      }
    }
    added.addAll(addedLater(file, config));
    Map<String, Object> bytes = new LinkedHashMap<>();
    bytes.put("type", "ByteLevel");
    bytes.put("add_prefix_space", prefixSpace);
    bytes.put("trim_offsets", roberta);
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("added_tokens", added);
    json.put("pre_tokenizer", bytes);
    json.put("decoder", Map.of("type", "ByteLevel"));
    if (roberta) {
      String cls = token(config, "cls_token", "<s>");
      String sep = token(config, "sep_token", "</s>");
      Map<String, Object> post = new LinkedHashMap<>(bytes);
      post.put("type", "RobertaProcessing");
      post.put("cls", List.of(cls, id(ids, cls, vocabFile)));
      post.put("sep", List.of(sep, id(ids, sep, vocabFile)));
      json.put("post_processor", post);
    } else if (bos) {
      String token = token(config, "bos_token", "</s>");
      json.put("post_processor", template(token, id(ids, token, vocabFile), true));
    } else {
      json.put("post_processor", bytes);
    }
    json.put("model", Map.of("type", "BPE", "vocab", vocab, "merges", merges));
    return json;
  }

  // ---------------------------------------------------------------- spiece.model: T5

  /** Kinds of pieces in a SentencePiece model. */
  private static final int UNKNOWN = 2;

  private static final int CONTROL = 3;
  private static final int USER_DEFINED = 4;

  /**
   * Reads SentencePiece's ModelProto: 1 pieces (1 text, 2 score, 3 kind), 2 trainer (3 model type),
   * 3 normalizer (2 character map).
   */
  private static Map<String, Object> sentencePiece(Path path, Json config) throws IOException {
    String file = path.toString();
    List<Object> vocab = new ArrayList<>();
    List<Object> added = new ArrayList<>();
    byte[] charsmap = {};
    int unknown = -1;
    int end = -1;
    for (ProtobufReader model = new ProtobufReader(Files.readAllBytes(path), file);
        model.next(); ) {
      switch (model.field()) {
        case 1 -> {
          ProtobufReader piece = model.message();
          String text = "";
          float score = 0;
          int kind = 1;
          while (piece.next()) {
            switch (piece.field()) {
              case 1 -> text = piece.stringValue();
              case 2 -> score = piece.floatValue();
              case 3 -> kind = (int) piece.varintValue();
              default -> {}
            }
          }
          unknown = kind == UNKNOWN ? vocab.size() : unknown;
          end = text.equals("</s>") ? vocab.size() : end;
          if (kind == UNKNOWN || kind == CONTROL || kind == USER_DEFINED) {
            added.add(special(vocab.size(), text, false));
          }
          vocab.add(List.of(text, (double) score));
        }
        case 2 -> requireUnigram(model.message(), file);
        case 3 -> charsmap = charsmap(model.message());
        default -> {}
      }
    }
    if (unknown < 0) {
      throw new FormatException(file, "no piece of the kind UNKNOWN");
    }
    int extra = config == null ? EXTRA_IDS : config.intOr("extra_ids", EXTRA_IDS);
    for (int i = Math.min(extra, Vocabulary.MAX_ID) - 1; i >= 0; i--) {
      added.add(special(vocab.size(), "<extra_id_" + i + ">", false));
      vocab.add(List.of("<extra_id_" + i + ">", 0.0));
    }
    added.addAll(addedLater(path, config));
    Map<String, Object> metaspace = Map.of("type", "Metaspace", "replacement", "▁");
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("added_tokens", added);
    if (charsmap.length > 0) {
      String base64 = Base64.getEncoder().encodeToString(charsmap);
      json.put("normalizer", Map.of("type", "Precompiled", "precompiled_charsmap", base64));
    }
    json.put(
        "pre_tokenizer",
        Map.of(
            "type",
            "Sequence",
            "pretokenizers",
            List.of(Map.of("type", "WhitespaceSplit"), metaspace)));
    json.put("post_processor", end < 0 ? null : template("</s>", end, false));
    json.put("decoder", metaspace);
    json.put("model", Map.of("type", "Unigram", "unk_id", unknown, "vocab", vocab));
    return json;
  }

  private static void requireUnigram(ProtobufReader trainer, String file) throws FormatException {
    while (trainer.next()) {
      if (trainer.field() == 3 && trainer.varintValue() != 1) {
        throw new FormatException(
            file,
            "SentencePiece model type "
                + trainer.varintValue()
                + ", only 1 (unigram) is read: save the tokenizer as tokenizer.json");
      }
    }
  }

  private static byte[] charsmap(ProtobufReader normalizer) throws FormatException {
    byte[] charsmap = {};
    while (normalizer.next()) {
      charsmap = normalizer.field() == 2 ? normalizer.bytesValue() : charsmap;
    }
    return charsmap;
  }

  // ---------------------------------------------------------------- parts

  /** Tokens that the vocabulary may lack; those it has are there already, and stay as they are. */
  private static List<Object> addedLater(Path file, Json config) throws IOException {
    List<Object> added = new ArrayList<>();
    if (config != null && config.has("added_tokens_decoder")) {
      for (Map.Entry<String, Json> e : config.get("added_tokens_decoder").members().entrySet()) {
        Map<String, Object> token = new LinkedHashMap<>(e.getValue().members());
        try {
          token.put("id", Integer.parseInt(e.getKey()));
        } catch (NumberFormatException n) {
          throw e.getValue().error("\"" + e.getKey() + "\" is not the id of a token");
        }
        added.add(token);
      }
      return added;
    }
    Json beside = beside(file, "added_tokens.json");
    if (beside != null) {
      for (Map.Entry<String, Json> e : beside.members().entrySet()) {
        Map<String, Object> token = new LinkedHashMap<>();
        token.put("id", e.getValue().asInt());
        token.put("content", e.getKey());
        token.put("normalized", true);
        token.put("special", false);
        added.add(token);
      }
    }
    return added;
  }

  private static Map<String, Object> special(int id, String content, boolean leftStrip) {
    Map<String, Object> token = new LinkedHashMap<>();
    token.put("id", id);
    token.put("content", content);
    token.put("lstrip", leftStrip);
    token.put("normalized", false);
    token.put("special", true);
    return token;
  }

  /** A special token before every text, or after it. */
  private static Map<String, Object> template(String token, Object id, boolean before) {
    Map<String, Object> special = Map.of("SpecialToken", Map.of("id", token, "type_id", 0));
    Map<String, Object> a = Map.of("Sequence", Map.of("id", "A", "type_id", 0));
    Map<String, Object> b = Map.of("Sequence", Map.of("id", "B", "type_id", 0));
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("type", "TemplateProcessing");
    json.put("single", before ? List.of(special, a) : List.of(a, special));
    json.put("pair", before ? List.of(special, a, special, b) : List.of(a, special, b, special));
    json.put("special_tokens", Map.of(token, Map.of("id", token, "ids", List.of(id))));
    return json;
  }

  private static String token(Json config, String key, String customary) throws FormatException {
    String configured = SpecialTokens.configured(config, key);
    return configured == null ? customary : configured;
  }

  private static Object id(Map<String, Object> vocab, String token, Path file)
      throws FormatException {
    if (!vocab.containsKey(token)) {
      throw new FormatException(file.toString(), "\"" + token + "\" is not in the vocabulary");
    }
    return vocab.get(token);
  }

  /** The lines of a UTF-8 file, without line ends; only U+000A ends a line. */
  private static List<String> lines(Path file) throws IOException {
    String text = new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    List<String> lines = new ArrayList<>(Arrays.asList(text.split("\n", -1)));
    if (lines.get(lines.size() - 1).isEmpty()) {
      lines.remove(lines.size() - 1);
    }
    lines.replaceAll(l -> l.endsWith("\r") ? l.substring(0, l.length() - 1) : l);
    return lines;
  }
}
