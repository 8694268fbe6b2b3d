package tacet.hardware.study;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.Compression;
import tacet.hardware.arch.EnergyTable;
import tacet.hardware.arch.Fidelity;
import tacet.hardware.arch.LaneArray;
import tacet.hardware.arch.LayerResult;
import tacet.hardware.arch.Memory;
import tacet.hardware.arch.Operand;
import tacet.hardware.arch.Platform;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.TokenParallelArray;
import tacet.hardware.arch.Workload;
import tacet.hardware.study.Figure.Axis;
import tacet.hardware.study.Figure.Curves;
import tacet.hardware.study.Figure.Grid;
import tacet.hardware.study.Figure.Line;

/**
 * The sweeps of a report: how the gain depends on density, lanes, tokens that share weights, bandwidth and format; with
 * independent zeros as curves and the subjects' layers as points. All simulations are {@link Fidelity#TILE} with masks.
 *
 * <p>Colours: an architecture has one colour in all figures where it appears, by its place among the zero-skipping ones;
 * markers tell subjects apart.
 */
public final class Study {
  private static final double[] DENSITIES = {
    .01, .02, .035, .05, .075, .1, .15, .2, .3, .4, .5, .6, .7, .8, .9, 1
  };
  private static final int[] LANES = {4, 8, 16, 32, 64, 128, 256};
  private static final int[] TOKENS = {1, 2, 4, 8, 16, 32};
  private static final double[] BANDWIDTHS = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512};
  private static final int FEW_TOKENS = 192; // where neither memory nor filling counts
  private static final int MOST_TOKENS = 1 << 15;
  private static final int DATA_BITS = 8;
  private static final Axis DENSITY = new Axis("density: share of activations not zero", true);

  private final List<Accelerator> machines;
  private final List<Subject> subjects;
  private final int inputs;
  private final int outputs;
  private final int tokens;
  private final long seed;

  private Study(List<Accelerator> machines, List<Subject> subjects, long seed) {
    this.machines = machines;
    this.subjects = subjects;
    this.seed = seed;
    Workload shape =
        subjects.stream()
            .flatMap(s -> s.sparseLayers().stream())
            .findFirst()
            .orElse(subjects.get(0).sample().get(0));
    inputs = shape.inputs();
    outputs = shape.outputs();
    tokens =
        subjects.get(0).results().stream()
            .mapToInt(c -> Math.min(MOST_TOKENS, c.sparse().tokens()))
            .findFirst()
            .orElse(shape.tokens());
  }

  /**
   * All figures that make sense for these machines and subjects.
   *
   * @param machines as given for the results
   * @param subjects at least one
   * @param seed of the independent zeros
   */
  public static List<Figure> figures(
      List<Accelerator> machines, List<Subject> subjects, long seed) {
    Study study = new Study(List.copyOf(machines), List.copyOf(subjects), seed);
    List<Figure> figures = new ArrayList<>();
    if (!machines.isEmpty()) {
      figures.addAll(study.byDensity());
    }
    figures.add(study.lanes());
    figures.add(study.tokensByDensity());
    figures.add(study.unions());
    if (!machines.isEmpty()) {
      figures.add(study.bandwidth());
    }
    figures.add(study.formats());
    if (!machines.isEmpty()) {
      figures.add(study.prices());
    }
    return figures.stream().filter(Study::hasData).toList();
  }

  private static boolean hasData(Figure figure) {
    return figure instanceof Grid || !((Curves) figure).lines().isEmpty();
  }

  /** One product with independent zeros. */
  private Workload bernoulli(double density, int rows) {
    Workload dense = Workload.dense("independent", rows, outputs, inputs);
    return density == 1
        ? dense
        : dense.withActivations(Operand.ofDensity(density)).sampled(seed + (long) (1e4 * density));
  }

  private static boolean skips(Accelerator machine) {
    return !(machine instanceof SystolicArray);
  }

  // ---------------------------------------------------------------- density

  private List<Figure> byDensity() {
    Map<Accelerator, List<Comparison>> runs = new LinkedHashMap<>();
    Map<Accelerator, LayerResult> dense = new LinkedHashMap<>();
    for (Accelerator machine : machines) {
      runs.put(machine, new ArrayList<>());
      dense.put(machine, machine.simulate(bernoulli(1, tokens), Fidelity.TILE));
    }
    for (double density :
        DENSITIES) { // as many tokens as the layers have: filling costs them the same
      Workload layer = bernoulli(density, tokens);
      runs.forEach(
          (machine, list) ->
              list.add(new Comparison(machine.simulate(layer, Fidelity.TILE), dense.get(machine))));
    }
    List<Double> x = boxed(DENSITIES);
    List<Line> speed = new ArrayList<>();
    List<Line> energy = new ArrayList<>();
    int colour = 1;
    for (Map.Entry<Accelerator, List<Comparison>> run : runs.entrySet()) {
      Accelerator machine = run.getKey();
      boolean gated = machine instanceof SystolicArray s && s.gated();
      if (!skips(machine) && !gated) {
        continue;
      }
      if (skips(machine)) {
        speed.add(curve(machine, colour, x, run.getValue(), Comparison::speedup));
        speed.addAll(points(machine, colour, Comparison::speedup));
      }
      energy.add(curve(machine, colour, x, run.getValue(), Comparison::energyRatio));
      energy.addAll(points(machine, colour, Comparison::energyRatio));
      colour++;
    }
    if (!speed.isEmpty()) {
      List<Double> ideal = x.stream().map(d -> 1 / d).toList();
      speed.add(0, new Line("ideal, 1 / density", 0, true, -1, x, ideal));
    }
    String subject = "Curves: independent zeros. Points: layers, " + markers() + ". ";
    return List.of(
        new Curves(
            "speedup-density",
            "Speed-up against density",
            subject
                + "Below a curve: zeros that gather in one lane or spread over tokens; above it: zeros that tokens"
                + " share.",
            DENSITY,
            new Axis("dense cycles / cycles", true),
            speed),
        new Curves(
            "energy-density",
            "Energy against density",
            subject
                + "Energy with zeros used, relative to the same machine without. A ratio over 1 is a loss: metadata"
                + " and encoder cost more than the zeros save.",
            DENSITY,
            new Axis("energy ratio", false),
            energy));
  }

  private static Line curve(
      Accelerator machine,
      int colour,
      List<Double> x,
      List<Comparison> runs,
      ToDoubleFunction<Comparison> value) {
    return new Line(
        machine.name(),
        colour,
        true,
        -1,
        x,
        runs.stream().map(c -> value.applyAsDouble(c)).toList());
  }

  /** The layers of all subjects on one machine, subject by subject. */
  private List<Line> points(Accelerator machine, int colour, ToDoubleFunction<Comparison> value) {
    List<Line> lines = new ArrayList<>();
    for (int s = 0; s < subjects.size(); s++) {
      List<Comparison> layers =
          subjects.get(s).results().stream()
              .filter(c -> c.sparse().architecture().equals(machine.name()))
              .filter(c -> c.sparse().activationDensity() < 1)
              .filter(c -> c.sparse().activationDensity() > 0)
              .toList();
      if (!layers.isEmpty()) {
        lines.add(
            new Line(
                machine.name(),
                colour,
                false,
                s,
                layers.stream().map(c -> c.sparse().activationDensity()).toList(),
                layers.stream().map(c -> value.applyAsDouble(c)).toList()));
      }
    }
    return lines;
  }

  private String markers() {
    String[] shapes = {"circles", "squares", "diamonds", "triangles"};
    return String.join(
        ", ",
        IntStream.range(0, subjects.size())
            .mapToObj(s -> shapes[s % shapes.length] + " " + subjects.get(s).name())
            .toList());
  }

  // ---------------------------------------------------------------- lanes

  private Figure lanes() {
    LaneArray base =
        machines.stream()
            .filter(LaneArray.class::isInstance)
            .map(LaneArray.class::cast)
            .findFirst()
            .orElse(LaneArray.standard(Platform.ideal()));
    LaneArray meet = base.with(base.platform().with(Memory.IDEAL));
    LaneArray ahead =
        new LaneArray(
            meet.lanes(),
            meet.filters(),
            meet.units(),
            new LaneArray.Sync(true, 8),
            meet.zeroBrickBubble(),
            meet.tokenBlock(),
            meet.pipeline(),
            meet.platform());
    List<Line> lines = new ArrayList<>();
    int colour = 1;
    for (int s = 0; s < subjects.size(); s++) {
      List<Workload> layers = subjects.get(s).sparseLayers();
      if (layers.isEmpty()) {
        continue;
      }
      List<Workload> independent =
          layers.stream()
              .map(l -> l.withActivations(Operand.ofDensity(l.activations().density())))
              .map(l -> l.sampled(seed))
              .toList();
      String name = subjects.get(s).name();
      lines.add(lanes(name + ", meeting after each token", colour, s, meet, layers));
      lines.add(lanes(name + ", up to 8 tokens ahead", colour + 1, s, ahead, layers));
      lines.add(lanes(name + ", were zeros independent", colour + 2, -1, meet, independent));
      colour += 3;
    }
    return new Curves(
        "lanes",
        "What waiting for the fullest lane costs",
        "Share of the ideal speed-up (dense over non-zero work) that remains, all sparse layers together, no memory"
            + " limits. Lanes that hold no brick of 16 inputs idle.",
        new Axis("lanes", true),
        new Axis("achieved / ideal speed-up", false),
        lines);
  }

  private static Line lanes(
      String name, int colour, int marker, LaneArray machine, List<Workload> layers) {
    List<Double> x = new ArrayList<>();
    List<Double> y = new ArrayList<>();
    for (int lanes : LANES) {
      Runs runs = Runs.of(machine.withLanes(lanes), layers);
      x.add((double) lanes);
      y.add(runs.speedup() / runs.idealSpeedup());
    }
    return new Line(name, colour, true, marker, x, y);
  }

  // ---------------------------------------------------------------- tokens

  private Figure tokensByDensity() {
    TokenParallelArray base =
        machines.stream()
            .filter(TokenParallelArray.class::isInstance)
            .map(TokenParallelArray.class::cast)
            .findFirst()
            .orElse(TokenParallelArray.standard(Platform.ideal()))
            .withLookahead(0);
    TokenParallelArray ideal = base.with(base.platform().with(Memory.IDEAL));
    double[] densities = {.01, .02, .05, .1, .2, .4, .6, .8};
    List<String> columns = new ArrayList<>();
    List<Function<TokenParallelArray, Runs>> cells = new ArrayList<>();
    for (double d : densities) {
      columns.add(percent(d));
      List<Workload> layers = List.of(bernoulli(d, FEW_TOKENS));
      cells.add(machine -> Runs.of(machine, layers));
    }
    for (Subject subject : subjects) {
      List<Workload> layers = subject.sparseLayers();
      if (!layers.isEmpty()) {
        columns.add(subject.name());
        cells.add(machine -> Runs.of(machine, layers));
      }
    }
    List<String> rows = new ArrayList<>();
    List<List<Double>> values = new ArrayList<>();
    for (int p : TOKENS) {
      TokenParallelArray machine = ideal.withTokens(p);
      rows.add(Integer.toString(p));
      values.add(cells.stream().map(c -> c.apply(machine).speedup()).toList());
    }
    return new Grid(
        "tokens-density",
        "Speed-up when tokens share a weight stream",
        "Lock step: only what all tokens of a group leave out is skipped, so reuse of weights and skipping compete."
            + " Columns: independent zeros by density, then the subjects' layers.",
        "tokens",
        "density",
        rows,
        columns,
        values);
  }

  /** What groups of consecutive tokens need together, in real layers and if zeros were independent. */
  private Figure unions() {
    List<Line> lines = new ArrayList<>();
    int colour = 1;
    for (int s = 0; s < subjects.size(); s++) {
      List<Workload> layers = subjects.get(s).sparseLayers();
      if (layers.isEmpty()) {
        continue;
      }
      List<Double> x = new ArrayList<>();
      List<Double> real = new ArrayList<>();
      List<Double> independent = new ArrayList<>();
      for (int p : TOKENS) {
        int group = p;
        x.add((double) p);
        real.add(mean(layers, l -> l.activations().mask().unionDensity(group)));
        independent.add(mean(layers, l -> 1 - Math.pow(1 - l.activations().density(), group)));
      }
      String name = subjects.get(s).name();
      lines.add(new Line(name + ", recorded", colour, true, s, x, real));
      lines.add(new Line(name + ", were zeros independent", colour + 1, true, -1, x, independent));
      colour += 2;
    }
    return new Curves(
        "unions",
        "What tokens need together",
        "Share of neurons that fire for at least one of so many consecutive tokens, mean over layers. Where the"
            + " recorded line is the lower one, tokens use the same neurons.",
        new Axis("consecutive tokens", true),
        new Axis("union density", false),
        lines);
  }

  private static double mean(List<Workload> layers, ToDoubleFunction<Workload> value) {
    return layers.stream().mapToDouble(value).average().orElse(Double.NaN);
  }

  // ---------------------------------------------------------------- bandwidth

  private Figure bandwidth() {
    Subject subject = subjects.get(0);
    List<Line> lines = new ArrayList<>();
    int colour = 1;
    for (Accelerator machine : machines) {
      boolean gated = machine instanceof SystolicArray s && s.gated();
      if (skips(machine)) {
        Platform p = machine.platform();
        long ideal = Runs.of(unlimited(machine), subject.sample()).cycles();
        List<Double> y = new ArrayList<>();
        for (double b : BANDWIDTHS) {
          Accelerator limited = machine.with(p.with(p.memory().withBandwidth(b)));
          y.add(ideal / (double) Runs.of(limited, subject.sample()).cycles());
        }
        lines.add(new Line(machine.name(), colour, true, colour % 4, boxed(BANDWIDTHS), y));
      }
      colour += skips(machine) || gated ? 1 : 0;
    }
    return new Curves(
        "bandwidth",
        "How much bandwidth the skipping machines need",
        subject.name()
            + ", all layers, "
            + subject.sample().get(0).tokens()
            + " tokens: speed relative to a channel without limits. Left of its knee a machine waits for DRAM,"
            + " and skipping operations no longer helps.",
        new Axis("DRAM bytes per cycle", true),
        new Axis("share of full speed", false),
        lines);
  }

  private static Accelerator unlimited(Accelerator machine) {
    Platform p = machine.platform();
    Memory m = p.memory().withBandwidth(Double.POSITIVE_INFINITY).withLatency(0);
    return machine.with(p.with(m));
  }

  // ---------------------------------------------------------------- formats

  private Figure formats() {
    List<Line> lines = new ArrayList<>();
    List<BitMatrix> independent =
        IntStream.range(0, DENSITIES.length)
            .mapToObj(i -> bernoulli(DENSITIES[i], FEW_TOKENS).activations().mask())
            .map(m -> m == null ? BitMatrix.ones(FEW_TOKENS, inputs) : m)
            .toList();
    for (Compression format : Compression.values()) {
      int colour = format.ordinal();
      String name = format.name().toLowerCase(Locale.ROOT).replace('_', ' ');
      List<Double> y = independent.stream().map(m -> bitsPerElement(format, m)).toList();
      lines.add(new Line(name, colour, true, -1, boxed(DENSITIES), y));
      for (int s = 0; s < subjects.size() && format != Compression.NONE; s++) {
        List<BitMatrix> masks =
            subjects.get(s).sparseLayers().stream().map(l -> l.activations().mask()).toList();
        if (!masks.isEmpty()) {
          lines.add(
              new Line(
                  name,
                  colour,
                  false,
                  s,
                  masks.stream().map(BitMatrix::density).toList(),
                  masks.stream().map(m -> bitsPerElement(format, m)).toList()));
        }
      }
    }
    return new Curves(
        "formats",
        "Bits of an activation, metadata included",
        "Exact sizes of decodable streams, 8-bit values. Curves: independent zeros; points: layers, "
            + markers()
            + ". The lowest curve at a density is the format to choose.",
        DENSITY,
        new Axis("bits per element", true),
        lines);
  }

  private static double bitsPerElement(Compression format, BitMatrix mask) {
    return format.size(mask, DATA_BITS).bits() / ((double) mask.rows() * mask.columns());
  }

  // ---------------------------------------------------------------- prices

  /** How much of an energy ratio is a matter of prices. */
  private Figure prices() {
    Subject subject = subjects.get(0);
    List<EnergyTable> tables =
        List.of(EnergyTable.horowitz45(), EnergyTable.accelergy45(), EnergyTable.sponge());
    List<List<Double>> values = new ArrayList<>();
    for (Accelerator machine : machines) {
      List<Double> row = new ArrayList<>();
      for (EnergyTable table : tables) {
        Platform priced = machine.platform().with(table);
        double sparse = 0;
        double dense = 0;
        for (Comparison c : subject.results()) {
          if (c.sparse().architecture().equals(machine.name())) {
            sparse += c.sparse().pricedFor(priced).sum();
            dense += c.dense().pricedFor(priced).sum();
          }
        }
        row.add(sparse / dense);
      }
      values.add(row);
    }
    return new Grid(
        "prices",
        "Energy ratio by table of prices",
        subject.name()
            + ", all layers: the same events, priced three ways. sponge charges DRAM and"
            + " multiplications only, DRAM about three times as much as horowitz45.",
        "",
        "prices per event",
        machines.stream().map(Accelerator::name).toList(),
        tables.stream().map(EnergyTable::name).toList(),
        values);
  }

  // ---------------------------------------------------------------- helpers

  /** Sums over layers. */
  private record Runs(long cycles, long dense, double macs, double effectual) {
    static Runs of(Accelerator machine, List<Workload> layers) {
      Runs sum = new Runs(0, 0, 0, 0);
      for (Comparison c : Comparison.all(List.of(machine), layers, Fidelity.TILE)) {
        double macs = (double) c.sparse().tokens() * c.sparse().outputs() * c.sparse().inputs();
        sum =
            new Runs(
                sum.cycles + c.sparse().cycles(),
                sum.dense + c.dense().cycles(),
                sum.macs + macs,
                sum.effectual + macs / c.sparse().idealSpeedup());
      }
      return sum;
    }

    double speedup() {
      return cycles == 0 ? 1 : dense / (double) cycles;
    }

    double idealSpeedup() {
      return macs / effectual;
    }
  }

  private static List<Double> boxed(double[] values) {
    return Arrays.stream(values).boxed().toList();
  }

  private static String percent(double share) {
    return Math.round(100 * share) + " %";
  }
}
