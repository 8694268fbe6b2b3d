package tacet.hardware.arch;

import java.util.SplittableRandom;
import tacet.hardware.BitMatrix;
import tacet.hardware.arch.LaneArray.Sync;
import tacet.hardware.arch.SystolicArray.Dataflow;

/** Small random layers, memories and accelerators, all from one seed. */
final class RandomCase {

  /** Architectures by name, so that a failure can be repeated. */
  enum Kind {
    OS,
    WS,
    IS,
    LANES,
    BROADCAST,
    TWO_SIDED,
    TOKEN_PARALLEL
  }

  private final SplittableRandom random;

  RandomCase(long seed) {
    random = new SplittableRandom(seed);
  }

  int from(int low, int high) {
    return random.nextInt(low, high + 1);
  }

  private boolean chance(double p) {
    return random.nextDouble() < p;
  }

  Workload layer() {
    int m = from(1, 7);
    int n = from(1, 9);
    int k = chance(.2) ? from(1, 4) : from(1, 45);
    return Workload.dense("random", m, n, k)
        .withActivations(operand(m, k))
        .withWeights(operand(n, k))
        .withResults(operand(m, n));
  }

  Operand operand(int rows, int columns) {
    if (chance(.3)) {
      return Operand.DENSE;
    }
    double density = chance(.15) ? from(0, 1) : random.nextDouble();
    return Operand.of(BitMatrix.random(rows, columns, density, random));
  }

  Memory memory() {
    if (chance(.3)) {
      return Memory.IDEAL;
    }
    Compression[] formats = Compression.values();
    return new Memory(
        chance(.1) ? Double.POSITIVE_INFINITY : .5 + 8 * random.nextDouble(),
        from(0, 12),
        from(1, 4),
        from(1, 200),
        from(1, 200),
        from(1, 200),
        chance(.5) ? Double.POSITIVE_INFINITY : 1 + 9 * random.nextDouble(),
        formats[random.nextInt(formats.length)],
        formats[random.nextInt(formats.length)],
        formats[random.nextInt(formats.length)],
        chance(.3) ? Double.POSITIVE_INFINITY : .05 + random.nextDouble());
  }

  Accelerator accelerator(Kind kind, Platform p) {
    int block = from(1, 8);
    int pipeline = from(0, 3);
    return switch (kind) {
      case OS, WS, IS ->
          new SystolicArray(Dataflow.valueOf(kind.name()), from(1, 6), from(1, 6), chance(.5), p);
      case LANES ->
          new LaneArray(
              from(1, 6),
              from(1, 3),
              from(1, 3),
              new Sync(chance(.5), from(1, 3)),
              chance(.5),
              block,
              pipeline,
              p);
      case BROADCAST -> new BroadcastArray(from(1, 6), from(1, 4), from(1, 9), block, pipeline, p);
      case TWO_SIDED -> new TwoSidedArray(from(1, 6), from(1, 4), block, pipeline, p);
      case TOKEN_PARALLEL ->
          new TokenParallelArray(from(1, 4), from(1, 5), from(0, 4), block, pipeline, p);
    };
  }

  Platform platform(Memory memory) {
    return Platform.standard().with(memory);
  }

  float[] values(int count, double density) {
    float[] x = new float[count];
    for (int i = 0; i < count; i++) {
      x[i] = chance(density) ? (float) random.nextGaussian() : chance(.5) ? 0 : -0f;
    }
    return x;
  }

  double density() {
    return random.nextDouble();
  }
}
