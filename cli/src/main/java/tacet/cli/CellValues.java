package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.deft.report.Density;
import tacet.deft.report.RunMetrics;
import tacet.transformer.checkpoint.Json;

/** The numbers of an experiment's tables, taken from what its commands printed. */
final class CellValues {
  private CellValues() {}

  static void train(Json json, Map<String, Double> values, Map<String, List<Double>> series)
      throws IOException {
    RunMetrics m = RunMetrics.fromJson(json);
    values.put("score", m.score());
    m.metrics().forEach((name, v) -> values.put(name, v));
    values.put("density", m.density().exact());
    values.put("density_with_padding", m.density().included());
    series.put("layers", m.density().layers());
    Density decoder = m.decoder();
    if (decoder != null) {
      values.put("decoder_density", decoder.exact());
      series.put("decoder_layers", decoder.layers());
    }
    values.put("trainable_percent", m.trainablePercent());
    m.seconds().forEach((name, v) -> values.put(name + "_seconds", v));
    values.put("peak_memory_mb", m.peakMemoryMb());
  }

  static void after(
      String what, Json json, Map<String, Double> values, Map<String, List<Double>> series)
      throws IOException {
    switch (what) {
      case "evaluate" -> {
        RunMetrics m = RunMetrics.fromJson(json);
        values.put("inference_seconds", m.seconds().get("evaluate"));
        values.put("inference_memory_mb", m.peakMemoryMb());
        values.put("weights_mb", m.configuration().get("weights_mb").asDouble());
        values.put("skipped_blocks", m.configuration().get("skipped_blocks").asDouble());
      }
      case "prune" -> {
        Map<String, List<Double>> curve = new LinkedHashMap<>();
        for (Json point : json.get("points").elements()) {
          add(curve, "wanda.sparsity", point.get("sparsity").asDouble());
          add(curve, "wanda.score", point.get("score").asDouble());
          double density = point.get("density").get("exact").asDouble();
          add(curve, "wanda.density", density);
          if (point.get("sparsity").asDouble() == 0.5) {
            values.put("score_at_50", point.get("score").asDouble());
            values.put("density_at_50", density);
          }
        }
        series.putAll(curve);
      }
      default ->
          values.put(
              "energy_ratio",
              json.get("rows")
                  .elements()
                  .get(0)
                  .get("models")
                  .elements()
                  .get(0)
                  .get("ratio")
                  .asDouble());
    }
  }

  private static void add(Map<String, List<Double>> curve, String name, double value) {
    curve.computeIfAbsent(name, n -> new ArrayList<>()).add(value);
  }

  /** The weights of the blocks, if the run trained any. */
  static void ada(Path adapter, Map<String, List<Double>> series) throws IOException {
    Path file = adapter.resolve("ada.json");
    if (Files.exists(file)) {
      List<Double> weights = new ArrayList<>();
      for (Json w : Json.read(file).get("ada_weights").members().values()) {
        weights.add(w.asDouble());
      }
      series.put("ada", weights);
    }
  }
}
