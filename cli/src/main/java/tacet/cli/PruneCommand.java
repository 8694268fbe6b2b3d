package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.Evaluator;
import tacet.deft.Problem;
import tacet.deft.Wanda;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.transformer.Part;
import tacet.transformer.checkpoint.Json;

/** {@code tacet prune}: WANDA on the first matrix of every MLP of a tuned model. */
@Command(
    name = "prune",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Sets the weights of the first matrix of every MLP to zero that matter least (WANDA: |W| times"
          + " the norm of its input over calibration examples), and judges what is left.",
      "With several sparsities it prints a curve; with one and --out it writes the model."
    })
final class PruneCommand implements Callable<Integer> {
  private static final int BATCH = 16;

  @Mixin private ModelOptions model;

  @Option(names = "--adapter", paramLabel = "DIR", description = "An adapter, merged first.")
  private Path adapter;

  @Mixin private TaskOptions data;

  @Option(
      names = "--sparsity",
      split = ",",
      paramLabel = "X",
      description = "Shares of zeros per output, from 0 to 1 (0.5).")
  private List<Double> sparsities = List.of(0.5);

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "Training examples to calibrate on (128).")
  private int samples = 128;

  @Option(names = "--seed", paramLabel = "N", description = "Of the choice of examples (1).")
  private long seed = 1;

  @Option(names = "--out", paramLabel = "DIR", description = "Where to write the model.")
  private Path out;

  @Mixin private Common common;

  private PruneCommand() {}

  @Override
  public Integer call() throws IOException {
    if (out != null && sparsities.size() != 1) {
      throw common.usage("--out needs exactly one --sparsity");
    }
    if (samples < 1) {
      throw common.usage("--samples must be at least 1");
    }
    try (Engine engine = common.engine();
        ModelSource source = model.open()) {
      return prune(
          engine, source, Work.of(model, source, data, seed, new Work.Share(Integer.MAX_VALUE, 0)));
    }
  }

  private <M extends Part> int prune(Engine engine, ModelSource source, Work<M> work)
      throws IOException {
    M tuned = TunedModel.of(work, source, adapter);
    Problem<M> problem = work.problem();
    Map<String, double[]> norms = Wanda.inputNorms(engine, tuned, calibration(problem));
    List<Object> rows = new ArrayList<>();
    PrintWriter print = common.out();
    if (!common.json) {
      print.printf(Locale.ROOT, "%10s %10s %10s%n", "sparsity", "score", "density %");
    }
    for (double sparsity : sparsities) {
      M pruned = Wanda.prune(tuned, norms, sparsity);
      Evaluator.Result r = problem.evaluate(engine, pruned);
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("sparsity", sparsity);
      row.put("score", r.score());
      row.put("metrics", r.metrics());
      row.put("density", r.density().toJson());
      if (r.decoder() != null) {
        row.put("decoder_density", r.decoder().toJson());
      }
      rows.add(row);
      if (!common.json) {
        print.printf(
            Locale.ROOT, "%10.2f %10.2f %10.2f%n", sparsity, r.score(), r.density().exact());
      }
      if (out != null) {
        work.writer().write(out, pruned);
      }
    }
    if (common.json) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("task", problem.name());
      result.put("samples", Math.min(samples, problem.size()));
      result.put("points", rows);
      print.println(Json.of(result));
    }
    return 0;
  }

  /** Random training examples, the same for the same seed. */
  private <M extends Part> List<Problem.Load<M>> calibration(Problem<M> problem) {
    int[] order = RandomStream.of(seed, "calibration", 0).permutation(problem.size());
    int n = Math.min(samples, order.length);
    List<Problem.Load<M>> loads = new ArrayList<>();
    for (int from = 0; from < n; from += BATCH) {
      loads.add(
          problem.load(
              java.util.Arrays.copyOfRange(order, from, Math.min(n, from + BATCH)), seed, 0));
    }
    return loads;
  }
}
