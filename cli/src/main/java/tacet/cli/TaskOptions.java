package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import picocli.CommandLine.Option;
import tacet.deft.Dataset;
import tacet.deft.task.Glue;
import tacet.deft.task.ImageFiles;
import tacet.deft.task.ImageTask;
import tacet.deft.task.SyntheticFacts;
import tacet.deft.task.SyntheticReviews;
import tacet.deft.task.SyntheticShapes;
import tacet.deft.task.Task;

/** Which task, and where its data is. */
final class TaskOptions {
  /** What kind of answer a task wants. */
  enum Kind {
    /** A class or a number for a text or a pair of texts. */
    TEXTS,
    /** An answer to a question about a text. */
    READING,
    /** A class for an image. */
    IMAGES
  }

  private static final String ENTAILMENT = "facts-entailment";
  private static final String SIMILARITY = "facts-similarity";
  private static final String SQUAD = "squad";
  private static final String READING = "reading";
  private static final String CIFAR = "cifar-10";
  private static final String MNIST = "mnist";
  private static final List<String> BUILT_IN =
      List.of(SyntheticReviews.NAME, ENTAILMENT, SIMILARITY, READING, SyntheticShapes.NAME);

  private static final int TRAIN = 3000;
  private static final int DEV = 600;

  @Option(
      names = "--task",
      required = true,
      paramLabel = "TASK",
      description = {
        "A GLUE task (SST-2, CoLA, MRPC, QQP, STS-B, MNLI, QNLI, RTE), squad, cifar-10 or mnist, with"
            + " --data.",
        "Or a built-in one: reviews, facts-entailment (pairs), facts-similarity (a regression),"
            + " reading (questions), shapes (images)."
      })
  private String task;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description =
          "Folder of the task's files: train.tsv and dev.tsv or parquet files; train-v1.1.json and"
              + " dev-v1.1.json; CIFAR-10's .bin files; IDX files.")
  private Path data;

  @Option(
      names = "--max-length",
      paramLabel = "N",
      description = "Longest sequence in tokens (128; for questions, of a window: 384).")
  private Integer maxLength;

  @Option(
      names = "--stride",
      paramLabel = "N",
      description = "Tokens that a question's windows overlap (128).")
  private int stride = 128;

  @Option(
      names = "--dev-samples",
      paramLabel = "N",
      description = "Judge by the first N examples only.")
  private int devSamples = Integer.MAX_VALUE;

  private TaskOptions() {}

  /**
   * One set of options for each of several tasks with commas between them; a task's files are in the
   * folder of its name, if the folder of --data has one.
   */
  List<TaskOptions> each() {
    List<TaskOptions> all = new ArrayList<>();
    for (String name : task.split(",")) {
      TaskOptions one = new TaskOptions();
      one.task = name.strip();
      one.data = data;
      if (data != null && Files.isDirectory(data.resolve(one.task))) {
        one.data = data.resolve(one.task);
      }
      one.maxLength = maxLength;
      one.stride = stride;
      one.devSamples = devSamples;
      all.add(one);
    }
    return all;
  }

  Kind kind() {
    return switch (task.toLowerCase(Locale.ROOT)) {
      case SQUAD, READING -> Kind.READING;
      case CIFAR, MNIST, SyntheticShapes.NAME -> Kind.IMAGES;
      default -> Kind.TEXTS;
    };
  }

  String name() {
    return task;
  }

  int maxLength() {
    return maxLength != null ? maxLength : kind() == Kind.READING ? 384 : 128;
  }

  int stride() {
    return stride;
  }

  int devSamples() {
    if (devSamples < 1) {
      throw new UserException("--dev-samples must be at least 1, got " + devSamples);
    }
    return devSamples;
  }

  /** The first examples to judge by, at most so many, as the model reads them. */
  Dataset judged(Task of, ModelSource source, int samples) throws IOException {
    return source.dataset(of.dev().read(), maxLength()).first(Math.min(samples, devSamples()));
  }

  /** The folder of the task's files. */
  Path data() {
    if (data == null) {
      throw noData();
    }
    return data;
  }

  private UserException noData() {
    return new UserException("--task " + task + " needs --data DIR, the folder of its files");
  }

  boolean isSquad() {
    return task.equalsIgnoreCase(SQUAD);
  }

  /** How many questions the built-in reading task has. */
  int builtIn(boolean dev, int samples) {
    return dev ? Math.min(DEV, devSamples) : toLearnFrom(samples);
  }

  /** A built-in task has as many examples to learn from as are asked for, and at least some. */
  private static int toLearnFrom(int samples) {
    return samples == Integer.MAX_VALUE ? TRAIN : Math.max(TRAIN, samples);
  }

  /** Outputs of the task's head, which do not depend on its data. */
  int outputs() {
    return switch (kind()) {
      case TEXTS -> task(0, 0, data == null ? Path.of(".") : data).outputs();
      case READING -> 2;
      case IMAGES -> images(0, 1, 0).labels().size();
    };
  }

  /** A task of texts, of which only the examples to judge by are used. */
  Task task(long seed) {
    return task(seed, 0);
  }

  /**
   * A task of texts.
   *
   * @param samples how many examples to learn from are wanted
   */
  Task task(long seed, int samples) {
    return task(seed, samples, data);
  }

  private Task task(long seed, int samples, Path dir) {
    int train = toLearnFrom(samples);
    switch (task) {
      case SyntheticReviews.NAME:
        return SyntheticReviews.task(seed, train, DEV);
      case ENTAILMENT:
        return SyntheticFacts.entailment(seed, train, DEV);
      case SIMILARITY:
        return SyntheticFacts.similarity(seed, train, DEV);
      default:
        break;
    }
    if (kind() != Kind.TEXTS) {
      throw new UserException("--task " + task + " is not one of texts and classes");
    }
    if (!Glue.has(task)) {
      List<String> names = new ArrayList<>(Glue.names());
      names.addAll(List.of(SQUAD, CIFAR, MNIST));
      names.addAll(BUILT_IN);
      throw new UserException("--task " + task + " is not known; choose one of " + names);
    }
    if (dir == null) {
      throw noData();
    }
    return ParquetTask.isIn(dir) ? ParquetTask.glue(task, dir) : Glue.task(task, dir);
  }

  /**
   * A task of images.
   *
   * @param samples how many examples to learn from are wanted
   */
  ImageTask images(long seed, int side, int samples) {
    return switch (task.toLowerCase(Locale.ROOT)) {
      case CIFAR -> ImageFiles.cifar10(side == 1 ? Path.of(".") : data());
      case MNIST -> ImageFiles.idx(MNIST, side == 1 ? Path.of(".") : data());
      default -> SyntheticShapes.task(seed, toLearnFrom(samples), DEV, side);
    };
  }
}
