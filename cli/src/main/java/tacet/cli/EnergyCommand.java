package tacet.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.Dataset;
import tacet.deft.EnergyProbe;
import tacet.deft.task.Task;
import tacet.hardware.EncoderEnergy;
import tacet.hardware.EnergyEstimate;
import tacet.hardware.EnergyMeter;
import tacet.hardware.EnergyMeter.Aggregation;
import tacet.hardware.EnergyModel.ComputeFraction;
import tacet.hardware.EnergyScope;
import tacet.tensor.Engine;

/** {@code tacet energy}: the energy ratio of Table 2, from a model and data, or from densities alone. */
@Command(
    name = "energy",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Prints the energy ratio of a zero-skipping accelerator (the analytic model behind Table 2 of the"
          + " paper) in every scope, with its counters and where the saving comes from: for a BERT or"
          + " RoBERTa on a task's dev set (--model …), from a shape and densities (--shape …), or the paper's"
          + " RoBERTa-large rows from their densities (--table2)."
    })
final class EnergyCommand implements Callable<Integer> {
  /** A model that is known by its shape and densities only. */
  static final class Estimate {
    @Option(
        names = "--shape",
        required = true,
        paramLabel = "NAME",
        description =
            "roberta-large, roberta-base, bert-base, or H,F,layers,heads,vocabulary,positions,types.")
    private String shape;

    @Option(
        names = "--densities",
        required = true,
        split = ",",
        paramLabel = "X",
        description =
            "Density of the MLP activations, padding included, in percent; a second one is compared.")
    private List<Double> densities;

    @Option(
        names = "--tuning",
        paramLabel = "NAME",
        description = "full, adapter, lora, prefix or prompt: what was added to the model (full).")
    private EncoderEnergy.Method tuning = EncoderEnergy.Method.FULL;

    @Option(
        names = "--extra",
        paramLabel = "N",
        description = "Bottleneck of the adapter, or virtual tokens of prefix and prompt.")
    private int extra;

    @Option(
        names = "--valid",
        paramLabel = "X",
        description = "Mean tokens per sentence without padding (25).")
    private double valid = 25;

    private Estimate() {}

    EncoderEnergy encoder() {
      switch (shape) {
        case "roberta-large":
          return EncoderEnergy.ROBERTA_LARGE;
        case "roberta-base":
          return EncoderEnergy.ROBERTA_BASE;
        case "bert-base":
          return EncoderEnergy.BERT_BASE;
        default:
          break;
      }
      if (!shape.matches("[1-9]\\d{0,8}(,[1-9]\\d{0,8}){6}")) {
        throw new UserException(
            "--shape "
                + shape
                + " is not roberta-large, roberta-base, bert-base, or seven positive integers");
      }
      int[] n = Arrays.stream(shape.split(",")).mapToInt(Integer::parseInt).toArray();
      return new EncoderEnergy(n[0], n[1], n[2], n[3], n[4], n[5], n[6]);
    }
  }

  @ArgGroup(exclusive = false, heading = "From a model:%n", order = 1)
  private ModelOptions model;

  @ArgGroup(exclusive = false, heading = "on a task:%n", order = 2)
  private TaskOptions data;

  @ArgGroup(exclusive = false, heading = "From densities:%n", order = 3)
  private Estimate estimate;

  @Option(
      names = "--table2",
      description = "The paper's RoBERTa-large rows, estimated from Table 1's densities.")
  private boolean table2;

  @Option(names = "--adapter", paramLabel = "DIR", description = "An adapter in peft's format.")
  private Path adapter;

  @Option(
      names = "--compare",
      paramLabel = "DIR",
      description = "A second adapter: the table then has both and the change, as Table 2 does.")
  private Path compare;

  @Option(names = "--samples", paramLabel = "N", description = "Only the first N examples.")
  private int samples = Integer.MAX_VALUE;

  @Option(names = "--batch", paramLabel = "N", description = "Sentences per batch (64).")
  private int batch = 64;

  @Option(
      names = "--pad-to",
      paramLabel = "N",
      description = "Tokens that sentences are padded to (128); 0: to the longest of a batch.")
  private int padTo = 128;

  @Option(
      names = "--method",
      paramLabel = "NAME",
      description =
          "With --model: full, lora, adapter, prefix or prompt, which decides what PAPER_TABLE2 counts"
              + " (what the adapter is; full without one).")
  private EncoderEnergy.Method method;

  @Option(
      names = "--scope",
      split = ",",
      paramLabel = "NAME",
      description = "Which leaf modules count (default: all of ${COMPLETION-CANDIDATES}).")
  private List<EnergyScope> scopes = List.of(EnergyScope.values());

  @Option(
      names = "--fraction",
      paramLabel = "NAME",
      description = "How remaining computations are found: ${COMPLETION-CANDIDATES} (GLOBAL).")
  private ComputeFraction fraction = ComputeFraction.GLOBAL;

