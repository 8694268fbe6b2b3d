package tacet.transformer.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
  @TempDir Path dir;

  @ParameterizedTest
  @ValueSource(
      strings = {
        "null",
        "true",
        "false",
        "0",
        "-1",
        "9223372036854775807",
        "1.5",
        "1.0E-12",
        "\"\"",
        "\"a\\\"\\\\\\n\\u0001é😀\"",
        "\"\\ud800\"",
        "[]",
        "{}",
        "[1,[2,{\"a\":[]}]]",
        "{\"b\":1,\"a\":{\"c\":null}}"
      })
  void canonicalTextComesBack(String text) throws FormatException {
    assertThat(Json.parse(text, "t")).hasToString(text);
    assertThat(Json.parse(Json.parse(text, "t").pretty(), "t")).hasToString(text);
    assertThat(Json.parse(" \t\r\n" + text + "\n ", "t")).hasToString(text);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        " ",
        "nul",
        "nullx",
        "truE",
        "01",
        "-",
        "+1",
        ".5",
        "1.",
        "1e",
        "1e+",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "'a'",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u12",
        "\"\t\"",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" 1}",
        "{1:1}",
        "1 2",
        "{}}",
        "/**/1",
        "\"\\u١٢٣٤\"",
        "{\"a\":1,\"a\":2}",
        "\uFEFF1"
      })
  void whatIsNotJsonIsRefused(String text) {
    assertThatThrownBy(() -> Json.parse(text, "file.json"))
        .isInstanceOf(FormatException.class)
        .hasMessageStartingWith("file.json: not valid JSON at line 1, column ");
  }

  @Test
  void errorsNameThePlaceInTheText() {
    assertThatThrownBy(() -> Json.parse("{\n  \"a\": 1,\n  \"b\": x\n}", "f"))
        .hasMessage("f: not valid JSON at line 3, column 8: unexpected character");
    assertThatThrownBy(() -> Json.parse("{\"a\":[{\"a\":1},{\"k\":1,\"k\":2}]}", "f"))
        .hasMessageContaining("duplicate key \"k\"");
  }

  @Test
  void errorsNameThePathOfTheValue() throws FormatException {
    Json j = Json.parse("{\"a\":{\"b\":[1,\"x\",2.5,3000000000]}}", "f");
    List<Json> b = j.get("a").get("b").elements();
    assertThatThrownBy(() -> b.get(1).asInt())
        .isInstanceOf(FormatException.class)
        .hasMessage("f: $.a.b[1]: expected an integer, found a string")
        .satisfies(e -> assertThat(((FormatException) e).file()).isEqualTo("f"));
    assertThatThrownBy(() -> b.get(2).asLong())
        .hasMessage("f: $.a.b[2]: expected an integer, found 2.5");
    assertThatThrownBy(() -> b.get(3).asInt()).hasMessageContaining("3000000000 is too large");
    assertThatThrownBy(() -> j.get("c")).hasMessage("f: $: key \"c\" is missing");
    assertThatThrownBy(() -> j.asString()).hasMessageContaining("found an object");
    assertThatThrownBy(() -> j.get("a").elements()).hasMessageContaining("found an object");
    assertThatThrownBy(() -> b.get(0).members()).hasMessageContaining("found 1");
    assertThatThrownBy(() -> b.get(0).asBoolean()).hasMessageContaining("expected true or false");
    assertThatThrownBy(() -> b.get(1).asDouble()).hasMessageContaining("expected a number");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0",
    "-0, 0",
    "12, 12",
    "1.0, 1",
    "2e3, 2000",
    "-9223372036854775808, -9223372036854775808"
  })
  void integers(String text, long expected) throws FormatException {
    assertThat(Json.parse(text, "t").asLong()).isEqualTo(expected);
  }

  @Test
  void numbersBeyondLongAreDoubles() throws FormatException {
    Json big = Json.parse("18446744073709551614", "t");
    assertThat(big.asDouble()).isEqualTo(18446744073709551614.0);
    assertThatThrownBy(big::asLong).isInstanceOf(FormatException.class);
    assertThat(Json.parse("1e999", "t").asDouble()).isInfinite();
    assertThat(Json.parse("9".repeat(100_000), "t").asDouble()).isInfinite();
  }

  @Test
  void escapesMeanTheirCharacters() throws FormatException {
    assertThat(Json.parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00E9\\ud83d\\ude00\"", "t").asString())
        .isEqualTo("\"\\/\b\f\n\r\té😀");
  }

  @Test
  void missingAndNullMembersFallBack() throws FormatException {
    Json j = Json.parse("{\"n\":null,\"i\":3,\"d\":0.5,\"s\":\"x\",\"b\":true}", "t");
    assertThat(j.intOr("n", 7) + j.intOr("none", 7) + j.intOr("i", 7)).isEqualTo(17);
    assertThat(j.doubleOr("n", 1) + j.doubleOr("d", 1)).isEqualTo(1.5);
    assertThat(j.stringOr("n", "y") + j.stringOr("s", "y")).isEqualTo("yx");
    assertThat(j.booleanOr("n", false)).isFalse();
    assertThat(j.booleanOr("b", false)).isTrue();
    assertThat(j.has("n")).isFalse();
    assertThat(j.get("n").isNull()).isTrue();
    assertThatThrownBy(() -> j.intOr("s", 1)).hasMessageContaining("$.s: expected an integer");
  }

  @Test
  void javaValuesAreWritten() {
    Map<String, Object> m = new LinkedHashMap<>();
    m.put("f", 0.1f);
    m.put("floats", new float[] {1, 0.2f});
    m.put("doubles", new double[] {Double.NaN, 1e-12});
    m.put("ints", new int[] {1, 2});
    m.put("list", List.of("a", Map.of(), Json.of(true)));
    m.put("null", null);
    assertThat(Json.of(m))
        .hasToString(
            "{\"f\":0.1,\"floats\":[1.0,0.2],\"doubles\":[null,1.0E-12],\"ints\":[1,2],"
                + "\"list\":[\"a\",{},true],\"null\":null}");
    assertThat(Json.of(Map.of("a", List.of(1, 2), "b", List.of())).pretty())
        .contains("\"a\": [1, 2]")
        .contains("\"b\": []")
        .endsWith("}\n");
    assertThatThrownBy(() -> Json.of(new Object())).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> Json.of(m).get("list").asInt()).hasMessageStartingWith("(new): $");
  }

  @Test
  void deepNestingIsRefusedBeforeTheStackIsFull() throws FormatException {
    assertThat(Json.parse("[".repeat(200) + "]".repeat(200), "t").isArray()).isTrue();
    for (String open : List.of("[", "{\"a\":", "[{\"a\":")) {
      assertThatThrownBy(() -> Json.parse(open.repeat(100_000), "t"))
          .isInstanceOf(FormatException.class)
          .hasMessageContaining("nested deeper than 200");
    }
  }

  /** With the path as text in every value this took 200 times the text: gigabytes. */
  @Test
  void longKeysCostTheirLengthOnce() throws FormatException {
    String key = "k".repeat(100_000);
    StringBuilder sb = new StringBuilder();
    for (int i = 0; i < 199; i++) {
      sb.append("{\"").append(i).append(key).append("\":");
    }
    sb.append("[").append("0,".repeat(20_000)).append("0]").append("}".repeat(199));
    Json j = Json.parse(sb.toString(), "t");
    List<String> keys = new ArrayList<>();
    while (j.isObject()) {
      Map.Entry<String, Json> e = j.members().entrySet().iterator().next();
      keys.add(e.getKey());
      j = e.getValue();
    }
    assertThat(keys).hasSize(199);
    assertThat(j.elements()).hasSize(20_001);
  }

  @Test
  void filesMustBeUtf8AndFiles() throws IOException {
    Path file = dir.resolve("x.json");
    Files.write(file, new byte[] {'"', (byte) 0xe9, '"'});
    assertThatThrownBy(() -> Json.read(file)).hasMessage(file + ": not valid UTF-8");
    Files.writeString(file, "\"\uFFFD\""); // the replacement character itself is fine
    assertThat(Json.read(file).asString()).isEqualTo("\uFFFD");
    assertThatThrownBy(() -> Json.read(dir)).hasMessage(dir + ": not a regular file");
    assertThat(Json.parse("\"é\"".getBytes(StandardCharsets.UTF_8), "t").asString()).isEqualTo("é");
  }
}
