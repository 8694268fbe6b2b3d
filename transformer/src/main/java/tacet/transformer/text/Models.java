package tacet.transformer.text;

import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** The kinds of {@link Model}. */
final class Models {
  private Models() {}

  /** From the {@code model} of a tokenizer.json. */
  static Model of(Json json) throws FormatException {
    String type = type(json);
    return switch (type) {
      case "WordPiece" -> WordPiece.of(json);
      case "BPE" -> Bpe.of(json);
      case "Unigram" -> Unigram.of(json);
      default -> throw json.error("unknown model \"" + type + "\"");
    };
  }

  /** Old files leave the type out; then the members tell. */
  private static String type(Json json) throws FormatException {
    if (json.has("type")) {
      return json.get("type").asString();
    }
    if (json.has("merges")) {
      return "BPE";
    }
    if (json.has("unk_id") || json.has("vocab") && json.get("vocab").isArray()) {
      return "Unigram";
    }
    if (json.has("continuing_subword_prefix")) {
      return "WordPiece";
    }
    throw json.error("the model has no type");
  }
}
