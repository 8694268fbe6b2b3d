package tacet.hardware.study;

import java.util.List;
import tacet.hardware.arch.Comparison;

/**
 * What zeros are worth on one machine, over several layers.
 *
 * @param cycles with zeros used
 * @param denseCycles on the same machine without zeros
 * @param energy picojoule, with zeros used
 * @param denseEnergy without
 */
public record Gain(long cycles, long denseCycles, double energy, double denseEnergy) {

  /**
   * Sums over the layers of one architecture.
   *
   * @param sparseOnly only layers with zeros among their activations
   */
  public static Gain of(List<Comparison> all, String architecture, boolean sparseOnly) {
    Gain sum = new Gain(0, 0, 0, 0);
    for (Comparison c : all) {
      if (c.sparse().architecture().equals(architecture)
          && !(sparseOnly && c.sparse().activationDensity() == 1)) {
        sum =
            new Gain(
                sum.cycles + c.sparse().cycles(),
                sum.denseCycles + c.dense().cycles(),
                sum.energy + c.sparse().energy().sum(),
                sum.denseEnergy + c.dense().energy().sum());
      }
    }
    return sum;
  }

  /** Dense cycles over cycles; 1 where there are none. */
  public double speedup() {
    return cycles == 0 ? 1 : denseCycles / (double) cycles;
  }

  /** Energy over dense energy; 1 where there is none. */
  public double energyRatio() {
    return denseEnergy == 0 ? 1 : energy / denseEnergy;
  }
}
