package tacet.deft;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import tacet.transformer.checkpoint.Json;

/**
 * Vocabularies made from a text, for models that are trained from scratch: its most frequent words, and
 * its characters for all others.
 */
public final class Vocabularies {
  private static final List<String> BERT_SPECIAL =
      List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]");
  private static final int SENTINELS = 100;
  private static final String SPACE = "\u2581"; // what SentencePiece writes for a space

  private Vocabularies() {}

  /**
   * The lines of a vocab.txt for WordPiece on lower-case text.
   *
   * @param size largest number of tokens
   */
  public static List<String> wordPiece(List<String> texts, int size) {
    Set<String> tokens = new LinkedHashSet<>(BERT_SPECIAL);
    Map<String, Integer> words = new HashMap<>();
    Set<String> characters = new TreeSet<>();
    for (String text : texts) {
      for (String word : words(text.toLowerCase(Locale.ROOT))) {
        words.merge(word, 1, Integer::sum);
        word.codePoints().mapToObj(Character::toString).forEach(characters::add);
      }
    }
    tokens.addAll(characters);
    characters.forEach(c -> tokens.add("##" + c));
    byFrequency(words).stream()
        .filter(w -> !tokens.contains(w))
        .limit(Math.max(0, size - tokens.size()))
        .forEach(tokens::add);
    return List.copyOf(tokens);
  }

  /**
   * A tokenizer.json in the form of T5's: pieces with the logarithms of their frequencies, sentinels at
   * the end.
   *
   * @param size largest number of tokens
   */
  public static Json unigram(List<String> texts, int size) {
    Map<String, Integer> pieces = new HashMap<>();
    Set<String> characters = new TreeSet<>(List.of(SPACE));
    long total = 0;
    for (String text : texts) {
      for (String chunk : text.strip().split("\\s+")) {
        boolean first = true;
        for (String word : words(chunk)) {
          pieces.merge(first ? SPACE + word : word, 1, Integer::sum);
          word.codePoints().mapToObj(Character::toString).forEach(characters::add);
          first = false;
          total++;
        }
      }
    }
    List<Object> vocabulary = new ArrayList<>();
    for (String special : List.of("<pad>", "</s>", "<unk>")) {
      vocabulary.add(List.of(special, 0.0));
    }
    double rare = StrictMath.log(0.01 / Math.max(1, total));
    Set<String> known = new LinkedHashSet<>();
    int room = Math.max(0, size - vocabulary.size() - characters.size() - SENTINELS);
    for (String piece : byFrequency(pieces)) {
      if (known.size() < room) {
        known.add(piece);
        vocabulary.add(List.of(piece, StrictMath.log(pieces.get(piece) / (double) total)));
      }
    }
    characters.stream()
        .filter(c -> !known.contains(c))
        .forEach(c -> vocabulary.add(List.of(c, rare)));
    List<Object> added = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      added.add(added(i, List.of("<pad>", "</s>", "<unk>").get(i)));
    }
    for (int i = SENTINELS - 1; i >= 0; i--) {
      String sentinel = "<extra_id_" + i + ">";
      added.add(added(vocabulary.size(), sentinel));
      vocabulary.add(List.of(sentinel, 0.0));
    }
    Map<String, Object> metaspace = new LinkedHashMap<>();
    metaspace.put("type", "Metaspace");
    metaspace.put("replacement", SPACE);
    metaspace.put("prepend_scheme", "always");
    metaspace.put("split", true);
    Map<String, Object> model = new LinkedHashMap<>();
    model.put("type", "Unigram");
    model.put("unk_id", 2);
    model.put("vocab", vocabulary);
    model.put("byte_fallback", false);
    Map<String, Object> tokenizer = new LinkedHashMap<>();
    tokenizer.put("version", "1.0");
    tokenizer.put("truncation", null);
    tokenizer.put("padding", null);
    tokenizer.put("added_tokens", added);
    tokenizer.put("normalizer", null);
    tokenizer.put("pre_tokenizer", metaspace);
    tokenizer.put("post_processor", template());
    tokenizer.put("decoder", metaspace);
    tokenizer.put("model", model);
    return Json.of(tokenizer);
  }

  private static Map<String, Object> added(int id, String content) {
    Map<String, Object> token = new LinkedHashMap<>();
    token.put("id", id);
    token.put("content", content);
    for (String no : List.of("single_word", "lstrip", "rstrip", "normalized")) {
      token.put(no, false);
    }
    token.put("special", true);
    return token;
  }

  /** Every text ends with the end token. */
  private static Map<String, Object> template() {
    Map<String, Object> end = Map.of("SpecialToken", Map.of("id", "</s>", "type_id", 0));
    Map<String, Object> first = Map.of("Sequence", Map.of("id", "A", "type_id", 0));
    Map<String, Object> second = Map.of("Sequence", Map.of("id", "B", "type_id", 0));
    Map<String, Object> template = new LinkedHashMap<>();
    template.put("type", "TemplateProcessing");
    template.put("single", List.of(first, end));
    template.put("pair", List.of(first, end, second, end));
    template.put(
        "special_tokens",
        Map.of("</s>", Map.of("id", "</s>", "ids", List.of(1), "tokens", List.of("</s>"))));
    return template;
  }

  private static List<String> byFrequency(Map<String, Integer> counts) {
    return counts.entrySet().stream()
        .sorted(
            Comparator.comparing((Map.Entry<String, Integer> e) -> -e.getValue())
                .thenComparing(Map.Entry::getKey))
        .map(Map.Entry::getKey)
        .toList();
  }

  /** Runs of letters and digits, and every other character but white space by itself. */
  private static List<String> words(String text) {
    List<String> words = new ArrayList<>();
    StringBuilder run = new StringBuilder();
    text.codePoints()
        .forEach(
            c -> {
              if (Character.isLetterOrDigit(c)) {
                run.appendCodePoint(c);
                return;
              }
              if (!run.isEmpty()) {
                words.add(run.toString());
                run.setLength(0);
              }
              if (!Character.isWhitespace(c)) {
                words.add(Character.toString(c));
              }
            });
    if (!run.isEmpty()) {
      words.add(run.toString());
    }
    return words;
  }
}
