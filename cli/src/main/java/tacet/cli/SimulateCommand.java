package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.report.HardwareReport;
import tacet.hardware.ActivationTrace;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.Fidelity;
import tacet.hardware.arch.Operand;
import tacet.hardware.arch.Workload;
import tacet.hardware.io.ArchitectureFile;
import tacet.hardware.io.Examples;
import tacet.hardware.io.Reports;
import tacet.hardware.io.Topology;
import tacet.hardware.study.Figure;
import tacet.hardware.study.Study;
import tacet.hardware.study.Subject;
import tacet.tensor.Engine;

/** {@code tacet simulate}: cycles, stalls, traffic and energy of recorded or invented zeros. */
@Command(
    name = "simulate",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Replays an activation trace, or the layers of a topology file, on simulated accelerators, each"
          + " beside itself without zeros, and writes report.html, report.md, report.csv, report.json,"
          + " figures, and SCALE-Sim's report files for systolic arrays.",
      "--list names the architectures and topologies that come with Tacet; --show prints one."
    })
final class SimulateCommand implements Callable<Integer> {
  @Option(
      names = "--arch",
      split = ",",
      paramLabel = "F|NAME",
      description = "Architecture files or names from --list (default: all of the list).")
  private List<String> architectures = List.of();

  @Option(names = "--trace", paramLabel = "F", description = "A trace written by 'tacet trace'.")
  private Path trace;

  @Option(
      names = "--compare",
      paramLabel = "F",
      description = "A second trace to show beside the first, such as PEFT's beside DEFT's.")
  private Path compare;

  @Option(
      names = "--topology",
      paramLabel = "F|NAME",
      description = "Layers from a SCALE-Sim topology file, or a name from --list.")
  private String topology;

  @Option(
      names = "--density",
      paramLabel = "[NAME=]X",
      description = {
        "With --topology: share of activations that are not zero, at random places, of all layers or of"
            + " those whose name ends in NAME; several may be given."
      })
  private List<String> densities = List.of();

  @Option(
      names = "--weight-density",
      paramLabel = "X",
      description = "Share of weights that are not zero, at random places (1).")
  private double weightDensity = 1;

  @Option(
      names = "--samples",
      paramLabel = "N",
      description = "Simulate N sequences of a trace, drawn by --seed (default: all).")
  private int samples = Integer.MAX_VALUE;

  @Option(names = "--drop-padding", description = "Leave out the padding rows of a trace.")
  private boolean dropPadding;

  @Option(
      names = "--fidelity",
      paramLabel = "NAME",
      description =
          "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}). CYCLE is for small layers.")
  private Fidelity fidelity = Fidelity.TILE;

  @Option(
      names = "--sweep-samples",
      paramLabel = "N",
      description = "Sequences for the sweeps of the figures (40); 0 for no sweeps.")
  private int sweepSamples = SWEEP_SAMPLES;

  @Option(names = "--seed", paramLabel = "N", description = "Of all random places (1).")
  private long seed = 1;

