package tacet.deft.report;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.IntStream;
import tacet.deft.report.SvgChart.Bars;
import tacet.deft.report.SvgChart.Series;

/**
 * The demo's report: one HTML file that holds everything it shows (style and charts inline, no
 * script, nothing fetched), in light and dark, for screen, phone and paper. The text is well-formed
 * XML too.
 */
public final class HtmlReport {
  private static final int PEFT = 0; // colours: grey for the baseline, blue for what is shown
  private static final int DEFT = 1;
  private static final int MOST_POINTS = 400;

  static final String PAGE_STYLE =
      """
      :root { --bg: #f6f5f1; --accent: #0b6fb8; }
      @media (prefers-color-scheme: dark) { :root { --bg: #121519; --accent: #5cb3f2; } }
      * { box-sizing: border-box; }
      body { margin: 0; background: var(--bg); color: var(--ink);
        font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
      main { max-width: 1120px; margin: 0 auto; padding: 40px 24px 64px; }
      .eyebrow { color: var(--muted); margin: 0 0 8px; }
      .eyebrow b { color: var(--accent); letter-spacing: .02em; }
      h1 { font-size: clamp(1.7rem, 4.4vw, 2.7rem); line-height: 1.15; margin: 0 0 14px;
        letter-spacing: -.02em; text-wrap: balance; max-width: 24em; }
      h2 { font-size: 1.25rem; margin: 44px 0 14px; letter-spacing: -.01em; }
      p { max-width: 46em; } .lede { font-size: 1.1rem; margin: 0 0 28px; }
      a { color: var(--accent); }
      .tiles { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(220px, 1fr)); }
      .card { background: var(--paper); border: 1px solid var(--grid); border-radius: 14px; padding: 18px 20px; }
      .tile .what { color: var(--muted); font-size: .9rem; }
      .tile .big { font-size: 2.1rem; font-weight: 650; line-height: 1.25; letter-spacing: -.02em;
        font-variant-numeric: tabular-nums; color: var(--accent); }
      .tile .was { color: var(--muted); font-size: .9rem; }
      .charts { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
      figure { margin: 0; } figcaption { color: var(--muted); font-size: .86rem; margin-top: 8px; }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
      th, td { padding: 9px 10px; border-top: 1px solid var(--grid); text-align: right; vertical-align: baseline; }
      tr:first-child > * { border-top: 0; } th { font-weight: 500; }
      th:first-child { text-align: left; padding-left: 0; } td:last-child, th:last-child { padding-right: 0; }
      thead th { color: var(--muted); font-size: .9rem; } td.deft { font-weight: 650; }
      th small { display: block; color: var(--muted); font-weight: 400; font-size: .82rem; }
      .tag { font-size: .75rem; border: 1px solid var(--grid); border-radius: 99px; padding: 1px 8px;
        color: var(--muted); white-space: nowrap; }
      dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0; }
      dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
      pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere;
        font: .88rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
      details { margin-top: 12px; } summary { cursor: pointer; color: var(--muted); }
      details pre { margin-top: 10px; max-height: 420px; overflow: auto; }
      footer { color: var(--muted); font-size: .88rem; margin-top: 48px; }
      @media (max-width: 520px) { main { padding: 24px 14px 40px; } .card { padding: 14px; }
        th, td { padding: 8px 6px; font-size: .92rem; } dl { grid-template-columns: 1fr; gap: 0; }
        dd { margin-bottom: 8px; } .tiles { grid-template-columns: 1fr 1fr; gap: 10px; }
        .tile .big { font-size: 1.5rem; } }
      @media print { body { background: none; } .card { break-inside: avoid; } main { padding: 0; } }
      """;

  private static final String PAGE =
      """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <meta name="color-scheme" content="light dark"/>
      <title>%s – Tacet</title>
      <style>
      %s</style>
      </head>
      <body>
      <main>
      <header>
      <p class="eyebrow"><b>Tacet</b> · %s</p>
      <h1>%s</h1>
      <p class="lede">%s</p>
      </header>
      <section class="tiles">
      %s</section>
      <h2>Side by side</h2>
      <section class="card scroll">
      %s</section>
      <h2>Where the neurons fall silent</h2>
      <section class="charts">
      %s</section>
      <h2>What DEFT is</h2>
      %s
      <h2>Machine and versions</h2>
      <section class="card">
      %s</section>
      <h2>Run it again</h2>
      <section class="card">
      %s</section>
      <footer>One file, no scripts, nothing fetched. The same numbers are in results.json beside it.</footer>
      </main>
      </body>
      </html>
      """;

  private HtmlReport() {}

  /** Writes the report, replacing the file in one step. */
  public static void write(Path file, DemoResults results) throws IOException {
    Fields.write(file, html(results));
  }

