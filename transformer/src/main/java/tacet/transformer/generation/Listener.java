package tacet.transformer.generation;

/** Is told what is written while it is written, and may end it. */
public interface Listener {
  /** Listens to nothing. */
  Listener NONE = (example, token) -> true;

  /**
   * A token was written; a beam search, where no token is certain before the end, tells the best of
   * the moment.
   *
   * @param example number of the prompt
   * @return false to end all writing after this step
   */
  boolean wrote(int example, int token);
}