  @Option(
      names = "--aggregation",
      paramLabel = "NAME",
      description = "How batches become one number: ${COMPLETION-CANDIDATES} (BATCH_MEAN).")
  private Aggregation aggregation = Aggregation.BATCH_MEAN;

  @Option(
      names = "--fused-attention",
      description =
          "Do not count the dropout of attention probabilities, as fused attention has none.")
  private boolean fusedAttention;

  @Option(names = "--modules", description = "Print the table of modules too.")
  private boolean modules;

  @Option(names = "--seed", paramLabel = "N", description = "Of a built-in task's data (1).")
  private long seed = 1;

  @Mixin private Common common;

  private EnergyCommand() {}

  @Override
  public Integer call() throws IOException {
    int ways = (model != null ? 1 : 0) + (estimate != null ? 1 : 0) + (table2 ? 1 : 0);
    if (ways != 1 || (data != null) != (model != null)) {
      throw common.usage("name one of --model with --task, --shape with --densities, or --table2");
    }
    if (batch < 1 || padTo < 0 || samples < 1) {
      throw common.usage("--batch and --samples must be at least 1, --pad-to not negative");
    }
    if (compare != null && adapter == null || model == null && adapter != null) {
      throw common.usage("--compare needs --adapter, and --adapter needs --model");
    }
    if (method != null && model == null) {
      throw common.usage("--method belongs to --model; of a shape, --tuning says it");
    }
    if (table2) {
      Table2.print(common);
      return 0;
    }
    List<EnergyTableOutput.Column> columns = model != null ? measured() : estimated();
    EnergyTableOutput output = new EnergyTableOutput(columns, scopes, modules);
    if (common.json) {
      common.out().println(output.json());
    } else {
      output.print(common.out());
    }
    return 0;
  }

  private EnergyEstimate read(EnergyMeter meter, EnergyScope scope, String tuning) {
    EnergyMeter.Options options =
        EnergyMeter.Options.of(scope.resolve(tuning)).with(fraction).with(aggregation);
    return meter.estimate(fusedAttention ? options.withoutAttentionDropout() : options);
  }

  private EnergyTableOutput.Column column(String name, EnergyMeter meter, String tuning) {
    return new EnergyTableOutput.Column(
        name, scopes.stream().map(s -> read(meter, s, tuning)).toList());
  }

  // ---------------------------------------------------------------- from a model

  private List<EnergyTableOutput.Column> measured() throws IOException {
    Task task = data.task(seed);
    Progress progress = common.progress();
    List<EnergyTableOutput.Column> columns = new ArrayList<>();
    try (Engine engine = common.engine();
        ModelSource source = model.open()) {
      Dataset dev = data.judged(task, source, samples);
      List<Dataset.Cut> batches =
          padTo > 0 ? dev.paddedBatches(batch, padTo) : dev.sortedBatches(batch);
      List<Path> adapters = new ArrayList<>();
      adapters.add(adapter);
      if (compare != null) {
        adapters.add(compare);
      }
      for (Path a : adapters) {
        String name = a == null ? source.name() : a.toString();
        progress.say("counting zeros of " + name + " on " + dev.size() + " examples");
        TunedModel tuned = TunedModel.load(model, source, a, task.outputs(), seed);
        String own = tuned.method() != null ? tuned.method() : "full";
        String tuning = method != null ? method.name() : own;
        columns.add(column(name, EnergyProbe.meter(engine, tuned.model(), batches), tuning));
      }
    }
    return columns;
  }

  // ---------------------------------------------------------------- from densities

  private List<EnergyTableOutput.Column> estimated() {
    if (padTo < 1 || estimate.densities.size() > 2) {
      throw common.usage("--shape needs --pad-to of at least 1, and one or two --densities");
    }
    boolean sized =
        estimate.tuning != EncoderEnergy.Method.FULL
            && estimate.tuning != EncoderEnergy.Method.LORA;
    if (sized && estimate.extra < 1) {
      throw common.usage(
          "--tuning "
              + estimate.tuning.name().toLowerCase(Locale.ROOT)
              + " needs --extra N, what it adds: a bottleneck or virtual tokens");
    }
    List<EnergyTableOutput.Column> columns = new ArrayList<>();
    for (double percent : estimate.densities) {
      if (!(percent >= 0 && percent <= 100)) {
        throw common.usage("--densities are in percent, 0 to 100, not " + percent);
      }
      EncoderEnergy.Batch b =
          new EncoderEnergy.Batch(
              estimate.tuning, estimate.extra, batch, padTo, estimate.valid, percent / 100);
      columns.add(
          column(percent + " % dense", estimate.encoder().meter(b), estimate.tuning.name()));
    }
    return columns;
  }
}
