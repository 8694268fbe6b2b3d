package tacet.deft.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import tacet.transformer.checkpoint.Json;

/** Results such as a demo gives, made up but plausible. */
final class Fixture {
  private Fixture() {}

  static DemoResults demo() {
    Map<String, String> machine = new LinkedHashMap<>();
    machine.put("Processor", "Example CPU @ 2.50 GHz, 2 of 2 cores used");
    machine.put("Kernels", "vector, 512 bits");
    machine.put("Memory", "peak 812 MB");
    machine.put("Java", "25.0.3+9, Example VM");
    machine.put("System", "Linux 6.1 amd64");
    machine.put("Tacet", "0.1.0 (7 threads < 8 & more)");
    List<LogEntry> peftLog = log(1, 15.9, 13.5);
    List<LogEntry> deftLog = log(2, 15.9, 4.6);
    return new DemoResults(
        "MiniLM learns synthetic reviews with LoRA",
        "tacet demo --seed 1 --threads 2 --out runs/demo",
        machine,
        run(96.4, last(peftLog), 0),
        run(95.8, last(deftLog), 0.1),
        peftLog,
        deftLog,
        new DemoResults.MillisecondsPerSentence(2.31, 2.29, 1.62),
        new DemoResults.EnergyRatio(0.612, 0.548),
        100 * (last(peftLog).density() - last(deftLog).density()) / last(peftLog).density());
  }

  static RunMetrics run(double score, LogEntry.Evaluation end, double lambda) {
    Map<String, Object> configuration = new LinkedHashMap<>();
    configuration.put("model", "minilm");
    configuration.put("rank", 8);
    configuration.put("lambda", lambda);
    configuration.put("targets", List.of("query", "value"));
    Map<String, Double> threshold = new LinkedHashMap<>();
    threshold.put("1e-3", end.density() * 0.98);
    threshold.put("1e-2", end.density() * 0.9);
    Map<String, Double> seconds = new LinkedHashMap<>();
    seconds.put("train", 81.2 - 100 * lambda);
    seconds.put("evaluate", 2.4);
    return new RunMetrics(
        "reviews",
        "lora",
        score,
        Map.of("accuracy", score),
        new Density(end.density(), end.density() * 1.1, threshold, end.layers()),
        null,
        259_586,
        1.13,
        seconds,
        812.5,
        Json.of(configuration));
  }

  static LogEntry.Evaluation last(List<LogEntry> log) {
    return (LogEntry.Evaluation) log.get(log.size() - 1);
  }

  /** 126 steps with an evaluation before the first and after every 14th. */
  static List<LogEntry> log(long seed, double fromDensity, double toDensity) {
    SplittableRandom random = new SplittableRandom(seed);
    List<LogEntry> log = new ArrayList<>();
    int steps = 126;
    for (int i = 0; i <= steps; i++) {
      double part = (double) i / steps;
      double learnt = 1 / (1 + Math.exp(-9 * (part - 0.35)));
      if (i > 0) {
        double task = 0.72 - 0.58 * learnt + 0.16 * (random.nextDouble() - 0.5);
        double density = 0.12 - 0.07 * part;
        log.add(
            new LogEntry.Step(
                i,
                i / 63.0,
                task + 0.1 * density,
                task,
                density,
                2e-3 * (1 - part),
                0.6 * i,
                52 + random.nextDouble()));
      }
      if (i % 14 == 0) {
        double density = fromDensity + (toDensity - fromDensity) * Math.sqrt(part);
        List<Double> layers =
            IntStream.range(0, 6)
                .mapToObj(l -> density * (1.5 - 0.2 * l + 0.1 * random.nextDouble()))
                .toList();
        double mean = layers.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
        log.add(new LogEntry.Evaluation(i, 51 + 45 * learnt + random.nextDouble(), mean, layers));
      }
    }
    return log;
  }
}