  /** The whole page. */
  public static String html(DemoResults r) {
    return String.format(
        Locale.ROOT,
        PAGE,
        text(r.title()),
        SvgChart.STYLE + PAGE_STYLE,
        text(r.title()),
        text(headline(r)),
        text(lede(r)),
        tiles(r),
        table(r),
        charts(r),
        EXPLANATION,
        machine(r),
        again(r));
  }

  // ---------------------------------------------------------------- words

  /** What happened, in one sentence that stays true when the numbers disappoint. */
  static String headline(DemoResults r) {
    double change = r.densityChangePercent();
    double speed = r.milliseconds().speedUp();
    String neurons = percent(Math.abs(change), 0) + (change >= 0 ? " fewer" : " more");
    String pace =
        speed >= 1
            ? Markup.fixed(speed, 2) + "× faster"
            : "at " + Markup.fixed(speed, 2) + "× the speed";
    return neurons + " active neurons, " + pace + ", " + points(r) + ".";
  }

  private static String points(DemoResults r) {
    double gain = r.deft().score() - r.peft().score();
    String metric = r.deft().primary();
    if (Math.abs(gain) < 0.05) {
      return "the same " + metric;
    }
    return Markup.fixed(Math.abs(gain), 1) + " points " + (gain > 0 ? "more " : "less ") + metric;
  }

  private static String lede(DemoResults r) {
    return "The same model learnt the same task twice. Trained with the density loss (DEFT), "
        + percent(r.deft().density().exact(), 1)
        + " of its MLP neurons are active instead of "
        + percent(r.peft().density().exact(), 1)
        + ", at "
        + percent(r.deft().score(), 1)
        + " "
        + r.deft().primary()
        + " instead of "
        + percent(r.peft().score(), 1)
        + ". Leaving out the silent ones, exactly, it reads a sentence in "
        + Markup.fixed(r.milliseconds().deftSparse(), 2)
        + " ms; computing everything, it needs "
        + Markup.fixed(r.milliseconds().deftDense(), 2)
        + " ms.";
  }

  private static final String EXPLANATION =
      """
      <p>Parameter-efficient fine-tuning (<b>PEFT</b>; here a small module beside frozen weights) teaches a
      pre-trained model a task by training about one percent of its parameters. <b>DEFT</b>,
      Density-Efficient Fine-Tuning (Runwal, Pedapati and Chen, <i>From PEFT to DEFT</i>,
      <a href="https://arxiv.org/abs/2402.01911">arXiv 2402.01911</a>), trains the same parameters but adds a
      second term to the loss: how many neurons of the MLP blocks are active. The model learns to answer with
      fewer of them. A neuron that is exactly zero needs no multiplication afterwards, so that hardware or
      software which skips zeros saves time and energy without changing the result. (The method named "DEFT" in
      the Hugging Face <code>peft</code> library is another one.)</p>
      <p><b>Measured</b> on this machine: accuracy, density, training time, memory, and milliseconds per
      sentence. <b>Simulated</b>: the energy ratio, which a model of an accelerator computes from the recorded
      activations: energy with zeros skipped, as a fraction of the energy without.</p>
      """;

  // ---------------------------------------------------------------- tiles and table

  private static String tiles(DemoResults r) {
    StringBuilder out = new StringBuilder();
    tile(
        out,
        "Active neurons",
        percent(r.deft().density().exact(), 1),
        "PEFT: " + percent(r.peft().density().exact(), 1));
    tile(
        out,
        capital(r.deft().primary()) + " on unseen examples",
        percent(r.deft().score(), 1),
        "PEFT: " + percent(r.peft().score(), 1));
    tile(
        out,
        "Per sentence, zeros skipped",
        Markup.fixed(r.milliseconds().deftSparse(), 2) + " ms",
        "computed densely: " + Markup.fixed(r.milliseconds().deftDense(), 2) + " ms");
    tile(
        out,
        "Energy ratio, simulated",
        Markup.fixed(r.energy().deft(), 3),
        "PEFT: " + Markup.fixed(r.energy().peft(), 3));
    return out.toString();
  }

  private static void tile(StringBuilder out, String what, String big, String was) {
    out.append("<div class=\"card tile\"><div class=\"what\">").append(text(what));
    out.append("</div><div class=\"big\">").append(text(big));
    out.append("</div><div class=\"was\">").append(text(was)).append("</div></div>\n");
  }

