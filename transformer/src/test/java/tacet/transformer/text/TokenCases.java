package tacet.transformer.text;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** Compares a tokenizer with cases that src/test/python/make_tokenizers.py wrote. */
final class TokenCases {
  private TokenCases() {}

  /** Where NAME.json disagrees with NAME.jsonl; empty where all is well. */
  static List<String> differences(Path json) throws IOException {
    String name = json.getFileName().toString();
    Tokenizer tokenizer = Tokenizer.open(json);
    List<String> out = new ArrayList<>();
    for (String line : Files.readAllLines(json.resolveSibling(name + "l"))) {
      Json expected = Json.parse(line, name + "l");
      String difference = difference(tokenizer, expected);
      if (difference != null) {
        out.add(name + ": " + difference + "\n  case " + shortened(line));
      }
    }
    return out;
  }

  private static String difference(Tokenizer tokenizer, Json expected) throws FormatException {
    String text = expected.get("text").asString();
    String pair = expected.stringOr("pair", null);
    boolean add = expected.get("add").asBoolean();
    Truncation truncation = truncation(expected.get("truncation"));
    List<Encoding> windows;
    try {
      windows =
          truncation == null
              ? List.of(tokenizer.encode(text, pair, null, add))
              : tokenizer.windows(text, pair, truncation, add);
    } catch (IllegalArgumentException e) {
      return expected.has("error") ? null : "refused: " + e.getMessage();
    }
    if (expected.has("error")) {
      return "not refused, but should be: " + expected.get("error");
    }
    List<Json> wanted = expected.get("windows").elements();
    if (windows.size() != wanted.size()) {
      return windows.size() + " windows, not " + wanted.size();
    }
    for (int i = 0; i < windows.size(); i++) {
      String found = Json.of(arrays(windows.get(i))).toString();
      if (!found.equals(wanted.get(i).toString())) {
        return "window " + i + "\n  found  " + found + "\n  wanted " + wanted.get(i);
      }
    }
    int[] ids = windows.get(0).ids();
    if (truncation != null
        && !tokenizer.encode(text, pair, truncation, add).equals(windows.get(0))) {
      return "encode differs from the first window";
    }
    String decoded = tokenizer.decode(ids, true);
    if (!decoded.equals(expected.get("text_only").asString())) {
      return "decoded\n  found  " + decoded + "\n  wanted " + expected.get("text_only").asString();
    }
    decoded = tokenizer.decode(ids, false);
    if (!decoded.equals(expected.get("all").asString())) {
      return "decoded\n  found  " + decoded + "\n  wanted " + expected.get("all").asString();
    }
    return null;
  }

  private static List<int[]> arrays(Encoding e) {
    return List.of(e.ids(), e.typeIds(), e.starts(), e.ends(), e.sequences());
  }

  private static Truncation truncation(Json json) throws FormatException {
    if (json.isNull()) {
      return null;
    }
    List<Json> values = json.elements();
    return new Truncation(
        values.get(0).asInt(),
        Truncation.Strategy.valueOf(values.get(1).asString().toUpperCase(Locale.ROOT)),
        values.get(2).asInt(),
        Truncation.Side.valueOf(values.get(3).asString().toUpperCase(Locale.ROOT)));
  }

  private static String shortened(String line) {
    return line.length() < 300 ? line : line.substring(0, 300) + "…";
  }
}
