package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import tacet.deft.experiment.Plan;
import tacet.deft.experiment.Results;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;

/**
 * Runs the cells of an experiment, each a {@code tacet train} and what comes after it, as commands that
 * could be typed. What a command printed is kept beside it; a command that is done is not run again.
 */
final class ExperimentCells {
  /** Options of train that are switches. */
  private static final Set<String> SWITCHES =
      Set.of("adaptive", "recompute", "rslora", "no-double-quant");

  /** Options of train that say which model and which data, and so belong to every command. */
  private static final List<String> SHARED =
      List.of("model", "activation", "task", "data", "max-length", "stride", "dev-samples");

  private static final String SPARSITIES = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9";

  private final Path out;
  private final Plan plan;
  private final Progress progress;
  private final List<String> machine; // options such as --threads

  ExperimentCells(Path out, Plan plan, Progress progress, List<String> machine) {
    this.out = out;
    this.plan = plan;
    this.progress = progress;
    this.machine = machine;
  }

  /** A command was interrupted. */
  static final class Stopped extends Exception {
    private static final long serialVersionUID = 1L;
  }

  /** Runs what is left to run; what all cells found. */
  Results run() throws IOException, Stopped {
    List<Plan.Cell> cells = plan.cells();
    List<Results.Run> runs = new ArrayList<>();
    for (int i = 0; i < cells.size(); i++) {
      Plan.Cell cell = refitted(cells.get(i));
      progress.say("cell " + (i + 1) + " of " + cells.size() + ": " + cell.id());
      runs.add(run(cell));
    }
    return new Results(runs);
  }

  /** The words of all commands, in the order in which they run; of two that are equal, the first. */
  List<List<String>> commands() {
    Set<List<String>> all = new LinkedHashSet<>();
    for (Plan.Cell planned : plan.cells()) {
      Refit refit = refit(planned);
      if (refit != null) {
        all.add(refit.command);
      }
      Plan.Cell cell = refit == null ? planned : refit.cell;
      Path dir = folder(cell);
      all.add(train(cell, dir));
      plan.list("after").forEach(after -> all.add(after(after, cell, dir)));
    }
    return List.copyOf(all);
  }

  private Path folder(Plan.Cell cell) {
    return out.resolve("cells").resolve(cell.id());
  }

  /**
   * A model that is refitted before a run.
   *
   * @param dir where it goes
   * @param command that makes it
   * @param cell the run on it
   */
  private record Refit(Path dir, List<String> command, Plan.Cell cell) {}

  private Plan.Cell refitted(Plan.Cell cell) throws IOException, Stopped {
    Refit refit = refit(cell);
    if (refit == null) {
      return cell;
    }
    Files.createDirectories(refit.dir);
    once(refit.dir, "refit", refit.command, false);
    return refit.cell;
  }

  /**
   * The refit that a run begins with, where the plan asks for one: {@code refit} says on how many examples
   * of each task. Runs with the same model and activation share it.
   */
  private Refit refit(Plan.Cell cell) {
    String samples = plan.text("refit", null);
    String activation = cell.options().get("activation");
    if (samples == null || activation == null) {
      return null;
    }
    Map<String, String> options = new LinkedHashMap<>(cell.options());
    String model = options.get("model");
    Path dir =
        out.resolve("refit").resolve((model + "-" + activation).replaceAll("[^A-Za-z0-9._-]", "_"));
    List<String> command = new ArrayList<>(List.of("refit", "--model", model));
    command.addAll(List.of("--activation", activation, "--samples", samples));
    command.addAll(List.of("--task", String.join(",", plan.list("tasks"))));
    String data = dataOfAllTasks();
    if (data != null) {
      command.addAll(List.of("--data", data));
    }
    String length = plan.text("max-length", null);
    if (length != null) {
      command.addAll(List.of("--max-length", length));
    }
    command.addAll(List.of("--out", dir.resolve("model").toString()));
    options.put("model", dir.resolve("model").toString());
    options.remove("activation");
    return new Refit(dir, command, new Plan.Cell(cell.labels(), options));
  }

  /** The one folder that a refit finds its tasks in; null where none of them needs one. */
  private String dataOfAllTasks() {
    String data = plan.text("data", null);
    Set<String> own = new LinkedHashSet<>();
    for (String task : plan.list("tasks")) {
      own.add(plan.text("data." + task, data));
    }
    own.remove(null); // a built-in task
    if (own.size() > 1) {
      throw new UserException(
          "a refit reads all tasks from one folder: in place of "
              + String.join(", ", own)
              + ", set data to the folder that has a folder of each task's name");
    }
    return own.isEmpty() ? null : own.iterator().next();
  }

  private Results.Run run(Plan.Cell cell) throws IOException, Stopped {
    Path dir = folder(cell);
    Files.createDirectories(dir);
    Map<String, Double> values = new LinkedHashMap<>();
    Map<String, List<Double>> series = new LinkedHashMap<>();
    Json trained = once(dir, "train", train(cell, dir), false);
    CellValues.train(trained, values, series);
    CellValues.ada(dir.resolve("adapter"), series);
    for (String after : plan.list("after")) {
      List<String> command = after(after, cell, dir);
      CellValues.after(after, once(dir, after, command, after.equals("evaluate")), values, series);
    }
    return new Results.Run(cell.labels(), values, series);
  }

