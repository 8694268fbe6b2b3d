package tacet.transformer.text;

import java.util.List;

/** Cuts text into the words that the model sees: the {@code pre_tokenizer} of a tokenizer.json. */
interface PreTokenizer {
  /** Appends the pieces of a text to {@code out}, in order; empty pieces may be left out. */
  void split(Text text, List<Text> out);
}
