package tacet.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import tacet.hardware.EncoderEnergy;
import tacet.hardware.EncoderEnergy.Batch;
import tacet.hardware.EncoderEnergy.Method;
import tacet.transformer.checkpoint.Json;

/**
 * The RoBERTa-large rows of Table 2 of arXiv 2402.01911, estimated from the densities of its Table 1: 64 sentences of
 * SST-2 padded to 128, eager attention, 20 or 25 tokens per sentence. The scope is inferred from element counts; the
 * authors do not document theirs.
 */
final class Table2 {
  /** A row: densities before and after in percent, and the ratios that the paper prints. */
  private record Row(
      Method method, int extra, double peft, double deft, double paperPeft, double paperDeft) {
    double estimate(double density, double valid) {
      Batch b = new Batch(method, extra, BATCH, LENGTH, valid, density / 100);
      return EncoderEnergy.ROBERTA_LARGE.paperTable2(b).ratio();
    }
  }

  private static final int BATCH = 64;
  private static final int LENGTH = 128;
  private static final double[] VALID = {20, 25};

  private static final List<Row> ROWS =
      List.of(
          new Row(Method.ADAPTER, 64, 93.83, 41.50, 0.85, 0.78),
          new Row(Method.LORA, 0, 93.87, 45.86, 0.84, 0.79),
          new Row(Method.PREFIX, 60, 94.20, 51.91, 0.90, 0.82),
          new Row(Method.PROMPT, 60, 93.64, 92.90, 0.898, 0.897));

  private Table2() {}

  static void print(Common common) {
    PrintWriter out = common.out();
    if (common.json) {
      out.println(json());
      return;
    }
    out.println("RoBERTa-large on SST-2, energy ratio: paper, and estimates from densities alone");
    out.printf(
        "%-10s %18s | %8s %9s %9s | %8s %9s %9s%n",
        "", "density %", "PEFT", "20 tokens", "25 tokens", "DEFT", "20 tokens", "25 tokens");
    for (Row r : ROWS) {
      out.printf(
          Locale.ROOT,
          "%-10s %8.2f -> %6.2f | %8.3f %9.3f %9.3f | %8.3f %9.3f %9.3f%n",
          r.method.name().toLowerCase(Locale.ROOT),
          r.peft,
          r.deft,
          r.paperPeft,
          r.estimate(r.peft, VALID[0]),
          r.estimate(r.peft, VALID[1]),
          r.paperDeft,
          r.estimate(r.deft, VALID[0]),
          r.estimate(r.deft, VALID[1]));
    }
  }

  private static Json json() {
    List<Object> rows = new ArrayList<>();
    for (Row r : ROWS) {
      Map<String, Object> o = new LinkedHashMap<>();
      o.put("method", r.method.name().toLowerCase(Locale.ROOT));
      o.put("peft", side(r, r.peft, r.paperPeft));
      o.put("deft", side(r, r.deft, r.paperDeft));
      rows.add(o);
    }
    return Json.of(Map.of("rows", rows));
  }

  private static Map<String, Object> side(Row r, double density, double paper) {
    Map<String, Object> o = new LinkedHashMap<>();
    o.put("density", density);
    o.put("paper", paper);
    o.put("estimate_20_tokens", r.estimate(density, VALID[0]));
    o.put("estimate_25_tokens", r.estimate(density, VALID[1]));
    return o;
  }
}
