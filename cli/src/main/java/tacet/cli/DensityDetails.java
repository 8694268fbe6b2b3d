package tacet.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Option;
import tacet.deft.FiringMeter;
import tacet.deft.Problem;
import tacet.deft.Threshold;
import tacet.tensor.Engine;
import tacet.transformer.Part;
import tacet.transformer.Tap;

/** Density as it matters: which neurons speak how often, in groups of tokens, above thresholds. */
final class DensityDetails {
  @Option(
      names = "--firing",
      description = "Per layer: dead neurons, firing rates, and the union over tokens in a row.")
  private boolean firing;

  @Option(
      names = "--firing-samples",
      paramLabel = "N",
      description = "Examples to look at for --firing (512).")
  private int samples = 512;

  @Option(
      names = "--thresholds",
      split = ",",
      paramLabel = "X",
      description = "Drop activations up to each of these, and show density, score and error.")
  private List<Double> thresholds = List.of();

  private DensityDetails() {}

  /** Refuses what cannot be shown, before a model is run. */
  void check(Common common) {
    if (samples < 1) {
      throw common.usage("--firing-samples must be at least 1, got " + samples);
    }
    for (double tau : thresholds) {
      if (!(tau >= 0)) {
        throw common.usage("--thresholds must be 0 or more, got " + tau);
      }
    }
  }

  /** What was asked for, as JSON members; prints it too unless the output is JSON. */
  <M extends Part> Map<String, Object> run(
      Engine engine, M model, Problem<M> problem, Common common) {
    Map<String, Object> json = new LinkedHashMap<>();
    if (firing) {
      FiringMeter meter = new FiringMeter();
      problem.outputs(engine, Tap.onActivations(model), samples, meter::observe);
      List<Object> layers = new ArrayList<>();
      if (!common.json) {
        common
            .out()
            .printf("%-52s %6s %6s   %s%n", "layer", "dead", "always", "union of tokens, %");
      }
      for (FiringMeter.Firing f : meter.layers()) {
        layers.add(json(f));
        if (!common.json) {
          print(common.out(), f);
        }
      }
      json.put("firing", layers);
    }
    if (!thresholds.isEmpty()) {
      List<Object> points = new ArrayList<>();
      if (!common.json) {
        common.out().printf("%10s %10s %10s %12s%n", "threshold", "density %", "score", "error");
      }
      for (Threshold.Point p : Threshold.sweep(engine, model, problem, thresholds)) {
        Map<String, Object> point = new LinkedHashMap<>();
        point.put("threshold", p.tau());
        point.put("density", p.density());
        if (!Double.isNaN(p.decoder())) {
          point.put("decoder_density", p.decoder());
        }
        point.put("score", p.score());
        point.put("error", p.error());
        points.add(point);
        if (!common.json) {
          common
              .out()
              .printf(
                  Locale.ROOT,
                  "%10.1e %10.2f %10.2f %12.2e%n",
                  p.tau(),
                  p.density(),
                  p.score(),
                  p.error());
        }
      }
      json.put("thresholds", points);
    }
    return json;
  }

  private static Map<String, Object> json(FiringMeter.Firing f) {
    Map<String, Object> layer = new LinkedHashMap<>();
    layer.put("layer", f.name());
    layer.put("neurons", f.rates().length);
    layer.put("dead", f.dead());
    layer.put("always", f.alwaysOn());
    layer.put("rates", f.histogram());
    Map<String, Object> unions = new LinkedHashMap<>();
    f.unions().forEach((g, share) -> unions.put(Integer.toString(g), 100 * share));
    layer.put("union_density", unions);
    return layer;
  }

  private static void print(PrintWriter out, FiringMeter.Firing f) {
    StringBuilder unions = new StringBuilder();
    f.unions()
        .forEach(
            (g, share) -> unions.append(String.format(Locale.ROOT, "%d: %.1f  ", g, 100 * share)));
    out.printf(
        Locale.ROOT, "%-52s %6d %6d   %s%n", f.name(), f.dead(), f.alwaysOn(), unions.toString());
  }
}
