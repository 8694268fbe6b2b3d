package tacet.transformer.text;

/** Turns a word into tokens: the {@code model} of a tokenizer.json. */
interface Model {
  /** Appends the tokens of a word that is not empty. */
  void tokenize(Text word, TokenList out);

  /** The tokens this model can produce. */
  Vocabulary vocabulary();

  /** The token for what it cannot express, or -1. */
  int unknownId();
}
