package tacet.deft;

import tacet.transformer.Batch;

/**
 * Which tokens the layers of a model see: those of the encoder (or of the only stack that there is),
 * and those of the decoder of an encoder-decoder.
 *
 * @param encoder tokens of all layers but the decoder's
 * @param decoder tokens of the decoder's layers; null where there is one stack
 */
public record Tokens(Batch encoder, Batch decoder) {
  private static final String DECODER = "decoder.";

  /** The tokens of a model with one stack. */
  public static Tokens of(Batch batch) {
    return new Tokens(batch, null);
  }

  /** The tokens that a layer sees. */
  public Batch of(String layer) {
    return decoder != null && inDecoder(layer) ? decoder : encoder;
  }

  /** Whether a layer of an encoder-decoder belongs to the decoder, by its path. */
  public static boolean inDecoder(String layer) {
    return layer.startsWith(DECODER);
  }
}
