package tacet.deft;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import tacet.transformer.Activation;
import tacet.transformer.Part;
import tacet.transformer.Surgery;

/**
 * The MLP of one block, by the paths of its parts: y = second(activation(first(x))).
 *
 * @param activation the non-linearity
 * @param first the layers before it: the one that it reads, and of a gated MLP the linear branch
 *     beside it
 * @param second the layer after it, whose result goes to the residual stream
 */
public record Mlp(String activation, List<String> first, String second) {
  /** Names of the layers beside the activation: first ones, linear branches, second ones. */
  private static final List<String> FIRST = List.of("dense", "wi", "wi_0", "c_fc", "fc1");

  private static final List<String> BRANCHES = List.of("wi_1");
  private static final List<String> SECOND = List.of("wo", "c_proj", "fc2");

  /** The MLPs of a model in the order of its blocks, found by their activations. */
  public static List<Mlp> of(Part model) {
    Map<String, Part> parts = new LinkedHashMap<>();
    Set<String> activations = new LinkedHashSet<>();
    Surgery.replace(
        model,
        (path, part) -> {
          if (part instanceof Activation) { // wrapped or not: a wrapper has the same path
            activations.add(path);
          }
          parts.put(path, part);
          return part;
        });
    return activations.stream().map(path -> at(parts, path)).filter(Objects::nonNull).toList();
  }

  private static Mlp at(Map<String, Part> parts, String activation) {
    String here = parent(activation);
    List<String> first = new ArrayList<>();
    FIRST.stream().map(n -> here + n).filter(parts::containsKey).forEach(first::add);
    BRANCHES.stream().map(n -> here + n).filter(parts::containsKey).forEach(first::add);
    String second =
        SECOND.stream().map(n -> here + n).filter(parts::containsKey).findFirst().orElse(null);
    if (second == null && !here.isEmpty()) { // BERT and ViT: intermediate.*, then output.dense
      String above = parent(here.substring(0, here.length() - 1)) + "output.dense";
      second = parts.containsKey(above) ? above : null;
    }
    return first.isEmpty() || second == null ? null : new Mlp(activation, first, second);
  }

  /** The path of the part around one, with the dot at its end; empty at the root. */
  private static String parent(String path) {
    return path.substring(0, path.lastIndexOf('.') + 1);
  }
}
