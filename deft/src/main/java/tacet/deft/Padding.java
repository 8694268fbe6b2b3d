package tacet.deft;

import tacet.transformer.Batch;

/** Whether padding tokens count in a density. */
public enum Padding {
  /** Real tokens only. */
  MASKED,
  /** All tokens of the batch, as the authors' scripts do. */
  INCLUDED;

  /**
   * Weights of a batch's tokens that make a weighted sum over tokens the mean over the counted tokens
   * of an example, then over examples.
   *
   * @return [B, S]
   */
  public float[] tokenWeights(Batch batch) {
    float[] weights = new float[batch.size() * batch.length()];
    int[] lengths = batch.lengths();
    for (int i = 0; i < weights.length; i++) {
      int counted = this == MASKED ? lengths[i / batch.length()] : batch.length();
      boolean counts = this == INCLUDED || batch.mask()[i] != 0;
      weights[i] = counts ? (float) (1.0 / ((double) counted * batch.size())) : 0f;
    }
    return weights;
  }
}
