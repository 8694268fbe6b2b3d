package tacet.cli;

import dev.hardwood.InputFile;
import dev.hardwood.reader.ParquetFileReader;
import dev.hardwood.reader.RowReader;
import dev.hardwood.row.PqStruct;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.stream.Stream;
import tacet.deft.task.Example;
import tacet.deft.task.Glue;
import tacet.deft.task.Squad;
import tacet.deft.task.Task;
import tacet.transformer.checkpoint.FormatException;

/**
 * GLUE and SQuAD from Hugging Face's parquet files: {@code train-00000-of-00001.parquet}, {@code
 * validation-….parquet} (MNLI: {@code validation_matched-…}, {@code validation_mismatched-…}).
 */
final class ParquetTask {
  private static final String END = ".parquet";
  private static final Logger READER = Logger.getLogger("dev.hardwood"); // else it is forgotten

  private ParquetTask() {}

  /** Whether a folder holds training data in this form. */
  static boolean isIn(Path dir) {
    try {
      return !files(dir, "train").isEmpty();
    } catch (IOException e) {
      return false; // the reader of the other form will say what is wrong
    }
  }

  private static List<Path> files(Path dir, String split) throws IOException {
    try (Stream<Path> all = Files.list(dir)) {
      return all.filter(
              f -> {
                String name = f.getFileName().toString();
                return name.equals(split + END)
                    || name.startsWith(split + "-") && name.endsWith(END);
              })
          .sorted()
          .toList();
    }
  }

  private static List<Path> required(Path dir, String split) throws IOException {
    List<Path> files = files(dir, split);
    if (files.isEmpty()) {
      throw new UserException(dir + ": no " + split + "-….parquet here");
    }
    return files;
  }

  /** What is done with each row. */
  private interface Body {
    void row(Path file, RowReader row) throws IOException;
  }

  private static void read(List<Path> files, Body body) throws IOException {
    READER.setLevel(Level.WARNING); // it says how it decodes, on the stream of our progress
    for (Path file : files) {
      try (ParquetFileReader reader = ParquetFileReader.open(InputFile.of(file));
          RowReader rows = reader.rowReader()) {
        while (rows.hasNext()) {
          rows.next();
          body.row(file, rows);
        }
      } catch (FormatException | UserException e) {
        throw e;
      } catch (IOException | RuntimeException e) {
        throw new FormatException(file.toString(), "cannot be read as parquet: " + e, e);
      }
    }
  }

  // ------------------------------------------------------------------ GLUE

  /** A task of GLUE; labels are numbered as in its official files. */
  static Task glue(String name, Path dir) {
    Task official = Glue.task(name, dir); // its files are not read
    boolean mnli = official.name().equals("MNLI");
    return new Task(
        official.name(),
        official.labels(),
        official.metrics(),
        () -> examples(official, required(dir, "train")),
        () -> examples(official, required(dir, mnli ? "validation_matched" : "validation")),
        mnli
            ? Map.of("mm", () -> examples(official, required(dir, "validation_mismatched")))
            : Map.of());
  }

  /** Columns of the text and its pair. */
  private static String[] columns(String task) {
    return switch (task.toLowerCase(Locale.ROOT)) {
      case "cola", "sst-2" -> new String[] {"sentence"};
      case "mnli" -> new String[] {"premise", "hypothesis"};
      case "qnli" -> new String[] {"question", "sentence"};
      case "qqp" -> new String[] {"question1", "question2"};
      default -> new String[] {"sentence1", "sentence2"};
    };
  }

  private static List<Example> examples(Task task, List<Path> files) throws IOException {
    String[] columns = columns(task.name());
    List<Example> examples = new ArrayList<>();
    read(
        files,
        (file, row) -> {
          double label = ((Number) row.getValue("label")).doubleValue();
          boolean known =
              task.isRegression() ? label >= 0 && label <= 5 : label < task.labels().size();
          if (label < 0 || !known) {
            throw new FormatException(
                file.toString(), "row " + examples.size() + " has the label " + label);
          }
          examples.add(
              new Example(
                  row.getString(columns[0]).strip(),
                  columns.length == 1 ? null : row.getString(columns[1]).strip(),
                  label));
        });
    return examples;
  }

  // ------------------------------------------------------------------ SQuAD

  /** SQuAD's questions. */
  static List<Squad.Question> squad(Path dir, boolean dev) throws IOException {
    List<Squad.Question> questions = new ArrayList<>();
    read(
        required(dir, dev ? "validation" : "train"),
        (file, row) -> {
          String context = row.getString("context");
          PqStruct answers = row.getStruct("answers");
          List<String> texts = answers.getList("text").strings();
          List<Object> starts = answers.getList("answer_start").values();
          List<Squad.Answer> list = new ArrayList<>();
          for (int i = 0; i < texts.size(); i++) {
            int codePoints = ((Number) starts.get(i)).intValue();
            list.add(new Squad.Answer(texts.get(i), context.offsetByCodePoints(0, codePoints)));
          }
          questions.add(
              new Squad.Question(
                  row.getString("id"), context, row.getString("question").strip(), list));
        });
    return questions;
  }
}
