package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;
import tacet.deft.task.Example;
import tacet.deft.task.Glue;
import tacet.deft.task.SyntheticReviews;
import tacet.deft.task.Task;

/** Which task, and where its data is. */
final class TaskOptions {
  private static final int TRAIN = 3000;
  private static final int DEV = 600;

  @Option(
      names = "--task",
      required = true,
      paramLabel = "TASK",
      description =
          "A GLUE task (SST-2, CoLA, MRPC, QQP, STS-B, MNLI, QNLI, RTE), or reviews"
              + " (built in).")
  private String task;

  @Option(
      names = "--data",
      paramLabel = "DIR",
      description = "Folder with the task's train.tsv and dev.tsv.")
  private Path data;

  @Option(
      names = "--max-length",
      paramLabel = "N",
      description = "Longest sequence in tokens (128).")
  private int maxLength = 128;

  private TaskOptions() {}

  int maxLength() {
    return maxLength;
  }

  /** The examples to judge by. */
  List<Example> dev(Task task) throws IOException {
    return task.dev().read();
  }

  Task task(long seed) {
    if (task.equals(SyntheticReviews.NAME)) {
      return SyntheticReviews.task(seed, TRAIN, DEV);
    }
    if (!Glue.has(task)) {
      throw new UserException(
          "--task "
              + task
              + " is not known; choose one of "
              + Glue.names()
              + " or "
              + SyntheticReviews.NAME);
    }
    if (data == null) {
      throw new UserException("--task " + task + " needs --data DIR, the folder of its TSV files");
    }
    return Glue.task(task, data);
  }
}
