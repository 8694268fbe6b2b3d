package tacet.transformer.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tacet.transformer.checkpoint.FormatException;

class TokenizerTest {
  private static final String BERT =
      """
      {"version": "1.0", "added_tokens": [{"id": 0, "content": "[UNK]", "special": true}],
       "normalizer": {"type": "BertNormalizer"}, "pre_tokenizer": {"type": "BertPreTokenizer"},
       "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
       "decoder": {"type": "WordPiece"},
       "model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3,
         "a": 4, "b": 5, "##b": 6, "τελοσ": 7, "i": 8, ".": 9}}}
      """;

  private static Tokenizer parse(String json) throws FormatException {
    return Tokenizer.parse(json.getBytes(StandardCharsets.UTF_8), "t.json");
  }

  private static Tokenizer fixture(String name) throws IOException {
    for (Path file : GoldenTokenizersTest.fixtures()) {
      if (file.getFileName().toString().equals(name + ".json")) {
        return Tokenizer.open(file);
      }
    }
    throw new IOException("no fixture " + name);
  }

  // ---------------------------------------------------------------- encoding

  @Test
  void encodesAPair() throws FormatException {
    Encoding e = parse(BERT).encode("a abb", "b.");
    assertThat(e.ids()).containsExactly(1, 4, 4, 6, 6, 2, 5, 9, 2);
    assertThat(e.typeIds()).containsExactly(0, 0, 0, 0, 0, 0, 1, 1, 1);
    assertThat(e.starts()).containsExactly(0, 0, 2, 3, 4, 0, 0, 1, 0);
    assertThat(e.ends()).containsExactly(0, 1, 3, 4, 5, 0, 1, 2, 0);
    assertThat(e.sequences()).containsExactly(-1, 0, 0, 0, 0, -1, 1, 1, -1);
    assertThat(e.specialTokensMask()).containsExactly(1, 0, 0, 0, 0, 1, 0, 0, 1);
    assertThat(parse(BERT).tokens(e)).startsWith("[CLS]", "a", "a", "##b");
  }

  @Test
  void lowercasesByCodePoint() throws FormatException {
    // String.toLowerCase would end the word in ς; and İ is i with a dot, which is an accent.
    assertThat(parse(BERT).encode("ΤΕΛΟΣ İ").ids()).containsExactly(1, 7, 8, 2);
  }

  @Test
  void whiteSpaceIsUnicodes() throws FormatException {
    assertThat(parse(BERT).encode("a\u00a0b\u2028a\u3000b").ids())
        .containsExactly(1, 4, 5, 4, 5, 2);
    // Control characters, of which Java calls U+001C white space, are removed.
    assertThat(parse(BERT).encode("a\u001cb").ids()).containsExactly(1, 4, 6, 2);
  }

  @Test
  void wordsThatAreTooLongOrUnknownAreOneToken() throws FormatException {
    assertThat(parse(BERT).encode("abx").ids()).containsExactly(1, 0, 2);
    assertThat(parse(BERT).encode("a" + "b".repeat(99)).length()).isEqualTo(102);
    assertThat(parse(BERT).encode("a" + "b".repeat(100)).ids()).containsExactly(1, 0, 2);
  }

  @Test
  void offsetsPointIntoTheText() throws IOException {
    String text = "🙂 naïve Ｃafe\u0301 <mask>, 東京";
    for (Path file : GoldenTokenizersTest.fixtures()) {
      Encoding e = Tokenizer.open(file).encode(text);
      for (int i = 0; i < e.length(); i++) {
        assertThat(e.starts()[i]).as(file + " token " + i).isBetween(0, e.ends()[i]);
        assertThat(e.ends()[i]).as(file + " token " + i).isLessThanOrEqualTo(text.length());
        int start = e.starts()[i];
        boolean inPair =
            start > 0 && start < text.length() && Character.isLowSurrogate(text.charAt(start));
        assertThat(inPair).as(file + " token " + i + " begins within a pair").isFalse();
      }
    }
  }

