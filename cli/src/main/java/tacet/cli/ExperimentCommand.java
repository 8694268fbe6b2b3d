package tacet.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.tomlj.Toml;
import org.tomlj.TomlParseError;
import org.tomlj.TomlParseResult;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import tacet.deft.experiment.Plan;
import tacet.deft.experiment.Results;
import tacet.deft.experiment.Table;
import tacet.deft.report.ExperimentReport;
import tacet.tensor.Engine;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Json;

/** {@code tacet experiment}: the paper's tables and figures, over seeds. */
@Command(
    name = "experiment",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Runs a plan over tasks, methods, variants and seeds, and writes tables (Markdown, CSV, LaTeX)"
          + " and a report with figures. An experiment that was interrupted goes on; what is done is"
          + " not run again.",
      "Plans: glue (table 1, figure 2), energy (table 2), squad (table 3), ada (table 4, figure 3),"
          + " wanda (figure 4), ablation (figures 5, 6), bert-relu (table 6), surrogates (table 7),"
          + " decoders (table 9); or a JSON or TOML file."
    })
final class ExperimentCommand implements Callable<Integer> {
  @Parameters(paramLabel = "NAME|FILE", description = "A plan by name, or a file with one.")
  private String experiment;

  @Option(
      names = "--set",
      paramLabel = "KEY=VALUE",
      description = {
        "Change a setting: tasks, methods, seeds, after (lists with commas), model, data, title, any"
            + " option of train,",
        "variants.NAME.OPTION, axes.OPTION (a list), when.A+B.OPTION (for tasks, methods, variants A"
            + " and B), data.TASK."
      })
  private Map<String, String> changes = new LinkedHashMap<>();

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(names = "--plan", description = "Print the commands of all runs, and run nothing.")
  private boolean planOnly;

  @Mixin private Common common;

  private ExperimentCommand() {}

  @Override
  public Integer call() throws IOException {
    Plan plan = plan(experiment).with(changes);
    ExperimentCells cells =
        new ExperimentCells(
            out, plan, common.progress(), List.of("--threads", Integer.toString(common.threads())));
    List<List<String>> commands = cells.commands(); // what is wrong with the plan is wrong now
    if (planOnly) {
      for (List<String> command : commands) {
        common.out().println(typed(command));
      }
      return 0;
    }
    Files.createDirectories(out);
    Map<String, String> facts = facts(plan);
    AtomicFile.write(out.resolve("run.json"), run(plan, facts).pretty());
    Results results;
    try {
      results = cells.run();
    } catch (ExperimentCells.Stopped e) {
      common.progress().say("stopped; the same command goes on");
      return TrainCommand.INTERRUPTED;
    }
    write(plan, results, facts);
    return 0;
  }

  /** A command as a shell takes it. */
  private static String typed(List<String> command) {
    StringBuilder line = new StringBuilder("tacet");
    for (String word : command) {
      boolean plain = word.matches("[A-Za-z0-9_./,:=+@%-]+");
      line.append(' ').append(plain ? word : "'" + word.replace("'", "'\\''") + "'");
    }
    return line.toString();
  }

  // ------------------------------------------------------------------ the plan

  private static Plan plan(String name) throws IOException {
    String preset = ExperimentPresets.json(name);
    if (preset != null) {
      return Plan.of(Json.parse(preset, name));
    }
    Path file = Path.of(name);
    if (!Files.exists(file)) {
      throw new UserException(name + ": neither a file nor one of " + ExperimentPresets.names());
    }
    Plan own = Plan.of(name.endsWith(".toml") ? toml(file) : Json.read(file));
    String base = own.text("base", null);
    if (base == null) {
      return own;
    }
    if (ExperimentPresets.json(base) == null) {
      throw new UserException(
          name + ": base \"" + base + "\" is not one of " + ExperimentPresets.names());
    }
    return plan(base).with(own.settings());
  }

  private static Json toml(Path file) throws IOException {
    TomlParseResult toml = Toml.parse(file);
    if (toml.hasErrors()) {
      TomlParseError e = toml.errors().get(0);
      throw new UserException(file + ", line " + e.position().line() + ": " + e.getMessage());
    }
    return Json.parse(toml.toJson(), file.toString());
  }

  // ------------------------------------------------------------------ what is written

