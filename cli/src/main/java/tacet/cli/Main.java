package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;

/**
 * The {@code tacet} command. Results go to stdout, everything else to stderr. Exit codes: 0 done, 2
 * wrong usage, 1 anything else.
 */
@Command(
    name = "tacet",
    description = {
      "Fine-tunes pre-trained transformers to be sparse in their activations (DEFT, arXiv"
          + " 2402.01911) and runs them faster for it."
    },
    synopsisSubcommandLabel = "COMMAND",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    subcommands = {
      DemoCommand.class,
      TrainCommand.class,
      PretrainCommand.class,
      RefitCommand.class,
      ExperimentCommand.class,
      EvaluateCommand.class,
      PruneCommand.class,
      ForwardCommand.class,
      GenerateCommand.class,
      MergeCommand.class,
      TokenizeCommand.class,
      BenchCommand.class,
      CalibrateCommand.class,
      QuantizeCommand.class,
      TraceCommand.class,
      EnergyCommand.class,
      SimulateCommand.class
    })
public final class Main implements Runnable {
  private static final Pattern BESIDE =
      Pattern.compile(
          "(|.*[/\\\\])\\.([^/\\\\]+)\\.[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\\.tmp");

  @Spec private CommandSpec spec;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Print a stack trace when something fails.")
  private boolean debug;

  private Main() {}

  /** Runs a command line and exits. */
  public static void main(String[] args) {
    System.exit(run(args, utf8(System.out), utf8(System.err)));
  }

  /** Runs a command line and gives its exit code. */
  static int run(String[] args, PrintWriter out, PrintWriter err) {
    Main main = new Main();
    CommandLine command =
        new CommandLine(main)
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setOverwrittenOptionsAllowed(true)
            .setUsageHelpAutoWidth(true)
            .setParameterExceptionHandler((e, a) -> usage(e, err))
            .setExecutionExceptionHandler((e, c, r) -> failure(e, main.debug, err));
    int code = command.execute(args);
    out.flush();
    err.flush();
    return code;
  }

  @Override
  public void run() {
    throw new ParameterException(
        spec.commandLine(), "no command given; 'tacet --help' lists the commands");
  }

  private static int usage(ParameterException e, PrintWriter err) {
    err.println("tacet: " + oneLine(e.getMessage()));
    return 2;
  }

  private static int failure(Exception e, boolean debug, PrintWriter err) {
    Throwable cause = e instanceof UncheckedIOException u ? u.getCause() : e;
    String message = cause.getMessage();
    if (cause instanceof FileSystemException file) {
      message = told(file);
    } else if (message == null
        || !(cause instanceof UserException
            || cause instanceof IOException
            || cause instanceof IllegalArgumentException
            || cause instanceof IndexOutOfBoundsException
            || cause instanceof ArithmeticException)) {
      message = cause + "; run again with --debug and report the stack trace";
    }
    err.println("tacet: " + oneLine(message));
    if (debug) {
      e.printStackTrace(err);
    }
    return 1;
  }

  /** A file that is written beside its place and renamed is called by the name that it will have. */
  private static String told(FileSystemException e) {
    Matcher beside = BESIDE.matcher(e.getFile() == null ? "" : e.getFile());
    String reason = e.getReason() == null ? reason(e) : e.getReason();
    if (!beside.matches()) {
      return e.getReason() == null ? e.getMessage() + ": " + reason : e.getMessage();
    }
    boolean homeless = e instanceof NoSuchFileException;
    return beside.group(1) + beside.group(2) + ": " + (homeless ? "its folder is missing" : reason);
  }

  /** What Java says by the class of an error only. */
  private static String reason(FileSystemException e) {
    return switch (e) {
      case NoSuchFileException none -> "no such file";
      case FileAlreadyExistsException there -> "exists already, and is not what is to be written";
      case AccessDeniedException denied -> "access denied";
      case NotDirectoryException file -> "not a folder";
      case DirectoryNotEmptyException full -> "a folder that is not empty";
      default -> "cannot be read or written";
    };
  }

  private static String oneLine(String s) {
    return s.strip().replaceAll("\\s*\\R\\s*", "; ");
  }

  private static PrintWriter utf8(java.io.OutputStream stream) {
    return new PrintWriter(stream, true, StandardCharsets.UTF_8);
  }

  /** The version in the jar's manifest, with the JVM's. */
  static final class Version implements CommandLine.IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"tacet " + Machine.version(), "Java " + Runtime.version()};
    }
  }
}
