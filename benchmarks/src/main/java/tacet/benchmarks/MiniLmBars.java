package tacet.benchmarks;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tacet.tensor.Engine;

/**
 * MiniLM as a whole, each engine in a process of its own, in turns: inference beside ONNX Runtime and
 * PyTorch, LoRA training steps beside PyTorch, the first pass of a fresh JVM, and memory.
 *
 * <p>PyTorch and ONNX Runtime of Python run where their programs are given: {@code
 * minilm_pytorch.py} and {@code minilm_onnxruntime.py}, which print lines such as {@code threads 2
 * inference 8x128  120.1 ms}. ONNX Runtime of Java runs where the build has the profile {@code peers}.
 *
 * <pre>java … tacet.benchmarks.MiniLmBars [--python FILE --baselines DIR] [--adapter DIR] [--quick]
 *   [--json FILE]</pre>
 */
public final class MiniLmBars {
  private static final int[] THREADS = {1, 2};
  private static final int TRAINING_THREADS = 2;
  private static final String OWN = "Tacet";
  private static final String ONNX = "ONNX Runtime, Java";
  private static final String ONNX_PYTHON = "ONNX Runtime, Python";
  private static final String TORCH = "PyTorch";
  private static final String ONNX_CLASS = "tacet.benchmarks.peers.OnnxMiniLm";
  private static final Pattern FIGURE = Pattern.compile("([0-9.]+) (ms|MB)");
  private static final Pattern SHAPE = Pattern.compile("\\b(\\d+x\\d+)\\b");

  private final Options options;
  private final Results results;

  private MiniLmBars(Options options, Results results) {
    this.options = options;
    this.results = results;
  }

  /** Runs it. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "python", "baselines", "adapter");
    Results results;
    try (Engine engine = Engine.ofThreads(TRAINING_THREADS)) {
      results = new Results("minilm", options, engine);
    }
    MiniLmBars bars = new MiniLmBars(options, results);
    Map<String, Double> torch = null;
    for (int threads : THREADS) {
      torch = bars.inference(threads);
    }
    bars.memory(bars.training(torch), torch);
    bars.firstForward();
    results.finish();
  }

  // ------------------------------------------------------------------ running

  private Map<String, Double> own(String part, int threads) throws IOException {
    List<Object> args = new ArrayList<>(List.of("--part", part, "--threads", threads));
    if (options.quick()) {
      args.add("--quick");
    }
    if (options.path("adapter") != null) {
      args.addAll(List.of("--adapter", options.path("adapter")));
    }
    return Child.java(MiniLmOnce.class.getName(), args.toArray());
  }

  private Map<String, Double> onnx(int threads) throws IOException {
    if (ClassLoader.getSystemResource(ONNX_CLASS.replace('.', '/') + ".class") == null) {
      return null; // built without the profile
    }
    return options.quick()
        ? Child.java(ONNX_CLASS, threads, "quick")
        : Child.java(ONNX_CLASS, threads);
  }

  /** Milliseconds by what is before the figure: {@code inference 8x128}. */
  private Map<String, Double> python(String script, int threads, Object... args)
      throws IOException {
    Path folder = options.path("baselines");
    if (options.path("python") == null || folder == null) {
      return null;
    }
    List<String> command = new ArrayList<>();
    command.add(options.text("python"));
    command.add(folder.resolve(script).toString());
    for (Object a : args) {
      command.add(a.toString());
    }
    Map<String, Double> figures = new LinkedHashMap<>();
    for (String line : Child.lines(command, Map.of("OMP_NUM_THREADS", Integer.toString(threads)))) {
      Matcher figure = FIGURE.matcher(line);
      Matcher shape = SHAPE.matcher(line);
      String what = line.contains("LoRA") ? "step " : line.contains("memory") ? "memory" : "";
      if (figure.find()) {
        figures.put(what + (shape.find() ? shape.group(1) : ""), Double.valueOf(figure.group(1)));
        if (figure.find()) {
          figures.put(
              what + "with density loss " + shape.group(1), Double.valueOf(figure.group(1)));
        }
      }
    }
    return figures;
  }

