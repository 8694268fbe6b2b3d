package tacet.benchmarks;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import tacet.autograd.AdamW;
import tacet.autograd.Losses;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.peft.Lora;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.Nf4;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.tensor.kernel.HalfMatrix;
import tacet.tensor.kernel.Nf4Matrix;
import tacet.tensor.kernel.PackedMatrix;
import tacet.tensor.measure.Host;
import tacet.transformer.Batch;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.model.T5;

/**
 * Steps of QLoRA on models of the size of Flan-T5-XL (3 billion weights) and XXL (11 billion), with
 * random weights: NF4 with double quantisation, tables of tokens in BF16, LoRA of rank 16 on q, v,
 * wi_0, wi_1 and wo, blocks computed again for their gradients, and the moments of AdamW in a file.
 * Prints the time of each step and the largest resident memory.
 *
 * <pre>java -Xmx3g … tacet.benchmarks.QloraScale --shape xl|xxl|small [--tokens 256] [--steps 2]
 *   [--threads 2]</pre>
 */
public final class QloraScale {
  private static final int VOCABULARY = 32128;
  private static final int KEY_WIDTH = 64;
  private static final double DROPOUT = 0.1;

  /** Extents of a model: blocks of each stack, D, F, H. */
  private record Size(int layers, int width, int inner, int heads) {
    static Size of(String name) {
      return switch (name) {
        case "xl" -> new Size(24, 2048, 5120, 32);
        case "xxl" -> new Size(24, 4096, 10240, 64);
        case "small" -> new Size(2, 512, 1024, 6);
        default -> throw new IllegalArgumentException("--shape is xl, xxl or small, not " + name);
      };
    }
  }

  private final Size size;
  private final SplittableRandom random = new SplittableRandom(1);
  private long weights; // in four bits

