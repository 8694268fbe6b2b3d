package tacet.transformer.text;

/** Rewrites text before it is cut into words: the {@code normalizer} of a tokenizer.json. */
interface Normalizer {
  /** The rewritten text, or the same one where there is nothing to do. */
  Text normalize(Text text);
}
