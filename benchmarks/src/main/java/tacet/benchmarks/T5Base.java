package tacet.benchmarks;

import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.tensor.measure.Host;
import tacet.transformer.Batch;
import tacet.transformer.Compact;
import tacet.transformer.Continuation;
import tacet.transformer.Layer;
import tacet.transformer.Linear;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.generation.Limits;
import tacet.transformer.generation.Strategy;
import tacet.transformer.generation.TextGenerator;
import tacet.transformer.model.T5;

/**
 * A T5 of base shape with random weights on Tacet alone in its process: milliseconds of the encoder on
 * 128 tokens, and tokens per second of greedy decoding, as PyTorch's program t5_pytorch.py measures
 * them.
 *
 * <pre>java … tacet.benchmarks.T5Base [--threads N] [--format f32|bf16|f16|nf4] [--density X]
 *   [--rounds N]</pre>
 *
 * <p>With a density, the first matrices of the MLPs are moved against the mean of what they see, until
 * that share of neurons speaks: others for each token, as in a trained model.
 */
public final class T5Base {
  private static final String CONFIG =
      """
      {"model_type": "t5", "vocab_size": 32128, "d_model": 768, "d_kv": 64, "d_ff": 3072,
       "num_layers": %d, "num_heads": 12, "feed_forward_proj": "relu", "dropout_rate": 0}
      """;

  private static final int LAYERS = 12;
  private static final int LENGTH = 128;
  private static final int NEW_TOKENS = 48;

  private final Engine engine;
  private final Batch source;

  private T5Base(Engine engine) {
    this.engine = engine;
    RandomStream random = RandomStream.of(1, "tokens", 0);
    int[] ids = new int[LENGTH];
    Arrays.setAll(ids, i -> 3 + random.nextInt(31997));
    int[] mask = new int[LENGTH];
    Arrays.fill(mask, 1);
    source = new Batch(1, LENGTH, ids, new int[LENGTH], mask);
  }

  /** Runs the rounds and prints a line for each. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "threads", "format", "density", "rounds");
    String format = options.text("format") == null ? "f32" : options.text("format");
    int threads = options.number("threads", 2);
    try (Engine engine = Engine.ofThreads(threads)) {
      T5Base base = new T5Base(engine);
      T5.Generator model = model(options.text("density") != null);
      if (options.text("density") != null) {
        model = base.silent(model, Double.parseDouble(options.text("density")));
        System.out.printf("density of the decoder %.3f%n", base.density(model));
      }
      WeightFormat kind = WeightFormat.valueOf(format.toUpperCase(java.util.Locale.ROOT));
      model = Compact.linears(model, kind, path -> true);
      TextGenerator generator =
          new TextGenerator(model, new Limits(NEW_TOKENS, NEW_TOKENS, List.of(), 0));
      for (int round = 0; round < options.number("rounds", 6); round++) {
        long start = System.nanoTime();
        generator.write(engine, base.source, new Strategy.Greedy());
        double all = (System.nanoTime() - start) * 1e-9;
        double encoder = base.encode(model);
        for (int i = 0; i < 3; i++) {
          encoder = Math.min(encoder, base.encode(model));
        }
        System.out.printf(
            "threads %d %s  encoder %.0f ms, decoder %.1f tokens/s%n",
            threads, format, encoder * 1e3, NEW_TOKENS / (all - encoder));
      }
      System.out.printf("peak memory %.0f MB%n", Host.peakMemoryMb());
    }
  }

  private double encode(T5.Generator model) {
    long start = System.nanoTime();
    try (Pass pass = Pass.inference(engine)) {
      model.encode(pass, source);
    }
    return (System.nanoTime() - start) * 1e-9;
  }

  // ------------------------------------------------------------------ weights

  /**
   * Random weights of one block for all blocks of a side: each has packed copies of its own.
   *
   * @param leaning whether the tokens' vectors have something in common
   */
  private static T5.Generator model(boolean leaning) throws IOException {
    Json one = Json.parse(CONFIG.formatted(1), "config");
    Map<String, Tensor> block = T5.initialWeights(T5.Config.of(one), 1);
    Map<String, Tensor> all = new LinkedHashMap<>(block);
    block.forEach(
        (name, tensor) -> {
          for (int i = 1; i < LAYERS && !name.contains("relative"); i++) {
            all.put(name.replace("block.0.", "block." + i + "."), tensor);
          }
        });
    if (leaning) {
      float[] table = all.get("shared.weight").data();
      for (int i = 0; i < table.length; i++) {
        table[i] += i % 2 == 0 ? 1 : -1;
      }
    }
    Json config = Json.parse(CONFIG.formatted(LAYERS), "config");
    return T5.open(Checkpoint.of("t5-base", config, all));
  }

