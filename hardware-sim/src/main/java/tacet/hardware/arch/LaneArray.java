package tacet.hardware.arch;

/**
 * Cnvlutin (ISCA 2016): lanes that consume only non-zero activations, each multiplied by the weights of many filters at
 * once. Lane l owns the bricks l, l + P, l + 2P… of 16 inputs of every token, and all lanes meet at the end of a window:
 * a window takes as long as its fullest lane.
 *
 * @param lanes P, activation lanes
 * @param filters Nf per unit
 * @param units U; each works on its own filters with the same activations
 * @param sync where lanes wait for each other
 * @param zeroBrickBubble whether an all-zero brick costs its lane one cycle
 * @param tokenBlock tokens whose activations are loaded together; lanes always meet at its end
 * @param pipeline cycles behind the last operation of a layer
 * @param platform memory and prices
 */
public record LaneArray(
    int lanes,
    int filters,
    int units,
    Sync sync,
    boolean zeroBrickBubble,
    int tokenBlock,
    int pipeline,
    Platform platform)
    implements Accelerator {

  /**
   * Where lanes wait for each other.
   *
   * @param runAhead whether a lane may lead the slowest by fewer than {@code tokens}, rather than meet it at barriers
   * @param tokens between barriers, or the depth of the accumulators that let lanes run ahead
   */
  public record Sync(boolean runAhead, int tokens) {

    /** The original: after every token. */
    public static final Sync TOKEN = new Sync(false, 1);

    /** @throws IllegalArgumentException if {@code tokens} is not positive */
    public Sync {
      if (tokens < 1) {
        throw new IllegalArgumentException("lanes must synchronise after at least one token");
      }
    }
  }

  /** @throws IllegalArgumentException if a number makes no sense */
  public LaneArray {
    if (lanes < 1 || filters < 1 || units < 1 || tokenBlock < 1 || pipeline < 0) {
      throw new IllegalArgumentException("lanes, filters, units and token block must be positive");
    }
  }

  /** DaDianNao's size: 16 lanes × 16 filters × 16 units, 4096 multipliers. */
  public static LaneArray standard(Platform platform) {
    return new LaneArray(16, 16, 16, Sync.TOKEN, true, 64, 4, platform);
  }

  /** The same with another number of lanes. */
  public LaneArray withLanes(int other) {
    return new LaneArray(
        other, filters, units, sync, zeroBrickBubble, tokenBlock, pipeline, platform);
  }

  @Override
  public LaneArray with(Platform other) {
    return new LaneArray(lanes, filters, units, sync, zeroBrickBubble, tokenBlock, pipeline, other);
  }

  @Override
  public String name() {
    String meet =
        (sync.runAhead() ? "ahead" : "sync") + sync.tokens() + (zeroBrickBubble ? "" : "-nobubble");
    return "lanes-" + lanes + "x" + filters + "x" + units + "-" + meet;
  }
}
