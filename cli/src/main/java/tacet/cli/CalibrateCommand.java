package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.tensor.Engine;
import tacet.tensor.kernel.BreakEven;
import tacet.transformer.checkpoint.Json;

/** {@code tacet calibrate}: measures where skipping zeros pays, for the other commands to use. */
@Command(
    name = "calibrate",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Measures, in about a quarter of a minute, up to which density products that skip zeros are"
          + " faster on this machine.",
      "All commands with the same number of threads use the table from then on. Results are the same"
          + " with any table, only the time is not; let nothing else run meanwhile."
    })
final class CalibrateCommand implements Callable<Integer> {
  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "Where to write the table; by default where other commands find it.")
  private Path out;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      description = "Timings per point, of which the median counts (9).")
  private int rounds = 9;

  @Mixin private Common common;

  private CalibrateCommand() {}

  @Override
  public Integer call() throws IOException {
    if (rounds < 1) {
      throw common.usage("--rounds must be at least 1, got " + rounds);
    }
    try (Engine engine = common.plainEngine()) {
      Path file = out != null ? out : BreakEvenFile.of(engine, System.getenv());
      if (file == null) {
        throw new UserException("no cache folder: set XDG_CACHE_HOME, or name a file with --out");
      }
      BreakEven table = BreakEven.measure(engine, rounds);
      BreakEvenFile.write(file, table);
      if (common.json) {
        Map<String, Object> result = new LinkedHashMap<>();
        result.put("output", file.toString());
        result.put("kernels", table.kernels());
        result.put("threads", table.threads());
        result.put("product", table.product());
        result.put("sampled", table.sampled());
        common.out().println(Json.of(result));
      } else {
        common.out().print(table.text());
        common.out().println("# written to " + file);
      }
    }
    return 0;
  }
}