  private static String table(DemoResults r) {
    RunMetrics p = r.peft();
    RunMetrics d = r.deft();
    DemoResults.MillisecondsPerSentence ms = r.milliseconds();
    StringBuilder out = new StringBuilder();
    out.append(
        "<table>\n<thead><tr><th></th><th>PEFT</th><th>DEFT</th><th>change</th></tr></thead>\n");
    out.append("<tbody>\n");
    for (String metric : p.metrics().keySet()) {
      double a = p.metrics().get(metric);
      double b = d.metrics().getOrDefault(metric, Double.NaN);
      row(
          out,
          capital(metric),
          "on unseen examples",
          percent(a, 1),
          percent(b, 1),
          signed(b - a, 1) + "\u00a0pt");
    }
    String change = signed(-r.densityChangePercent(), 1) + "\u00a0%";
    row(
        out,
        "Density",
        "neurons not exactly zero",
        percent(p.density().exact(), 2),
        percent(d.density().exact(), 2),
        change);
    p.density()
        .threshold()
        .forEach(
            (tau, a) -> {
              double b = d.density().threshold().getOrDefault(tau, Double.NaN);
              String relative = signed((b - a) / a * 100, 1) + "\u00a0%";
              row(
                  out,
                  "Density beyond " + tau,
                  "|a| > " + tau,
                  percent(a, 2),
                  percent(b, 2),
                  relative);
            });
    row(
        out,
        "Energy ratio",
        "simulated, zeros skipped",
        Markup.fixed(r.energy().peft(), 3),
        Markup.fixed(r.energy().deft(), 3),
        signed(-r.energy().changePercent(), 1) + "\u00a0%");
    row(
        out,
        "Milliseconds per sentence, dense",
        "measured",
        Markup.fixed(ms.peftDense(), 2),
        Markup.fixed(ms.deftDense(), 2),
        "");
    row(
        out,
        "Milliseconds per sentence, sparse",
        "measured, same result bit by bit",
        "–",
        Markup.fixed(ms.deftSparse(), 2),
        Markup.fixed(ms.speedUp(), 2) + "×");
    row(
        out,
        "Trainable parameters",
        grouped(p.trainable())
            + (p.trainable() == d.trainable() ? "" : " / " + grouped(d.trainable())),
        percent(p.trainablePercent(), 2),
        percent(d.trainablePercent(), 2),
        "");
    for (String phase : p.seconds().keySet()) {
      row(
          out,
          "Seconds to " + phase,
          "",
          Markup.fixed(p.seconds().get(phase), 1),
          Markup.fixed(d.seconds().getOrDefault(phase, Double.NaN), 1),
          "");
    }
    return out.append("</tbody>\n</table>\n").toString();
  }

  private static void row(
      StringBuilder out, String name, String note, String peft, String deft, String change) {
    out.append("<tr><th scope=\"row\">").append(text(name));
    if (!note.isEmpty()) {
      out.append("<small>").append(text(note)).append("</small>");
    }
    out.append("</th><td>").append(text(peft));
    out.append("</td><td class=\"deft\">").append(text(deft));
    out.append("</td><td>").append(text(change)).append("</td></tr>\n");
  }

  // ---------------------------------------------------------------- charts

  private static String charts(DemoResults r) {
    StringBuilder out = new StringBuilder();
    List<LogEntry.Evaluation> peft = evaluations(r.peftLog());
    List<LogEntry.Evaluation> deft = evaluations(r.deftLog());
    int layers = r.deft().density().layers().size();
    List<String> numbers = IntStream.rangeClosed(1, layers).mapToObj(Integer::toString).toList();
    figure(
        out,
        SvgChart.bars(
            "Density per layer",
            "layer",
            "active neurons, %",
            numbers,
            List.of(
                new Bars("PEFT", PEFT, r.peft().density().layers()),
                new Bars("DEFT", DEFT, r.deft().density().layers()))),
        "Share of MLP activations that are not exactly zero, over the whole evaluation set.");
    if (!peft.isEmpty() || !deft.isEmpty()) {
      figure(
          out,
          SvgChart.lines(
              "Density while training",
              "step",
              "active neurons, %",
              null,
              true,
              List.of(
                  series("PEFT", PEFT, peft, LogEntry.Evaluation::density),
                  series("DEFT", DEFT, deft, LogEntry.Evaluation::density))),
          "The density loss pulls the activations down while the task is learnt.");
    }
    if (deft.size() > 1) {
      figure(
          out,
          SvgChart.heat(
              "DEFT: density of every layer",
              "step",
              deft.stream().map(e -> Long.toString(e.step())).toList(),
              IntStream.rangeClosed(1, deft.get(0).layers().size())
                  .mapToObj(i -> "layer " + i)
                  .toList(),
              transposed(deft),
              DEFT,
              " %"),
          "From top to bottom: first to last layer. Paler is quieter.");
    }
    if (!peft.isEmpty() || !deft.isEmpty()) {
      figure(
          out,
          SvgChart.lines(
              capital(r.deft().primary()) + " while training",
              "step",
              r.deft().primary() + ", %",
              null,
              false,
              List.of(
                  series("PEFT", PEFT, peft, LogEntry.Evaluation::score),
                  series("DEFT", DEFT, deft, LogEntry.Evaluation::score))),
          "On examples that neither run has seen.");
    }
    List<Series> losses = new ArrayList<>();
    losses.addAll(loss("PEFT", PEFT, steps(r.peftLog())));
    losses.addAll(loss("DEFT", DEFT, steps(r.deftLog())));
    if (!losses.isEmpty()) {
      figure(
          out,
          SvgChart.lines("Task loss while training", "step", "cross-entropy", null, true, losses),
          "Thin: every step. Thick: the moving average. Without the density term.");
    }
    DemoResults.MillisecondsPerSentence ms = r.milliseconds();
    figure(
        out,
        SvgChart.bars(
            "Time per sentence",
            "",
            "milliseconds, measured",
            List.of("all neurons", "zeros skipped"),
            List.of(
                new Bars("PEFT", PEFT, List.of(ms.peftDense(), Double.NaN)),
                new Bars("DEFT", DEFT, List.of(ms.deftDense(), ms.deftSparse())))),
        "Leaving out zeros changes no bit of the result.");
    return out.toString();
  }

