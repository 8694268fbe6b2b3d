package tacet.transformer.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.transformer.checkpoint.FormatException;

/** Tokenizers from the files of the time before tokenizer.json. */
class TokenizerFilesTest {
  @TempDir Path dir;

  private void write(String name, String content) throws IOException {
    Files.writeString(dir.resolve(name), content);
  }

  // ---------------------------------------------------------------- vocab.txt

  @Test
  void vocabTxtWithoutCapitalsIsUncased() throws IOException {
    write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhi\n##gh\ncafe\n");
    Encoding e = Tokenizer.open(dir).encode("HIGH Café [MASK]");
    assertThat(e.ids()).containsExactly(2, 5, 6, 7, 4, 3);
  }

  @Test
  void vocabTxtWithCapitalsIsCased() throws IOException {
    write("vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nHi\r\nhi\r\n");
    assertThat(Tokenizer.open(dir).encode("Hi hi HI").ids()).containsExactly(2, 4, 5, 1, 3);
  }

  @Test
  void tokenizerConfigHasTheLastWord() throws IOException {
    write("vocab.txt", "[PAD]\n[UNK]\n<c>\n<s>\nHi\nhi\né\n");
    write(
        "tokenizer_config.json",
        "{\"do_lower_case\": true, \"strip_accents\": false, \"cls_token\": \"<c>\","
            + " \"sep_token\": {\"content\": \"<s>\"}}");
    Tokenizer t = Tokenizer.open(dir.resolve("vocab.txt"));
    assertThat(t.encode("Hi É").ids()).containsExactly(2, 5, 6, 3);
    assertThat(t.clsId()).isEqualTo(2);
    assertThat(t.sepId()).isEqualTo(3);
  }

  /** The ids are those of transformers 5.18's BertTokenizer for the same files. */
  @Test
  void tokensAddedLaterAreFound() throws IOException {
    write(
        "vocab.txt",
        "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nworld\n<\n>\nent\n##ity\nentity\n");
    write("added_tokens.json", "{\"<entity>\": 12, \"<Two>\": 13}");
    Tokenizer t = Tokenizer.open(dir);
    assertThat(t.encode("hello <entity> world").ids()).containsExactly(2, 5, 12, 6, 3);
    assertThat(t.encode("<entity><entity>").ids()).containsExactly(2, 12, 12, 3);
    assertThat(t.encode("hello <TWO>world").ids()).containsExactly(2, 5, 13, 6, 3);
    assertThat(t.vocabularySize()).isEqualTo(14);

    write(
        "tokenizer_config.json",
        "{\"added_tokens_decoder\": {\"4\": {\"content\": \"[MASK]\", \"special\": true},"
            + " \"12\": {\"content\": \"<Own>\", \"normalized\": false, \"special\": true}}}");
    t = Tokenizer.open(dir);
    assertThat(t.encode("hello <Own>world").ids()).containsExactly(2, 5, 12, 6, 3);
    assertThat(t.encode("<own>").ids()).containsExactly(2, 7, 1, 8, 3);
    assertThat(t.decode(new int[] {5, 12, 6}, true)).isEqualTo("hello world");

    write("tokenizer_config.json", "{\"added_tokens_decoder\": {\"5\": {\"content\": \"<Own>\"}}}");
    assertThatExceptionOfType(FormatException.class)
        .isThrownBy(() -> Tokenizer.open(dir))
        .withMessageContaining("\"<Own>\" has the id 5 of \"hello\"");
  }

  /** Byte-level vocabularies and SentencePiece's have them in the same places. */
  @Test
  void tokensAddedToMergesAreFound() throws IOException {
    writeBpe(ROBERTA);
    write("added_tokens.json", "{\"<new>\": 10}");
    assertThat(Tokenizer.open(dir).encode("hi<new>hi").ids()).containsExactly(0, 8, 10, 8, 2);
  }

  @Test
  void vocabTxtNeedsItsSpecialTokens() throws IOException {
    write("vocab.txt", "[UNK]\nhi\n");
    assertThatExceptionOfType(FormatException.class)
        .isThrownBy(() -> Tokenizer.open(dir))
        .withMessageContaining("vocab.txt: \"[SEP]\" is not in the vocabulary");
  }

  // ---------------------------------------------------------------- vocab.json + merges.txt

  private void writeBpe(String special) throws IOException {
    write("vocab.json", "{" + special + "\"h\": 5, \"i\": 6, \"Ġ\": 7, \"hi\": 8, \"Ġhi\": 9}");
    write("merges.txt", "#version: 0.2\nh i\nĠ hi\n");
  }

  private static final String ROBERTA =
      "\"<s>\": 0, \"<pad>\": 1, \"</s>\": 2, \"<unk>\": 3, \"<mask>\": 4, ";

