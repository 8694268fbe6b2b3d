package tacet.transformer.text;

import java.util.function.Function;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/** The ids of tokens with a task of their own; null where unknown. */
record SpecialTokens(Integer pad, Integer cls, Integer sep, Integer unk, Integer eos) {

  /**
   * Looks them up: what a tokenizer_config.json says, else the customary names.
   *
   * @param config a tokenizer_config.json, or null
   * @param idOf the id of a token, or null
   * @param modelUnknown what the model says, or -1
   */
  static SpecialTokens find(Json config, Function<String, Integer> idOf, int modelUnknown)
      throws FormatException {
    Integer unk = modelUnknown >= 0 ? Integer.valueOf(modelUnknown) : null;
    return new SpecialTokens(
        id(config, "pad_token", idOf, "[PAD]", "<pad>"),
        id(config, "cls_token", idOf, "[CLS]", "<s>"),
        id(config, "sep_token", idOf, "[SEP]", "</s>"),
        unk != null ? unk : id(config, "unk_token", idOf, "[UNK]", "<unk>"),
        id(config, "eos_token", idOf, "</s>", "<|endoftext|>"));
  }

  private static Integer id(
      Json config, String key, Function<String, Integer> idOf, String... customary)
      throws FormatException {
    String configured = configured(config, key);
    if (configured != null && idOf.apply(configured) != null) {
      return idOf.apply(configured);
    }
    for (String name : customary) {
      if (idOf.apply(name) != null) {
        return idOf.apply(name);
      }
    }
    return null;
  }

  /** A token of a tokenizer_config.json, written as a string or as an added token; or null. */
  static String configured(Json config, String key) throws FormatException {
    if (config == null || !config.has(key)) {
      return null;
    }
    Json token = config.get(key);
    return token.isObject() ? token.get("content").asString() : token.asString();
  }
}
