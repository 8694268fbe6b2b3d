package tacet.transformer.text;

import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** Patterns as a tokenizer.json writes them: {@code {"String": …}} or {@code {"Regex": …}}. */
final class Patterns {
  /** Longer expressions are taken for damage. */
  private static final int MAX_LENGTH = 4096;

  private Patterns() {}

  /**
   * Compiles a pattern. Expressions mean what they mean in Oniguruma as far as Java's syntax
   * agrees; classes are Unicode's.
   *
   * @throws FormatException if it is neither kind, or Java does not understand it
   */
  static Pattern of(Json json) throws FormatException {
    if (json.has("String")) {
      return Pattern.compile(Pattern.quote(json.get("String").asString()));
    }
    String regex = json.get("Regex").asString();
    if (regex.length() > MAX_LENGTH) {
      throw json.error("an expression of " + regex.length() + " characters");
    }
    try {
      return Pattern.compile(regex, Pattern.UNICODE_CHARACTER_CLASS);
    } catch (PatternSyntaxException e) {
      throw json.error("unsupported expression " + regex + ": " + e.getDescription());
    }
  }
}