  @Test
  void mergesWithMaskAreRoberta() throws IOException {
    writeBpe(ROBERTA);
    Tokenizer t = Tokenizer.open(dir);
    assertThat(t.encode("hi <mask> hi", "hi").ids()).containsExactly(0, 8, 4, 9, 2, 2, 8, 2);
    assertThat(t.encode("hi hi").starts()).containsExactly(0, 0, 3, 0);
    assertThat(t.padId()).isEqualTo(1);
  }

  @Test
  void mergesWithoutMaskAreGpt2() throws IOException {
    writeBpe("\"<|endoftext|>\": 0, ");
    Tokenizer t = Tokenizer.open(dir.resolve("merges.txt"));
    assertThat(t.encode("hi hi<|endoftext|>").ids()).containsExactly(8, 9, 0);
    assertThat(t.eosId()).isZero();
    assertThat(t.decode(new int[] {8, 9, 0}, true)).isEqualTo("hi hi");
  }

  @Test
  void optBeginsWithItsEndToken() throws IOException {
    writeBpe(ROBERTA);
    write("config.json", "{\"model_type\": \"opt\"}");
    assertThat(Tokenizer.open(dir).encode("hi", "hi").ids()).containsExactly(2, 8, 2, 8);
  }

  @Test
  void mergesMustBeInTheVocabulary() throws IOException {
    writeBpe(ROBERTA);
    write("merges.txt", "#version: 0.2\nh x\n");
    assertThatExceptionOfType(FormatException.class)
        .isThrownBy(() -> Tokenizer.open(dir))
        .withMessageContaining("$.model.merges[0]: \"x\" is not in the vocabulary");
  }

  // ---------------------------------------------------------------- spiece.model

  private static byte[] field(int number, byte[] content) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(number << 3 | 2);
    out.write(content.length);
    out.writeBytes(content);
    return out.toByteArray();
  }

  private static byte[] piece(String text, float score, int kind) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(field(1, text.getBytes(StandardCharsets.UTF_8)));
    int bits = Float.floatToIntBits(score);
    out.write(2 << 3 | 5);
    for (int i = 0; i < 4; i++) {
      out.write(bits >>> 8 * i);
    }
    out.write(3 << 3);
    out.write(kind);
    return field(1, out.toByteArray());
  }

  private static byte[] model(int modelType) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.writeBytes(piece("<pad>", 0, 3));
    out.writeBytes(piece("</s>", 0, 3));
    out.writeBytes(piece("<unk>", 0, 2));
    out.writeBytes(piece("▁", -3, 1));
    out.writeBytes(piece("▁hi", -4, 1));
    out.writeBytes(piece("h", -5, 1));
    out.writeBytes(field(2, new byte[] {3 << 3, (byte) modelType}));
    return out.toByteArray();
  }

  @Test
  void spieceModelIsT5() throws IOException {
    Files.write(dir.resolve("spiece.model"), model(1));
    Tokenizer t = Tokenizer.open(dir);
    assertThat(t.encode("hi  hx<extra_id_0>").ids()).containsExactly(4, 3, 5, 2, 105, 1);
    assertThat(t.encode("hi", "hi").ids()).containsExactly(4, 1, 4, 1);
    assertThat(t.vocabularySize()).isEqualTo(106);
    assertThat(t.decode(new int[] {4, 4, 1}, true)).isEqualTo("hi hi");
    write("tokenizer_config.json", "{\"extra_ids\": 2}");
    assertThat(Tokenizer.open(dir).vocabularySize()).isEqualTo(8);
  }

  @Test
  void otherSentencePieceModelsAreRefused() throws IOException {
    Files.write(dir.resolve("spiece.model"), model(2));
    assertThatExceptionOfType(FormatException.class)
        .isThrownBy(() -> Tokenizer.open(dir))
        .withMessageContaining("spiece.model: SentencePiece model type 2");
  }

  @Test
  void damagedModelsAreReadOrRefused() throws IOException {
    byte[] good = model(1);
    Path file = dir.resolve("spiece.model");
    int refused = 0;
    for (int seed = 0; seed < 1000; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      byte[] bad = good.clone();
      bad[random.nextInt(bad.length)] = (byte) random.nextInt(256);
      bad = seed % 3 == 0 ? Arrays.copyOf(bad, random.nextInt(bad.length)) : bad;
      Files.write(file, bad);
      try {
        Tokenizer.open(file).encode("hi hx");
      } catch (FormatException e) {
        refused++;
      } catch (RuntimeException e) {
        throw new AssertionError("seed " + seed + ": " + e, e);
      }
    }
    assertThat(refused).isBetween(300, 999);
  }

  @Test
  void aDirectoryWithoutTokenizerIsNamed() {
    assertThatExceptionOfType(NoSuchFileException.class)
        .isThrownBy(() -> Tokenizer.open(dir))
        .withMessageContaining(dir.toString())
        .withMessageContaining("tokenizer.json");
  }
}
