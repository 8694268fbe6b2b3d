package tacet.cli;

import java.io.PrintWriter;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;
import tacet.tensor.Engine;

/** Options that every command has. */
final class Common {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Threads to compute on; results are the same for any number.")
  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(names = "--json", description = "Print the result as JSON on stdout.")
  boolean json;

  @Option(names = "--quiet", description = "Show no progress.")
  private boolean quiet;

  private Common() {}

  /** An engine that knows what {@code tacet calibrate} measured here. */
  Engine engine() {
    Engine engine = plainEngine();
    return BreakEvenFile.apply(
        engine, BreakEvenFile.of(engine, System.getenv()), spec.commandLine().getErr());
  }

  /** An engine that was not calibrated. */
  Engine plainEngine() {
    if (threads < 1) {
      throw usage("--threads must be at least 1, got " + threads);
    }
    return Engine.ofThreads(threads);
  }

  int threads() {
    return threads;
  }

  Progress progress() {
    return new Progress(spec.commandLine().getErr(), quiet);
  }

  PrintWriter out() {
    return spec.commandLine().getOut();
  }

  /** An error in the command line: exit code 2. */
  ParameterException usage(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
