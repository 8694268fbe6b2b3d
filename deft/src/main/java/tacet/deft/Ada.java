package tacet.deft;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tacet.autograd.GateOps;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.Conv1D;
import tacet.transformer.Layer;
import tacet.transformer.Linear;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;

/**
 * ADA-DEFT and ADA-PEFT (DEFT, arXiv 2402.01911, eq. 9): one trainable weight in [0, 1] per MLP block,
 * which multiplies what the block adds to the residual stream. A block whose weight reaches exactly 0
 * is gone at inference: neither computed nor held.
 *
 * <pre>{@code
 * TextModel model = Ada.install(lora.applyTo(base, seed), seed);   // after the adapter
 * …                                        // the trainer clamps the weights after every step
 * Ada.save(dir, model);
 * TextModel small = Ada.finish(Lora.merge(model));
 * }</pre>
 */
public final class Ada {
  private static final double MEAN = 0.80;
  private static final double DEVIATION = 0.05;
  private static final String FILE = "ada.json";

  private Ada() {}

  /** The last layer of an MLP, times its block's weight. */
  public record Weighted(Layer inner, Parameter weight) implements Layer {
    @Override
    public Var forward(Pass pass, Var x) {
      return GateOps.scale(pass, inner.forward(pass, x), weight);
    }

    /** The weight as a number. */
    public float factor() {
      return weight.value().data()[0];
    }

    @Override
    public Weighted rebuild(Surgery s) {
      return new Weighted(s.through(inner), s.parameter("ada_weight", weight));
    }
  }

  /** What stands in the place of a skipped block's first layers and activation. */
  private record Nothing() implements Layer {
    @Override
    public Var forward(Pass pass, Var x) {
      return x;
    }

    @Override
    public Nothing rebuild(Surgery s) {
      return this;
    }
  }

  /** What stands in the place of a skipped block's last layer: zeros. */
  private record Silence() implements Layer {
    @Override
    public Var forward(Pass pass, Var x) {
      Tensor zeros = pass.take(x.shape()); // [.., D]: the block's input came through
      java.util.Arrays.fill(zeros.data(), 0, zeros.size(), 0f);
      return pass.constant(zeros);
    }

    @Override
    public Silence rebuild(Surgery s) {
      return this;
    }
  }

  /**
   * The model with a weight on every MLP block, initialised to 0.80 + N(0, 0.05²) drawn from (seed,
   * path). Comes after the surgery of an adapter, which freezes everything else.
   *
   * @throws IllegalArgumentException if the model has no MLP block, or has weights already
   */
  public static <P extends Part> P install(P model, long seed) {
    Map<String, Float> initial = new LinkedHashMap<>();
    for (Mlp mlp : Mlp.of(model)) {
      double w = MEAN + DEVIATION * RandomStream.of(seed, "ada " + mlp.second(), 0).nextGaussian();
      initial.put(mlp.second(), (float) Math.clamp(w, 0, 1));
    }
    if (initial.isEmpty()) {
      throw new IllegalArgumentException("the model has no MLP block that ADA knows");
    }
    return install(model, initial);
  }

  private static <P extends Part> P install(P model, Map<String, Float> weights) {
    if (!weights(model).isEmpty()) {
      throw new IllegalArgumentException("the model has ADA weights already");
    }
    Map<String, Part> outermost = Surgery.parts(model);
    return Surgery.replace(
        model,
        (path, part) -> {
          Float w = weights.get(path);
          boolean whole = w != null && part.getClass() == outermost.get(path).getClass();
          return whole ? new Weighted((Layer) part, Parameter.trainable(Tensor.scalar(w))) : part;
        });
  }

  /** The weights by the path of their block's activation, in the order of the blocks. */
  public static Map<String, Parameter> weights(Part model) {
    Map<String, Part> parts = Surgery.parts(model);
    Map<String, Parameter> weights = new LinkedHashMap<>();
    for (Mlp mlp : Mlp.of(model)) {
      if (parts.get(mlp.second()) instanceof Weighted w) {
        weights.put(mlp.activation(), w.weight);
      }
    }
    return weights;
  }