  @Option(names = "--out", paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(names = "--title", paramLabel = "TEXT", description = "Of the report.")
  private String title;

  @Option(names = "--list", description = "Name the architectures and topologies that come along.")
  private boolean list;

  @Option(names = "--show", paramLabel = "NAME", description = "Print a file of the list.")
  private String show;

  @Mixin private Common common;

  private static final int TOPOLOGY_SWEEP_LAYERS = 12;
  private static final int SWEEP_SAMPLES = 40;

  private SimulateCommand() {}

  /** A subject before it is simulated. */
  private record Input(String name, List<Workload> layers, List<Workload> sample) {}

  @Override
  public Integer call() throws IOException {
    if (list || show != null) {
      printExamples();
      return 0;
    }
    requireOptions();
    Progress progress = common.progress();
    List<Accelerator> machines = machines();
    Map<String, String> facts = new LinkedHashMap<>();
    List<Input> inputs = trace != null ? traces(facts) : List.of(topology(facts));
    long start = System.nanoTime();
    List<Subject> subjects;
    try (Engine engine = common.engine()) {
      subjects = simulate(engine, machines, inputs, progress);
    }
    double seconds = (System.nanoTime() - start) * 1e-9;
    List<Figure> figures = List.of();
    if (sweepSamples > 0) {
      progress.say("sweeps");
      figures = Study.figures(machines, subjects, seed);
    }
    for (Accelerator m : machines) {
      facts.put(m.name(), SimulationFiles.surroundings(m));
    }
    facts.put("fidelity", fidelity.name());
    String heading =
        title != null
            ? title
            : "What the zeros of " + inputs.get(0).name() + " are worth on simulated accelerators";
    HardwareReport.Content content =
        new HardwareReport.Content(heading, command(), subjects, figures, facts);
    SimulationFiles files = new SimulationFiles(content, machines);
    files.write(out, inputs.get(0).layers());
    progress.say("wrote " + out.resolve("report.html") + " and the same numbers beside it");
    if (common.json) {
      common.out().print(Reports.json(subjects, figures));
    } else {
      files.printSummary(common.out());
      common.out().printf(Locale.ROOT, "simulated in %.1f s, baselines included%n", seconds);
    }
    return 0;
  }

  private void requireOptions() {
    if ((trace == null) == (topology == null)) {
      throw common.usage("name either --trace F or --topology F; --list names topologies");
    }
    if (out == null) {
      throw common.usage("name the folder to write to with --out DIR");
    }
    if (Files.exists(out) && !Files.isDirectory(out)) { // before minutes of work
      throw new UserException("--out " + out + " is a file; name a folder");
    }
    if (compare != null && trace == null || !densities.isEmpty() && topology == null) {
      throw common.usage("--compare belongs to --trace, --density to --topology");
    }
    if (trace == null && (samples != Integer.MAX_VALUE || dropPadding)) {
      throw common.usage("--samples and --drop-padding belong to --trace");
    }
    if (!(weightDensity >= 0 && weightDensity <= 1) || samples < 1 || sweepSamples < 0) {
      throw common.usage(
          "--weight-density must be in 0..1, --samples at least 1, --sweep-samples not negative");
    }
  }

  // ---------------------------------------------------------------- input

  private List<Accelerator> machines() throws IOException {
    List<String> names = architectures.isEmpty() ? Examples.architectures() : architectures;
    Map<String, Accelerator> machines = new LinkedHashMap<>();
    for (String name : names) {
      Accelerator machine =
          Examples.architectures().contains(name)
              ? Examples.architecture(name)
              : ArchitectureFile.read(file("--arch", name, Examples.architectures()));
      if (machines.put(machine.name(), machine) != null) {
        throw new UserException(
            "--arch "
                + name
                + ": another architecture is called "
                + machine.name()
                + " too, and reports could not tell them apart; simulate them one at a time");
      }
    }
    return List.copyOf(machines.values());
  }

  private static Path file(String option, String name, List<String> known) {
    Path file = Path.of(name);
    if (!Files.isRegularFile(file)) {
      throw new UserException(
          option + " " + name + ": no such file, and none of " + String.join(", ", known));
    }
    return file;
  }

  private List<Input> traces(Map<String, String> facts) throws IOException {
    List<Input> inputs = new ArrayList<>();
    for (Path file : compare == null ? List.of(trace) : List.of(trace, compare)) {
      ActivationTrace t = ActivationTrace.read(file);
      t = dropPadding ? t.withoutPadding() : t;
      t = t.sample(samples, seed);
      if (t.tokens() == 0) {
        throw new UserException(file + ": the trace has no token");
      }
      ActivationTrace.Header h = t.header();
      boolean taken = inputs.stream().anyMatch(i -> i.name().equals(h.method()));
      String name = taken ? h.method() + " (" + file.getFileName() + ")" : h.method();
      facts.put(
          name,
          String.format(
              Locale.ROOT,
              "%s on %s, seed %d: %d sequences, %d tokens, %d layers of %d neurons, threshold %s",
              h.model(),
              h.task(),
              h.seed(),
              t.sequences(),
              t.tokens(),
              h.layers().size(),
              h.neurons(),
              h.threshold()));
      List<Workload> sample = Workload.mlps(t.sample(Math.max(1, sweepSamples), seed));
      inputs.add(new Input(name, pruned(Workload.mlps(t)), drawn(pruned(sample))));
    }
    return inputs;
  }

  private Input topology(Map<String, String> facts) throws IOException {
    boolean known = Examples.topologies().contains(topology);
    List<Workload> layers =
        known
            ? Examples.topology(topology)
            : Topology.read(file("--topology", topology, Examples.topologies()));
    String name = known ? topology : Path.of(topology).getFileName().toString();
    for (String text : densities) {
      fraction(text.substring(text.lastIndexOf('=') + 1));
      if (layers.stream().noneMatch(l -> fits(text, l.name()))) {
        throw common.usage(
            "--density "
                + text
                + ": no layer's name ends so; they are "
                + layers.stream().map(Workload::name).distinct().collect(Collectors.joining(", ")));
      }
    }
    List<Workload> sparse = new ArrayList<>();
    for (Workload layer : layers) {
      double d = density(layer.name());
      sparse.add(d == 1 ? layer : layer.withActivations(Operand.ofDensity(d)));
    }
    if (fidelity != Fidelity.ANALYTIC) {
      sparse.replaceAll(l -> l.sampled(seed));
    }
    facts.put(name, layers.size() + " layers, zeros at random places, seed " + seed);
    facts.put("activation density", densities.isEmpty() ? "1" : String.join(", ", densities));
    facts.put("weight density", Double.toString(weightDensity));
    List<Workload> all = pruned(sparse);
    List<Workload> some =
        all.stream()
            .filter(l -> l.activations().density() < 1)
            .limit(TOPOLOGY_SWEEP_LAYERS)
            .toList();
    List<Workload> sample =
        some.isEmpty() ? all.subList(0, Math.min(TOPOLOGY_SWEEP_LAYERS, all.size())) : some;
    return new Input(name, all, drawn(sample));
  }

  /** For sweeps, which need the place of every zero. */
  private List<Workload> drawn(List<Workload> layers) {
    return layers.stream().map(l -> l.sampled(seed)).toList();
  }

  /** The density that the options give a layer: the last one that fits. */
  private double density(String layer) {
    double density = 1;
    for (String text : densities) {
      if (fits(text, layer)) {
        density = fraction(text.substring(text.lastIndexOf('=') + 1));
      }
    }
    return density;
  }

  private static boolean fits(String option, String layer) {
    int equals = option.lastIndexOf('=');
    return equals < 0 || layer.endsWith(option.substring(0, equals));
  }

  private double fraction(String text) {
    double value;
    try {
      value = Double.parseDouble(text);
    } catch (NumberFormatException e) {
      value = Double.NaN;
    }
    if (!(value >= 0 && value <= 1)) {
      throw common.usage("--density must be a fraction in 0..1 or NAME=fraction, not " + text);
    }
    return value;
  }

  private List<Workload> pruned(List<Workload> layers) {
    if (weightDensity == 1) {
      return layers;
    }
    Operand weights = Operand.ofDensity(weightDensity);
    return layers.stream()
        .map(l -> l.withWeights(weights))
        .map(l -> fidelity == Fidelity.ANALYTIC ? l : l.sampled(seed))
        .toList();
  }

  // ---------------------------------------------------------------- simulation

  /** Machines in parallel; results do not depend on the number of threads. */
  private List<Subject> simulate(
      Engine engine, List<Accelerator> machines, List<Input> inputs, Progress progress) {
    List<Subject> subjects = new ArrayList<>();
    AtomicInteger done = new AtomicInteger();
    int total = machines.size() * inputs.size();
    for (Input input : inputs) {
      List<List<Comparison>> results = new ArrayList<>(Collections.nCopies(machines.size(), null));
      engine
          .workers()
          .forEach(
              machines.size(),
              1,
              (part, from, to) -> {
                for (int m = from; m < to; m++) {
                  results.set(
                      m, Comparison.all(List.of(machines.get(m)), input.layers(), fidelity));
                  synchronized (progress) {
                    progress.update(
                        "simulating",
                        done.incrementAndGet(),
                        total,
                        Double.NaN,
                        input.name() + " on " + machines.get(m).name());
                  }
                }
              });
      subjects.add(
          new Subject(
              input.name(), results.stream().flatMap(List::stream).toList(), input.sample()));
    }
    return subjects;
  }

  // ---------------------------------------------------------------- output

  /** The command line without options that change nothing. */
  private String command() {
    StringBuilder c = new StringBuilder("tacet simulate");
    if (!architectures.isEmpty()) {
      c.append(" --arch ").append(String.join(",", architectures));
    }
    if (trace != null) {
      c.append(" --trace ").append(trace.getFileName());
    }
    if (compare != null) {
      c.append(" --compare ").append(compare.getFileName());
    }
    if (topology != null) {
      c.append(" --topology ").append(topology);
    }
    densities.forEach(d -> c.append(" --density ").append(d));
    if (weightDensity != 1) {
      c.append(" --weight-density ").append(weightDensity);
    }
    if (samples != Integer.MAX_VALUE) {
      c.append(" --samples ").append(samples);
    }
    if (dropPadding) {
      c.append(" --drop-padding");
    }
    if (fidelity != Fidelity.TILE) {
      c.append(" --fidelity ").append(fidelity);
    }
    if (sweepSamples != SWEEP_SAMPLES) {
      c.append(" --sweep-samples ").append(sweepSamples);
    }
    return c.append(" --seed ").append(seed).append(" --out DIR").toString();
  }

  private void printExamples() {
    PrintWriter o = common.out();
    if (show != null) {
      if (!Examples.architectures().contains(show) && !Examples.topologies().contains(show)) {
        throw common.usage("--show " + show + ": not in the list; --list prints it");
      }
      o.print(Examples.text(show));
      return;
    }
    o.println("Architectures (--arch):");
    for (String name : Examples.architectures()) {
      o.printf(
          "  %-22s %s%n", name, Examples.text(name).lines().findFirst().orElse("").substring(2));
    }
    o.println("Topologies (--topology):");
    for (String name : Examples.topologies()) {
      List<Workload> layers = Examples.topology(name);
      TreeSet<String> shapes = new TreeSet<>();
      layers.forEach(l -> shapes.add(l.inputs() + "x" + l.outputs()));
      o.printf(
          "  %-22s %d layers, %d tokens, inputs x outputs %s%n",
          name, layers.size(), layers.get(0).tokens(), String.join(" ", shapes));
    }
  }
}
