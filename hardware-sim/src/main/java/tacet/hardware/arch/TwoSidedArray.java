package tacet.hardware.arch;

/**
 * Processing elements that skip zeros of both operands, as Eyeriss v2's and SparTen's do: one effectual
 * multiply-accumulate per cycle, nothing for the rest. With one element, cycles = Σ_k nnzA[·,k] · nnzW[·,k]. With more,
 * element j owns outputs j, j + P, j + 2P… and all meet at the end of a window of tokens.
 *
 * @param elements P
 * @param window tokens between synchronisations
 * @param tokenBlock tokens whose activations are loaded together; elements always meet at its end
 * @param pipeline cycles behind the last operation of a layer
 * @param platform memory and prices
 */
public record TwoSidedArray(
    int elements, int window, int tokenBlock, int pipeline, Platform platform)
    implements Accelerator {

  /** @throws IllegalArgumentException if a number makes no sense */
  public TwoSidedArray {
    if (elements < 1 || window < 1 || tokenBlock < 1 || pipeline < 0) {
      throw new IllegalArgumentException("elements, window and token block must be positive");
    }
  }

  /** 64 elements that meet after every token. */
  public static TwoSidedArray standard(Platform platform) {
    return new TwoSidedArray(64, 1, 64, 4, platform);
  }

  /** One element without pipeline: pure counting of effectual operations. */
  public static TwoSidedArray single(Platform platform) {
    return new TwoSidedArray(1, 1, 64, 0, platform);
  }

  @Override
  public TwoSidedArray with(Platform other) {
    return new TwoSidedArray(elements, window, tokenBlock, pipeline, other);
  }

  @Override
  public String name() {
    return "two-sided-" + elements + "-sync" + window;
  }
}