  private static void figure(StringBuilder out, String svg, String caption) {
    out.append("<figure class=\"card\">\n").append(svg);
    out.append("<figcaption>").append(text(caption)).append("</figcaption>\n</figure>\n");
  }

  private static List<LogEntry.Evaluation> evaluations(List<LogEntry> log) {
    return log.stream()
        .filter(LogEntry.Evaluation.class::isInstance)
        .map(LogEntry.Evaluation.class::cast)
        .toList();
  }

  private static List<LogEntry.Step> steps(List<LogEntry> log) {
    return log.stream()
        .filter(LogEntry.Step.class::isInstance)
        .map(LogEntry.Step.class::cast)
        .toList();
  }

  private static Series series(
      String name,
      int colour,
      List<LogEntry.Evaluation> evaluations,
      Function<LogEntry.Evaluation, Double> value) {
    return new Series(
        name,
        colour,
        evaluations.stream().map(e -> (double) e.step()).toList(),
        evaluations.stream().map(value).toList());
  }

  /** The loss of every step, thin, and its moving average; both thinned out to what can be seen. */
  private static List<Series> loss(String name, int colour, List<LogEntry.Step> steps) {
    int every = (steps.size() + MOST_POINTS - 1) / MOST_POINTS;
    int reach = Math.max(2, steps.size() / 30);
    List<Double> x = new ArrayList<>();
    List<Double> raw = new ArrayList<>();
    List<Double> smooth = new ArrayList<>();
    for (int i = 0; i < steps.size(); i += Math.max(1, every)) {
      x.add((double) steps.get(i).step());
      raw.add(steps.get(i).taskLoss());
      smooth.add(
          steps.subList(Math.max(0, i - reach), Math.min(steps.size(), i + reach + 1)).stream()
              .mapToDouble(LogEntry.Step::taskLoss)
              .average()
              .orElseThrow());
    }
    if (x.isEmpty()) {
      return List.of();
    }
    return List.of(
        new Series("", colour, x, raw, false, true), new Series(name, colour, x, smooth));
  }

  /** Values per layer, per evaluation. */
  private static List<List<Double>> transposed(List<LogEntry.Evaluation> evaluations) {
    return IntStream.range(0, evaluations.get(0).layers().size())
        .mapToObj(l -> evaluations.stream().map(e -> e.layers().get(l)).toList())
        .toList();
  }

  // ---------------------------------------------------------------- machine and command

  private static String machine(DemoResults r) {
    StringBuilder out = new StringBuilder("<dl>\n");
    for (Map.Entry<String, String> fact : r.machine().entrySet()) {
      out.append("<dt>").append(text(fact.getKey()));
      out.append("</dt><dd>").append(text(fact.getValue())).append("</dd>\n");
    }
    return out.append("</dl>\n").toString();
  }

  private static String again(DemoResults r) {
    return "<pre>"
        + text(r.command())
        + "</pre>\n"
        + configuration("PEFT", r.peft())
        + configuration("DEFT", r.deft());
  }

  private static String configuration(String name, RunMetrics metrics) {
    return "<details><summary>Configuration of the "
        + name
        + " run</summary>\n<pre>"
        + text(metrics.configuration().pretty())
        + "</pre></details>\n";
  }

  // ---------------------------------------------------------------- text

  private static String text(String s) {
    return Markup.escape(s);
  }

  private static String percent(double value, int decimals) {
    return Markup.fixed(value, decimals) + "\u00a0%"; // a space that does not break
  }

  private static String signed(double value, int decimals) {
    String text = Markup.fixed(value, decimals);
    return text.startsWith("−") || text.matches("[0.]+|–") ? text : "+" + text;
  }

  private static String grouped(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }

  private static String capital(String s) {
    return s.isEmpty() ? s : Character.toUpperCase(s.charAt(0)) + s.substring(1);
  }
}
