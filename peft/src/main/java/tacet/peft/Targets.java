package tacet.peft;

import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * Which layers an adapter goes into, matched as Hugging Face peft matches {@code target_modules}: a
 * list of names (a path matches when it equals a name or ends with "." and the name), one regular
 * expression for whole paths, or all linear layers but the output layer.
 *
 * @param names the names; empty when {@code pattern} is used
 * @param pattern regular expression, "all-linear", or null
 */
public record Targets(List<String> names, String pattern) {
  /** The word for all linear layers but the head. */
  public static final String ALL_LINEAR = "all-linear";

  private static final List<String> OUTPUT_LAYERS =
      List.of("classifier", "score", "lm_head", "qa_outputs");

  /** Checks the regular expression. */
  public Targets {
    names = List.copyOf(names);
    if (pattern != null && !pattern.equals(ALL_LINEAR)) {
      try {
        Pattern.compile(pattern);
      } catch (PatternSyntaxException e) {
        throw new IllegalArgumentException(
            "target_modules is not a regular expression: " + e.getMessage(), e);
      }
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

  /** Whether the layer at a path is a target. */
  public boolean matches(String path) {
    if (pattern == null) {
      return names.stream().anyMatch(n -> path.equals(n) || path.endsWith("." + n));
    }
    if (pattern.equals(ALL_LINEAR)) {
      return OUTPUT_LAYERS.stream().noneMatch(o -> within(path, o));
    }
    return Pattern.matches(pattern, path);
  }

  /** Whether a path is the module of that name, or lies inside it. */
  static boolean within(String path, String module) {
    String p = "." + path + ".";
    return p.contains("." + module + ".");
  }
}