  /** Brings weights back into [0, 1] after an optimizer step. */
  static void clamp(Iterable<Parameter> weights) {
    for (Parameter p : weights) {
      float w = p.value().data()[0];
      if (!(w >= 0 && w <= 1) && !Float.isNaN(w)) {
        p.value().data()[0] = Math.clamp(w, 0f, 1f);
        p.changed();
      }
    }
  }

  /**
   * The model for inference: weights multiplied into the last layers of their blocks, and blocks of
   * weight 0 replaced by nothing at all.
   *
   * @param model with merged adapters
   */
  public static <P extends Part> P finish(P model) {
    Map<String, Part> outermost = Surgery.parts(model);
    Set<String> nothing = new HashSet<>();
    Set<String> silence = new HashSet<>();
    for (Mlp mlp : Mlp.of(model)) {
      if (outermost.get(mlp.second()) instanceof Weighted w && w.factor() == 0) {
        nothing.add(mlp.activation());
        nothing.addAll(mlp.first());
        silence.add(mlp.second());
      }
    }
    return Surgery.replace(
        model,
        (path, part) -> {
          if (part.getClass() != outermost.get(path).getClass()) {
            return part; // wrapped by something at the same path
          }
          if (nothing.contains(path)) {
            return new Nothing();
          }
          if (silence.contains(path)) {
            return new Silence();
          }
          return part instanceof Weighted w ? folded(w) : part;
        });
  }

  /** How many MLP blocks of a finished model are gone. */
  public static int skipped(Part model) {
    return (int) Surgery.parts(model).values().stream().filter(Silence.class::isInstance).count();
  }

  private static Layer folded(Weighted w) {
    return switch (w.inner) {
      case Linear l -> new Linear(scaled(l.weight(), w.factor()), scaled(l.bias(), w.factor()));
      case Conv1D c -> new Conv1D(scaled(c.weight(), w.factor()), scaled(c.bias(), w.factor()));
      default -> w;
    };
  }

  private static Parameter scaled(Parameter p, float factor) {
    if (p == null) {
      return null;
    }
    Tensor t = p.value().copy();
    for (int i = 0; i < t.size(); i++) {
      t.data()[i] *= factor;
    }
    return Parameter.frozen(t);
  }

  // ------------------------------------------------------------------ files

  /** Writes the weights beside an adapter, if the model has any. */
  public static void save(Path dir, Part model) throws IOException {
    Map<String, Part> parts = Surgery.parts(model);
    Map<String, Object> weights = new LinkedHashMap<>();
    for (Mlp mlp : Mlp.of(model)) {
      if (parts.get(mlp.second()) instanceof Weighted w) {
        weights.put(mlp.second(), (double) w.factor());
      }
    }
    if (!weights.isEmpty()) {
      Files.createDirectories(dir);
      AtomicFile.write(dir.resolve(FILE), Json.of(Map.of("ada_weights", weights)).pretty());
    }
  }

  /**
   * The model with the weights in an adapter's folder; the model itself if there are none.
   *
   * @throws IOException if the file is broken or names blocks that the model has not
   */
  public static <P extends Part> P load(Path dir, P model) throws IOException {
    Path file = dir.resolve(FILE);
    if (!Files.exists(file)) {
      return model;
    }
    Map<String, Float> weights = new LinkedHashMap<>();
    Set<String> known = Mlp.of(model).stream().map(Mlp::second).collect(Collectors.toSet());
    List<String> unknown = new ArrayList<>();
    for (Map.Entry<String, Json> e : Json.read(file).get("ada_weights").members().entrySet()) {
      double w = e.getValue().asDouble();
      if (!(w >= 0 && w <= 1)) {
        throw e.getValue().error("a weight of " + w + " is not in [0, 1]");
      }
      weights.put(e.getKey(), (float) w);
      if (!known.contains(e.getKey())) {
        unknown.add(e.getKey());
      }
    }
    if (!unknown.isEmpty()) {
      throw new IOException(file + ": the model has no MLP block " + String.join(", ", unknown));
    }
    return install(model, weights);
  }
}
