package tacet.deft;

import java.util.Arrays;
import tacet.autograd.Pass;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.TextModel;

/** Numbers that a model gives, one batch after the other. */
final class Outputs {
  private static final int BATCH = 16;

  private float[] values = new float[0];

  void add(Tensor batch) {
    int old = values.length;
    values = Arrays.copyOf(values, old + batch.size());
    System.arraycopy(batch.data(), 0, values, old, batch.size());
  }

  float[] values() {
    return values;
  }

  /** The logits of all examples of a data set, batches sorted by length. */
  static float[] of(Engine engine, TextModel model, Dataset data, Problem.Watch watch) {
    Outputs all = new Outputs();
    for (Dataset.Cut cut : data.sortedBatches(BATCH)) {
      try (Pass pass = Pass.inference(engine)) {
        watch.begins(pass, Tokens.of(model.seen(cut.batch())));
        all.add(model.forward(pass, cut.batch()).logits().value());
      }
    }
    return all.values();
  }
}
