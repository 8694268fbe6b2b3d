package tacet.transformer.text;

import java.util.Arrays;

/**
 * A text, or a pair of texts, as tokens. The arrays have one element per token, are the caller's to
 * read and are never modified by this package.
 *
 * @param ids token ids: rows of the embedding table
 * @param typeIds segment ids, as BERT's {@code token_type_ids}
 * @param starts where the token begins in its text, in UTF-16 units; 0 for special tokens
 * @param ends where the token ends in its text, exclusive; 0 for special tokens
 * @param sequences which text the token belongs to: 0 the text, 1 the pair, {@link #SPECIAL} a
 *     special token that the tokenizer added
 */
public record Encoding(int[] ids, int[] typeIds, int[] starts, int[] ends, int[] sequences) {
  /** In {@link #sequences}: a token that stands for no part of a text. */
  public static final int SPECIAL = -1;

  /** Number of tokens. */
  public int length() {
    return ids.length;
  }

  /** 1 for every special token that the tokenizer added, 0 for the others; a new array. */
  public int[] specialTokensMask() {
    int[] mask = new int[sequences.length];
    for (int i = 0; i < mask.length; i++) {
      mask[i] = sequences[i] == SPECIAL ? 1 : 0;
    }
    return mask;
  }

  /** Compares the contents of the arrays. */
  @Override
  public boolean equals(Object other) {
    return other instanceof Encoding e
        && Arrays.equals(ids, e.ids)
        && Arrays.equals(typeIds, e.typeIds)
        && Arrays.equals(starts, e.starts)
        && Arrays.equals(ends, e.ends)
        && Arrays.equals(sequences, e.sequences);
  }

  @Override
  public int hashCode() {
    return 31 * Arrays.hashCode(ids) + Arrays.hashCode(starts);
  }

  @Override
  public String toString() {
    return "Encoding[ids=" + Arrays.toString(ids) + ", typeIds=" + Arrays.toString(typeIds) + "]";
  }
}
