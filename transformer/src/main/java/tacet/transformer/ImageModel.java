package tacet.transformer;

import tacet.autograd.Pass;
import tacet.tensor.Tensor;

/** A model from images to numbers. */
public interface ImageModel extends Part {
  /**
   * Runs the model.
   *
   * @param pixels [B, channels, height, width], normalised as the model was trained; not modified
   * @return logits [B, C] (null without a head) and hidden states [B, S, D], S being the number of
   *     patches and one
   */
  TextModel.Output forward(Pass pass, Tensor pixels);

  @Override
  ImageModel rebuild(Surgery s);
}
