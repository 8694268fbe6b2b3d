package tacet.tensor.kernel;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** Chooses the kernels once, and says in one log line why the vector ones were not chosen. */
final class KernelLookup {
  /** Whether {@code Math.fma} is an instruction here; without it, it is thousands of times slower. */
  static final boolean FAST_FMA = hasFma();

  static final Kernels BEST = choose();

  private KernelLookup() {}

  private static Kernels choose() {
    String problem = null;
    boolean module = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    if (!module) {
      problem = "start Java with --add-modules jdk.incubator.vector";
    } else if (!FAST_FMA) {
      problem = "this processor has no fused multiply-add";
    }
    if (problem == null) {
      try {
        // By name, so that this class loads where the incubator module is absent.
        return (Kernels)
            MethodHandles.lookup()
                .findStatic(
                    Class.forName("tacet.tensor.kernel.VectorKernels"),
                    "create",
                    MethodType.methodType(Kernels.class))
                .invoke();
      } catch (Throwable e) {
        throw new LinkageError("the vector kernels are broken or missing from this build", e);
      }
    }
    System.getLogger("tacet.tensor")
        .log(System.Logger.Level.WARNING, "slow scalar kernels are in use: " + problem);
    return new ScalarKernels();
  }

  /**
   * Times a few calls: an instruction takes nanoseconds even when interpreted, the software
   * replacement (BigDecimal) takes microseconds.
   */
  private static boolean hasFma() {
    long best = Long.MAX_VALUE;
    float sum = 0;
    for (int round = 0; round < 8; round++) {
      long start = System.nanoTime();
      for (int i = 0; i < 32; i++) {
        sum = Math.fma(sum, 0.37f, 1.1f);
      }
      best = Math.min(best, System.nanoTime() - start);
    }
    return best < 32 * 500 && sum > 0;
  }
}
