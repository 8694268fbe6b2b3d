package tacet.cli;

import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import tacet.autograd.Parameter;
import tacet.transformer.Surgery;
import tacet.transformer.checkpoint.Json;

/** How many parameters a method trains. */
final class ParameterCount {
  private ParameterCount() {}

  /**
   * Prints the count.
   *
   * @param trainable trained parameters, heads and all
   * @param whole those of them that lie in modules trained whole: heads
   * @param all of the adapted model
   */
  static void print(
      Common common, String method, long trainable, long whole, Map<String, Parameter> all) {
    long total = Surgery.count(all);
    double percent = 100.0 * trainable / total;
    double bare = 100.0 * (trainable - whole) / total;
    if (common.json) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("method", method);
      result.put("trainable", trainable);
      result.put("trainable_percent", percent);
      result.put("head", whole);
      result.put("trainable_percent_without_head", bare);
      result.put("parameters", total);
      common.out().println(Json.of(result));
    } else {
      common
          .out()
          .printf(
              Locale.ROOT,
              "%s: %,d of %,d parameters are trained: %.4f %% (%,d of them in the head; %.4f %%"
                  + " without)%n",
              method,
              trainable,
              total,
              percent,
              whole,
              bare);
    }
  }
}
