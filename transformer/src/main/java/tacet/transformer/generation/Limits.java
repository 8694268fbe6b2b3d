package tacet.transformer.generation;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tacet.transformer.checkpoint.Json;

/**
 * When sequences end.
 *
 * @param maxNewTokens most tokens to write
 * @param minNewTokens an end token is not written before as many others
 * @param ends tokens that end a sequence; may be none
 * @param padId token after the end, where others of the batch go on
 */
public record Limits(int maxNewTokens, int minNewTokens, List<Integer> ends, int padId) {
  /** Checks the numbers. */
  public Limits {
    if (maxNewTokens < 1) {
      throw new IllegalArgumentException("at least one new token, got " + maxNewTokens);
    }
    if (minNewTokens < 0 || minNewTokens > maxNewTokens) {
      throw new IllegalArgumentException(
          "at least " + minNewTokens + " new tokens, but at most " + maxNewTokens);
    }
    ends = List.copyOf(ends);
  }

  /**
   * End and padding tokens of configurations; without a padding token it is the first end token.
   *
   * @param configs generation_config.json, then config.json: the first that says something counts
   */
  public static Limits of(int maxNewTokens, int minNewTokens, List<Json> configs)
      throws IOException {
    List<Integer> ends = List.of();
    Integer pad = null;
    for (Json config : configs.reversed()) {
      if (config.has("eos_token_id")) {
        ends = ids(config.get("eos_token_id"));
      }
      pad = config.has("pad_token_id") ? Integer.valueOf(config.get("pad_token_id").asInt()) : pad;
    }
    int end = ends.isEmpty() ? 0 : ends.getFirst();
    return new Limits(maxNewTokens, minNewTokens, ends, pad == null ? end : pad);
  }

  private static List<Integer> ids(Json one) throws IOException {
    if (!one.isArray()) {
      return List.of(one.asInt());
    }
    List<Integer> ids = new ArrayList<>();
    for (Json id : one.elements()) {
      ids.add(id.asInt());
    }
    return ids;
  }

  boolean isEnd(int token) {
    return ends.contains(token);
  }

  /** Takes the end tokens out of the scores of the next token where it is too early for them. */
  void apply(float[] scores, int from, int newTokens) {
    for (int end : newTokens < minNewTokens ? ends : List.<Integer>of()) {
      scores[from + end] = Float.NEGATIVE_INFINITY;
    }
  }
}
