package tacet.deft;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tacet.deft.report.LogEntry;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.kernel.Surrogate;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;

/** The trainer on a tiny model: resuming, accumulating, ending early, refusing to go on. */
class TrainerTest {
  private static final DensityLoss LOSS = new DensityLoss(Surrogate.TANH, 20, 0.1, Padding.MASKED);

  @TempDir Path temp;

  /** Remembers what happened. */
  private static final class Notes implements Trainer.Listener {
    final List<LogEntry.Step> steps = new ArrayList<>();
    final List<LogEntry.Evaluation> evaluations = new ArrayList<>();

    @Override
    public void step(LogEntry.Step entry) {
      steps.add(entry);
    }

    @Override
    public void evaluated(LogEntry.Evaluation entry) {
      evaluations.add(entry);
    }
  }

  private static Trainer.Settings settings(
      Length length, int parts, Rate rate, double clip, Ramp ramp, Pace pace) {
    return new Trainer.Settings(length, 8, parts, false, rate, 0.01, clip, 1, LOSS, ramp, pace);
  }

  private static Trainer.Settings standard(Length length, Pace pace) {
    return settings(length, 1, Rate.linear(3e-3), 0, new Ramp(0.2, 0.6), pace);
  }

  private static Map<String, float[]> weights(TextModel model) {
    Map<String, float[]> all = new LinkedHashMap<>();
    Surgery.parameters(model).forEach((name, p) -> all.put(name, p.value().data().clone()));
    return all;
  }

  private static void assertSame(Map<String, float[]> a, Map<String, float[]> b) {
    assertThat(a.keySet()).isEqualTo(b.keySet());
    a.forEach((name, values) -> assertThat(values).as(name).isEqualTo(b.get(name)));
  }

  /** Trains a new model in one go. */
  private static Map<String, float[]> whole(Trainer.Settings settings, Notes notes)
      throws IOException {
    TextModel model = Tiny.model("relu");
    try (Engine engine = Engine.ofThreads(1)) {
      new Trainer<>(engine, model, Tiny.problem(), settings).run(null, notes, () -> false);
    }
    return weights(model);
  }

  @Test
  void stoppedAtRandomStepsAndResumedHasTheSameBits() throws IOException {
    Pace pace = new Pace(5, 7, 0);
    Trainer.Settings settings = standard(Length.epochs(4), pace);
    Notes expected = new Notes();
    Map<String, float[]> one = whole(settings, expected);
    RandomStream random = RandomStream.of(11, "stops", 0);
    TextModel model = Tiny.model("relu");
    Notes notes = new Notes();
    int starts = 0;
    try (Engine engine = Engine.ofThreads(2)) {
      while (true) {
        // A new process: nothing but the checkpoint is known.
        model = Tiny.model("relu");
        Trainer<TextModel> trainer = new Trainer<>(engine, model, Tiny.problem(), settings);
        if (starts++ > 0) {
          trainer.restore(temp.resolve(Trainer.LAST));
        }
        int steps = 1 + random.nextInt(4);
        int[] done = new int[1];
        Trainer.Outcome outcome = trainer.run(temp, notes, () -> ++done[0] == steps);
        if (outcome.ending() == Trainer.Ending.COMPLETE) {
          assertThat(outcome.steps()).isEqualTo(48);
          break;
        }
        assertThat(outcome.ending()).isEqualTo(Trainer.Ending.STOPPED);
      }
    }
    assertThat(starts).isGreaterThan(10);
    assertSame(weights(model), one);
    assertThat(notes.steps.stream().map(LogEntry.Step::loss).toList())
        .isEqualTo(expected.steps.stream().map(LogEntry.Step::loss).toList());
    assertThat(notes.evaluations).isEqualTo(expected.evaluations);
  }

