package tacet.cli;

import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.Option;
import tacet.deft.DensityLoss;
import tacet.deft.Length;
import tacet.deft.Pace;
import tacet.deft.Ramp;
import tacet.deft.Rate;
import tacet.deft.Trainer;

/** How a model is trained, on the command line. */
final class TrainerOptions {
  @Option(names = "--epochs", paramLabel = "N", description = "Passes over the data (3).")
  private Integer epochs;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Optimizer steps, in place of --epochs.")
  private Long steps;

  @Option(names = "--batch", paramLabel = "N", description = "Examples per step (32).")
  private int batch = 32;

  @Option(
      names = "--accumulate",
      paramLabel = "N",
      description = "Run a step's examples in N parts and add up their gradients: less memory (1).")
  private int parts = 1;

  @Option(
      names = "--recompute",
      description =
          "Keep each block's input only and compute the block again for its gradient: less memory,"
              + " more time, the same bits.")
  private boolean recompute;

  @Option(names = "--lr", paramLabel = "X", description = "Peak learning rate (1e-3).")
  private double learningRate = 1e-3;

  @Option(
      names = "--schedule",
      paramLabel = "NAME",
      description = "How the learning rate falls: ${COMPLETION-CANDIDATES} (LINEAR).")
  private Rate.Shape shape = Rate.Shape.LINEAR;

  @Option(names = "--warmup", paramLabel = "X", description = "Share of steps to warm up (0.06).")
  private double warmUp = 0.06;

  @Option(names = "--weight-decay", paramLabel = "X", description = "Of AdamW (0.01).")
  private double weightDecay = 0.01;

  @Option(names = "--clip", paramLabel = "X", description = "Largest gradient norm (0: no limit).")
  private double clip = 0;

  @Option(
      names = "--evaluate-every",
      paramLabel = "N",
      description = "Steps between evaluations (each epoch); 0 for one at the end only.")
  private Long evaluateEvery;

  @Option(
      names = "--save-every",
      paramLabel = "N",
      description = "Steps between checkpoints (each epoch).")
  private long saveEvery = 0;

  @Option(
      names = "--patience",
      paramLabel = "N",
      description = "End after N evaluations without a better score (0: never).")
  private int patience = 0;

  @Option(
      names = "--keep",
      paramLabel = "WHICH",
      description = "Which state to write at the end: last or best (default: last).")
  private Keep keep = Keep.LAST;

  /** Which state of a run is its result. */
  enum Keep {
    LAST,
    BEST
  }

  private TrainerOptions() {}

  boolean keepsBest() {
    return keep == Keep.BEST;
  }

  /**
   * What was chosen.
   *
   * @param blocks learning rate of ADA's weights over that of all else
   */
  Trainer.Settings settings(long seed, DensityLoss loss, Ramp ramp, double blocks) {
    if (epochs != null && steps != null) {
      throw new UserException("--epochs and --steps exclude each other");
    }
    long every = evaluateEvery == null ? 0 : evaluateEvery == 0 ? Pace.AT_THE_END : evaluateEvery;
    return new Trainer.Settings(
        steps != null ? Length.steps(steps) : Length.epochs(epochs == null ? 3 : epochs),
        batch,
        parts,
        recompute,
        new Rate(shape, learningRate, warmUp, blocks),
        weightDecay,
        clip,
        seed,
        loss,
        ramp,
        new Pace(every, saveEvery, patience));
  }

  /** Adds what was chosen, defaults included. */
  void describe(Map<String, Object> c) {
    if (steps != null) {
      c.put("steps", steps);
    } else {
      c.put("epochs", epochs == null ? 3 : epochs);
    }
    c.put("batch", batch);
    if (parts > 1) {
      c.put("accumulate", parts);
    }
    if (recompute) {
      c.put("recompute", true);
    }
    c.put("lr", learningRate);
    c.put("schedule", shape.name().toLowerCase(Locale.ROOT));
    c.put("warmup", warmUp);
    c.put("weight_decay", weightDecay);
    c.put("clip", clip);
    if (patience > 0) {
      c.put("patience", patience);
    }
    c.put("keep", keep.name().toLowerCase(Locale.ROOT));
  }
}
