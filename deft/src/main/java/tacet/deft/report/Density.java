package tacet.deft.report;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * How many MLP activations are not silent, in percent: averaged over examples, then layers.
 *
 * @param exact share of values that are not exactly zero, padding left out
 * @param included the same with padding tokens counted
 * @param threshold share of values with |a| above a threshold, by the threshold's text ("1e-3")
 * @param layers {@code exact} per layer, from the first to the last
 */
public record Density(
    double exact, double included, Map<String, Double> threshold, List<Double> layers) {
  /** Copies the collections, keeping the order of the thresholds. */
  public Density {
    threshold = Collections.unmodifiableMap(new LinkedHashMap<>(threshold));
    layers = List.copyOf(layers);
  }

  /** The object under {@code density} in metrics.json. */
  public Json toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("exact", exact);
    json.put("included", included);
    json.put("threshold", threshold);
    json.put("layers", layers);
    return Json.of(json);
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @throws FormatException if a key is missing or of the wrong kind
   */
  public static Density fromJson(Json json) throws FormatException {
    return new Density(
        Fields.number(json.get("exact")),
        Fields.number(json.get("included")),
        Fields.numbers(json.get("threshold")),
        Fields.list(json.get("layers")));
  }
}
