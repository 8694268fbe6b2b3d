package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.Dataset;
import tacet.deft.DensityLoss;
import tacet.deft.EnergyProbe;
import tacet.deft.Evaluator;
import tacet.deft.Padding;
import tacet.deft.Ramp;
import tacet.deft.TextProblem;
import tacet.deft.Trainer;
import tacet.deft.report.DemoResults;
import tacet.deft.report.DemoResults.EnergyRatio;
import tacet.deft.report.DemoResults.MillisecondsPerSentence;
import tacet.deft.report.HtmlReport;
import tacet.deft.report.LogEntry;
import tacet.deft.report.RunLog;
import tacet.deft.report.RunMetrics;
import tacet.deft.task.SyntheticReviews;
import tacet.deft.task.Task;
import tacet.hardware.EnergyScope;
import tacet.peft.AdapterFile;
import tacet.peft.Lora;
import tacet.peft.Targets;
import tacet.tensor.Engine;
import tacet.tensor.kernel.Surrogate;
import tacet.tensor.measure.Host;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.TextModels;

/**
 * {@code tacet demo}: one pre-trained encoder, fine-tuned twice with LoRA on the same synthetic
 * reviews, once plainly and once with the density loss; then both are measured.
 */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Fine-tunes minilm with LoRA twice on the built-in synthetic reviews, without (PEFT) and with"
          + " the density loss (DEFT), compares accuracy, density and speed, and writes report.html"
          + " and results.json."
    })
final class DemoCommand implements Callable<Integer> {
  /** How much is learnt: λ grows late enough for the task to be learnt first. */
  private record Size(
      int train, int dev, int epochs, int batch, double lambda, Ramp ramp, int timed) {}

  private static final Size FULL = new Size(3000, 600, 3, 32, 1, new Ramp(0.4, 0.7), 300);
  private static final Size QUICK = new Size(1000, 300, 2, 16, 1, new Ramp(0.3, 0.6), 48);

  private static final int MAX_LENGTH = 64;
  private static final double LEARNING_RATE = 2e-3;
  private static final int TIMING_BATCH = 32;
  private static final int TIMING_ROUNDS = 9;

  @Option(names = "--quick", description = "Less data: done in under a minute.")
  private boolean quick;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Where to write (default: ${DEFAULT-VALUE}).")
  private Path out = Path.of("tacet-demo");

  @Option(names = "--seed", paramLabel = "N", description = "Of every random choice (1).")
  private long seed = 1;

  @Mixin private Common common;

  private TextModel base;
  private Lora lora;

  private DemoCommand() {}

  /** A trained model, ready to be measured. */
  private record Trained(TextModel merged, RunMetrics metrics, List<LogEntry> log) {}

  @Override
  public Integer call() throws IOException {
    Progress progress = common.progress();
    Task task = SyntheticReviews.task(seed, size().train, size().dev);
    try (Engine engine = common.engine();
        ModelSource source = ModelSource.open(ModelSource.MINILM)) {
      Dataset train = Dataset.of(task.train().read(), source.tokenizer(), MAX_LENGTH);
      Dataset dev = Dataset.of(task.dev().read(), source.tokenizer(), MAX_LENGTH);
      TextModels.Classifier loaded = source.classifier(task.outputs(), seed);
      base = ModelOptions.withActivation(loaded.model(), "relu");
      lora =
          new Lora(
              8,
              16,
              0.1,
              false,
              Targets.of("query", "value", "intermediate.dense", "output.dense"),
              TrainCommand.modulesToSave(loaded));
      Trained peft = train("peft", engine, task, train, dev, null, progress);
      DensityLoss loss =
          new DensityLoss(
              Surrogate.TANH,
              DensityLoss.standardParameter(Surrogate.TANH),
              size().lambda,
              Padding.MASKED);
      Trained deft = train("deft", engine, task, train, dev, loss, progress);
      progress.say("measuring speed and energy");
      DemoResults results = measure(engine, dev, peft, deft);
      results.write(out.resolve("results.json"));
      HtmlReport.write(out.resolve("report.html"), results);
      print(results);
      progress.say("wrote " + out.resolve("report.html") + " and " + out.resolve("results.json"));
    }
    return 0;
  }