  /** The mean input of a layer and the share of its outputs above zero, as seen. */
  private static final class Probe {
    private final double[] sum;
    private long tokens;
    private double shift; // multiples of the mean input taken off each row

    Probe(int width) {
      sum = new double[width];
    }

    void see(Tensor x) {
      for (int i = 0; i < x.size(); i++) {
        sum[i % sum.length] += x.data()[i];
      }
      tokens += x.size() / sum.length;
    }
  }

  /** A layer that shows what it is given. */
  private record Probed(Layer inner, Probe probe) implements Layer {
    @Override
    public Var forward(Pass pass, Var x) {
      probe.see(x.value());
      return inner.forward(pass, x);
    }

    @Override
    public Layer rebuild(Surgery s) {
      return new Probed(s.through(inner), probe);
    }
  }

  /** The model with W − shift · mean in the place of W, block after block. */
  private T5.Generator silent(T5.Generator dense, double density) {
    T5.Generator model = dense;
    for (String path : Surgery.parts(dense).keySet()) {
      if (path.endsWith(".wi")) {
        Probe probe = new Probe(768);
        T5.Generator probed =
            Surgery.replace(
                model, (p, part) -> p.equals(path) ? new Probed((Layer) part, probe) : part);
        write(probed, NEW_TOKENS);
        Linear wi = (Linear) Surgery.parts(model).get(path);
        double low = 0;
        double high = 1;
        for (int i = 0; i < 12; i++) {
          probe.shift = (low + high) / 2;
          T5.Generator tried = with(model, path, shifted(wi, probe));
          if (share(tried, path) > density) {
            low = probe.shift;
          } else {
            high = probe.shift;
          }
        }
        model = with(model, path, shifted(wi, probe));
      }
    }
    return model;
  }

  private static T5.Generator with(T5.Generator model, String path, Linear wi) {
    return Surgery.replace(model, (p, part) -> p.equals(path) ? wi : part);
  }

  private static Linear shifted(Linear wi, Probe probe) {
    Tensor w = wi.weight().value().copy();
    for (int i = 0; i < w.size(); i++) {
      w.data()[i] -= (float) (probe.shift * probe.sum[i % probe.sum.length] / probe.tokens);
    }
    return new Linear(Parameter.frozen(w), null);
  }

  private void write(T5.Generator model, int tokens) {
    new TextGenerator(model, new Limits(tokens, tokens, List.of(), 0))
        .write(engine, source, new Strategy.Greedy());
  }

  private double density(T5.Generator model) {
    return share(model, "decoder");
  }

  /** The share of activations above zero behind a layer, or of a whole side, while it writes. */
  private double share(T5.Generator model, String path) {
    String mlp = path.endsWith(".wi") ? path.substring(0, path.length() - 2) : path;
    long[] seen = new long[2];
    T5.Generator tapped = Tap.onActivations(model);
    Pass.Observer counter =
        (name, value) -> {
          if (name.startsWith(mlp)) {
            seen[0] += value.active();
            seen[1] += value.shape().size();
          }
        };
    if (path.startsWith("encoder")) {
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(counter);
        tapped.encode(pass, source);
      }
    } else {
      Continuation run = tapped.begin(engine, source);
      int[] token = run.beginning(0);
      for (int i = 0; i < NEW_TOKENS; i++) {
        try (Pass pass = Pass.inference(engine)) {
          pass.setObserver(counter);
          float[] scores = run.step(pass, token).value().data();
          token = new int[] {greatest(scores, 32128)};
        }
      }
    }
    return (double) seen[0] / seen[1];
  }

  private static int greatest(float[] x, int n) {
    int best = 0;
    for (int i = 1; i < n; i++) {
      best = x[i] > x[best] ? i : best;
    }
    return best;
  }
}
