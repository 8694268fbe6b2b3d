package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.autograd.Parameter;
import tacet.deft.Ada;
import tacet.deft.Evaluator;
import tacet.deft.report.RunMetrics;
import tacet.peft.AdapterFile;
import tacet.tensor.Engine;
import tacet.tensor.measure.Host;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
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

  @Option(names = "--out", paramLabel = "F", description = "Write the result as metrics.json too.")
  private Path out;

  @Mixin private DensityDetails details;
  @Mixin private Common common;

  private EvaluateCommand() {}

  @Override
  public Integer call() throws IOException {
    details.check(common);
    try (Engine engine = common.engine();
        ModelSource source = model.open()) {
      return evaluate(engine, source, Work.of(model, source, data, seed, Work.Share.NONE));
    }
  }

  /** What the weights take in memory as they are kept: in floats, or in fewer bits. */
  private static double megabytes(Part model) {
    long bytes = 0;
    for (Parameter p : Surgery.parameters(model).values()) {
      bytes += p.compact() != null ? p.compact().bytes() : 4L * p.shape().size();
    }
    return bytes / (double) (1 << 20);
  }

  private <M extends Part> int evaluate(Engine engine, ModelSource source, Work<M> work)
      throws IOException {
    M base = work.model();
    M plain = base;
    String method = "none";
    long trainable = 0;
    long all = Surgery.count(Surgery.parameters(base));
    if (adapter != null) {
      AdapterFile.Loaded<M> loaded = source.adapted(base, adapter);
      trainable = Surgery.count(Surgery.trainable(loaded.model()));
      all = Surgery.count(Surgery.parameters(loaded.model()));
      method = loaded.method().name();
      plain = Ada.finish(TunedModel.merged(Ada.load(adapter, loaded.model())));
    } else if (!source.hasHead()) {
      throw new UserException(
          source.name() + " has no head for the task; name an adapter with --adapter");
    }
    Evaluator.Result result = work.problem().evaluate(engine, plain);
    Map<String, Object> configuration = new LinkedHashMap<>();
    configuration.put("model", source.name());
    configuration.put("adapter", adapter == null ? null : adapter.toString());
    configuration.put("activation", model.activation());
    configuration.put("weights", model.weights());
    configuration.put("max_length", data.maxLength());
    configuration.put("skipped_blocks", Ada.skipped(plain));
    configuration.put("weights_mb", megabytes(plain));
    RunMetrics metrics =
        new RunMetrics(
            work.problem().name(),
            method,
            result.score(),
            result.metrics(),
            result.density(),
            result.decoder(),
            trainable,
            100.0 * trainable / all,
            Map.of("evaluate", result.seconds()),
            Host.peakMemoryMb(),
            Json.of(configuration));
    if (out != null) {
      metrics.write(out);
    }
    if (common.json) {
      Map<String, Object> json = new LinkedHashMap<>(metrics.toJson().members());
      json.putAll(details.run(engine, plain, work.problem(), common));
      common.out().println(Json.of(json));
    } else {
      Summary.print(common, metrics);
      details.run(engine, plain, work.problem(), common);
    }
    return 0;
  }
}
