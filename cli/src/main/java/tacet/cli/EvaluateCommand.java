package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.Dataset;
import tacet.deft.Evaluator;
import tacet.deft.report.RunMetrics;
import tacet.deft.task.Task;
import tacet.peft.AdapterFile;
import tacet.tensor.Engine;
import tacet.tensor.measure.Host;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Json;

/** {@code tacet evaluate}: metric, densities per layer, time and memory of a model on a task. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Prints the metric, the density per layer, time and memory of a model on a task.")
final class EvaluateCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;

  @Option(
      names = "--adapter",
      paramLabel = "DIR",
      description = "An adapter in peft's or AdapterHub's format.")
  private Path adapter;

  @Mixin private TaskOptions data;

  @Option(names = "--seed", paramLabel = "N", description = "Of a built-in task's data (1).")
  private long seed = 1;

  @Mixin private Common common;

  private EvaluateCommand() {}

  @Override
  public Integer call() throws IOException {
    Task task = data.task(seed);
    try (Engine engine = common.engine();
        ModelSource source = model.open()) {
      Dataset dev = source.dataset(task.dev().read(), data.maxLength());
      TextModel base = model.classifier(source, task.outputs(), seed).model();
      TextModel plain = base;
      String method = "none";
      long trainable = 0;
      long all = Surgery.count(Surgery.parameters(base));
      if (adapter != null) {
        AdapterFile.Loaded<TextModel> loaded = AdapterFile.load(adapter, base);
        trainable = Surgery.count(Surgery.trainable(loaded.model()));
        all = Surgery.count(Surgery.parameters(loaded.model()));
        plain = TunedModel.merged(loaded.model());
        method = loaded.method().name();
      } else if (!source.hasClassifier()) {
        throw new UserException(
            source.name() + " has no classification head; name an adapter with --adapter");
      }
      Evaluator.Result result = Evaluator.evaluate(engine, plain, dev, task);
      Map<String, Object> configuration = new LinkedHashMap<>();
      configuration.put("model", source.name());
      configuration.put("adapter", adapter == null ? null : adapter.toString());
      configuration.put("activation", model.activation());
      configuration.put("weights", model.weights());
      configuration.put("max_length", data.maxLength());
      RunMetrics metrics =
          new RunMetrics(
              task.name(),
              method,
              result.score(),
              result.metrics(),
              result.density(),
              null,
              trainable,
              100.0 * trainable / all,
              Map.of("evaluate", result.seconds()),
              Host.peakMemoryMb(),
              Json.of(configuration));
      Summary.print(common, metrics);
    }
    return 0;
  }
}
