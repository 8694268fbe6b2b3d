package tacet.transformer.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.text.Normalizer.Form;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import tacet.transformer.checkpoint.Json;

/** The models and Unicode forms against slow and obvious versions of themselves. */
class ModelsTest {
  private static final int RUNS = 2000;

  private static String word(SplittableRandom random, int maxLength, String alphabet) {
    StringBuilder s = new StringBuilder();
    for (int n = 1 + random.nextInt(maxLength); n > 0; n--) {
      s.append(alphabet.charAt(random.nextInt(alphabet.length())));
    }
    return s.toString();
  }

  private static List<String> tokens(Model model, String word) {
    TokenList out = new TokenList(word);
    model.tokenize(Text.of(word), out);
    List<String> tokens = new ArrayList<>();
    for (int i = 0; i < out.size; i++) {
      tokens.add(model.vocabulary().token(out.ids[i]));
      assertThat(word.substring(out.starts[i], out.ends[i])).isEqualTo(tokens.get(i));
    }
    return tokens;
  }

  @Test
  void bpeJoinsTheLowestRankLeftmostFirst() throws IOException {
    for (int seed = 0; seed < RUNS; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Map<String, Object> vocab = new LinkedHashMap<>();
      for (char c : "abcd".toCharArray()) {
        vocab.put(String.valueOf(c), vocab.size());
      }
      List<List<String>> merges = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        List<String> known = new ArrayList<>(vocab.keySet());
        String left = known.get(random.nextInt(known.size()));
        String right = known.get(random.nextInt(known.size()));
        if (!merges.contains(List.of(left, right)) && left.length() + right.length() < 9) {
          merges.add(List.of(left, right));
          vocab.putIfAbsent(left + right, vocab.size());
        }
      }
      Bpe bpe = Bpe.of(Json.of(Map.of("vocab", vocab, "merges", merges)));
      String word = word(random, 30, "abcd");
      List<String> expected = new ArrayList<>(List.of(word.split("")));
      for (int best = 0; best >= 0; ) {
        best = -1;
        int at = -1;
        for (int i = 0; i + 1 < expected.size(); i++) {
          int rank = merges.indexOf(expected.subList(i, i + 2));
          if (rank >= 0 && (best < 0 || rank < best)) {
            best = rank;
            at = i;
          }
        }
        if (best >= 0) {
          expected.set(at, expected.get(at) + expected.remove(at + 1));
        }
      }
      assertThat(tokens(bpe, word)).as("seed " + seed).isEqualTo(expected);
    }
  }

  @Test
  void unigramFindsTheBestCut() throws IOException {
    for (int seed = 0; seed < RUNS; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Map<String, Double> scores = new HashMap<>();
      List<List<Object>> vocab = new ArrayList<>(List.of(List.of("<unk>", 0.0)));
      for (char c : "abc".toCharArray()) {
        scores.put(String.valueOf(c), -5 - random.nextDouble());
      }
      for (int i = 0; i < 10; i++) {
        scores.put(word(random, 5, "abc"), -6 - 4 * random.nextDouble());
      }
      scores.forEach((piece, score) -> vocab.add(List.of(piece, score)));
      Unigram unigram = Unigram.of(Json.of(Map.of("vocab", vocab, "unk_id", 0)));
      String word = word(random, 12, "abc");
      double found = 0;
      for (String piece : tokens(unigram, word)) {
        found += scores.get(piece);
      }
      assertThat(found).as("seed " + seed).isEqualTo(best(word, scores), within());
    }
  }

  private static org.assertj.core.data.Offset<Double> within() {
    return org.assertj.core.data.Offset.offset(1e-9);
  }

  private static double best(String word, Map<String, Double> scores) {
    double best = word.isEmpty() ? 0 : Double.NEGATIVE_INFINITY;
    for (int i = 1; i <= word.length(); i++) {
      Double score = scores.get(word.substring(0, i));
      if (score != null) {
        best = Math.max(best, score + best(word.substring(i), scores));
      }
    }
    return best;
  }

  @Test
  void wordPieceTakesTheLongestToken() throws IOException {
    for (int seed = 0; seed < RUNS; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      Map<String, Object> vocab = new LinkedHashMap<>(Map.of("[UNK]", 0));
      for (int i = 0; i < 14; i++) {
        String piece = word(random, 4, "ab");
        vocab.putIfAbsent(random.nextBoolean() ? piece : "##" + piece, vocab.size());
      }
      WordPiece model = WordPiece.of(Json.of(Map.of("vocab", vocab)));
      String word = word(random, 9, "ab");
      List<String> expected = new ArrayList<>();
      for (int at = 0; at < word.length() && !expected.contains("[UNK]"); ) {
        int end = word.length();
        String prefix = at == 0 ? "" : "##";
        while (end > at && !vocab.containsKey(prefix + word.substring(at, end))) {
          end--;
        }
        if (end == at) {
          expected = List.of("[UNK]");
        } else {
          expected.add(prefix + word.substring(at, end));
          at = end;
        }
      }
      TokenList out = new TokenList(word);
      model.tokenize(Text.of(word), out);
      List<String> found = new ArrayList<>();
      for (int i = 0; i < out.size; i++) {
        found.add(model.vocabulary().token(out.ids[i]));
      }
      assertThat(found).as("seed " + seed).isEqualTo(expected);
    }
  }

  @Test
  void unicodeFormsAreJavas() {
    String alphabet = "aeÅé\u0301\u0323\u0307\u030aqﬁ①ｶﾞ\u1112\u1161\u11ab한ㄱﾡ½\u0344ﷺ\u0f73 Ω";
    for (Form form : Form.values()) {
      UnicodeForm normalizer = new UnicodeForm(form);
      for (int seed = 0; seed < RUNS; seed++) {
        String s = word(new SplittableRandom(seed), 12, alphabet);
        Text text = normalizer.normalize(Text.of(s));
        String where = form + " seed " + seed;
        assertThat(text.toString()).as(where).isEqualTo(java.text.Normalizer.normalize(s, form));
        for (int i = text.from; i < text.to; i++) {
          assertThat(text.start(i)).as(where).isBetween(0, text.end(i));
          assertThat(text.end(i)).as(where).isLessThanOrEqualTo(s.length());
        }
      }
    }
  }
}
