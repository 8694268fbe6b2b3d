package tacet.transformer;

/**
 * A node of a model: immutable, made of other parts and parameters. Paths in the tree equal the
 * names in Hugging Face checkpoints.
 */
public interface Part {
  /**
   * This part made anew from what {@code s} gives for each child and parameter, asked for in the
   * order of the constructor. Weights are shared, never copied.
   *
   * <pre>{@code
   * public Linear rebuild(Surgery s) {
   *   return new Linear(s.parameter("weight", weight), s.parameter("bias", bias));
   * }
   * }</pre>
   */
  Part rebuild(Surgery s);
}
