package tacet.deft.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;
import tacet.deft.report.SvgChart.Bars;
import tacet.deft.report.SvgChart.Series;

final class ChartTest {
  private static final String NASTY = "<b> & \"it's\" ]]> \u0001 ü";

  // ---------------------------------------------------------------- ticks

  @Test
  void ticksAreRoundEncloseTheDataAndAreNeitherFewNorMany() {
    for (long seed = 0; seed < 3000; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      double scale = Math.pow(10, random.nextInt(-9, 10));
      double min = random.nextDouble(-1, 1) * scale;
      double max = min + random.nextDouble(1e-4, 2) * scale;
      int intervals = random.nextInt(3, 9);
      Ticks ticks = Ticks.enclosing(min, max, intervals);
      List<Double> values = ticks.values();
      String what = "seed " + seed + ": " + min + " to " + max + ": " + values;
      double slack = 1e-8 * ticks.step();
      assertThat(values.get(0)).as(what).isLessThanOrEqualTo(min + slack);
      assertThat(values.get(values.size() - 1)).as(what).isGreaterThanOrEqualTo(max - slack);
      assertThat(values.size() - 1).as(what).isBetween(intervals / 2, 2 * intervals + 1);
      double digit = ticks.step() / Math.pow(10, Math.floor(Math.log10(ticks.step() * 1.0000001)));
      assertThat(Math.rint(digit)).as(what).isIn(1.0, 2.0, 5.0).isCloseTo(digit, within(1e-6));
      assertThat(values.stream().map(ticks::label)).as(what).doesNotHaveDuplicates();
      assertThat(ticks.place(ticks.from())).as(what).isZero();
      assertThat(ticks.place(ticks.to())).as(what).isEqualTo(1);
    }
  }

