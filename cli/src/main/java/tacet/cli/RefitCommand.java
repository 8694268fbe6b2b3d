package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.Problem;
import tacet.deft.Refit;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.transformer.Activation;
import tacet.transformer.Part;
import tacet.transformer.checkpoint.Json;

/** {@code tacet refit}: a model with another activation that gives what it gave. */
@Command(
    name = "refit",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Puts another activation (--activation relu) in the place of a model's, refits the second matrix"
          + " of every MLP by least squares, so that the model gives what it gave, and writes it as a"
          + " Hugging Face directory. Takes a minute, needs some texts and no labels; a model with"
          + " ReLU is sparse before anything is tuned.",
      "Several tasks may be named, with commas; --data is then the folder of their folders."
    })
final class RefitCommand implements Callable<Integer> {
  private static final int BATCH = 32;

  @Mixin private ModelOptions model;

  @Mixin private TaskOptions data;

  @Option(
      names = "--samples",
      paramLabel = "N",
      description =
          "Training examples of each task to fit on (300): all together they should have several"
              + " times as many tokens as an MLP has neurons.")
  private int samples = 300;

  @Option(names = "--seed", paramLabel = "N", description = "Of the choice of examples (1).")
  private long seed = 1;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Mixin private Common common;

  private RefitCommand() {}

  @Override
  public Integer call() throws IOException {
    if (model.chosen() == null) {
      throw common.usage("--activation is needed: what to put in the place of the model's");
    }
    if (samples < 1) {
      throw common.usage("--samples must be at least 1");
    }
    try (Engine engine = common.engine();
        ModelSource source = model.open()) {
      List<Problem<?>> problems = new ArrayList<>();
      for (TaskOptions task : data.each()) {
        Work.Share share = new Work.Share(Integer.MAX_VALUE, 0);
        problems.add(Work.of(model, source, task, seed, share).problem());
      }
      Part tree =
          source.isImageModel()
              ? source.imageModel()
              : source.isSeq2Seq() ? source.seq2seq() : source.model();
      refit(engine, source, tree, problems);
    }
    return 0;
  }

  private <M extends Part> void refit(
      Engine engine, ModelSource source, M tree, List<Problem<?>> problems) throws IOException {
    List<Problem.Load<M>> loads = new ArrayList<>();
    for (Problem<?> problem : problems) {
      @SuppressWarnings(
          "unchecked") // tasks of a source are for models of its kind, as Work sees to
      Problem<M> own = (Problem<M>) problem;
      loads.addAll(loads(own));
    }
    List<Object> layers = new ArrayList<>();
    Progress progress = common.progress();
    M fitted =
        Refit.activation(
            engine,
            tree,
            Activation.of(model.chosen()),
            loads,
            fit -> {
              progress.say(
                  String.format(
                      Locale.ROOT,
                      "%s: misses %.1f %% of the stream before, %.1f %% after; density %.1f %%",
                      fit.layer(),
                      100 * fit.before(),
                      100 * fit.after(),
                      fit.density()));
              Map<String, Object> row = new LinkedHashMap<>();
              row.put("layer", fit.layer());
              row.put("missed_before", fit.before());
              row.put("missed_after", fit.after());
              row.put("density", fit.density());
              layers.add(row);
            });
    new ModelFolder(source).withActivation(out, fitted, model.chosen());
    if (common.json) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("out", out.toString());
      result.put("layers", layers);
      common.out().println(Json.of(result));
    }
  }

  /** Random training examples, the same for the same seed; those of like length together. */
  private <M extends Part> List<Problem.Load<M>> loads(Problem<M> problem) {
    int[] order = RandomStream.of(seed, "refit", 0).permutation(problem.size());
    Integer[] chosen = Arrays.stream(order).limit(samples).boxed().toArray(Integer[]::new);
    Arrays.sort(chosen, (a, b) -> Integer.compare(problem.length(a), problem.length(b)));
    List<Problem.Load<M>> loads = new ArrayList<>();
    for (int from = 0; from < chosen.length; from += BATCH) {
      int to = Math.min(chosen.length, from + BATCH);
      int[] batch = Arrays.stream(chosen, from, to).mapToInt(Integer::intValue).toArray();
      loads.add(problem.load(batch, seed, 0));
    }
    return loads;
  }
}
