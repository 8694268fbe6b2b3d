package tacet.deft.task;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tacet.transformer.checkpoint.FormatException;

/**
 * The tasks of the GLUE benchmark, read from its official tab-separated files.
 *
 * <p>The files hold one example per line and know no quoting: a {@code "} is text. Columns are
 * found by the names in the first line (MNLI's train and dev files differ in theirs); CoLA has no
 * such line, and MRPC's begins with a byte-order mark. Labels are numbered as in the Hugging Face
 * copies: entailment 0, neutral 1, contradiction 2; entailment 0, not_entailment 1.
 *
 * <p>Every line must fit, with one exception: a few questions of QQP contain line breaks, which
 * leave lines with too few columns. They are passed over (as everybody does), as long as they are
 * rare.
 */
public final class Glue {
  private static final List<String> ZERO_ONE = List.of("0", "1");
  private static final List<String> TWO_WAY = List.of("entailment", "not_entailment");
  private static final List<String> THREE_WAY = List.of("entailment", "neutral", "contradiction");
  private static final List<Metric> ACCURACY = List.of(Metric.ACCURACY);
  private static final List<Metric> WITH_F1 = List.of(Metric.ACCURACY, Metric.F1);
  private static final List<Metric> MATTHEWS = List.of(Metric.MATTHEWS);
  private static final List<Metric> CORRELATIONS = List.of(Metric.PEARSON, Metric.SPEARMAN);

  // spotless:off (a table)
  private static final List<Kind> KINDS = List.of(
      new Kind("CoLA", "3", null, "1", ZERO_ONE, List.of("unacceptable", "acceptable"), MATTHEWS),
      new Kind("SST-2", "sentence", null, "label", ZERO_ONE, List.of("negative", "positive"), ACCURACY),
      new Kind("MRPC", "#1 String", "#2 String", "Quality", ZERO_ONE, List.of("not_equivalent", "equivalent"), WITH_F1),
      new Kind("QQP", "question1", "question2", "is_duplicate", ZERO_ONE, List.of("not_duplicate", "duplicate"), WITH_F1),
      new Kind("STS-B", "sentence1", "sentence2", "score", List.of(), List.of(), CORRELATIONS),
      new Kind("MNLI", "sentence1", "sentence2", "gold_label", THREE_WAY, THREE_WAY, ACCURACY),
      new Kind("QNLI", "question", "sentence", "label", TWO_WAY, TWO_WAY, ACCURACY),
      new Kind("RTE", "sentence1", "sentence2", "label", TWO_WAY, TWO_WAY, ACCURACY));
  // spotless:on

  private static final double MAX_STS_SCORE = 5;
  private static final String MISMATCHED = "dev_mismatched.tsv";

  private Glue() {}

  /** The official names, in the order of the benchmark. */
  public static List<String> names() {
    return KINDS.stream().map(Kind::name).toList();
  }

  /** Whether {@link #task} knows the name: upper or lower case, with or without the hyphen. */
  public static boolean has(String name) {
    return KINDS.stream().anyMatch(k -> k.answersTo(name));
  }

  /**
   * A task whose files are read when its splits are.
   *
   * @param name {@code SST-2}, {@code sst2}, {@code mnli}, … see {@link #names}
   * @param dir the folder with train.tsv and dev.tsv (MNLI: dev_matched.tsv goes before dev.tsv, and
   *     dev_mismatched.tsv is another split to judge by)
   * @throws IllegalArgumentException if there is no such task
   */
  public static Task task(String name, Path dir) {
    Kind kind = kind(name);
    return new Task(
        kind.name,
        kind.classes,
        kind.metrics,
        () -> read(kind, dir.resolve("train.tsv")),
        () -> read(kind, devFile(dir)),
        Files.exists(dir.resolve(MISMATCHED)) && kind.name.equals("MNLI")
            ? Map.of("mm", () -> read(kind, dir.resolve(MISMATCHED)))
            : Map.of());
  }

  /**
   * Reads one file of a task's form, for example {@code dev_mismatched.tsv}.
   *
   * @throws FormatException if a line does not fit, naming file and line
   * @throws IOException if the file cannot be read
   */
  public static List<Example> read(String name, Path file) throws IOException {
    return read(kind(name), file);
  }