  private Trained train(
      String name,
      Engine engine,
      Task task,
      Dataset train,
      Dataset dev,
      DensityLoss loss,
      Progress progress)
      throws IOException {
    TextModel model = lora.applyTo(base, seed);
    Trainer<TextModel> trainer =
        new Trainer<>(
            engine,
            model,
            new TextProblem(task, train, dev),
            Trainer.Settings.of(
                size().epochs, size().batch, LEARNING_RATE, seed, loss, size().ramp));
    Path dir = out.resolve(name);
    Files.createDirectories(dir);
    long start = System.nanoTime();
    Evaluator.Result result;
    TrainCommand.TrainingProgress listener;
    try (RunLog log = RunLog.create(dir.resolve("log.jsonl"))) {
      listener =
          new TrainCommand.TrainingProgress(
              progress, name.toUpperCase(Locale.ROOT), trainer.totalSteps(), log);
      result = trainer.run(null, listener, () -> false).last();
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    AdapterFile.save(dir.resolve("adapter"), model, lora, "SEQ_CLS", ModelSource.MINILM);
    long trainable = Surgery.count(trainer.trainable());
    Map<String, Double> times = new LinkedHashMap<>();
    times.put("train", seconds);
    times.put("evaluate", result.seconds());
    RunMetrics metrics =
        new RunMetrics(
            task.name(),
            "lora",
            result.score(),
            result.metrics(),
            result.density(),
            null,
            trainable,
            100.0 * trainable / Surgery.count(Surgery.parameters(model)),
            times,
            Host.peakMemoryMb(),
            configuration(train.size(), loss));
    metrics.write(dir.resolve("metrics.json"));
    return new Trained(Lora.merge(model), metrics, listener.entries());
  }

  private Json configuration(int samples, DensityLoss loss) {
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("model", ModelSource.MINILM);
    c.put("activation", "relu");
    c.put("task", SyntheticReviews.NAME);
    c.put("method", "lora");
    c.put("rank", 8);
    c.put("alpha", 16);
    c.put("lora_dropout", 0.1);
    c.put("targets", List.of("query", "value", "intermediate.dense", "output.dense"));
    c.put("surrogate", loss == null ? "none" : "tanh");
    if (loss != null) {
      c.put("beta", loss.parameter());
      c.put("lambda", loss.lambda());
      c.put("lambda_ramp", new double[] {size().ramp.start(), size().ramp.end()});
    }
    c.put("train_samples", samples);
    c.put("max_length", MAX_LENGTH);
    c.put("epochs", size().epochs);
    c.put("batch", size().batch);
    c.put("lr", LEARNING_RATE);
    c.put("warmup", 0.06);
    c.put("weight_decay", 0.01);
    c.put("seed", seed);
    return Json.of(c);
  }

  private DemoResults measure(Engine engine, Dataset dev, Trained peft, Trained deft) {
    Engine dense = engine.alwaysDense();
    Dataset timed = dev.first(size().timed);
    MillisecondsPerSentence milliseconds =
        new MillisecondsPerSentence(
            time(dense, peft, timed), time(dense, deft, timed), time(engine, deft, timed));
    EnergyRatio energy = new EnergyRatio(energy(engine, peft, dev), energy(engine, deft, dev));
    double before = peft.metrics.density().exact();
    double change = 100 * (before - deft.metrics.density().exact()) / before;
    return new DemoResults(
        "MiniLM on synthetic reviews",
        "tacet demo" + (quick ? " --quick" : "") + " --seed " + seed,
        Machine.facts(engine),
        peft.metrics,
        deft.metrics,
        peft.log,
        deft.log,
        milliseconds,
        energy,
        change);
  }

  private Size size() {
    return quick ? QUICK : FULL;
  }

  private static double time(Engine engine, Trained trained, Dataset data) {
    return Evaluator.millisecondsPerSentence(
        engine, trained.merged, data, TIMING_BATCH, TIMING_ROUNDS);
  }

  private static double energy(Engine engine, Trained trained, Dataset data) {
    return EnergyProbe.measure(engine, trained.merged, data, EnergyScope.LEAF_HF).ratio();
  }

  private void print(DemoResults r) {
    PrintWriter out = common.out();
    if (common.json) {
      out.println(r.toJson());
      return;
    }
    out.println();
    out.printf(Locale.ROOT, "%-34s %10s %10s%n", "", "PEFT", "DEFT");
    row(out, "accuracy %", r.peft().score(), r.deft().score());
    row(out, "density %", r.peft().density().exact(), r.deft().density().exact());
    out.printf(
        Locale.ROOT, "%-34s %10s %10.1f%n", "density change %", "", r.densityChangePercent());
    row(out, "energy ratio (simulated)", r.energy().peft(), r.energy().deft());
    row(out, "ms per sentence, dense", r.milliseconds().peftDense(), r.milliseconds().deftDense());
    out.printf(
        Locale.ROOT,
        "%-34s %10s %10.3f   (%.2fx)%n",
        "ms per sentence, sparse",
        "",
        r.milliseconds().deftSparse(),
        r.milliseconds().speedUp());
    out.println();
  }

  private static void row(PrintWriter out, String name, double peft, double deft) {
    out.printf(Locale.ROOT, "%-34s %10.3f %10.3f%n", name, peft, deft);
  }
}
