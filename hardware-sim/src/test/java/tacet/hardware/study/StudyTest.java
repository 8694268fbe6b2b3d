package tacet.hardware.study;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.Fidelity;
import tacet.hardware.arch.LaneArray;
import tacet.hardware.arch.Operand;
import tacet.hardware.arch.Platform;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.TokenParallelArray;
import tacet.hardware.arch.TwoSidedArray;
import tacet.hardware.arch.Workload;
import tacet.hardware.io.Reports;
import tacet.hardware.study.Figure.Curves;
import tacet.hardware.study.Figure.Grid;
import tacet.hardware.study.Figure.Line;

class StudyTest {

  private static final List<Accelerator> MACHINES =
      List.of(
          new SystolicArray(SystolicArray.Dataflow.OS, 8, 8, true, Platform.standard()),
          LaneArray.standard(Platform.standard()),
          TwoSidedArray.standard(Platform.ideal()),
          TokenParallelArray.standard(Platform.standard()));

  /** Two MLPs whose zeros are independent, once at density .1, once at .4. */
  private static Subject subject(String name, double density) {
    List<Workload> layers = new ArrayList<>();
    for (int l = 0; l < 2; l++) {
      BitMatrix mask = BitMatrix.random(64, 256, density, new SplittableRandom(l));
      layers.add(Workload.dense(l + ".in", 64, 256, 64).withResults(Operand.of(mask)));
      layers.add(Workload.sparse(l + ".out", 64, mask));
    }
    return new Subject(name, Comparison.all(MACHINES, layers, Fidelity.TILE), layers);
  }

  private static Figure find(List<Figure> figures, String id) {
    return figures.stream().filter(f -> f.id().equals(id)).findFirst().orElseThrow();
  }

  private static Line line(Figure figure, String name, boolean joined) {
    return ((Curves) figure)
        .lines().stream()
            .filter(l -> l.name().equals(name) && l.joined() == joined)
            .findFirst()
            .orElseThrow();
  }

  @Test
  void figuresSayWhatTheSimulatorsSay() {
    Subject deft = subject("DEFT", .1);
    Subject peft = subject("PEFT", .4);
    List<Figure> figures = Study.figures(MACHINES, List.of(deft, peft), 3);
    assertThat(figures.stream().map(Figure::id))
        .containsExactly(
            "speedup-density",
            "energy-density",
            "lanes",
            "tokens-density",
            "unions",
            "bandwidth",
            "formats",
            "prices");

    // Without memory limits a two-sided machine reaches the ideal but for its window and pipeline.
    Figure speed = find(figures, "speedup-density");
    Line two = line(speed, MACHINES.get(2).name(), true);
    for (int i = 4; i < two.x().size(); i++) {
      assertThat(two.y().get(i)).isCloseTo(1 / two.x().get(i), within(.05 / two.x().get(i)));
    }
    Line points = line(speed, MACHINES.get(2).name(), false);
    assertThat(points.x()).hasSize(2);
    assertThat(points.x().get(0)).isEqualTo(deft.sample().get(1).activations().density());
    assertThat(points.y().get(0)).isEqualTo(deft.results().get(2 * 4 + 1).speedup());
    assertThat(((Curves) speed).lines().stream().map(Line::name))
        .as("a gated array gains no time")
        .doesNotContain(MACHINES.get(0).name());
    Line gated = line(find(figures, "energy-density"), MACHINES.get(0).name(), true);
    assertThat(gated.y()).isSorted();
    assertThat(gated.y().get(gated.y().size() - 1)).isEqualTo(1);

    // Zeros are independent here, so that recorded and expected unions agree.
    Figure unions = find(figures, "unions");
    Line recorded = line(unions, "DEFT, recorded", true);
    Line independent = line(unions, "DEFT, were zeros independent", true);
    for (int i = 0; i < recorded.x().size(); i++) {
      assertThat(recorded.y().get(i)).isCloseTo(independent.y().get(i), within(.02));
    }

    Grid tokens = (Grid) find(figures, "tokens-density");
    assertThat(tokens.columns()).endsWith("DEFT", "PEFT");
    assertThat(tokens.values().get(0).get(3)).isCloseTo(10, within(.5)); // one token, 10 %
    // The first column has the prices that were simulated with.
    Grid prices = (Grid) find(figures, "prices");
    for (int m = 0; m < MACHINES.size(); m++) {
      Gain gain = Gain.of(deft.results(), MACHINES.get(m).name(), false);
      assertThat(prices.values().get(m).get(0)).isCloseTo(gain.energyRatio(), within(1e-12));
    }
    Line bitmap = line(find(figures, "formats"), "bitmap", true);
    assertThat(bitmap.y().get(bitmap.y().size() - 1)).isEqualTo(9);
    Line bandwidth = line(find(figures, "bandwidth"), MACHINES.get(1).name(), true);
    assertThat(bandwidth.y()).isSorted();
    assertThat(Study.figures(MACHINES, List.of(deft, peft), 3)).isEqualTo(figures);
  }

  /** A topology without zeros has no points, and figures about zeros of layers are left out. */
  @Test
  void denseLayersHaveFewerFigures() {
    List<Workload> layers = List.of(Workload.dense("a", 16, 32, 48));
    Subject dense = new Subject("dense", Comparison.all(MACHINES, layers, Fidelity.TILE), layers);
    assertThat(Study.figures(MACHINES, List.of(dense), 1).stream().map(Figure::id))
        .containsExactly(
            "speedup-density",
            "energy-density",
            "tokens-density",
            "bandwidth",
            "formats",
            "prices");
  }

  @Test
  void gainsAddUp() {
    Subject s = subject("x", .2);
    String machine = MACHINES.get(1).name();
    Gain all = Gain.of(s.results(), machine, false);
    Gain sparse = Gain.of(s.results(), machine, true);
    List<Comparison> own = s.results().subList(4, 8);
    assertThat(all.cycles()).isEqualTo(own.stream().mapToLong(c -> c.sparse().cycles()).sum());
    assertThat(sparse.denseCycles())
        .isEqualTo(own.get(1).dense().cycles() + own.get(3).dense().cycles());
    assertThat(sparse.speedup()).isGreaterThan(all.speedup());
    assertThat(Gain.of(s.results(), "none", false).speedup()).isEqualTo(1);
    assertThat(Gain.of(s.results(), "none", false).energyRatio()).isEqualTo(1);
    assertThat(Reports.summary(List.of(s, s)).lines()).hasSize(2 + MACHINES.size());
    assertThat(Reports.subjectsCsv(List.of(s)).lines().findFirst().orElseThrow())
        .startsWith("subject,name,architecture,");
  }

  @Test
  void figuresRefuseWhatDoesNotFit() {
    assertThatThrownBy(() -> new Line("l", 0, true, 0, List.of(1.0), List.of()))
        .hasMessageContaining("1 x, 0 y");
    assertThatThrownBy(
            () ->
                new Grid(
                    "g", "g", "", "", "", List.of("a"), List.of("b", "c"), List.of(List.of(1.0))))
        .hasMessageContaining("cells are missing");
  }
}
