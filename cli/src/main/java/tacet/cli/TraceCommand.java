package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.ActivationTracer;
import tacet.deft.Dataset;
import tacet.deft.task.Task;
import tacet.hardware.ActivationTrace;
import tacet.tensor.Engine;
import tacet.transformer.checkpoint.Json;

/** {@code tacet trace}: which MLP neurons fire for which token of a task's dev set, as a file. */
@Command(
    name = "trace",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Records which MLP neurons fire for which token of a task's dev set: a bit per layer, token and"
          + " neuron. 'tacet simulate' replays the file on simulated accelerators."
    })
final class TraceCommand implements Callable<Integer> {
  private static final int[] GROUPS = {2, 4, 8};

  @Mixin private ModelOptions model;

  @Option(names = "--adapter", paramLabel = "DIR", description = "An adapter in peft's format.")
  private Path adapter;

  @Mixin private TaskOptions data;

  @Option(names = "--samples", paramLabel = "N", description = "Only the first N examples.")
  private int samples = Integer.MAX_VALUE;

  @Option(
      names = "--pad-to",
      paramLabel = "N",
      description = "Pad all sentences to N tokens (default: to the longest of a batch).")
  private int padTo;

  @Option(
      names = "--keep-padding",
      description = "Keep the rows of padding tokens, told apart from real ones.")
  private boolean keepPadding;

  @Option(names = "--batch", paramLabel = "N", description = "Sentences per forward pass (64).")
  private int batch = 64;

  @Option(
      names = "--threshold",
      paramLabel = "X",
      description = "A neuron fires if its activation is beyond X in magnitude (0: not zero).")
  private float threshold = 0;

  @Option(
      names = "--method",
      paramLabel = "TEXT",
      description =
          "How the model was tuned, for reports (default: what the adapter is, none without one).")
  private String method;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of the training run, for reports, and of a built-in task's data (1).")
  private long seed = 1;

  @Option(names = "--out", required = true, paramLabel = "F", description = "File to write.")
  private Path out;

  @Mixin private Common common;

  private TraceCommand() {}

  @Override
  public Integer call() throws IOException {
    if (samples < 1 || batch < 1 || padTo < 0) {
      throw common.usage("--samples and --batch must be at least 1, --pad-to not negative");
    }
    Task task = data.task(seed);
    Progress progress = common.progress();
    try (Engine engine = common.engine();
        ModelSource source = model.open()) {
      Dataset dev = data.judged(task, source, samples);
      TunedModel tuned = TunedModel.load(model, source, adapter, task.outputs(), seed);
      String tuning = method != null ? method : tuned.method() != null ? tuned.method() : "none";
      progress.say("tracing " + dev.size() + " examples of " + task.name());
      long start = System.nanoTime();
      ActivationTrace trace =
          ActivationTracer.trace(
              engine,
              tuned.model(),
              padTo > 0 ? dev.paddedBatches(batch, padTo) : dev.sortedBatches(batch),
              new ActivationTracer.Source(source.name(), task.name(), tuning, seed),
              threshold,
              keepPadding);
      long traced = System.nanoTime();
      trace.write(out);
      print(trace, (traced - start) * 1e-9, (System.nanoTime() - traced) * 1e-9);
    }
    return 0;
  }

  private void print(ActivationTrace trace, double forward, double write) throws IOException {
    List<String> layers = trace.header().layers();
    List<Double> densities =
        IntStream.range(0, layers.size()).mapToObj(l -> 100 * trace.density(l)).toList();
    Map<String, Double> unions = new LinkedHashMap<>();
    for (int group : GROUPS) {
      double sum = 0;
      for (int l = 0; l < layers.size(); l++) {
        sum += trace.unionDensity(l, group);
      }
      unions.put(Integer.toString(group), 100 * sum / layers.size());
    }
    double neurons = (double) trace.tokens() * layers.size() * trace.header().neurons();
    long bytes = Files.size(out);
    PrintWriter o = common.out();
    if (common.json) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("output", out.toString());
      result.put("sequences", trace.sequences());
      result.put("tokens", trace.tokens());
      result.put("neurons", trace.header().neurons());
      result.put("hidden", trace.header().hidden());
      result.put("layers", new ArrayList<>(layers));
      result.put("density", 100 * trace.density());
      result.put("layer_density", densities);
      result.put("union_density", unions);
      result.put("bytes", bytes);
      result.put("forward_seconds", forward);
      result.put("write_seconds", write);
      result.put("neurons_per_second", neurons / (forward + write));
      o.println(Json.of(result));
      return;
    }
    List<String> names = trace.header().shortLayers();
    for (int l = 0; l < names.size(); l++) {
      o.printf(Locale.ROOT, "%-24s %6.2f %%%n", names.get(l), densities.get(l));
    }
    o.printf(Locale.ROOT, "%-24s %6.2f %%%n", "density", 100 * trace.density());
    unions.forEach(
        (group, union) ->
            o.printf(Locale.ROOT, "%-24s %6.2f %%%n", "union of " + group + " tokens", union));
    o.printf(
        Locale.ROOT,
        "%d sequences, %d tokens, %.0f million neurons: %.1f s forward, %.1f s writing %.1f MB"
            + " (%.0f million neurons/s)%n",
        trace.sequences(),
        trace.tokens(),
        neurons * 1e-6,
        forward,
        write,
        bytes * 1e-6,
        neurons * 1e-6 / (forward + write));
  }
}