  // ---------------------------------------------------------------- truncation

  @ParameterizedTest
  @CsvSource({
    // Longest first: n1 <= n2 shrinks the longer one to the shorter, then both to halves.
    "LONGEST_FIRST, 10, 3, 9, 3, 7",
    "LONGEST_FIRST, 10, 9, 3, 7, 3",
    "LONGEST_FIRST, 9, 8, 20, 4, 5",
    "LONGEST_FIRST, 9, 20, 8, 5, 4",
    "LONGEST_FIRST, 9, 20, -1, 9, -1",
    "LONGEST_FIRST, 5, 2, 2, 2, 2",
    "ONLY_FIRST, 10, 8, 5, 5, 5",
    "ONLY_SECOND, 10, 8, 5, 8, 2",
    "ONLY_SECOND, 0, 8, 5, 0, 0"
  })
  void keeps(Truncation.Strategy strategy, int room, int first, int second, int a, int b) {
    Truncation t = new Truncation(room, strategy, 0, Truncation.Side.RIGHT);
    assertThat(t.split(room, first, second)).containsExactly(a, b);
  }

  @Test
  void refusesWhatCannotBeTruncated() throws FormatException {
    Tokenizer t = parse(BERT);
    Truncation second =
        new Truncation(5, Truncation.Strategy.ONLY_SECOND, 0, Truncation.Side.RIGHT);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> t.encode("a b a b", "a", second))
        .withMessageContaining("ONLY_SECOND");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> t.encode("a b a b", null, second))
        .withMessageContaining("pair");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> t.encode("a", null, Truncation.to(1)))
        .withMessageContaining("2 special tokens");
    Truncation stride =
        new Truncation(5, Truncation.Strategy.LONGEST_FIRST, 3, Truncation.Side.RIGHT);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> t.encode("a b a b", null, stride))
        .withMessageContaining("stride 3");
    assertThatIllegalArgumentException().isThrownBy(() -> Truncation.to(-1));
  }

  @Test
  void windowsCoverTheWholeContext() throws FormatException {
    Truncation t = new Truncation(8, Truncation.Strategy.ONLY_SECOND, 1, Truncation.Side.RIGHT);
    List<Encoding> windows = parse(BERT).windows("a b", "a b a b a b a", t, true);
    // 8 tokens less [CLS] a b [SEP] [SEP] leave 3 of the context, of which one overlaps.
    List<List<Integer>> starts = new ArrayList<>();
    for (Encoding w : windows) {
      List<Integer> of = new ArrayList<>();
      for (int i = 0; i < w.length(); i++) {
        if (w.sequences()[i] == 1) {
          of.add(w.starts()[i]);
        }
      }
      starts.add(of);
    }
    assertThat(starts).containsExactly(List.of(0, 2, 4), List.of(4, 6, 8), List.of(8, 10, 12));
  }

  @Test
  void savedTruncationIsNotApplied() throws FormatException {
    String saved =
        BERT.replace(
            "\"added_tokens\"",
            "\"truncation\": {\"max_length\": 4, \"strategy\": \"OnlyFirst\", \"stride\": 1,"
                + " \"direction\": \"Left\"}, \"padding\": {\"strategy\": {\"Fixed\": 128}},"
                + " \"added_tokens\"");
    Tokenizer t = parse(saved);
    assertThat(t.encode("a b a b").length()).isEqualTo(6);
    Truncation truncation = t.savedTruncation().orElseThrow();
    assertThat(truncation)
        .isEqualTo(new Truncation(4, Truncation.Strategy.ONLY_FIRST, 1, Truncation.Side.LEFT));
    assertThat(t.encode("a b a b", null, truncation).starts()).containsExactly(0, 4, 6, 0);
    assertThat(parse(BERT).savedTruncation()).isEmpty();
  }

  // ---------------------------------------------------------------- vocabulary

  @Test
  void knowsItsSpecialTokens() throws IOException {
    Tokenizer bert = parse(BERT);
    assertThat(bert.padId()).isEqualTo(3);
    assertThat(bert.clsId()).isEqualTo(1);
    assertThat(bert.sepId()).isEqualTo(2);
    assertThat(bert.unkId()).isZero();
    assertThat(bert.eosId()).isNull();
    assertThat(bert.vocabularySize()).isEqualTo(10);
    assertThat(bert.idOf("##b")).isEqualTo(6);
    assertThat(bert.idOf("zebra")).isNull();
    assertThat(bert.tokenOf(4)).isEqualTo("a");
    assertThat(bert.tokenOf(10)).isNull();
    assertThat(bert.decode(new int[] {1, 4, 6, 99, -5, 0, 9, 2}, true))
        .isEqualTo("[CLS] ab. [SEP]"); // only [UNK] is marked special in this file
    Tokenizer t5 = fixture("t5");
    assertThat(t5.eosId()).isEqualTo(1);
    assertThat(t5.padId()).isZero();
  }

  @Test
  void isThreadSafe() throws Exception {
    for (String name : List.of("bert-uncased", "roberta", "t5")) {
      Tokenizer t = fixture(name);
      String text = "Silence, played: naïve ﬁne 静か 🙂 <mask> 3.14 ".repeat(200);
      Encoding expected = t.encode(text);
      Callable<Encoding> task = () -> t.encode(text);
      try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
        for (Future<Encoding> f : pool.invokeAll(List.of(task, task, task, task, task, task))) {
          assertThat(f.get()).isEqualTo(expected);
        }
      }
    }
  }

  // ---------------------------------------------------------------- refusals

  @ParameterizedTest
  @CsvSource({
    "\"version\": \"1.0\", \"version\": \"2.0\", $: version",
    "\"BertNormalizer\", \"Magic\", $.normalizer: unknown normalizer \"Magic\"",
    "\"BertPreTokenizer\", \"Magic\", $.pre_tokenizer: unknown pre-tokenizer \"Magic\"",
    "\"BertProcessing\", \"Magic\", $.post_processor: unknown post-processor \"Magic\"",
    "\"decoder\": {\"type\": \"WordPiece\", \"decoder\": {\"type\": \"CTC\","
        + " $.decoder: unknown decoder \"CTC\"",
    "\"model\": {\"type\": \"WordPiece\", \"model\": {\"type\": \"WordLevel\","
        + " $.model: unknown model \"WordLevel\"",
    "\"b\": 5, \"b\": 4, $.model.vocab.b: token id 4 is given twice",
    "\"b\": 5, \"b\": 999999999, $.model.vocab.b: token id 999999999",
    "\"[UNK]\": 0, \"unk\": 0, $.model: unk_token"
  })
  void refusesByNamingFileAndComponent(String from, String to, String message) {
    assertThat(BERT).contains(from);
    assertThatExceptionOfType(FormatException.class)
        .isThrownBy(() -> parse(BERT.replace(from, to)))
        .withMessageStartingWith("t.json: " + message);
  }

  @Test
  void longWordsTakeNoQuadraticTime() throws IOException {
    String word = "a".repeat(300_000);
    for (String name : List.of("bert-uncased", "roberta", "llama", "t5", "continuing")) {
      long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
      assertThat(fixture(name).encode(word).length()).isPositive();
      assertThat(ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start)
          .as(name)
          .isLessThan(5_000_000_000L);
    }
    long start = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    fixture("unigram-bytes").encode("a" + "\u0301\u0323".repeat(100_000));
    assertThat(ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime() - start)
        .isLessThan(5_000_000_000L);
  }

  @Test
  void filesAreReadAgainAsTheyAre() throws IOException {
    Path file = GoldenTokenizersTest.fixtures().get(0);
    Tokenizer parsed = Tokenizer.parse(Files.readAllBytes(file), "x");
    assertThat(parsed.encode("tacet")).isEqualTo(Tokenizer.open(file).encode("tacet"));
  }
}
