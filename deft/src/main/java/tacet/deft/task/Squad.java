package tacet.deft.task;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * SQuAD v1.1: questions whose answer is a piece of a paragraph. The reader of its JSON files and
 * the official metrics, exact match and F1.
 *
 * <p>Answers are compared after normalisation: lower case, without ASCII punctuation, without the
 * articles a, an, the, white space collapsed. A prediction is judged by the reference that suits it
 * best, and a question without a prediction counts as wrong.
 */
public final class Squad {
  private Squad() {}

  /**
   * A question about a paragraph.
   *
   * @param id unique within a file
   * @param context the paragraph
   * @param question the question
   * @param answers reference answers, at least one; train files have exactly one
   */
  public record Question(String id, String context, String question, List<Answer> answers) {
    /** Copies the list; there must be an answer, and it must lie where it says. */
    public Question {
      answers = List.copyOf(answers);
      if (answers.isEmpty()) {
        throw new IllegalArgumentException("question " + id + " has no answer");
      }
      for (Answer a : answers) {
        if (a.start < 0 || !context.startsWith(a.text, a.start)) {
          throw new IllegalArgumentException(
              "question " + id + ": no answer \"" + a.text + "\" at character " + a.start);
        }
      }
    }
  }

  /**
   * A reference answer.
   *
   * @param text a piece of the context
   * @param start where it begins there, in Java characters (files count code points)
   */
  public record Answer(String text, int start) {}

  /**
   * Scores in percent.
   *
   * @param exactMatch share of predictions that equal a reference
   * @param f1 mean overlap of the words of prediction and reference
   */
  public record Scores(double exactMatch, double f1) {}

  // ---------------------------------------------------------------- reading

  /**
   * Reads a file in the form of train-v1.1.json, in file order.
   *
   * @throws FormatException if it has another form, naming file and place
   * @throws IOException if it cannot be read
   */
  public static List<Question> read(Path file) throws IOException {
    List<Question> questions = new ArrayList<>();
    Set<String> ids = new HashSet<>();
    for (Json article : Json.read(file).get("data").elements()) {
      for (Json paragraph : article.get("paragraphs").elements()) {
        String context = paragraph.get("context").asString();
        for (Json qa : paragraph.get("qas").elements()) {
          Question q = question(qa, context);
          if (!ids.add(q.id)) {
            throw qa.error("question id \"" + q.id + "\" occurs twice");
          }
          questions.add(q);
        }
      }
    }
    if (questions.isEmpty()) {
      throw new FormatException(file.toString(), "there is no question in it");
    }
    return questions;
  }

  private static Question question(Json qa, String context) throws FormatException {
    List<Answer> answers = new ArrayList<>();
    for (Json answer : qa.get("answers").elements()) {
      int codePoints = answer.get("answer_start").asInt();
      if (codePoints < 0 || codePoints > context.codePointCount(0, context.length())) {
        throw answer.error("answer_start " + codePoints + " lies outside of the context");
      }
      int start = context.offsetByCodePoints(0, codePoints);
      answers.add(new Answer(answer.get("text").asString(), start));
    }
    try {
      String id = qa.get("id").asString();
      return new Question(id, context, qa.get("question").asString().strip(), answers);
    } catch (IllegalArgumentException e) {
      throw qa.error(e.getMessage());
    }
  }

  // ---------------------------------------------------------------- metrics

  /**
   * The official scores.
   *
   * @param questions what was asked, at least one
   * @param predictions answers by the question's id
   */
  public static Scores score(List<Question> questions, Map<String, String> predictions) {
    if (questions.isEmpty()) {
      throw new IllegalArgumentException("no question");
    }
    double exact = 0;
    double f1 = 0;
    for (Question q : questions) {
      String prediction = predictions.get(q.id);
      if (prediction != null) {
        exact += q.answers.stream().anyMatch(a -> exactMatch(prediction, a.text)) ? 1 : 0;
        f1 += q.answers.stream().mapToDouble(a -> f1(prediction, a.text)).max().orElseThrow();
      }
    }
    return new Scores(100 * exact / questions.size(), 100 * f1 / questions.size());
  }

  /** Whether both are the same after normalisation. */
  public static boolean exactMatch(String prediction, String reference) {
    return normalize(prediction).equals(normalize(reference));
  }

  /**
   * Harmonic mean of precision and recall of the words, counted with repetition, after
   * normalisation. As in the evaluation of v1.1, 0 where no word is shared: also if there is none.
   */
  public static double f1(String prediction, String reference) {
    List<String> predicted = List.of(normalize(prediction).split(" "));
    List<String> expected = List.of(normalize(reference).split(" "));
    Map<String, Long> counts =
        expected.stream().collect(Collectors.groupingBy(w -> w, Collectors.counting()));
    double shared = 0;
    for (String word : predicted) {
      if (!word.isEmpty() && counts.merge(word, -1L, Long::sum) >= 0) {
        shared++;
      }
    }
    return shared == 0 ? 0 : 2 * shared / (predicted.size() + expected.size());
  }

  /** Lower case, no ASCII punctuation, no articles, single spaces. */
  public static String normalize(String answer) {
    String plain =
        answer
            .toLowerCase(Locale.ROOT)
            .codePoints()
            .filter(c -> !isAsciiPunctuation(c))
            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
            .toString();
    StringBuilder out = new StringBuilder();
    for (int i = 0; i < plain.length(); ) {
      int start = i;
      boolean word = isWord(plain.codePointAt(i));
      while (i < plain.length() && isWord(plain.codePointAt(i)) == word) {
        i += Character.charCount(plain.codePointAt(i));
      }
      String run = plain.substring(start, i);
      out.append(word && (run.equals("a") || run.equals("an") || run.equals("the")) ? " " : run);
    }
    return collapse(out);
  }

  private static boolean isAsciiPunctuation(int c) {
    return c > ' ' && c < 0x7F && !Character.isLetterOrDigit(c);
  }

  /** What the official program's regular expressions take for part of a word: letter, number, _. */
  private static boolean isWord(int c) {
    return switch (Character.getType(c)) {
      case Character.DECIMAL_DIGIT_NUMBER, Character.LETTER_NUMBER, Character.OTHER_NUMBER -> true;
      default -> Character.isLetter(c) || c == '_';
    };
  }

  private static String collapse(CharSequence text) {
    StringBuilder out = new StringBuilder();
    boolean gap = false;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isWhitespace(c) || Character.isSpaceChar(c) || c == '\u0085') {
        gap = !out.isEmpty();
      } else {
        out.append(gap ? " " : "").append(c);
        gap = false;
      }
    }
    return out.toString();
  }
}