  @Test
  void twoAndTwoEpochsAreFour() throws IOException {
    Rate constant = new Rate(Rate.Shape.CONSTANT, 1e-3, 0);
    Trainer.Settings two = settings(Length.epochs(2), 1, constant, 1, Ramp.NONE, Pace.EPOCHS);
    Trainer.Settings four = settings(Length.epochs(4), 1, constant, 1, Ramp.NONE, Pace.EPOCHS);
    Map<String, float[]> expected = whole(four, new Notes());
    try (Engine engine = Engine.ofThreads(1)) {
      new Trainer<>(engine, Tiny.model("relu"), Tiny.problem(), two)
          .run(temp, new Notes(), () -> false);
      TextModel model = Tiny.model("relu");
      Trainer<TextModel> trainer = new Trainer<>(engine, model, Tiny.problem(), four);
      assertThat(trainer.restore(temp.resolve(Trainer.LAST))).isEqualTo(24);
      trainer.run(temp, new Notes(), () -> false);
      assertSame(weights(model), expected);
      // A falling rate depends on the length: such a run cannot be prolonged.
      Trainer<TextModel> other =
          new Trainer<>(engine, model, Tiny.problem(), standard(Length.epochs(6), Pace.EPOCHS));
      assertThatThrownBy(() -> other.restore(temp.resolve(Trainer.LAST)))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("settings");
    }
  }

  /** With the density loss and with ADA's weights, and in a run that changes its mind half way. */
  @Test
  void blocksComputedAgainHaveTheSameBits() throws IOException {
    Trainer.Settings kept =
        settings(
            Length.steps(8), 2, Rate.linear(3e-3), 1, Ramp.NONE, new Pace(Pace.AT_THE_END, 4, 0));
    Trainer.Settings again =
        new Trainer.Settings(
            kept.length(),
            kept.batchSize(),
            kept.parts(),
            true,
            kept.rate(),
            kept.weightDecay(),
            kept.clip(),
            kept.seed(),
            kept.density(),
            kept.ramp(),
            kept.pace());
    List<Map<String, float[]>> weights = new ArrayList<>();
    List<List<Double>> densities = new ArrayList<>();
    long[] peak = new long[2];
    for (Trainer.Settings s : List.of(kept, again)) {
      Notes notes = new Notes();
      TextModel model = Ada.install(Tiny.model("relu"), 1);
      int i = weights.size();
      try (Engine engine = Engine.ofThreads(1)) {
        new Trainer<>(engine, model, Tiny.problem(), s)
            .run(
                null,
                notes,
                () -> {
                  peak[i] = engine.workspace().peakBytes();
                  return false;
                });
      }
      weights.add(weights(model));
      densities.add(notes.steps.stream().map(LogEntry.Step::densityLoss).toList());
    }
    assertSame(weights.get(1), weights.get(0));
    assertThat(densities.get(1)).isEqualTo(densities.get(0)).hasSize(8);
    assertThat(peak[1]).isLessThan(peak[0]);
    try (Engine engine = Engine.ofThreads(1)) {
      new Trainer<>(engine, Ada.install(Tiny.model("relu"), 1), Tiny.problem(), kept)
          .run(temp, new Notes(), () -> true);
      TextModel model = Ada.install(Tiny.model("relu"), 1);
      Trainer<TextModel> rest = new Trainer<>(engine, model, Tiny.problem(), again);
      assertThat(rest.restore(temp.resolve(Trainer.LAST))).isEqualTo(1);
      rest.run(temp, new Notes(), () -> false);
      assertSame(weights(model), weights.get(0));
    }
  }

  @Test
  void partsOfAStepAddUpToIt() throws IOException {
    // Without dropout a step in parts is the step in one, but for rounding.
    Notes one = new Notes();
    Notes three = new Notes();
    Rate rate = new Rate(Rate.Shape.COSINE, 1e-3, 0.1);
    for (int parts : new int[] {1, 3}) {
      TextModel model = Tiny.model("relu", 0.0);
      try (Engine engine = Engine.ofThreads(1)) {
        Trainer.Settings settings =
            settings(Length.steps(20), parts, rate, 0, Ramp.NONE, new Pace(10, 0, 0));
        Trainer.Outcome outcome =
            new Trainer<>(engine, model, Tiny.problem(), settings)
                .run(null, parts == 1 ? one : three, () -> false);
        assertThat(outcome.steps()).isEqualTo(20);
      }
    }
    assertThat(one.steps).hasSize(20);
    for (int i = 0; i < 20; i++) {
      assertThat(three.steps.get(i).loss()).isCloseTo(one.steps.get(i).loss(), within(2e-3));
      assertThat(three.steps.get(i).densityLoss())
          .isCloseTo(one.steps.get(i).densityLoss(), within(2e-3));
    }
    assertThat(one.evaluations).hasSize(3);
    assertThat(one.steps.get(19).learningRate()).isLessThan(one.steps.get(4).learningRate());
  }

