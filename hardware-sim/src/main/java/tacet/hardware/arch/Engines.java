package tacet.hardware.arch;

/** Maps a layer to an accelerator. */
final class Engines {
  private Engines() {}

  static Engine of(Accelerator accelerator, Workload layer) {
    if (accelerator instanceof SystolicArray a) {
      return new SystolicEngine(a, layer);
    }
    if (accelerator instanceof LaneArray a) {
      return new LaneEngine(a, layer);
    }
    if (accelerator instanceof BroadcastArray a) {
      return new BroadcastEngine(a, layer);
    }
    if (accelerator instanceof TwoSidedArray a) {
      return new TwoSidedEngine(a, layer);
    }
    if (accelerator instanceof TokenParallelArray a) {
      return new TokenParallelEngine(a, layer);
    }
    throw new AssertionError(accelerator);
  }
}
