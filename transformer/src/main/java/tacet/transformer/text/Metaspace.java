package tacet.transformer.text;

import java.util.ArrayList;
import java.util.List;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** SentencePiece's visible space "▁": put in for spaces, and back. */
final class Metaspace implements PreTokenizer {
  private enum Prepend {
    ALWAYS,
    FIRST,
    NEVER
  }

  private final char replacement;
  private final Prepend prepend;
  private final boolean split;

  private Metaspace(char replacement, Prepend prepend, boolean split) {
    this.replacement = replacement;
    this.prepend = prepend;
    this.split = split;
  }

  /** From a pre-tokenizer or decoder of type Metaspace, of any age. */
  static Metaspace of(Json json) throws FormatException {
    String replacement = json.get("replacement").asString();
    if (replacement.length() != 1) {
      throw json.error("replacement \"" + replacement + "\" is not one character");
    }
    String scheme = json.stringOr("prepend_scheme", "always");
    Prepend prepend =
        switch (scheme) {
          case "always" -> Prepend.ALWAYS;
          case "first" -> Prepend.FIRST;
          case "never" -> Prepend.NEVER;
          default -> throw json.error("unknown prepend_scheme \"" + scheme + "\"");
        };
    if (!json.booleanOr("add_prefix_space", true)) {
      if (json.has("prepend_scheme") && prepend != Prepend.NEVER) {
        throw json.error("add_prefix_space false contradicts prepend_scheme \"" + scheme + "\"");
      }
      prepend = Prepend.NEVER;
    }
    return new Metaspace(replacement.charAt(0), prepend, json.booleanOr("split", true));
  }

  @Override
  public void split(Text text, List<Text> out) {
    if (text.isEmpty()) {
      return;
    }
    Text t = replaceSpaces(text);
    boolean wanted = prepend == Prepend.ALWAYS || prepend == Prepend.FIRST && t.start(t.from) == 0;
    if (wanted && t.chars[t.from] != replacement) {
      t = Normalizers.prepend(t, String.valueOf(replacement));
    }
    int from = t.from;
    for (int i = t.from + 1; split && i < t.to; i++) {
      if (t.chars[i] == replacement) {
        out.add(t.slice(from, i));
        from = i;
      }
    }
    out.add(t.slice(from, t.to));
  }

  private Text replaceSpaces(Text text) {
    int i = text.from;
    while (i < text.to && text.chars[i] != ' ') {
      i++;
    }
    if (i == text.to) {
      return text;
    }
    Text.Builder out = new Text.Builder(text);
    out.copy(text.from, i);
    for (; i < text.to; i++) {
      if (text.chars[i] == ' ') {
        out.add(replacement, i);
      } else {
        out.copy(i, i + 1);
      }
    }
    return out.build();
  }

  /** Tokens with spaces again; those of the first token go where encoding puts one there. */
  List<String> decode(List<String> tokens) {
    List<String> out = new ArrayList<>(tokens.size());
    for (String token : tokens) {
      boolean first = out.isEmpty() && prepend != Prepend.NEVER;
      out.add(token.replace(String.valueOf(replacement), first ? "" : " "));
    }
    return out;
  }
}
