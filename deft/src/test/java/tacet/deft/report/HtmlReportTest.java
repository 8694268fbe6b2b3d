package tacet.deft.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.w3c.dom.Document;
import tacet.transformer.checkpoint.Json;

final class HtmlReportTest {
  @TempDir Path dir;

  @Test
  void isOneWellFormedFileThatFetchesNothing() throws Exception {
    Path file = dir.resolve("report.html");
    HtmlReport.write(file, Fixture.demo());
    String html = Files.readString(file);
    Document xml = ChartTest.parse(html);
    assertThat(xml.getElementsByTagName("svg").getLength()).isEqualTo(6);
    assertThat(xml.getElementsByTagName("script").getLength()).isZero();
    assertThat(html).doesNotContain("src=").doesNotContain("<link").doesNotContain("@import");
    assertThat(html).doesNotContain("url(").doesNotContain("NaN").doesNotContain("null");
    assertThat(html.split("https?://").length - 1)
        .as("the SVG name space and the paper are the only addresses")
        .isEqualTo(6 + 1);
    assertThat(html).contains("prefers-color-scheme: dark").contains("@media print");
  }

  @Test
  void saysWhatHappened() {
    DemoResults demo = Fixture.demo();
    // 2.29 / 1.62 = 1.41; 96.4 − 95.8 = 0.6
    assertThat(HtmlReport.headline(demo))
        .endsWith("\u00a0% fewer active neurons, 1.41× faster, 0.6 points less accuracy.");
    String html = HtmlReport.html(demo);
    assertThat(html)
        .contains("0.612", "0.548", "2.29", "1.62", "259,586", "1.13", "arXiv 2402.01911");
    assertThat(html).contains("7 threads &lt; 8 &amp; more");
    assertThat(html).contains(demo.command()).contains("&quot;lambda&quot;: 0.1");
    assertThat(html).contains("peft</code> library is another one").contains("<b>Simulated</b>");
  }

  @Test
  void staysTrueWhenTheNumbersDisappoint() {
    DemoResults d = Fixture.demo();
    DemoResults bad =
        new DemoResults(
            d.title(),
            d.command(),
            d.machine(),
            d.deft(),
            d.peft(),
            List.of(),
            List.of(),
            new DemoResults.MillisecondsPerSentence(2, 2, 2.5),
            d.energy(),
            -12.4);
    assertThat(HtmlReport.headline(bad))
        .isEqualTo("12\u00a0% more active neurons, at 0.80× the speed, 0.6 points more accuracy.");
  }

  @Test
  void worksWithoutALog() throws Exception {
    DemoResults d = Fixture.demo();
    DemoResults bare =
        new DemoResults(
            "<$TABLE> & 100 %s",
            "tacet demo \u0007",
            Map.of(),
            d.peft(),
            d.deft(),
            List.of(),
            List.of(),
            d.milliseconds(),
            d.energy(),
            Double.NaN);
    Document xml = ChartTest.parse(HtmlReport.html(bare));
    assertThat(xml.getElementsByTagName("svg").getLength()).isEqualTo(2);
    assertThat(xml.getElementsByTagName("title").item(0).getTextContent())
        .isEqualTo("<$TABLE> & 100 %s – Tacet");
  }

  @Test
  void resultsHaveTheDocumentedForm() throws IOException {
    DemoResults demo = Fixture.demo();
    Path file = dir.resolve("results.json");
    demo.write(file);
    Json json = Json.read(file);
    assertThat(json.members().keySet())
        .containsExactly(
            "peft", "deft", "density_change_percent", "energy_ratio", "ms_per_sentence");
    assertThat(RunMetrics.fromJson(json.get("deft")).score()).isEqualTo(95.8);
    assertThat(json.get("density_change_percent").asDouble())
        .isEqualTo(demo.densityChangePercent());
    assertThat(json.get("energy_ratio")).hasToString("{\"peft\":0.612,\"deft\":0.548}");
    assertThat(json.get("ms_per_sentence"))
        .hasToString("{\"peft_dense\":2.31,\"deft_dense\":2.29,\"deft_sparse\":1.62}");
  }
}
