package tacet.deft.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * The content of metrics.json: what a run of {@code train} or {@code evaluate} found. Scores and
 * densities are in percent.
 *
 * @param task name of the task, {@code SST-2}
 * @param method how the model was fine-tuned, {@code lora}
 * @param score the task's primary metric
 * @param metrics all metrics by name, the primary one first
 * @param density of the MLP activations (of an encoder-decoder: the encoder's)
 * @param decoder density of the decoder; null where there is none
 * @param trainable number of parameters that were trained
 * @param trainablePercent their share of all parameters
 * @param seconds durations by name: {@code train}, {@code evaluate}, …
 * @param peakMemoryMb largest memory of the process, in MiB
 * @param configuration everything that was chosen, defaults included; an object
 */
public record RunMetrics(
    String task,
    String method,
    double score,
    Map<String, Double> metrics,
    Density density,
    Density decoder,
    long trainable,
    double trainablePercent,
    Map<String, Double> seconds,
    double peakMemoryMb,
    Json configuration) {
  /** Copies the maps, keeping their order. */
  public RunMetrics {
    Objects.requireNonNull(task, "task");
    Objects.requireNonNull(method, "method");
    Objects.requireNonNull(density, "density");
    metrics = Collections.unmodifiableMap(new LinkedHashMap<>(metrics));
    seconds = Collections.unmodifiableMap(new LinkedHashMap<>(seconds));
    if (!configuration.isObject()) {
      throw new IllegalArgumentException("configuration is not a JSON object");
    }
  }

  /** Name of the primary metric: the first of {@link #metrics}, or {@code score} without any. */
  public String primary() {
    return metrics.isEmpty() ? "score" : metrics.keySet().iterator().next();
  }

  /** The object of metrics.json; a decoder puts both densities under {@code density}. */
  public Json toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("task", task);
    json.put("method", method);
    json.put("score", score);
    json.put("metrics", metrics);
    if (decoder == null) {
      json.put("density", density.toJson());
    } else {
      Map<String, Object> both = new LinkedHashMap<>();
      both.put("encoder", density.toJson());
      both.put("decoder", decoder.toJson());
      json.put("density", both);
    }
    json.put("trainable", trainable);
    json.put("trainable_percent", trainablePercent);
    json.put("seconds", seconds);
    json.put("peak_memory_mb", peakMemoryMb);
    json.put("configuration", configuration);
    return Json.of(json);
  }

  /**
   * Reads what {@link #toJson} wrote.
   *
   * @throws FormatException if a key is missing or of the wrong kind
   */
  public static RunMetrics fromJson(Json json) throws FormatException {
    Json density = json.get("density");
    boolean twoStacks = density.has("decoder");
    Json configuration = json.get("configuration");
    configuration.members(); // refuses anything but an object, naming the file
    return new RunMetrics(
        json.get("task").asString(),
        json.get("method").asString(),
        Fields.number(json.get("score")),
        Fields.numbers(json.get("metrics")),
        Density.fromJson(twoStacks ? density.get("encoder") : density),
        twoStacks ? Density.fromJson(density.get("decoder")) : null,
        json.get("trainable").asLong(),
        Fields.number(json.get("trainable_percent")),
        Fields.numbers(json.get("seconds")),
        Fields.number(json.get("peak_memory_mb")),
        configuration);
  }

  /** Writes metrics.json, indented, replacing the file in one step. */
  public void write(Path file) throws IOException {
    Fields.write(file, toJson().pretty());
  }

  /**
   * Reads a metrics.json.
   *
   * @throws FormatException if it is not one, naming the file and the key
   */
  public static RunMetrics read(Path file) throws IOException {
    return fromJson(Json.read(file));
  }
}