  @Test
  void endsEarlyAndKeepsTheBest() throws IOException {
    Trainer.Settings settings =
        settings(Length.epochs(40), 1, Rate.linear(5e-3), 0, Ramp.NONE, new Pace(12, 0, 3));
    Notes notes = new Notes();
    TextModel model = Tiny.model("relu");
    try (Engine engine = Engine.ofThreads(2)) {
      Trainer<TextModel> trainer = new Trainer<>(engine, model, Tiny.problem(), settings);
      Trainer.Outcome outcome = trainer.run(temp, notes, () -> false);
      assertThat(outcome.ending()).isEqualTo(Trainer.Ending.EARLY);
      List<Double> scores =
          notes.evaluations.stream().skip(1).map(LogEntry.Evaluation::score).toList();
      double best = scores.stream().mapToDouble(s -> s).max().orElseThrow();
      assertThat(scores.indexOf(best)).isEqualTo(scores.size() - 4);
      assertThat(trainer.restoreBest(temp).score()).isEqualTo(best);
      // A run that ended early stays ended.
      Trainer<TextModel> again =
          new Trainer<>(engine, Tiny.model("relu"), Tiny.problem(), settings);
      again.restore(temp.resolve(Trainer.LAST));
      Trainer.Outcome same = again.run(temp, new Notes(), () -> false);
      assertThat(same.ending()).isEqualTo(Trainer.Ending.EARLY);
      assertThat(same.steps()).isEqualTo(outcome.steps());
      assertThat(same.last().score()).isEqualTo(outcome.last().score());
    }
  }

  @Test
  void stopsWhenTheLossIsNotANumber() throws IOException {
    Trainer.Settings settings =
        settings(
            Length.epochs(3),
            1,
            new Rate(Rate.Shape.CONSTANT, 1e30, 0),
            0,
            Ramp.NONE,
            new Pace(0, 1, 0));
    try (Engine engine = Engine.ofThreads(1)) {
      TextModel model = Tiny.model("relu");
      Trainer<TextModel> trainer = new Trainer<>(engine, model, Tiny.problem(), settings);
      trainer.save(temp.resolve(Trainer.LAST));
      byte[] good = Files.readAllBytes(temp.resolve(Trainer.LAST));
      assertThatThrownBy(() -> trainer.run(temp, new Notes(), () -> false))
          .isInstanceOfSatisfying(
              DivergedException.class,
              e -> {
                assertThat(e.step()).isPositive();
                assertThat(e.loss()).matches(l -> !Double.isFinite(l));
                assertThat(e).hasMessageContaining("step " + e.step());
              });
      // Whatever was saved since is finite, or is what was there before.
      Trainer<TextModel> again =
          new Trainer<>(engine, Tiny.model("relu"), Tiny.problem(), settings);
      again.restore(temp.resolve(Trainer.LAST));
      again.trainable().values().stream()
          .flatMap(p -> java.util.stream.Stream.of(p.value().data()))
          .forEach(
              values -> {
                for (float v : values) {
                  assertThat(Float.isFinite(v)).isTrue();
                }
              });
      assertThat(good).isNotEmpty();
    }
  }

  @Test
  void settingsAreChecked() {
    assertThatThrownBy(() -> new Length(0, 0)).hasMessageContaining("epochs");
    assertThatThrownBy(() -> new Length(1, 1)).hasMessageContaining("only one");
    assertThatThrownBy(() -> new Rate(Rate.Shape.LINEAR, 0, 0)).hasMessageContaining("rate");
    assertThatThrownBy(() -> new Pace(-1, 0, 0)).hasMessageContaining("steps");
    assertThatThrownBy(
            () -> settings(Length.steps(1), 9, Rate.linear(1), 0, Ramp.NONE, Pace.EPOCHS))
        .hasMessageContaining("parts");
    assertThat(Arrays.asList(Trainer.Ending.values())).hasSize(3);
  }
}
