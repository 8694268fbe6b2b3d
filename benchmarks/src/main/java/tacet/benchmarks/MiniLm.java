package tacet.benchmarks;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tacet.autograd.AdamW;
import tacet.autograd.Losses;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.DensityLoss;
import tacet.deft.Padding;
import tacet.peft.Lora;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.Batch;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/**
 * MiniLM's shape with random weights and ReLU: inference, and LoRA training steps with and without
 * the density loss; the counterpart of a PyTorch program that prints the same lines.
 *
 * <pre>java … tacet.benchmarks.MiniLm THREADS</pre>
 */
public final class MiniLm {
  private static final int ROUNDS = 15;

  private MiniLm() {}

  /** Runs it on the number of threads that the argument gives. */
  public static void main(String[] args) throws IOException {
    int threads = args.length > 0 ? Integer.parseInt(args[0]) : 2;
    try (Engine engine = Engine.ofThreads(threads)) {
      say(
          "threads %d  %s  peak %.0f GFLOP/s on one",
          threads, engine.kernels().name(), Peak.gflops());
      TextModel model = model();
      for (int[] shape : new int[][] {{1, 32}, {1, 128}, {8, 128}}) {
        Batch batch = batch(shape[0], shape[1]);
        double ms =
            median(
                () -> {
                  try (Pass pass = Pass.inference(engine)) {
                    model.forward(pass, batch);
                  }
                });
        say("threads %d  inference %dx%d  %.1f ms", threads, shape[0], shape[1], ms);
      }
      Lora lora =
          new Lora(
              8,
              16,
              0.1,
              false,
              Targets.of("query", "value", "intermediate.dense", "output.dense"),
              List.of("classifier"));
      TextModel trained = Tap.onActivations(lora.applyTo(model, 1));
      AdamW adam = new AdamW(engine, Surgery.trainable(trained), AdamW.Settings.standard());
      for (int[] shape : new int[][] {{32, 32}, {32, 64}, {16, 128}}) {
        Batch batch = batch(shape[0], shape[1]);
        double plain = median(() -> step(engine, trained, adam, batch, null));
        DensityLoss density = new DensityLoss(Surrogate.TANH, 20, 1e-9, Padding.MASKED);
        double dense = median(() -> step(engine, trained, adam, batch, density));
        say(
            "threads %d  LoRA step %dx%d  %.1f ms, with density loss %.1f ms",
            threads, shape[0], shape[1], plain, dense);
      }
    }
  }

  private static void step(
      Engine engine, TextModel model, AdamW adam, Batch batch, DensityLoss density) {
    int[] labels = new int[batch.size()];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = i % 2;
    }
    try (Pass pass = Pass.training(engine, 1, adam.steps())) {
      DensityLoss.Terms terms = density == null ? null : density.observe(pass, batch);
      Var loss = Losses.crossEntropy(pass, model.forward(pass, batch).logits(), labels);
      if (terms != null) {
        loss = terms.addTo(pass, loss, terms.loss(pass));
      }
      pass.backward(loss);
    }
    adam.step(1e-6);
  }

  private static double median(Runnable job) {
    long start = System.nanoTime();
    for (int i = 0; i < 5 || System.nanoTime() - start < 2_000_000_000L; i++) {
      job.run();
    }
    double[] t = new double[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
      long s = System.nanoTime();
      job.run();
      t[i] = (System.nanoTime() - s) * 1e-6;
    }
    Arrays.sort(t);
    return t[ROUNDS / 2];
  }

  static Batch batch(int size, int length) {
    RandomStream r = RandomStream.of(1, "ids", 0);
    int[] ids = new int[size * length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = 1000 + r.nextInt(29_000);
    }
    int[] mask = new int[ids.length];
    Arrays.fill(mask, 1);
    return new Batch(size, length, ids, new int[ids.length], mask);
  }

  /** A classifier of MiniLM's shape, weights as a fresh BERT's. */
  static TextModel model() throws IOException {
    Json config =
        Json.parse(
            """
            {"model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
             "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
             "hidden_act": "relu"}
            """,
            "config");
    Map<String, Tensor> weights = Bert.initialWeights(Bert.Config.of(config), 1);
    return TextModels.classifier(Checkpoint.of("random minilm", config, weights), 2, 1).model();
  }

  private static void say(String format, Object... args) {
    System.out.println(String.format(Locale.ROOT, format, args));
  }
}