  private static Kind kind(String name) {
    return KINDS.stream()
        .filter(k -> k.answersTo(name))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    "no GLUE task \"" + name + "\"; there are " + String.join(", ", names())));
  }

  private static Path devFile(Path dir) {
    Path matched = dir.resolve("dev_matched.tsv");
    return Files.exists(matched) ? matched : dir.resolve("dev.tsv");
  }

  // ---------------------------------------------------------------- reading

  private static List<Example> read(Kind kind, Path file) throws IOException {
    List<String> lines = lines(file);
    boolean header = !kind.name.equals("CoLA");
    if (lines.size() < (header ? 2 : 1)) {
      throw new FormatException(file.toString(), "there is no example in it");
    }
    List<String> columns = header ? cells(lines.get(0)) : List.of("0", "1", "2", "3");
    int text = column(columns, kind.text, file);
    int pair = kind.pair == null ? -1 : column(columns, kind.pair, file);
    int label = column(columns, kind.label, file);
    int brokenAllowed = kind.name.equals("QQP") ? 2 + lines.size() / 1000 : 0;
    List<Example> examples = new ArrayList<>(lines.size());
    for (int i = header ? 1 : 0; i < lines.size(); i++) {
      List<String> cells = cells(lines.get(i));
      if (cells.size() != columns.size()) {
        if (cells.size() < columns.size() && brokenAllowed-- > 0) {
          continue;
        }
        throw error(file, i, cells.size() + " tab-separated columns, expected " + columns.size());
      }
      String a = cells.get(text).strip();
      String b = pair < 0 ? null : cells.get(pair).strip();
      examples.add(new Example(a, b, label(kind, cells.get(label), file, i)));
    }
    return examples;
  }

  private static double label(Kind kind, String cell, Path file, int line) throws FormatException {
    if (!kind.texts.isEmpty()) {
      int index = kind.texts.indexOf(cell);
      if (index < 0) {
        throw error(
            file, line, "label \"" + cell + "\", expected one of " + String.join(", ", kind.texts));
      }
      return index;
    }
    try {
      double score = Double.parseDouble(cell);
      if (score >= 0 && score <= MAX_STS_SCORE) {
        return score;
      }
    } catch (NumberFormatException e) {
      // falls through to the same error
    }
    throw error(file, line, "score \"" + cell + "\", expected a number from 0 to 5");
  }

  private static int column(List<String> columns, String name, Path file) throws FormatException {
    int i = columns.indexOf(name);
    if (i < 0) {
      throw error(
          file,
          0,
          "no column \""
              + name
              + "\" among "
              + String.join(", ", columns)
              + "; is it the right task?");
    }
    return i;
  }

  private static FormatException error(Path file, int index, String problem) {
    return new FormatException(file.toString(), "line " + (index + 1) + ": " + problem);
  }

  private static List<String> cells(String line) {
    return Arrays.asList(line.split("\t", -1));
  }

  /** Lines without their ends; a byte-order mark and the empty line after the last one dropped. */
  private static List<String> lines(Path file) throws IOException {
    String text;
    try {
      text =
          StandardCharsets.UTF_8
              .newDecoder()
              .decode(ByteBuffer.wrap(Files.readAllBytes(file)))
              .toString();
    } catch (CharacterCodingException e) {
      throw new FormatException(file.toString(), "not valid UTF-8", e);
    }
    // Only \n and \r\n end a line: other separators of Unicode may be part of a sentence.
    List<String> lines =
        new ArrayList<>(Arrays.asList(text.replaceFirst("^\uFEFF", "").split("\r?\n", -1)));
    if (lines.get(lines.size() - 1).isEmpty()) {
      lines.remove(lines.size() - 1);
    }
    return lines;
  }

  /**
   * The form of a task's files: names of its columns, the label texts in class order (none: a
   * score), and what the classes mean.
   */
  private record Kind(
      String name,
      String text,
      String pair,
      String label,
      List<String> texts,
      List<String> classes,
      List<Metric> metrics) {
    boolean answersTo(String other) {
      return plain(other).equals(plain(name));
    }

    private static String plain(String s) {
      return s.toLowerCase(Locale.ROOT).replace("-", "").replace("_", "");
    }
  }
}
