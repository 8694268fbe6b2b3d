/**
 * Text to token ids and back: WordPiece, byte-level BPE and Unigram tokenizers as Hugging Face
 * writes them ({@code tokenizer.json}, {@code vocab.txt}, {@code vocab.json} with {@code
 * merges.txt}, {@code spiece.model}).
 *
 * <p>{@link tacet.transformer.text.Tokenizer} is the pipeline; read it first. Its stages follow the
 * order of the file: added tokens, normalizer, pre-tokenizer, model, post-processor, decoder.
 */
package tacet.transformer.text;
