package tacet.deft.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.transformer.checkpoint.Json;

/**
 * What the demo found: the same model fine-tuned twice on the same data, plainly (PEFT) and with
 * the density loss (DEFT).
 *
 * @param title of the report, for example {@code MiniLM on synthetic reviews}
 * @param command the command line that repeats the run
 * @param machine facts about the machine and the versions, in the order to show them
 * @param peft metrics of the plain run
 * @param deft metrics of the run with the density loss
 * @param peftLog log of the plain run
 * @param deftLog log of the run with the density loss
 * @param milliseconds measured time per sentence
 * @param energy simulated energy ratios
 * @param densityChangePercent (density of PEFT − density of DEFT) / density of PEFT · 100 (eq. 10)
 */
public record DemoResults(
    String title,
    String command,
    Map<String, String> machine,
    RunMetrics peft,
    RunMetrics deft,
    List<LogEntry> peftLog,
    List<LogEntry> deftLog,
    MillisecondsPerSentence milliseconds,
    EnergyRatio energy,
    double densityChangePercent) {
  /**
   * Measured time to classify one sentence, in milliseconds.
   *
   * @param peftDense the PEFT model with ordinary matrix products
   * @param deftDense the DEFT model with ordinary matrix products
   * @param deftSparse the DEFT model, silent neurons left out
   */
  public record MillisecondsPerSentence(double peftDense, double deftDense, double deftSparse) {
    /** How many times faster the DEFT model is when silent neurons are left out. */
    public double speedUp() {
      return deftDense / deftSparse;
    }
  }

  /**
   * Simulated energy on an accelerator that skips zeros, as a fraction of one that does not.
   *
   * @param peft of the PEFT model
   * @param deft of the DEFT model
   */
  public record EnergyRatio(double peft, double deft) {
    /** Energy change in percent: positive where DEFT needs less. */
    public double changePercent() {
      return (peft - deft) / peft * 100;
    }
  }

  /** Copies the collections, keeping their order. */
  public DemoResults {
    machine = Collections.unmodifiableMap(new LinkedHashMap<>(machine));
    peftLog = List.copyOf(peftLog);
    deftLog = List.copyOf(deftLog);
  }

  /** The object that {@code demo --json} prints and results.json holds. */
  public Json toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("peft", peft.toJson());
    json.put("deft", deft.toJson());
    json.put("density_change_percent", densityChangePercent);
    Map<String, Object> ratio = new LinkedHashMap<>();
    ratio.put("peft", energy.peft);
    ratio.put("deft", energy.deft);
    json.put("energy_ratio", ratio);
    Map<String, Object> ms = new LinkedHashMap<>();
    ms.put("peft_dense", milliseconds.peftDense);
    ms.put("deft_dense", milliseconds.deftDense);
    ms.put("deft_sparse", milliseconds.deftSparse);
    json.put("ms_per_sentence", ms);
    return Json.of(json);
  }

  /** Writes results.json, indented, replacing the file in one step. */
  public void write(Path file) throws IOException {
    Fields.write(file, toJson().pretty());
  }
}
