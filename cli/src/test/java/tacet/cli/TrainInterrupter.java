package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import tacet.deft.Dataset;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.deft.Ramp;
import tacet.deft.TextProblem;
import tacet.deft.Trainer;
import tacet.deft.report.LogEntry;
import tacet.deft.report.RunLog;
import tacet.deft.task.Glue;
import tacet.deft.task.Task;
import tacet.peft.Lora;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.TextModel;

/** The run of {@link TrainTest}, ended by an exception in the middle of an epoch. */
final class TrainInterrupter {
  private static final class Stop extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  private TrainInterrupter() {}

  static void run(Path model, Path data, Path out, int epochs) throws IOException {
    Task task = Glue.task("SST-2", data);
    try (Engine engine = Engine.ofThreads(1);
        ModelSource source = ModelSource.open(model.toString())) {
      Lora lora =
          new Lora(
              4,
              16,
              0.1,
              false,
              Targets.of("query", "value", "intermediate.dense", "output.dense"),
              List.of("classifier"));
      TextModel adapted = lora.applyTo(source.classifier(2, 1).model(), 1);
      Dataset train = Dataset.of(task.train().read(), source.tokenizer(), 128);
      Dataset dev = Dataset.of(task.dev().read(), source.tokenizer(), 128);
      DensityLoss loss = new DensityLoss(Surrogate.L0, 1e-3, 0.1, Padding.MASKED);
      Trainer<TextModel> trainer =
          new Trainer<>(
              engine,
              adapted,
              new TextProblem(task, train, dev),
              Trainer.Settings.of(4, 8, 1e-2, 1, loss, Ramp.NONE));
      Files.createDirectories(out);
      try (RunLog log = RunLog.create(out.resolve("log.jsonl"))) {
        trainer.run(
            out,
            new Trainer.Listener() {
              @Override
              public void step(LogEntry.Step e) throws IOException {
                log.add(e);
                if (e.step() == epochs * 12 + 5) {
                  throw new Stop();
                }
              }

              @Override
              public void evaluated(LogEntry.Evaluation e) throws IOException {
                log.add(e);
              }
            },
            () -> false);
      } catch (Stop e) {
        return;
      }
      throw new AssertionError("the run was not interrupted");
    }
  }
}
