package tacet.peft;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import tacet.autograd.Parameter;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Lookup;
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
 * @param rankPattern other ranks by the name of a layer, or a regular expression for the end of its
 *     path ({@code rank_pattern}); the first that matches counts
 * @param alphaPattern other numerators in the same way ({@code alpha_pattern})
 */
public record Lora(
    int r,
    double alpha,
    double dropout,
    boolean rankStabilised,
    Targets targets,
    List<String> modulesToSave,
    Map<String, Integer> rankPattern,
    Map<String, Double> alphaPattern)
    implements PeftMethod {
  /** Checks the numbers. */
  public Lora {
    requireRank(r);
    if (!(dropout >= 0 && dropout < 1)) {
      throw new IllegalArgumentException("LoRA dropout must be in [0, 1), got " + dropout);
    }
    modulesToSave = List.copyOf(modulesToSave);
    rankPattern = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(rankPattern));
    alphaPattern = java.util.Collections.unmodifiableMap(new LinkedHashMap<>(alphaPattern));
    rankPattern.values().forEach(Lora::requireRank);
    rankPattern.keySet().forEach(Lora::pattern);
    alphaPattern.keySet().forEach(Lora::pattern);
  }

  /** The same rank and scaling everywhere. */
  public Lora(
      int r,
      double alpha,
      double dropout,
      boolean rankStabilised,
      Targets targets,
      List<String> modulesToSave) {
    this(r, alpha, dropout, rankStabilised, targets, modulesToSave, Map.of(), Map.of());
  }

  private static void requireRank(int r) {
    if (r < 1) {
      throw new IllegalArgumentException("LoRA rank must be at least 1, got " + r);
    }
  }

  private static Pattern pattern(String key) {
    try {
      return Pattern.compile("(.*\\.)?(" + key + ")");
    } catch (PatternSyntaxException e) {
      throw new IllegalArgumentException(
          "\"" + key + "\" is no regular expression for layers: " + e.getMessage(), e);
    }
  }

  @Override
  public String name() {
    return "lora";
  }

  /** Rank at a layer. */
  public int rank(String path) {
    return matching(rankPattern, path, r);
  }

  /** The factor of the low-rank branch where no pattern says otherwise. */
  public float scaling() {
    return scaling(r, alpha);
  }

  /** The factor of the low-rank branch at a layer. */
  public float scaling(String path) {
    return scaling(rank(path), matching(alphaPattern, path, alpha));
  }

  private float scaling(int rank, double numerator) {
    return (float) (rankStabilised ? numerator / Math.sqrt(rank) : numerator / rank);
  }

  private static <V> V matching(Map<String, V> patterns, String path, V other) {
    for (Map.Entry<String, V> e : patterns.entrySet()) {
      if (pattern(e.getKey()).matcher(path).matches()) {
        return e.getValue();
      }
    }
    return other;
  }

  /**
   * The frozen model with low-rank branches on the targets: A is uniform in ±1/√in (Kaiming with a =
   * √5) drawn from (seed, path), B is zero, so that the new model computes what the old one did.
   *
   * @throws IllegalArgumentException if no layer matches, an embedding does, or the model is adapted
   *     already
   */
  @Override
  public <P extends Part> P applyTo(P model, long seed) {
    return install(
        model,
        (path, layer) -> {
          Tensor a =
              RandomStream.of(seed, "lora " + path, 0)
                  .uniform(Shape.of(rank(path), layer.in()), 1 / Math.sqrt(layer.in()));
          return new Tensor[] {a, Tensor.zeros(layer.out(), rank(path))};
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
    P result =
        Surgery.replace(
            Adapted.frozen(model, modulesToSave),
            (path, part) -> {
              boolean target =
                  !Adapted.isSaved(path, modulesToSave)
                      && (part instanceof Projection || part instanceof Lookup)
                      && targets.matches(path);
              if (target && part instanceof Lookup && !isAllLinear()) {
                throw new IllegalArgumentException(
                    "the LoRA targets match the embeddings "
                        + path
                        + "; low-rank updates of embeddings are not supported: leave them out, or"
                        + " train them whole as one of the modules to save");
              }
              if (!target || !(part instanceof Projection layer)) {
                return part;
              }
              adapted.add(path);
              Tensor[] f = factors.of(path, layer);
              return new LoraLinear(
                  layer,
                  Parameter.trainable(f[0]),
                  Parameter.trainable(f[1]),
                  scaling(path),
                  dropout);
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

  private boolean isAllLinear() {
    return Targets.ALL_LINEAR.equals(targets.pattern());
  }

  private static List<String> linearNames(Part model) {
    return Surgery.parts(model).entrySet().stream()
        .filter(e -> e.getValue() instanceof Projection)
        .map(Map.Entry::getKey)
        .map(p -> p.replaceAll("\\.\\d+\\.", ".*."))
        .distinct()
        .toList();
  }

  // ------------------------------------------------------------------ merging

  /** The model with every low-rank branch folded into its layer's weight. */
  public static <P extends Part> P merge(P model) {
    return Surgery.replace(
        model, (path, part) -> part instanceof LoraLinear lora ? lora.merged() : part);
  }

  /**
   * Takes an adapter out of a merged model: W − scaling · B A, which is the base's weight up to
   * rounding. (Who still has the base needs no more than that: views share it.)
   *
   * @param merged what {@link #merge} gave, now or in another life; not changed
   * @param adapted any model with the adapter
   * @throws IllegalArgumentException if a layer of the adapter is not in the model
   */
  public static <P extends Part> P unmerge(P merged, Part adapted) {
    Map<String, LoraLinear> branches = new LinkedHashMap<>();
    Surgery.replace(
        adapted,
        (path, part) -> {
          if (part instanceof LoraLinear lora) {
            branches.put(path, lora);
          }
          return part;
        });
    P base =
        Surgery.replace(
            merged,
            (path, part) -> {
              LoraLinear branch = part instanceof Projection ? branches.remove(path) : null;
              return branch == null ? part : negated(branch, (Projection) part).merged();
            });
    if (!branches.isEmpty()) {
      throw new IllegalArgumentException(
          "the merged model has no linear layers at " + String.join(", ", branches.keySet()));
    }
    return base;
  }

  private static LoraLinear negated(LoraLinear branch, Projection base) {
    return new LoraLinear(base, branch.a(), branch.b(), -branch.scaling(), 0);
  }
}