  private Map<String, String> facts(Plan plan) throws IOException {
    Map<String, String> facts = new LinkedHashMap<>();
    StringBuilder command = new StringBuilder("tacet experiment ").append(experiment);
    changes.forEach((k, v) -> command.append(" --set ").append(k).append('=').append(v));
    facts.put("Command", command + " --out DIR");
    try (Engine engine = common.plainEngine()) {
      facts.putAll(Machine.facts(engine));
    }
    plan.settings().forEach((k, v) -> facts.put("setting " + k, v));
    return facts;
  }

  private Json run(Plan plan, Map<String, String> facts) throws IOException {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("facts", facts);
    json.put("plan", plan.toJson());
    Map<String, String> sums = new TreeMap<>();
    String model = plan.text("model", ModelSource.MINILM);
    if (Files.isDirectory(Path.of(model))) {
      checksums(Path.of(model), sums);
    }
    for (Plan.Cell cell : plan.cells()) {
      String data = cell.options().get("data");
      if (data != null) {
        Path own = Path.of(data).resolve(cell.labels().get("task"));
        checksums(Files.isDirectory(own) ? own : Path.of(data), sums);
      }
    }
    json.put("sha256", sums);
    return Json.of(json);
  }

  /** Of the files of a folder, each read once. */
  private static void checksums(Path dir, Map<String, String> sums) throws IOException {
    if (!Files.isDirectory(dir)) {
      throw new UserException(dir + ": no such directory");
    }
    List<Path> files;
    try (Stream<Path> all = Files.list(dir)) {
      files = all.filter(Files::isRegularFile).sorted().toList();
    }
    for (Path file : files) {
      if (!sums.containsKey(file.toString())) {
        sums.put(file.toString(), sha256(file));
      }
    }
  }

  private static String sha256(Path file) throws IOException {
    try (var in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      byte[] buffer = new byte[1 << 16];
      for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
        digest.update(buffer, 0, n);
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }

  private void write(Plan plan, Results results, Map<String, String> facts) throws IOException {
    List<Table> tables = new ArrayList<>();
    Table paired = Table.paired(results);
    if (paired != null) {
      tables.add(paired);
    }
    tables.add(Table.all(results));
    String title = plan.text("title", experiment);
    StringBuilder markdown = new StringBuilder("# " + title + "\n\n    ");
    markdown.append(facts.get("Command")).append("\n");
    StringBuilder latex = new StringBuilder();
    for (Table t : tables) {
      markdown.append('\n').append(t.markdown());
      latex.append(t.latex()).append('\n');
    }
    AtomicFile.write(out.resolve("tables.md"), markdown.toString());
    AtomicFile.write(out.resolve("tables.tex"), latex.toString());
    for (Table t : tables) {
      AtomicFile.write(out.resolve(t == paired ? "paired.csv" : "means.csv"), t.csv());
    }
    AtomicFile.write(out.resolve("runs.csv"), runs(results).csv());
    ExperimentReport.write(out.resolve("report.html"), title, results, tables, facts);
    if (common.json) {
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("output", out.toString());
      List<Object> rows = new ArrayList<>();
      for (Results.Run r : results.runs()) {
        Map<String, Object> row = new LinkedHashMap<>(r.labels());
        row.put("values", r.values());
        row.put("series", r.series());
        rows.add(row);
      }
      json.put("runs", rows);
      common.out().println(Json.of(json));
    } else {
      tables.forEach(t -> common.out().println(t.markdown()));
      common.out().println("wrote " + out.resolve("report.html"));
    }
  }

  /** One line per run, unrounded. */
  private static Table runs(Results results) {
    List<String> labels = new ArrayList<>(results.labelNames());
    labels.add("seed");
    List<String> columns = new ArrayList<>(labels);
    columns.addAll(results.valueNames());
    List<List<String>> rows = new ArrayList<>();
    for (Results.Run r : results.runs()) {
      List<String> row = new ArrayList<>();
      labels.forEach(l -> row.add(r.labels().getOrDefault(l, "")));
      for (String v : results.valueNames()) {
        Double value = r.values().get(v);
        row.add(value == null ? "" : value.toString());
      }
      rows.add(row);
    }
    return new Table("All runs", columns, rows);
  }
}
