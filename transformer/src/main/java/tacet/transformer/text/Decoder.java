package tacet.transformer.text;

import java.util.List;

/** Turns tokens into pieces of text: the {@code decoder} of a tokenizer.json. */
interface Decoder {
  /** The pieces whose concatenation is the text. */
  List<String> decode(List<String> tokens);
}
