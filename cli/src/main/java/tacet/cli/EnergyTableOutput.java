package tacet.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import tacet.hardware.Counters;
import tacet.hardware.EnergyEstimate;
import tacet.hardware.EnergyScope;
import tacet.hardware.LeafCall;
import tacet.transformer.checkpoint.Json;

/**
 * Energy ratios of one or two models, in the form of Table 2: a row per scope; then counters, and where the saving comes
 * from.
 *
 * @param columns one or two models
 * @param scopes the rows
 * @param modules whether the table of modules is shown
 */
record EnergyTableOutput(List<Column> columns, List<EnergyScope> scopes, boolean modules) {
  /** A model with an estimate per scope. */
  record Column(String name, List<EnergyEstimate> estimates) {}

  /** The change of the second against the first in percent, negative for a saving. */
  private double change(int scope) {
    double before = columns.get(0).estimates.get(scope).ratio();
    return 100 * (columns.get(columns.size() - 1).estimates.get(scope).ratio() - before) / before;
  }

  void print(PrintWriter out) {
    boolean two = columns.size() == 2;
    for (int c = 0; c < columns.size(); c++) {
      out.printf("%s: %s%n", letter(c), columns.get(c).name);
    }
    out.println();
    out.printf("%-28s", "energy ratio");
    for (int c = 0; c < columns.size(); c++) {
      out.printf(" %10s", letter(c));
    }
    out.println(two ? "   change %" : "");
    for (int s = 0; s < scopes.size(); s++) {
      out.printf("%-28s", scopes.get(s));
      for (Column c : columns) {
        out.printf(Locale.ROOT, " %10.4f", c.estimates.get(s).ratio());
      }
      out.println(two ? String.format(Locale.ROOT, " %10.2f", change(s)) : "");
    }
    for (int s = 0; s < scopes.size(); s++) {
      out.println();
      out.println(scopes.get(s) + ": 1 - ratio comes from");
      line(out, "padding", s, e -> e.savings().padding());
      line(out, "MLP activations", s, e -> e.savings().mlp());
      line(out, "weights", s, e -> e.savings().weights());
      line(out, "other", s, e -> e.savings().other());
      line(out, "E_unopt, joule", s, e -> e.unoptimised() * 1e-12);
      line(out, "E_opt, joule", s, e -> e.optimised() * 1e-12);
      line(out, "TI, millions", s, e -> e.total().inputs() * 1e-6);
      line(out, "NI, millions", s, e -> e.total().inputsNonZero() * 1e-6);
      line(out, "TO, millions", s, e -> e.total().outputs() * 1e-6);
      line(out, "NO, millions", s, e -> e.total().outputsNonZero() * 1e-6);
      line(out, "TP, millions", s, e -> e.total().parameters() * 1e-6);
      line(out, "NP, millions", s, e -> e.total().parametersNonZero() * 1e-6);
      line(out, "C, millions", s, e -> e.total().computations() * 1e-6);
      line(out, "effectual C, millions", s, e -> e.total().effectual() * 1e-6);
    }
    if (modules) {
      printModules(out);
    }
  }

  private static String letter(int column) {
    return column == 0 ? "A" : "B";
  }

  private void line(
      PrintWriter out, String name, int scope, ToDoubleFunction<EnergyEstimate> value) {
    out.printf("  %-26s", name);
    for (Column c : columns) {
      out.printf(Locale.ROOT, " %10.4f", value.applyAsDouble(c.estimates.get(scope)));
    }
    out.println();
  }

  private void printModules(PrintWriter out) {
    for (int c = 0; c < columns.size(); c++) {
      out.println();
      out.printf(
          "%-58s %-10s %12s %8s %12s %8s %12s %8s%n",
          letter(c) + ", " + scopes.get(0),
          "kind",
          "inputs",
          "NI/TI",
          "outputs",
          "NO/TO",
          "parameters",
          "NP/TP");
      for (LeafCall call : columns.get(c).estimates.get(0).modules()) {
        Counters k = call.all();
        out.printf(
            Locale.ROOT,
            "%-58s %-10s %12.0f %8.4f %12.0f %8.4f %12.0f %8.4f%n",
            call.name(),
            call.kind(),
            k.inputs(),
            k.inputDensity(),
            k.outputs(),
            k.outputs() == 0 ? 1 : k.outputsNonZero() / k.outputs(),
            k.parameters(),
            k.parameterDensity());
      }
    }
  }

  // ---------------------------------------------------------------- JSON

  Json json() {
    List<Object> rows = new ArrayList<>();
    for (int s = 0; s < scopes.size(); s++) {
      Map<String, Object> row = new LinkedHashMap<>();
      row.put("scope", scopes.get(s).name());
      List<Object> models = new ArrayList<>();
      for (Column c : columns) {
        models.add(model(c.name, c.estimates.get(s)));
      }
      row.put("models", models);
      if (columns.size() == 2) {
        row.put("change_percent", change(s));
      }
      rows.add(row);
    }
    return Json.of(Map.of("rows", rows));
  }

  private Map<String, Object> model(String name, EnergyEstimate e) {
    Map<String, Object> m = new LinkedHashMap<>();
    m.put("name", name);
    m.put("ratio", e.ratio());
    m.put("unoptimised_pj", e.unoptimised());
    m.put("optimised_pj", e.optimised());
    m.put("counters", counters(e.total()));
    Map<String, Object> savings = new LinkedHashMap<>();
    savings.put("padding", e.savings().padding());
    savings.put("mlp", e.savings().mlp());
    savings.put("weights", e.savings().weights());
    savings.put("other", e.savings().other());
    m.put("savings", savings);
    if (modules) {
      List<Object> calls = new ArrayList<>();
      for (LeafCall call : e.modules()) {
        Map<String, Object> c = new LinkedHashMap<>();
        c.put("name", call.name());
        c.put("kind", call.kind().name());
        c.putAll(counters(call.all()));
        calls.add(c);
      }
      m.put("modules", calls);
    }
    return m;
  }

  private static Map<String, Object> counters(Counters k) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("TI", k.inputs());
    c.put("NI", k.inputsNonZero());
    c.put("TO", k.outputs());
    c.put("NO", k.outputsNonZero());
    c.put("TP", k.parameters());
    c.put("NP", k.parametersNonZero());
    c.put("C", k.computations());
    c.put("effectual", k.effectual());
    return c;
  }
}