  private Map<String, Double> onnxPython(int threads) throws IOException {
    if (options.path("python") == null) {
      return null;
    }
    Path file = Files.createTempFile("minilm", ".onnx");
    try (InputStream in = ClassLoader.getSystemResourceAsStream(MiniLm.ONNX)) {
      Files.copy(in, file, StandardCopyOption.REPLACE_EXISTING);
      return python("minilm_onnxruntime.py", threads, file, threads);
    } finally {
      Files.delete(file);
    }
  }

  // ------------------------------------------------------------------ inference

  /** Measures inference; returns all that PyTorch's program printed. */
  private Map<String, Double> inference(int threads) throws IOException {
    List<Map<String, Double>> ownRuns = new ArrayList<>();
    List<Map<String, Double>> onnxRuns = new ArrayList<>();
    List<Map<String, Double>> onnxPythonRuns = new ArrayList<>();
    for (int round = 0; round < (options.quick() ? 1 : 3); round++) {
      ownRuns.add(own("inference", threads));
      addIfThere(onnxRuns, onnx(threads));
      addIfThere(onnxPythonRuns, onnxPython(threads));
    }
    Map<String, Double> torch =
        options.quick() && threads != TRAINING_THREADS
            ? null
            : python("minilm_pytorch.py", threads, threads);
    Map<String, Double> own = Child.median(ownRuns);
    Results.Table table =
        results.table(
            "Inference on " + threads + " thread(s), ms",
            "model, engine",
            MiniLm.name(MiniLm.INFERENCE[0]),
            MiniLm.name(MiniLm.INFERENCE[1]),
            MiniLm.name(MiniLm.INFERENCE[2]));
    row(table, "GELU, " + OWN, own, "real ");
    Map<String, Double> fastest = new LinkedHashMap<>(); // of ONNX Runtime's two
    if (!onnxRuns.isEmpty()) {
      Map<String, Double> other = Child.median(onnxRuns);
      row(table, "GELU, " + ONNX, other, "real ");
      fastest.putAll(other);
      results.atMost(
          4,
          "largest difference of the outputs from ONNX Runtime's, " + threads + " thread(s)",
          other.get("difference"),
          1e-4);
    }
    if (!onnxPythonRuns.isEmpty()) {
      Map<String, Double> other = Child.median(onnxPythonRuns);
      row(table, "GELU, " + ONNX_PYTHON, other, "");
      other.forEach((shape, ms) -> fastest.merge("real " + shape, ms, Math::min));
    }
    if (!fastest.isEmpty()) {
      compare(threads, "ONNX Runtime's", own, "real ", fastest, "real ", 0.92);
    }
    row(table, "ReLU, " + OWN, own, "random ");
    if (torch != null) {
      row(table, "ReLU, " + TORCH, torch, "");
      compare(threads, "PyTorch's", own, "random ", torch, "", 0.55);
    }
    table.row(
        "ReLU, density " + Results.show(own.get("silent density")) + ", dense",
        Double.NaN,
        Double.NaN,
        own.get("silent dense"));
    table.row(
        "ReLU, density " + Results.show(own.get("silent density")) + ", sparse",
        Double.NaN,
        Double.NaN,
        own.get("silent sparse"));
    results.atMost(
        4,
        "silent ReLU model, 8x128, " + threads + " thread(s): time with use of zeros against dense",
        own.get("silent ratio"),
        0.75);
    chart(threads, own, fastest, torch);
    return torch;
  }

  private void chart(
      int threads, Map<String, Double> own, Map<String, Double> onnx, Map<String, Double> torch) {
    Map<String, double[]> series = new LinkedHashMap<>();
    series.put(OWN, perToken(own, "real "));
    if (!onnx.isEmpty()) {
      series.put("ONNX Runtime", perToken(onnx, "real "));
    }
    if (torch != null) {
      series.put(TORCH, perToken(torch, ""));
    }
    results.chart(
        "minilm-" + threads,
        "MiniLM inference, " + threads + " thread(s)",
        "batch x length",
        "µs per token",
        Arrays.stream(MiniLm.INFERENCE).map(MiniLm::name).toList(),
        series);
  }

  private static double[] perToken(Map<String, Double> figures, String prefix) {
    return Arrays.stream(MiniLm.INFERENCE)
        .mapToDouble(
            s -> 1e3 * figures.getOrDefault(prefix + MiniLm.name(s), Double.NaN) / (s[0] * s[1]))
        .toArray();
  }

