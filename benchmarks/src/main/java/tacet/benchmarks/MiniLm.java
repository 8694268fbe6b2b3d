package tacet.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.AdamW;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.deft.DensityLoss;
import tacet.peft.AdapterFile;
import tacet.peft.Lora;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.Batch;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.OnnxWeights;
import tacet.transformer.model.Bert;
import tacet.transformer.model.TextModels;

/**
 * The models that are timed: the real MiniLM with its weights from the build's artifact, its shape
 * with random weights and ReLU, and that one with most neurons silent.
 */
public final class MiniLm {
  /** The file on the class path. */
  public static final String ONNX = "all-minilm-l6-v2.onnx";

  /** Inference, B x S. */
  public static final int[][] INFERENCE = {{1, 32}, {1, 128}, {8, 128}};

  /** Training, B x S. */
  static final int[][] TRAINING = {{32, 32}, {32, 64}, {16, 128}};

  private MiniLm() {}

  /** For tables: 8x128. */
  public static String name(int[] shape) {
    return shape[0] + "x" + shape[1];
  }

  private static Json config(String activation) throws IOException {
    return Json.parse(
        """
        {"model_type": "bert", "vocab_size": 30522, "hidden_size": 384,
         "num_hidden_layers": 6, "num_attention_heads": 12, "intermediate_size": 1536,
         "hidden_act": "%s"}
        """
            .formatted(activation),
        "config");
  }

  private static Checkpoint checkpoint(String activation) throws IOException {
    try (InputStream in = ClassLoader.getSystemResourceAsStream(ONNX)) {
      if (in == null) {
        throw new IOException(ONNX + " is not on the class path");
      }
      return Checkpoint.of("minilm", config(activation), OnnxWeights.read(in, ONNX));
    }
  }

  /** The real model, an encoder with GELU. */
  public static TextModel real() throws IOException {
    return TextModels.encoder(checkpoint("gelu"));
  }

  /** The real model with ReLU and a head, tuned by the LoRA adapter in a folder, which is merged. */
  static TextModel tuned(Path adapter) throws IOException {
    TextModel base = TextModels.classifier(checkpoint("relu"), 2, 1).model();
    return Lora.merge(AdapterFile.load(adapter, base).model());
  }

  /** A classifier of MiniLM's shape with ReLU, weights as a fresh BERT's: half of the neurons speak. */
  static TextModel random() throws IOException {
    Map<String, Tensor> weights = Bert.initialWeights(Bert.Config.of(config("relu")), 1);
    return TextModels.classifier(Checkpoint.of("random minilm", config("relu"), weights), 2, 1)
        .model();
  }

  /** Share of neurons that speak on a batch. */
  static double density(Engine engine, TextModel model, Batch batch) {
    double[] counts = new double[2];
    try (Pass pass = Pass.inference(engine)) {
      pass.setObserver(
          (name, v) -> {
            counts[0] += Samples.active(Arrays.copyOf(v.value().data(), v.value().size()));
            counts[1] += v.value().size();
          });
      Tap.onActivations(model).forward(pass, batch);
    }
    return counts[0] / counts[1];
  }

  /** Random tokens without padding. */
  public static Batch batch(int size, int length) {
    RandomStream r = RandomStream.of(1, "ids", 0);
    int[] ids = new int[size * length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = 1000 + r.nextInt(29_000);
    }
    int[] mask = new int[ids.length];
    Arrays.fill(mask, 1);
    return new Batch(size, length, ids, new int[ids.length], mask);
  }

  /** One inference. */
  static void infer(Engine engine, TextModel model, Batch batch) {
    try (Pass pass = Pass.inference(engine)) {
      model.forward(pass, batch);
    }
  }

  /** The last hidden states, [B, S, D]. */
  public static float[] lastHidden(Engine engine, TextModel model, Batch batch) {
    try (Pass pass = Pass.inference(engine)) {
      List<Var> hidden = model.forward(pass, batch).hidden();
      Tensor last = hidden.get(hidden.size() - 1).value();
      return Arrays.copyOf(last.data(), last.size());
    }
  }

  /** A model with LoRA on query, value and both MLP matrices, and its optimizer. */
  static final class Training {
    private final TextModel model;
    private final Map<String, Parameter> trainable;
    private AdamW adam;

    Training(TextModel base) {
      Lora lora =
          new Lora(
              8,
              16,
              0.1,
              false,
              Targets.of("query", "value", "intermediate.dense", "output.dense"),
              List.of("classifier"));
      model = Tap.onActivations(lora.applyTo(base, 1));
      trainable = new LinkedHashMap<>(Surgery.trainable(model));
    }

    /** One step; the learning rate is so small that the density stays what it was. */
    void step(Engine engine, Batch batch, DensityLoss density) {
      if (adam == null) {
        adam = new AdamW(engine, trainable, AdamW.Settings.standard());
      }
      int[] labels = new int[batch.size()];
      Arrays.setAll(labels, i -> i % 2);
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
  }
}