  private List<String> train(Plan.Cell cell, Path dir) {
    List<String> command = new ArrayList<>(List.of("train"));
    cell.options().forEach((name, value) -> option(command, name, value(cell, name, value)));
    command.addAll(List.of("--out", dir.toString()));
    return command;
  }

  private static void option(List<String> command, String name, String value) {
    if (SWITCHES.contains(name)) {
      if (Boolean.parseBoolean(value)) {
        command.add("--" + name);
      }
      return;
    }
    command.addAll(List.of("--" + name, value));
  }

  /** The task's own folder, if there is one in the folder of all tasks. */
  private static String value(Plan.Cell cell, String name, String value) {
    if (name.equals("data")) {
      Path own = Path.of(value).resolve(cell.labels().get("task"));
      return Files.isDirectory(own) ? own.toString() : value;
    }
    return value;
  }

  private List<String> after(String what, Plan.Cell cell, Path dir) {
    List<String> command = new ArrayList<>(List.of(what));
    boolean full = "full".equals(cell.labels().get("method"));
    for (String name : SHARED) {
      String value = cell.options().get(name);
      if (value != null && !(full && name.equals("activation"))) {
        String given = full && name.equals("model") ? dir.resolve("model").toString() : value;
        option(command, name, value(cell, name, given));
      }
    }
    if (!full) {
      command.addAll(List.of("--adapter", dir.resolve("adapter").toString()));
    }
    command.addAll(List.of("--seed", cell.labels().get("seed")));
    switch (what) {
      case "evaluate" -> {}
      case "prune" -> command.addAll(List.of("--sparsity", SPARSITIES));
      case "energy" ->
          command.addAll(
              List.of(
                  "--scope",
                  "LEAF_HF",
                  "--samples",
                  plan.text("samples", "256"),
                  "--pad-to", // as the paper pads: to the longest that is allowed
                  cell.options().getOrDefault("max-length", "128")));
      default ->
          throw new UserException(
              "after: \"" + what + "\" is not known; evaluate, prune and energy are");
    }
    return command;
  }

  // ------------------------------------------------------------------ commands

  /** What a command printed, from the file of an earlier run of the same command if there is one. */
  private Json once(Path dir, String name, List<String> command, boolean ownProcess)
      throws IOException, Stopped {
    Path file = dir.resolve(name + ".json");
    if (Files.exists(file)) {
      Json old = Json.read(file);
      if (old.get("command").toString().equals(Json.of(command).toString())) {
        return old.get("result");
      }
    }
    List<String> words = new ArrayList<>(command);
    words.addAll(machine);
    words.addAll(List.of("--json", "--quiet"));
    boolean begun = name.equals("train") && Files.exists(dir.resolve("command.json"));
    if (name.equals("train")) {
      String text = Json.of(command).toString();
      if (begun && Files.readString(dir.resolve("command.json")).equals(text)) {
        words.add("--resume");
      }
      AtomicFile.write(dir.resolve("command.json"), text);
    }
    String printed = ownProcess ? inProcess(words) : here(words);
    Map<String, Object> done = new LinkedHashMap<>();
    done.put("command", command);
    done.put("result", Json.parse(printed, "the output of tacet " + String.join(" ", words)));
    AtomicFile.write(file, Json.of(done).pretty());
    return Json.read(file).get("result");
  }

  private static String here(List<String> words) throws Stopped {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = Main.run(words.toArray(String[]::new), new PrintWriter(out), new PrintWriter(err));
    return result(words, code, out.toString(), err.toString());
  }

  private static String result(List<String> words, int code, String out, String err)
      throws Stopped {
    if (code == TrainCommand.INTERRUPTED) {
      throw new Stopped();
    }
    if (code != 0) {
      throw new UserException(
          err.strip().replaceFirst("^tacet: ", "") + " (in tacet " + String.join(" ", words) + ")");
    }
    return out;
  }

  /** Runs in a process of its own, whose memory is then that of this command alone. */
  private static String inProcess(List<String> words) throws IOException, Stopped {
    List<String> java = new ArrayList<>(ownCommandLine());
    if (java.isEmpty()) {
      return here(words);
    }
    java.addAll(words);
    Process process =
        new ProcessBuilder(java).redirectError(ProcessBuilder.Redirect.DISCARD).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    try {
      int code = process.waitFor();
      return result(words, code, out, "exit code " + code);
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new Stopped();
    }
  }

  /** How this JVM was started, up to the main class; empty where the system does not tell. */
  private static List<String> ownCommandLine() {
    ProcessHandle.Info info = ProcessHandle.current().info();
    List<String> words = new ArrayList<>();
    info.command().ifPresent(words::add);
    boolean main = false;
    for (String argument : info.arguments().orElse(new String[0])) {
      if (!main) {
        words.add(argument);
      }
      main |= argument.endsWith(Main.class.getName());
    }
    return main ? words : List.of();
  }
}
