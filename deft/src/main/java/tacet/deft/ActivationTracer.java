package tacet.deft;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.hardware.ActivationTrace;
import tacet.tensor.Engine;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.Layer;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.Tap;
import tacet.transformer.TextModel;

/**
 * Records which MLP neurons fire in real forward passes. Surgery puts a tap on every activation; of a gated MLP (an
 * activation beside {@code wi_1} and {@code wo}, as in T5) also on what enters {@code wo}, the product of the activated
 * and the linear branch. What is seen is packed into bits at once.
 */
public final class ActivationTracer {
  /** What the trace's header says about the run. */
  public record Source(String model, String task, String method, long seed) {}

  private static final String PRODUCT = ActivationTrace.Header.PRODUCT;

  private ActivationTracer() {}

  /**
   * Runs a model over batches and gives the trace. Sequences stand in the order of the batches.
   *
   * @param source for the header
   * @param threshold a neuron fires if |activation| is strictly greater
   * @param keepPadding whether rows of padding tokens are kept
   * @throws IllegalArgumentException if there is nothing to trace: no batch, no MLP, or MLPs of different widths
   */
  public static ActivationTrace trace(
      Engine engine,
      TextModel model,
      List<Dataset.Cut> batches,
      Source source,
      float threshold,
      boolean keepPadding) {
    if (batches.isEmpty()) {
      throw new IllegalArgumentException("no example to trace");
    }
    TextModel tapped = tapped(model);
    ActivationTrace.Header header = header(engine, tapped, batches.get(0), source, threshold);
    var recorder = new ActivationTrace.Recorder(header, keepPadding);
    List<String> layers = header.layers();
    for (Dataset.Cut cut : batches) {
      Batch batch = model.seen(cut.batch());
      recorder.batch(batch.length(), batch.lengths());
      try (Pass pass = Pass.inference(engine)) {
        pass.setObserver(
            (name, value) -> {
              requireTokens(name, value, batch);
              recorder.record(layers.indexOf(name), value.value().data(), 0);
            });
        tapped.forward(pass, cut.batch());
      }
    }
    return recorder.finish();
  }

  /** Runs one sentence to learn the layers' order and widths. */
  private static ActivationTrace.Header header(
      Engine engine, TextModel tapped, Dataset.Cut first, Source source, float threshold) {
    Batch b = first.batch();
    int n = b.length();
    Batch one =
        new Batch(
            1,
            n,
            Arrays.copyOf(b.ids(), n),
            Arrays.copyOf(b.typeIds(), n),
            Arrays.copyOf(b.mask(), n));
    Map<String, Integer> widths = new LinkedHashMap<>();
    int hidden;
    try (Pass pass = Pass.inference(engine)) {
      pass.setObserver((name, value) -> widths.put(name, value.shape().last()));
      hidden = tapped.forward(pass, one).hidden().get(0).shape().last();
    }
    List<String> layers = new ArrayList<>(widths.keySet());
    if (layers.isEmpty() || widths.values().stream().distinct().count() > 1) {
      throw new IllegalArgumentException(
          "cannot trace a model whose MLPs have these widths: " + widths);
    }
    return new ActivationTrace.Header(
        source.model(),
        source.task(),
        source.method(),
        source.seed(),
        threshold,
        widths.get(layers.get(0)),
        hidden,
        layers);
  }

  private static void requireTokens(String name, Var value, Batch batch) {
    int tokens = batch.size() * batch.length();
    if (value.value().size() != tokens * value.shape().last()) {
      throw new IllegalArgumentException(
          name
              + " has shape "
              + value.shape()
              + " for a batch of "
              + batch.size()
              + " x "
              + batch.length()
              + " tokens; a trace has one row per token");
    }
  }

  static TextModel tapped(TextModel model) {
    Map<String, Part> parts = Surgery.parts(model);
    Map<String, String> products = new LinkedHashMap<>(); // path of wo: name of the product
    parts.forEach(
        (path, part) -> {
          String mlp = path.substring(0, path.lastIndexOf('.') + 1);
          if (part instanceof Activation && parts.containsKey(mlp + "wi_1")) {
            products.put(mlp + "wo", path + PRODUCT);
          }
        });
    TextModel tapped = Tap.onActivations(model);
    return Surgery.replace(
        tapped,
        (path, part) -> {
          String name = products.remove(path); // once: a wrapper has the path of what it wraps
          return name != null && part instanceof Layer l ? new InputTap(name, l) : part;
        });
  }
}
