package tacet.peft;

import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import tacet.transformer.Part;
import tacet.transformer.Projection;
import tacet.transformer.Surgery;

/**
 * Which layers an adapter goes into, matched as Hugging Face peft matches {@code target_modules}: a
 * list of names (a path matches when it equals a name or ends with "." and the name), one regular
 * expression for whole paths, or all linear layers but the output layer.
 *
 * @param names the names; empty when {@code pattern} is used
 * @param pattern regular expression, "all-linear", or null
 * @param layers numbers of the blocks that count, for a list of names ({@code
 *     layers_to_transform}); empty for all
 * @param layersPattern names of the list of blocks ({@code layers_pattern}); empty for any
 * @param excluded what is no target in any case ({@code exclude_modules}); null for nothing
 */
public record Targets(
    List<String> names,
    String pattern,
    List<Integer> layers,
    List<String> layersPattern,
    Targets excluded) {
  /** The word for all linear layers but the head. */
  public static final String ALL_LINEAR = "all-linear";

  private static final List<String> OUTPUT_LAYERS =
      List.of("classifier", "score", "lm_head", "qa_outputs", "classification_head");

  /** What peft takes where a configuration names no targets: for BERT and ViT, OPT, GPT-2, T5. */
  private static final List<List<String>> STANDARD =
      List.of(
          List.of("query", "value"),
          List.of("q_proj", "v_proj"),
          List.of("c_attn"),
          List.of("q", "v"));

  /** Checks the regular expressions. */
  public Targets {
    names = List.copyOf(names);
    layers = List.copyOf(layers);
    layersPattern = List.copyOf(layersPattern);
    if (pattern != null && !pattern.equals(ALL_LINEAR)) {
      compile(pattern, "target_modules");
    }
    layersPattern.forEach(p -> compile(p, "layers_pattern"));
  }

  /** Targets in all blocks. */
  public Targets(List<String> names, String pattern) {
    this(names, pattern, List.of(), List.of(), null);
  }

  private static void compile(String pattern, String what) {
    try {
      Pattern.compile(pattern);
    } catch (PatternSyntaxException e) {
      throw new IllegalArgumentException(
          what + " is not a regular expression: " + e.getMessage(), e);
    }
  }

  /** Targets by name. */
  public static Targets of(String... names) {
    return new Targets(List.of(names), null);
  }

  /** All linear layers but the head. */
  public static Targets allLinear() {
    return new Targets(List.of(), ALL_LINEAR);
  }

  /**
   * What peft takes for a model where nothing is said: the layers that make queries and values.
   *
   * @throws IllegalArgumentException if it has no layers of these names
   */
  public static Targets standard(Part model) {
    List<String> linear =
        Surgery.parts(model).entrySet().stream()
            .filter(e -> e.getValue() instanceof Projection || e.getValue() instanceof LoraLinear)
            .map(java.util.Map.Entry::getKey)
            .toList();
    return STANDARD.stream()
        .map(names -> new Targets(names, null))
        .filter(
            t -> t.names.stream().allMatch(n -> linear.stream().anyMatch(p -> p.endsWith("." + n))))
        .findFirst()
        .orElseThrow(
            () ->
                new IllegalArgumentException("no standard LoRA targets for this model: name some"));
  }

  /** The same without some layers. */
  public Targets without(Targets other) {
    return new Targets(names, pattern, layers, layersPattern, other);
  }

  /** The same in some blocks only. */
  public Targets inLayers(List<Integer> numbers, List<String> pattern) {
    return new Targets(names, this.pattern, numbers, pattern, excluded);
  }

  /** Whether the layer at a path is a target. */
  public boolean matches(String path) {
    if (excluded != null && excluded.matches(path)) {
      return false;
    }
    if (pattern == null) {
      return names.stream().anyMatch(n -> path.equals(n) || path.endsWith("." + n))
          && (layers.isEmpty() || layers.contains(layer(path)));
    }
    if (pattern.equals(ALL_LINEAR)) {
      return OUTPUT_LAYERS.stream().noneMatch(o -> within(path, o));
    }
    return Pattern.matches(pattern, path);
  }

  /** The number of the block that a path lies in, the first number in it; -1 for none. */
  private int layer(String path) {
    List<String> patterns = layersPattern.isEmpty() ? List.of("[^.]*") : layersPattern;
    for (String p : patterns) {
      Matcher m = Pattern.compile("(?:^|.*?\\.)(?:" + p + ")\\.(\\d+)\\.").matcher(path);
      if (m.lookingAt()) {
        return Integer.parseInt(m.group(1));
      }
    }
    return -1;
  }

  /** Whether a path is the module of that name, or lies inside it. */
  static boolean within(String path, String module) {
    String p = "." + path + ".";
    return p.contains("." + module + ".");
  }

  /** The names or the expression. */
  @Override
  public String toString() {
    return pattern == null ? String.join(", ", names) : pattern;
  }
}
