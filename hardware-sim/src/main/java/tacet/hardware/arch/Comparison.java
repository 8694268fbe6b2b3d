package tacet.hardware.arch;

import java.util.ArrayList;
import java.util.List;

/**
 * A layer beside the same layer without zeros, on the same accelerator.
 *
 * @param sparse the layer
 * @param dense its baseline
 */
public record Comparison(LayerResult sparse, LayerResult dense) {

  /** Simulates both. */
  public static Comparison of(Accelerator accelerator, Workload layer, Fidelity fidelity) {
    return new Comparison(
        accelerator.simulate(layer, fidelity),
        accelerator.simulate(layer.withoutZeros(), fidelity));
  }

  /** Simulates every layer on every accelerator, accelerator by accelerator. */
  public static List<Comparison> all(
      List<? extends Accelerator> accelerators, List<Workload> layers, Fidelity fidelity) {
    List<Comparison> all = new ArrayList<>();
    for (Accelerator accelerator : accelerators) {
      for (Workload layer : layers) {
        all.add(of(accelerator, layer, fidelity));
      }
    }
    return all;
  }

  /** Dense cycles over sparse cycles. */
  public double speedup() {
    return sparse.cycles() == 0 ? 1 : dense.cycles() / (double) sparse.cycles();
  }

  /** Achieved speed-up over 1 / density. */
  public double efficiency() {
    return speedup() / sparse.idealSpeedup();
  }

  /** Sparse energy over dense energy. */
  public double energyRatio() {
    return sparse.energy().sum() / dense.energy().sum();
  }
}