  @Test
  void ticksOfEverydayAxes() {
    // 0..95 in five intervals: 19 is nearest to 20
    assertThat(Ticks.enclosing(0, 95, 5).values())
        .containsExactly(0.0, 20.0, 40.0, 60.0, 80.0, 100.0);
    Ticks small = Ticks.enclosing(0, 0.3, 5);
    assertThat(small.values().stream().map(small::label))
        .containsExactly("0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30");
    Ticks same = Ticks.enclosing(50, 50, 5);
    assertThat(same.place(50)).isCloseTo(0.5, within(0.1));
    assertThat(Ticks.enclosing(0, 0, 5).place(0)).isEqualTo(0.5);
    assertThat(Ticks.enclosing(-3, 3, 5).values().stream().map(Ticks.enclosing(-3, 3, 5)::label))
        .contains("0", "−2");
    assertThatThrownBy(() -> Ticks.enclosing(Double.NaN, 1, 5))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Ticks.enclosing(2, 1, 5)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Ticks.enclosing(-1e308, 1e308, 5))
        .isInstanceOf(IllegalArgumentException.class);
  }

  // ---------------------------------------------------------------- text and numbers

  @Test
  void textIsEscapedAndNumbersAreWrittenForPeople() {
    assertThat(Markup.escape("a<b>&\"'\u0000\uD800"))
        .isEqualTo("a&lt;b&gt;&amp;&quot;&#39;\uFFFD\uFFFD");
    assertThat(Markup.escape("ü 😀 \t\n")).isEqualTo("ü 😀 \t\n");
    assertThat(Markup.fixed(12.345, 1)).isEqualTo("12.3");
    assertThat(Markup.fixed(-0.04, 1)).isEqualTo("0.0");
    assertThat(Markup.fixed(-1.25, 2)).isEqualTo("−1.25");
    assertThat(Markup.fixed(Double.NaN, 2)).isEqualTo("–");
    assertThat(Markup.trimmed(2.50, 2)).isEqualTo("2.5");
    assertThat(Markup.trimmed(100, 2)).isEqualTo("100");
    assertThat(Markup.trimmed(100, 0)).isEqualTo("100");
    assertThat(Markup.coordinate(-3.10)).isEqualTo("-3.1");
    assertThatThrownBy(() -> Markup.coordinate(Double.POSITIVE_INFINITY))
        .isInstanceOf(IllegalArgumentException.class);
  }

  // ---------------------------------------------------------------- charts

  @Test
  void everyLineChartIsWellFormedWithinItsFrame() throws Exception {
    for (long seed = 0; seed < 200; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      List<Series> series = new ArrayList<>();
      boolean second = random.nextBoolean();
      for (int i = 0; i < random.nextInt(1, 5); i++) {
        int n = random.nextInt(0, 60);
        double scale = Math.pow(10, random.nextInt(-6, 7));
        List<Double> x = IntStream.range(0, n).mapToObj(j -> 3.0 * j).toList();
        List<Double> y = IntStream.range(0, n).mapToObj(j -> value(random, scale)).toList();
        series.add(new Series(NASTY + i, i, x, y, second && random.nextBoolean(), i == 2));
      }
      String svg =
          SvgChart.lines(NASTY, NASTY, NASTY, second ? NASTY : null, random.nextBoolean(), series);
      checkSvg("seed " + seed, svg);
    }
  }

  @Test
  void everyBarChartIsWellFormedWithinItsFrame() throws Exception {
    for (long seed = 0; seed < 100; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int n = random.nextInt(0, 40);
      List<String> names = IntStream.range(0, n).mapToObj(i -> NASTY + i).toList();
      List<Bars> bars =
          IntStream.range(0, random.nextInt(0, 5))
              .mapToObj(
                  b ->
                      new Bars(
                          NASTY, b, IntStream.range(0, n).mapToObj(i -> value(random, 5)).toList()))
              .toList();
      checkSvg("seed " + seed, SvgChart.bars(NASTY, NASTY, NASTY, names, bars));
    }
    assertThatThrownBy(
            () -> SvgChart.bars("", "", "", List.of("a"), List.of(new Bars("b", 0, List.of()))))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void everyHeatStripIsWellFormedWithinItsFrame() throws Exception {
    for (long seed = 0; seed < 100; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      int n = random.nextInt(0, 40);
      List<String> columns = IntStream.range(0, n).mapToObj(i -> "c" + i).toList();
      List<String> rows = IntStream.range(0, random.nextInt(0, 25)).mapToObj(i -> "r" + i).toList();
      List<List<Double>> values =
          rows.stream()
              .map(r -> IntStream.range(0, n).mapToObj(i -> value(random, 50)).toList())
              .toList();
      checkSvg("seed " + seed, SvgChart.heat(NASTY, NASTY, columns, rows, values, 1, " %"));
    }
  }

  @Test
  void linesLieWhereTheDataAre() throws Exception {
    // Left axis 0..100, x from 0 to 10: the plot spans x 56..506 and y 282 (0) .. 64 (100).
    Series s = new Series("a", 1, List.of(0.0, 5.0, 10.0), List.of(0.0, 50.0, 100.0));
    String svg = SvgChart.lines("t", "x", "y", null, true, List.of(s));
    assertThat(svg).contains("d=\"M56 282L281 173L506 64\"");
    assertThat(svg).contains("<title>a, 5: 50</title>");
  }

  @Test
  void aGapIsLeftWhereAValueIsMissing() {
    Series s =
        new Series("a", 1, List.of(0.0, 1.0, 2.0, 3.0), List.of(0.0, 100.0, Double.NaN, 100.0));
    String svg = SvgChart.lines("t", "x", "y", null, true, List.of(s));
    assertThat(svg).contains("d=\"M56 282L206 64M506 64\"");
    assertThatThrownBy(() -> new Series("a", 1, List.of(0.0), List.of()))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void standaloneCarriesItsStyle() throws Exception {
    String svg =
        SvgChart.standalone(
            SvgChart.bars("t", "x", "y", List.of("a"), List.of(new Bars("b", 0, List.of(1.0)))));
    Document xml = parse(svg);
    assertThat(xml.getElementsByTagName("style").item(0).getTextContent())
        .contains("prefers-color-scheme: dark");
    checkSvg("standalone", svg);
  }

  private static double value(SplittableRandom random, double scale) {
    return switch (random.nextInt(12)) {
      case 0 -> Double.NaN;
      case 1 -> Double.POSITIVE_INFINITY;
      case 2 -> 0;
      default -> random.nextDouble(-0.2, 1) * scale;
    };
  }

  /** Well-formed, escaped, and every shape within the picture. */
  private static void checkSvg(String what, String svg) throws Exception {
    assertThat(svg).as(what).doesNotContain("NaN").doesNotContain("Infinity").doesNotContain("−0,");
    Document xml = parse(svg);
    Element root = xml.getDocumentElement();
    assertThat(root.getTagName()).isEqualTo("svg");
    double[] box =
        Arrays.stream(root.getAttribute("viewBox").split(" "))
            .mapToDouble(Double::parseDouble)
            .toArray();
    for (String tag : List.of("rect", "line", "text")) {
      NodeList nodes = xml.getElementsByTagName(tag);
      for (int i = 0; i < nodes.getLength(); i++) {
        Element e = (Element) nodes.item(i);
        for (String side : List.of("x", "x1", "x2")) {
          inside(what, e, side, 0, box[2]);
        }
        for (String side : List.of("y", "y1", "y2")) {
          inside(what, e, side, 0, box[3]);
        }
        if (tag.equals("rect")) {
          assertThat(number(e, "y") + number(e, "height")).as(what).isBetween(0.0, box[3]);
          assertThat(number(e, "x") + number(e, "width")).as(what).isBetween(0.0, box[2]);
        }
      }
    }
    NodeList paths = xml.getElementsByTagName("path");
    for (int i = 0; i < paths.getLength(); i++) {
      String d = ((Element) paths.item(i)).getAttribute("d");
      for (String point : d.split("(?=[ML])")) {
        String[] xy = point.substring(1).split("[a-z]")[0].trim().split(" ");
        assertThat(Double.parseDouble(xy[0])).as(what + d).isBetween(0.0, box[2]);
        assertThat(Double.parseDouble(xy[1])).as(what + d).isBetween(0.0, box[3]);
      }
    }
  }

  private static void inside(String what, Element e, String attribute, double from, double to) {
    if (e.hasAttribute(attribute)) {
      assertThat(number(e, attribute))
          .as("%s: %s of %s \"%s\"", what, attribute, e.getTagName(), e.getTextContent())
          .isBetween(from, to);
    }
  }

  private static double number(Element e, String attribute) {
    return Double.parseDouble(e.getAttribute(attribute));
  }

  static Document parse(String xml) throws Exception {
    DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
    return factory.newDocumentBuilder().parse(new InputSource(new StringReader(xml)));
  }
}