  private static void addIfThere(List<Map<String, Double>> list, Map<String, Double> figures) {
    if (figures != null) {
      list.add(figures);
    }
  }

  private static void row(
      Results.Table table, String name, Map<String, Double> figures, String prefix) {
    List<Object> cells = new ArrayList<>(List.of(name));
    for (int[] s : MiniLm.INFERENCE) {
      cells.add(figures.getOrDefault(prefix + MiniLm.name(s), Double.NaN));
    }
    table.row(cells.toArray());
  }

  private void compare(
      int threads,
      String whose,
      Map<String, Double> own,
      String ownPrefix,
      Map<String, Double> other,
      String otherPrefix,
      double target) {
    for (int[] s : MiniLm.INFERENCE) {
      String shape = MiniLm.name(s);
      results.atMost(
          4,
          "inference " + shape + ", " + threads + " thread(s): time against " + whose,
          own.get(ownPrefix + shape) / other.get(otherPrefix + shape),
          target);
    }
  }

  // ------------------------------------------------------------------ training

  /** Measures training; returns all that our program printed. */
  private Map<String, Double> training(Map<String, Double> torch) throws IOException {
    Map<String, Double> own = own("training", TRAINING_THREADS);
    String silent = "density " + Results.show(own.get("silent density"));
    Results.Table table =
        results.table(
            "LoRA training step on " + TRAINING_THREADS + " threads, ms",
            "B x S",
            OWN,
            silent,
            TORCH,
            OWN + ", density loss",
            silent + ", density loss",
            TORCH + ", density loss");
    for (int[] s : MiniLm.TRAINING) {
      String shape = MiniLm.name(s);
      if (!own.containsKey("step " + shape)) {
        continue;
      }
      double other = torch == null ? Double.NaN : torch.get("step " + shape);
      double otherDensity =
          torch == null ? Double.NaN : torch.get("step with density loss " + shape);
      table.row(
          shape,
          own.get("step " + shape),
          own.get("silent step " + shape),
          other,
          own.get("step with density loss " + shape),
          own.get("silent step with density loss " + shape),
          otherDensity);
      if (torch != null) {
        results.atMost(
            5,
            "LoRA step " + shape + ": time against PyTorch's",
            own.get("step " + shape) / other,
            0.5);
        results.atMost(
            5,
            "LoRA step " + shape + ", " + silent + ": time against PyTorch's",
            own.get("silent step " + shape) / other,
            0.35);
      }
    }
    results.atMost(8, "megabytes allocated in a steady training step", own.get("allocated MB"), 1);
    return own;
  }

  private void memory(Map<String, Double> training, Map<String, Double> torch) throws IOException {
    Results.Table table =
        results.table("Largest resident memory of training, MB", "process", OWN, TORCH);
    if (!options.quick()) {
      table.row(
          "steps of 32x128", own("memory", TRAINING_THREADS).get("peak memory MB"), Double.NaN);
    }
    table.row(
        "the whole program, steps up to 2048 tokens",
        training.get("peak memory MB"),
        torch == null ? Double.NaN : torch.getOrDefault("memory", Double.NaN));
  }

  // ------------------------------------------------------------------ first forward

  private void firstForward() throws IOException {
    Results.Table table =
        results.table(
            "A fresh JVM: loading MiniLM, then passes of 1x128, ms (medians)",
            "kernels",
            "load",
            "first",
            "second",
            "third",
            "tenth");
    firstForward("cold", "first", table);
    Map<String, Double> warm =
        firstForward("warmed up while loading, as the commands do", "warm", table);
    results.atMost(
        8,
        "seconds of the first pass of a fresh JVM after loading",
        warm.get("forward 1") / 1e3,
        1);
  }

  private Map<String, Double> firstForward(String name, String part, Results.Table table)
      throws IOException {
    List<Map<String, Double>> runs = new ArrayList<>();
    for (int i = 0; i < (options.quick() ? 3 : 9); i++) {
      runs.add(own(part, TRAINING_THREADS));
    }
    Map<String, Double> m = Child.median(runs);
    table.row(
        name,
        m.get("load"),
        m.get("forward 1"),
        m.get("forward 2"),
        m.get("forward 3"),
        m.get("forward 10"));
    return m;
  }
}
