package tacet.deft.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.Accelerator;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.Fidelity;
import tacet.hardware.arch.LaneArray;
import tacet.hardware.arch.Platform;
import tacet.hardware.arch.SystolicArray;
import tacet.hardware.arch.Workload;
import tacet.hardware.study.Figure;
import tacet.hardware.study.Figure.Axis;
import tacet.hardware.study.Figure.Curves;
import tacet.hardware.study.Figure.Grid;
import tacet.hardware.study.Figure.Line;
import tacet.hardware.study.Study;
import tacet.hardware.study.Subject;

final class HardwareReportTest {
  private static final String NASTY = "<b> & \"it's\" ]]> %s ü";

  @TempDir Path dir;

  private static HardwareReport.Content content(double... densities) {
    List<Accelerator> machines =
        List.of(
            SystolicArray.standard(SystolicArray.Dataflow.OS, Platform.ideal()),
            LaneArray.standard(Platform.standard()));
    List<Subject> subjects = new ArrayList<>();
    for (double d : densities) {
      BitMatrix mask = BitMatrix.random(32, 128, d, new SplittableRandom(1));
      List<Workload> layers =
          List.of(
              Workload.dense("in", 32, 128, 32),
              d == 1 ? Workload.dense("out", 32, 32, 128) : Workload.sparse("out", 32, mask));
      subjects.add(
          new Subject(
              NASTY + subjects.size(), Comparison.all(machines, layers, Fidelity.TILE), layers));
    }
    return new HardwareReport.Content(
        NASTY, NASTY, subjects, Study.figures(machines, subjects, 1), Map.of(NASTY, NASTY));
  }

  @Test
  void isOneWellFormedFileThatFetchesNothing() throws Exception {
    Path file = dir.resolve("report.html");
    HardwareReport.Content content = content(.05, .3);
    HardwareReport.write(file, content);
    String html = Files.readString(file);
    Document xml = ChartTest.parse(html);
    // 2 stacks per subject, 8 sweeps, density and one machine layer by layer
    assertThat(xml.getElementsByTagName("svg").getLength()).isEqualTo(4 + 8 + 2);
    assertThat(xml.getElementsByTagName("script").getLength()).isZero();
    assertThat(html).doesNotContain("src=").doesNotContain("<link").doesNotContain("@import");
    assertThat(html).doesNotContain("url(").doesNotContain("NaN").doesNotContain("null");
    assertThat(html).contains("prefers-color-scheme: dark").contains("@media print");
    assertThat(html).contains("lanes-16x16x16-sync1").contains("share of all unit-cycles");

    List<String> names = HardwareReport.writeFigures(dir.resolve("figures"), content);
    assertThat(names).hasSize(14).doesNotHaveDuplicates();
    for (String name : names) {
      String svg = Files.readString(dir.resolve("figures").resolve(name));
      ChartTest.parse(svg);
      assertThat(svg).contains("--c11:").contains("svg.chart .f11");
    }
  }

  @Test
  void aLonelySubjectWithoutZerosHasAPageToo() throws Exception {
    String html = HardwareReport.html(content(1));
    ChartTest.parse(html);
    assertThat(html).contains("run 1.00 times as fast");
    assertThatThrownBy(() -> new HardwareReport.Content("", "", List.of(), List.of(), Map.of()))
        .hasMessageContaining("nothing was simulated");
  }

  /** Figures of any numbers are well-formed, whatever they are called. */
  @Test
  void everyFigureIsWellFormed() throws Exception {
    for (long seed = 0; seed < 200; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      List<Line> lines = new ArrayList<>();
      for (int l = random.nextInt(6); l > 0; l--) {
        List<Double> x = new ArrayList<>();
        List<Double> y = new ArrayList<>();
        for (int i = random.nextInt(20); i > 0; i--) {
          x.add(value(random));
          y.add(value(random));
        }
        lines.add(
            new Line(
                NASTY + l, random.nextInt(20), random.nextBoolean(), random.nextInt(-1, 6), x, y));
      }
      Figure curves =
          new Curves(
              "c",
              NASTY,
              NASTY,
              new Axis(NASTY, random.nextBoolean()),
              new Axis(NASTY, random.nextBoolean()),
              lines);
      check("seed " + seed, SvgPlot.of(curves));
      int columns = random.nextInt(1, 8);
      List<String> names = new ArrayList<>();
      List<List<Double>> values = new ArrayList<>();
      for (int r = random.nextInt(12); r > 0; r--) {
        names.add(NASTY + r);
        values.add(random.doubles(columns, -2, 100).boxed().toList());
      }
      List<String> columnNames = Collections.nCopies(columns, NASTY);
      Grid grid = new Grid("g", NASTY, NASTY, NASTY, NASTY, names, columnNames, values);
      check("seed " + seed, SvgPlot.of(grid));
    }
  }

  private static double value(SplittableRandom random) {
    return switch (random.nextInt(8)) {
      case 0 -> 0;
      case 1 -> Double.NaN;
      case 2 -> Double.POSITIVE_INFINITY;
      case 3 -> -1;
      default -> Math.pow(10, random.nextDouble(-5, 6));
    };
  }

  private static void check(String what, String svg) throws Exception {
    assertThat(ChartTest.parse(svg).getDocumentElement().getTagName()).as(what).isEqualTo("svg");
    assertThat(svg).as(what).doesNotContain("NaN").doesNotContain("Infinity");
  }
}
