package tacet.hardware.arch;

/**
 * p tokens share one stream of weight rows: the transformer's own problem, since reuse of weights and skipping of zeros
 * compete. In lock step only rows that no token of the group needs are skipped, so a group costs the union of its
 * non-zeros. With look-ahead L the array holds a window of L + 1 needed rows: each token takes its own next one from
 * anywhere in it, and the window moves when every token has passed its oldest row. Refilling it is assumed free.
 *
 * @param tokens p, token rows that share weights
 * @param columns outputs computed at once per token
 * @param lookahead L, needed weight rows held beyond the oldest
 * @param tokenBlock tokens whose activations are loaded together; rounded up to a multiple of p
 * @param pipeline cycles behind the last operation of a layer
 * @param platform memory and prices
 */
public record TokenParallelArray(
    int tokens, int columns, int lookahead, int tokenBlock, int pipeline, Platform platform)
    implements Accelerator {

  /** @throws IllegalArgumentException if a number makes no sense */
  public TokenParallelArray {
    if (tokens < 1 || columns < 1 || lookahead < 0 || tokenBlock < 1 || pipeline < 0) {
      throw new IllegalArgumentException("tokens, columns and token block must be positive");
    }
  }

  /** 4 tokens × 256 outputs in lock step. */
  public static TokenParallelArray standard(Platform platform) {
    return new TokenParallelArray(4, 256, 0, 64, 4, platform);
  }

  /** The same with another number of tokens. */
  public TokenParallelArray withTokens(int other) {
    return new TokenParallelArray(other, columns, lookahead, tokenBlock, pipeline, platform);
  }

  /** The same with another look-ahead. */
  public TokenParallelArray withLookahead(int other) {
    return new TokenParallelArray(tokens, columns, other, tokenBlock, pipeline, platform);
  }

  @Override
  public TokenParallelArray with(Platform other) {
    return new TokenParallelArray(tokens, columns, lookahead, tokenBlock, pipeline, other);
  }

  @Override
  public String name() {
    return "token-parallel-" + tokens + "x" + columns + "-ahead" + lookahead;
  }
}
