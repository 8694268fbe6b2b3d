/**
 * Writing token sequences with a {@link tacet.transformer.GenerativeModel}: greedily, by sampling, or
 * by beam search, with the results of Hugging Face's {@code generate}.
 */
package tacet.transformer.generation;
