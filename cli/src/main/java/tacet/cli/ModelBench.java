package tacet.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Pass;
import tacet.deft.SilentModel;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.measure.Interleaved;
import tacet.transformer.Batch;
import tacet.transformer.TextModel;

/**
 * Inference of a model as it is, and with ReLU and most neurons silent.
 *
 * @param name of the model
 * @param milliseconds of a pass by batch x length, the model as it is
 * @param silentShape batch x length of the silent model
 * @param density share of neurons that speak in the silent model
 * @param dense milliseconds of the silent model, every zero multiplied
 * @param sparse milliseconds with zeros skipped
 * @param speedUp how many times faster that is
 */
record ModelBench(
    String name,
    Map<String, Double> milliseconds,
    String silentShape,
    double density,
    double dense,
    double sparse,
    double speedUp) {
  private static final double DENSITY = 0.04; // what DEFT reaches
  private static final int[] LARGEST = {8, 128};
  private static final int[][] SHAPES = {{1, 32}, {1, 128}, LARGEST};

  static ModelBench run(
      Engine engine, ModelSource source, Interleaved.Settings settings, boolean quick)
      throws IOException {
    TextModel model = source.encoder();
    int vocabulary = source.config().get("vocab_size").asInt();
    int longest = source.config().intOr("max_position_embeddings", 512);
    List<Batch> batches =
        Arrays.stream(quick ? new int[][] {LARGEST} : SHAPES)
            .map(shape -> batch(shape[0], Math.min(shape[1], longest), vocabulary))
            .toList();
    Batch last = batches.get(batches.size() - 1);
    TextModel silent =
        SilentModel.of(engine, ModelOptions.withActivation(model, "relu"), DENSITY, last);
    Engine dense = engine.alwaysDense();
    List<Runnable> jobs = new ArrayList<>();
    batches.forEach(b -> jobs.add(() -> infer(engine, model, b)));
    jobs.add(() -> infer(dense, silent, last));
    jobs.add(() -> infer(engine, silent, last));
    Interleaved times = Interleaved.of(settings, jobs);
    Map<String, Double> milliseconds = new LinkedHashMap<>();
    for (int i = 0; i < batches.size(); i++) {
      milliseconds.put(name(batches.get(i)), times.millis(i));
    }
    int n = batches.size();
    return new ModelBench(
        source.name(),
        milliseconds,
        name(last),
        DENSITY,
        times.millis(n),
        times.millis(n + 1),
        times.ratio(n, n + 1));
  }

  private static String name(Batch b) {
    return b.size() + "x" + b.length();
  }

  private static void infer(Engine engine, TextModel model, Batch batch) {
    try (Pass pass = Pass.inference(engine)) {
      model.forward(pass, batch);
    }
  }

  private static Batch batch(int size, int length, int vocabulary) {
    RandomStream r = RandomStream.of(1, "ids", 0);
    int[] ids = new int[size * length];
    Arrays.setAll(ids, i -> r.nextInt(vocabulary));
    int[] mask = new int[ids.length];
    Arrays.fill(mask, 1);
    return new Batch(size, length, ids, new int[ids.length], mask);
  }

  Map<String, Object> json() {
    Map<String, Object> m = new LinkedHashMap<>();
    m.put("name", name);
    m.put("milliseconds", milliseconds);
    Map<String, Object> silent = new LinkedHashMap<>();
    silent.put("shape", silentShape);
    silent.put("density", density);
    silent.put("milliseconds_dense", dense);
    silent.put("milliseconds_sparse", sparse);
    silent.put("speed_up", speedUp);
    m.put("silent", silent);
    return m;
  }

  void describe(List<String> lines) {
    lines.add("");
    lines.add(name + ", batch x length, ms");
    milliseconds.forEach((shape, v) -> lines.add(BenchCommand.line("  %-16s %8.2f", shape, v)));
    lines.add(
        BenchCommand.line(
            "  %-16s %8.2f dense, %.2f sparse: %.2f times faster (ReLU, density %.0f %%)",
            silentShape, dense, sparse, speedUp, 100 * density));
  }
}
