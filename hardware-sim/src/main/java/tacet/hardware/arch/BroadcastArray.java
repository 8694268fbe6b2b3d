package tacet.hardware.arch;

/**
 * EIE (ISCA 2016): one token at a time, non-zero activations are found and broadcast one per cycle to the queues of all
 * processing elements. Element j owns outputs j, j + P, j + 2P… and multiplies an activation by the non-zero weights of
 * its rows, one per cycle. Weights are run-length coded within an element's column: 16 zero rows in a row cost a slot.
 * A column without weights costs a slot too. With dense weights all elements have the same work, whatever the
 * activations, and the depth of the queues does not matter.
 *
 * @param elements P
 * @param queue entries per element
 * @param scan activations inspected per cycle to find the next non-zero
 * @param tokenBlock tokens whose activations are loaded together
 * @param pipeline cycles behind the last operation of a layer
 * @param platform memory and prices
 */
public record BroadcastArray(
    int elements, int queue, int scan, int tokenBlock, int pipeline, Platform platform)
    implements Accelerator {

  /** @throws IllegalArgumentException if a number makes no sense */
  public BroadcastArray {
    if (elements < 1 || queue < 1 || scan < 1 || tokenBlock < 1 || pipeline < 0) {
      throw new IllegalArgumentException("elements, queue, scan and token block must be positive");
    }
  }

  /** The published size: 64 elements, queues of 8; scanning 16 activations per cycle. */
  public static BroadcastArray standard(Platform platform) {
    return new BroadcastArray(64, 8, 16, 64, 4, platform);
  }

  @Override
  public BroadcastArray with(Platform other) {
    return new BroadcastArray(elements, queue, scan, tokenBlock, pipeline, other);
  }

  @Override
  public String name() {
    return "broadcast-" + elements + "-queue" + queue;
  }
}
