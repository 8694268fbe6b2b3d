package tacet.peft;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Part;
import tacet.transformer.Projection;
import tacet.transformer.Surgery;

/**
 * LoRA: what is chosen, and the surgery that applies it.
 *
 * <pre>{@code
 * Lora lora = new Lora(8, 16, 0.1, false, Targets.of("query", "value"), List.of("classifier"));
 * Model adapted = lora.applyTo(base, seed);     // base is not changed; weights are shared
 * Model merged = Lora.merge(adapted);           // costs nothing extra at inference
 * }</pre>
 *
 * @param r rank
 * @param alpha numerator of the scaling
 * @param dropout on the input of the low-rank branch, in training
 * @param rankStabilised scaling α/√r instead of α/r (Kalajdzievski 2023)
 * @param targets which linear layers
 * @param modulesToSave parts trained whole and saved with the adapter, by name: a new head
 */
public record Lora(
    int r,
    double alpha,
    double dropout,
    boolean rankStabilised,
    Targets targets,
    List<String> modulesToSave) {
  /** Checks the numbers. */
  public Lora {
    if (r < 1) {
      throw new IllegalArgumentException("LoRA rank must be at least 1, got " + r);
    }
    if (!(dropout >= 0 && dropout < 1)) {
      throw new IllegalArgumentException("LoRA dropout must be in [0, 1), got " + dropout);
    }
    modulesToSave = List.copyOf(modulesToSave);
  }

  /** The factor of the low-rank branch. */
  public float scaling() {
    return (float) (rankStabilised ? alpha / Math.sqrt(r) : alpha / r);
  }

  /** Whether a path is, or lies in, a module that is trained whole. */
  private boolean saved(String path) {
    return modulesToSave.stream().anyMatch(m -> Targets.within(path, m));
  }

  /**
   * The frozen model with low-rank branches on the targets: A is uniform in ±1/√in (Kaiming with a =
   * √5) drawn from (seed, path), B is zero, so that the new model computes what the old one did.
   *
   * @throws IllegalArgumentException if no layer matches, or the model is adapted already
   */
  public <P extends Part> P applyTo(P model, long seed) {
    return install(
        model,
        (path, layer) -> {
          Tensor a =
              RandomStream.of(seed, "lora " + path, 0)
                  .uniform(Shape.of(r, layer.in()), 1 / Math.sqrt(layer.in()));
          return new Tensor[] {a, Tensor.zeros(layer.out(), r)};
        });
  }

  /** Where the two factors of a layer come from. */
  @FunctionalInterface
  interface Factors {
    /** {A [r, in], B [out, r]}. */
    Tensor[] of(String path, Projection layer);
  }

  <P extends Part> P install(P model, Factors factors) {
    List<String> adapted = new ArrayList<>();
    P frozen =
        Surgery.replaceParameters(
            model,
            (path, p) -> {
              if (path.endsWith("lora_A.weight")) {
                throw new IllegalArgumentException(
                    "the model has a LoRA adapter already, at " + path + "; merge it first");
              }
              return saved(path)
                  ? Parameter.trainable(p.value().copy()) // the base keeps its own
                  : p.withTrainable(false);
            });
    P result =
        Surgery.replace(
            frozen,
            (path, part) -> {
              if (!(part instanceof Projection layer) || saved(path) || !targets.matches(path)) {
                return part;
              }
              adapted.add(path);
              Tensor[] f = factors.of(path, layer);
              return new LoraLinear(
                  layer, Parameter.trainable(f[0]), Parameter.trainable(f[1]), scaling(), dropout);
            });
    if (adapted.isEmpty()) {
      throw new IllegalArgumentException(
          "no linear layer matches the LoRA targets "
              + targets
              + "; the model has "
              + linearNames(model));
    }
    return result;
  }

  private static List<String> linearNames(Part model) {
    return Surgery.parts(model).entrySet().stream()
        .filter(e -> e.getValue() instanceof Projection)
        .map(Map.Entry::getKey)
        .map(p -> p.replaceAll("\\.\\d+\\.", ".*."))
        .distinct()
        .toList();
  }

  /** The model with every low-rank branch folded into its layer's weight. */
  public static <P extends Part> P merge(P model) {
    return Surgery.replace(
        model, (path, part) -> part instanceof LoraLinear lora ? lora.merged() : part);
  }
}
