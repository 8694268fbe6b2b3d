package tacet.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.TensorSource;
import tacet.tensor.Workers;
import tacet.tensor.kernel.Roofline;
import tacet.tensor.measure.Host;
import tacet.tensor.measure.Interleaved;
import tacet.transformer.Batch;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.model.TextModels;

/**
 * A model of RoBERTa-large's shape with random weights, 355 million: how long a forward pass of one
 * text of 128 tokens takes, against the time that its operations need at 85 % of the measured peak;
 * and how much memory the whole process takes, against the weights. Another process writes the model
 * beforehand, to a folder that is deleted afterwards unless it is named.
 *
 * <pre>java … tacet.benchmarks.RobertaLarge [--threads N] [--model DIR] [--quick] [--json FILE]</pre>
 */
public final class RobertaLarge {
  private static final int BAR = 10; // its number on the page of measurements
  private static final int LAYERS = 24;
  private static final int WIDTH = 1024;
  private static final int HIDDEN = 4096;
  private static final int VOCABULARY = 50265;
  private static final int POSITIONS = 514;
  private static final int TOKENS = 128;
  private static final double SHARE = 0.85; // of peak

  private static final String CONFIG =
      """
      {"architectures": ["RobertaModel"], "model_type": "roberta", "vocab_size": 50265,
       "hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
       "intermediate_size": 4096, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
       "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 514,
       "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1}
      """;

  private RobertaLarge() {}

  /** Runs it; {@code --write DIR} only writes the model. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "threads", "model", "write");
    if (options.path("write") != null) {
      write(options.path("write"));
      return;
    }
    Path named = options.path("model");
    Path folder = named == null ? Files.createTempDirectory("roberta-large") : named;
    try {
      if (!Files.exists(folder.resolve("config.json"))) {
        Child.java(RobertaLarge.class.getName(), "--write", folder);
      }
      measure(options, folder);
    } finally {
      if (named == null) {
        delete(folder);
      }
    }
  }

  // ------------------------------------------------------------------ measuring

  /** What was measured while the model was in memory. */
  private record Figures(double load, double first, double peakMemory, Interleaved times) {}

