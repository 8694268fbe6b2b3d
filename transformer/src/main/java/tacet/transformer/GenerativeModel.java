package tacet.transformer;

import tacet.tensor.Engine;

/** A model that writes sequences of tokens, one token after the other. */
public interface GenerativeModel extends Part {
  /**
   * Reads prompts and is ready to write.
   *
   * @param prompts what a model with an encoder reads, or what a decoder goes on from: the last then
   *     ends every row, so padding comes first
   * @throws IllegalArgumentException if a decoder's prompt ends with padding, or is empty
   */
  Continuation begin(Engine engine, Batch prompts);

  /**
   * Most tokens that a sequence may have, prompt included, vectors of the model's own not; {@code
   * Integer.MAX_VALUE} for no limit.
   */
  int longest();

  @Override
  GenerativeModel rebuild(Surgery s);
}
