package tacet.hardware.study;

import java.util.List;
import tacet.hardware.arch.Comparison;
import tacet.hardware.arch.Workload;

/**
 * A model that is looked at.
 *
 * @param name for reports, such as DEFT
 * @param results of its layers on every architecture
 * @param sample its layers, perhaps with fewer tokens, for sweeps
 */
public record Subject(String name, List<Comparison> results, List<Workload> sample) {

  /** Copies the lists. */
  public Subject {
    results = List.copyOf(results);
    sample = List.copyOf(sample);
  }

  /** The layers of the sample that have zeros among their activations. */
  List<Workload> sparseLayers() {
    return sample.stream().filter(l -> l.activations().mask() != null).toList();
  }
}
