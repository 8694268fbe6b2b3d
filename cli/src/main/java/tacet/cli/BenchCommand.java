package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tacet.tensor.Engine;
import tacet.tensor.kernel.Roofline;
import tacet.tensor.measure.Interleaved;
import tacet.transformer.checkpoint.Json;

/** {@code tacet bench}: in a minute, what this machine can do and how much of it Tacet uses. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Measures this machine's peak, the dense and the sparse product beside it, and a model with"
          + " and without use of its zeros; about a minute, with nothing else running. The"
          + " comparison with other libraries is benchmarks/run-all in the sources."
    })
final class BenchCommand implements Callable<Integer> {
  private enum What {
    KERNELS,
    MODEL
  }

  @Parameters(
      arity = "0..1",
      paramLabel = "kernels|model",
      description = "Only the products, or only the model.")
  private What what;

  @Option(
      names = "--model",
      paramLabel = "MODEL",
      description = "A Hugging Face directory, or minilm (default: ${DEFAULT-VALUE}).")
  private String model = ModelSource.MINILM;

  @Option(names = "--quick", description = "A few seconds, rough figures.")
  private boolean quick;

  @Option(
      names = "--tokens",
      paramLabel = "N",
      description = "Rows of the products (default: ${DEFAULT-VALUE}).")
  private int tokens = 128;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description = "Figures are medians of this many rounds (default: ${DEFAULT-VALUE}).")
  private int rounds = 11;

  @Option(
      names = "--warm-up",
      paramLabel = "MS",
      description = "Milliseconds to warm each job up (1000; 300 with --quick).")
  private Integer warmUp;

  @Mixin private Common common;

  private BenchCommand() {}

  @Override
  public Integer call() throws IOException {
    if (rounds < 1 || tokens < 1 || warmUp != null && warmUp < 0) {
      throw common.usage("--rounds and --tokens must be at least 1, --warm-up not negative");
    }
    Interleaved.Settings usual = quick ? Interleaved.Settings.QUICK : Interleaved.Settings.STANDARD;
    Interleaved.Settings settings =
        new Interleaved.Settings(
            rounds, warmUp == null ? usual.warmUpMillis() : warmUp, usual.roundMillis());
    Progress progress = common.progress();
    Map<String, Object> json = new LinkedHashMap<>();
    List<String> lines = new ArrayList<>();
    try (Engine engine = common.engine()) {
      json.put("machine", Machine.facts(engine));
      progress.say("measuring the machine");
      Roofline.measure(engine.workers()); // the compiler's turn
      Roofline roofline = Roofline.measure(engine.workers());
      json.put("peak_gflops", roofline.gflops());
      json.put("read_gigabytes", roofline.gigabytes());
      Machine.facts(engine).forEach((k, v) -> lines.add(String.format("%-16s %s", k, v)));
      lines.add(line("%-16s %.1f GFLOP/s", "Measured peak", roofline.gflops()));
      lines.add(line("%-16s %.1f GB/s", "Memory read", roofline.gigabytes()));
      if (what != What.MODEL) {
        progress.say("measuring products");
        KernelBench kernels = KernelBench.run(engine, settings, quick, tokens);
        json.put("dense", kernels.denseJson(roofline));
        json.put("sparse", kernels.sparseJson());
        kernels.describe(roofline, lines);
      }
      if (what != What.KERNELS) {
        progress.say("measuring " + model);
        try (ModelSource source = ModelSource.open(model)) {
          ModelBench bench = ModelBench.run(engine, source, settings, quick);
          json.put("model", bench.json());
          bench.describe(lines);
        }
      }
    }
    PrintWriter out = common.out();
    if (common.json) {
      out.println(Json.of(json));
    } else {
      lines.forEach(out::println);
    }
    return 0;
  }

  static String line(String format, Object... args) {
    return String.format(Locale.ROOT, format, args);
  }
}