  private QloraScale(Size size) {
    this.size = size;
  }

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "shape", "tokens", "steps", "threads");
    String shape = options.text("shape");
    int tokens = options.number("tokens", 256);
    int steps = options.number("steps", 2);
    long start = System.nanoTime();
    QloraScale scale = new QloraScale(Size.of(shape));
    Path directory = Files.createTempDirectory("tacet-qlora");
    T5.Generator base = scale.model(directory);
    Lora lora =
        new Lora(16, 32, DROPOUT, false, Targets.of("q", "v", "wi_0", "wi_1", "wo"), List.of());
    T5.Generator model = lora.applyTo(base, 1);
    Map<String, Parameter> trainable = Surgery.trainable(model);
    trainable.forEach((name, p) -> scale.fill(name, p));
    print(shape, "weights in NF4, millions", scale.weights / 1e6);
    print(shape, "trained, millions", Surgery.count(trainable) / 1e6);
    print(shape, "seconds to make the model", (System.nanoTime() - start) * 1e-9);
    print(shape, "resident then, MiB", Host.peakMemoryMb());
    int[] ids = scale.random.ints(tokens, 2, VOCABULARY).toArray();
    int[] ones = new int[tokens];
    Arrays.fill(ones, 1);
    Batch source = new Batch(1, tokens, ids, new int[tokens], ones);
    try (Engine engine = Engine.ofThreads(options.number("threads", 2));
        AdamW adam =
            new AdamW(engine, trainable, AdamW.Settings.standard(), directory.resolve("moments"))) {
      Batch target = model.target(1, tokens, ids);
      for (int i = 0; i < steps; i++) {
        long began = System.nanoTime();
        double loss;
        try (Pass pass = Pass.training(engine, 1, i)) {
          pass.recompute();
          Var logits = model.forward(pass, source, target).logits();
          Var l = Losses.crossEntropy(pass, logits, ids);
          loss = l.value().item();
          print(
              shape, "step " + (i + 1) + ", forward, seconds", (System.nanoTime() - began) * 1e-9);
          pass.backward(l);
        }
        adam.step(1e-4);
        print(shape, "step " + (i + 1) + ", seconds", (System.nanoTime() - began) * 1e-9);
        print(shape, "step " + (i + 1) + ", loss", loss);
        print(shape, "largest resident memory, MiB", Host.peakMemoryMb());
      }
    } finally {
      Files.deleteIfExists(directory);
    }
  }

  private static void print(String shape, String what, double value) {
    System.out.printf(Locale.ROOT, "%s: %s: %.2f%n", shape, what, value);
  }

  /** LoRA's B begins at zero; here it does not, so that every gradient flows. */
  private void fill(String name, Parameter p) {
    if (name.endsWith("lora_B.weight")) {
      float[] b = p.value().data();
      for (int i = 0; i < b.length; i++) {
        b[i] = (float) (0.01 * random.nextGaussian());
      }
    }
  }

  // ------------------------------------------------------------------ a model of random weights

  /** Laid out from a configuration, without values; then each parameter gets some. */
  private T5.Generator model(Path directory) throws IOException {
    String text =
        """
        {"model_type": "t5", "vocab_size": %d, "d_model": %d, "d_kv": 64, "d_ff": %d,
         "num_layers": %d, "num_heads": %d, "dropout_rate": 0.1,
         "feed_forward_proj": "gated-gelu", "tie_word_embeddings": false}
        """
            .formatted(VOCABULARY, size.width, size.inner, size.layers, size.heads);
    Files.writeString(directory.resolve("config.json"), text);
    T5.Generator hollow = T5.open(Checkpoint.shapes(directory));
    Files.delete(directory.resolve("config.json"));
    return Surgery.replaceParameters(hollow, (path, p) -> values(path, p.shape()));
  }

  private Parameter values(String path, Shape shape) {
    if (shape.rank() == 1) { // a norm
      Tensor ones = Tensor.zeros(shape);
      Arrays.fill(ones.data(), 1f);
      return Parameter.frozen(ones);
    }
    if (path.contains("relative_attention_bias")) {
      return Parameter.frozen(Tensor.zeros(shape));
    }
    if (path.startsWith("shared")) {
      return table(1);
    }
    if (path.startsWith("lm_head")) {
      return table(1 / Math.sqrt(size.width));
    }
    boolean query = path.endsWith(".q.weight"); // small: scores are not scaled
    return linear(shape.dim(0), shape.dim(1), query ? 1 / Math.sqrt(KEY_WIDTH) : 1);
  }

  /** Random codes, and scales such that outputs are about as large as inputs, times a factor. */
  private Parameter linear(int out, int in, double factor) {
    int n = out * in;
    weights += n;
    byte[] codes = new byte[Nf4.bytes(n)];
    random.nextBytes(codes);
    byte[] scales = new byte[Nf4.blocks(n)];
    random.nextBytes(scales);
    float[] largest = new float[Nf4.Nested.blocks(scales.length)];
    float mean = (float) (1.7 * factor / Math.sqrt(in));
    Arrays.fill(largest, 0.3f * mean);
    Nf4.Nested nested = new Nf4.Nested(scales, largest, mean, Nf4.dynamicMapValues());
    return Parameter.compact(Nf4Matrix.of(new Nf4(codes, nested, n), out, in));
  }

  /** A table [V, D] in BF16, normal with a standard deviation. */
  private Parameter table(double deviation) {
    int rows = PackedMatrix.panels(VOCABULARY) * 32;
    int[] codes = new int[rows * size.width / 2];
    for (int i = 0; i < codes.length; i++) {
      int low = HalfMatrix.toBf16((float) (deviation * random.nextGaussian())) & 0xffff;
      int high = HalfMatrix.toBf16((float) (deviation * random.nextGaussian()));
      codes[i] = high << 16 | low;
    }
    return Parameter.compact(new HalfMatrix(WeightFormat.BF16, size.width, VOCABULARY, codes));
  }
}