  private static Figures forward(Options options, Path folder, Engine one, Engine many)
      throws IOException {
    long start = System.nanoTime();
    TextModel model;
    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      model = TextModels.open(checkpoint);
    }
    double load = seconds(start);
    start = System.nanoTime();
    infer(many, model);
    double first = seconds(start);
    float[][] sinks = Roofline.sinks(one.workers());
    float[][] manySinks = Roofline.sinks(many.workers());
    Interleaved times =
        Interleaved.of(
            options.settings(),
            List.of(
                () -> infer(one, model),
                () -> infer(many, model),
                () -> Roofline.multiplyAdds(one.workers(), sinks),
                () -> Roofline.multiplyAdds(many.workers(), manySinks)));
    return new Figures(load, first, Host.peakMemoryMb(), times);
  }

  private static void measure(Options options, Path folder) throws IOException {
    try (Engine one = Engine.ofThreads(1);
        Engine many = Engine.ofThreads(options.number("threads", 2))) {
      // Measures the machine, in 256 MiB that are free again before the model needs them.
      Results results = new Results("roberta-large", options, many);
      Figures figures = forward(options, folder, one, many);
      double weights = weightBytes() / (double) (1 << 20);
      Results.Table memory =
          results.table("Shape of RoBERTa-large, 355 million weights", "what", "figure", "unit");
      memory.row("weights in float32", weights, "MiB");
      memory.row("heap limit", Runtime.getRuntime().maxMemory() >> 20, "MiB");
      memory.row("largest resident memory of the process", figures.peakMemory, "MiB");
      memory.row("opening the model", figures.load, "s");
      memory.row("first forward pass of the JVM, which packs the weights", figures.first, "s");
      double share = figures.peakMemory / weights;
      results.atMost(BAR, "RoBERTa-large: peak memory against the weights", share, 1.25);
      speed(results, figures.times, one, many);
      results.finish();
    }
  }

  /** The forward passes against the multiply-adds that ran in turns with them. */
  private static void speed(Results results, Interleaved times, Engine one, Engine many) {
    Results.Table table =
        results.table(
            "RoBERTa-large, forward pass of 1 x " + TOKENS + " tokens",
            "threads",
            "ms",
            "GFLOP/s",
            "peak in the same rounds",
            "best peak",
            "share of peak");
    List<Engine> engines = List.of(one, many);
    for (int job = 0; job < engines.size(); job++) {
      Workers workers = engines.get(job).workers();
      int burst = engines.size() + job; // its number among the jobs
      double operations = Roofline.multiplyAdds(workers, Roofline.sinks(workers));
      double share = flops() / operations / times.ratio(job, burst);
      table.row(
          workers.size(),
          times.millis(job),
          flops() / times.nanos(job),
          operations / times.nanos(burst),
          operations / times.leastNanos(burst),
          share);
      results.atMost(
          BAR,
          "RoBERTa-large, " + workers.size() + " thread(s): time against 85 % of peak",
          SHARE / share,
          1.1);
    }
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) * 1e-9;
  }

  private static void infer(Engine engine, TextModel model) {
    int[] ids = new int[TOKENS];
    int[] mask = new int[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
      ids[i] = 5 + 389 * i % (VOCABULARY - 5);
      mask[i] = 1;
    }
    try (Pass pass = Pass.inference(engine)) {
      model.forward(pass, new Batch(1, TOKENS, ids, new int[TOKENS], mask));
    }
  }

  /** Two for each multiply-add of the linear layers and of attention's two products. */
  private static double flops() {
    double linear = 4.0 * WIDTH * WIDTH + 2.0 * WIDTH * HIDDEN;
    double attention = 2.0 * TOKENS * WIDTH;
    return 2.0 * TOKENS * LAYERS * (linear + attention);
  }

  // ------------------------------------------------------------------ the model

  /** Numbers that are drawn when they are written. */
  private record Random(String name, Shape shape, double deviation) implements TensorSource {
    @Override
    public void read(int from, float[] to, int at, int n) {
      RandomStream stream = RandomStream.of(1, name, from);
      System.arraycopy(stream.normal(Shape.of(n), deviation).data(), 0, to, at, n);
    }
  }

  /** The same number everywhere. */
  private record Constant(Shape shape, float value) implements TensorSource {
    @Override
    public void read(int from, float[] to, int at, int n) {
      Arrays.fill(to, at, at + n, value);
    }
  }

  private static void write(Path folder) throws IOException {
    SafeTensorsWriter writer = new SafeTensorsWriter();
    weights().forEach(writer::add);
    Checkpoint.write(folder, Json.parse(CONFIG, "RoBERTa-large's config.json"), writer);
  }

  private static long weightBytes() {
    return weights().values().stream().mapToLong(w -> 4L * w.shape().size()).sum();
  }

  private static Map<String, TensorSource> weights() {
    Map<String, TensorSource> all = new LinkedHashMap<>();
    matrix(all, "embeddings.word_embeddings", VOCABULARY, WIDTH);
    matrix(all, "embeddings.position_embeddings", POSITIONS, WIDTH);
    matrix(all, "embeddings.token_type_embeddings", 1, WIDTH);
    norm(all, "embeddings.LayerNorm");
    for (int i = 0; i < LAYERS; i++) {
      String layer = "encoder.layer." + i + ".";
      for (String name : List.of("self.query", "self.key", "self.value", "output.dense")) {
        linear(all, layer + "attention." + name, WIDTH, WIDTH);
      }
      norm(all, layer + "attention.output.LayerNorm");
      linear(all, layer + "intermediate.dense", HIDDEN, WIDTH);
      linear(all, layer + "output.dense", WIDTH, HIDDEN);
      norm(all, layer + "output.LayerNorm");
    }
    return all;
  }

  private static void matrix(Map<String, TensorSource> all, String name, int rows, int columns) {
    all.put(name + ".weight", new Random(name, Shape.of(rows, columns), 0.02));
  }

  private static void linear(Map<String, TensorSource> all, String name, int out, int in) {
    matrix(all, name, out, in);
    all.put(name + ".bias", new Constant(Shape.of(out), 0));
  }

  private static void norm(Map<String, TensorSource> all, String name) {
    all.put(name + ".weight", new Constant(Shape.of(WIDTH), 1));
    all.put(name + ".bias", new Constant(Shape.of(WIDTH), 0));
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      for (Path file : files.toList()) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
