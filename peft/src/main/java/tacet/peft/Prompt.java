package tacet.peft;

import java.util.List;
import tacet.autograd.Parameter;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.CausalModel;
import tacet.transformer.Lookup;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;

/**
 * Prompt tuning (Lester et al., EMNLP 2021): learnt vectors before the word vectors of the tokens.
 * The model reads them like tokens that are no padding. An encoder that pools its first token pools
 * the first of them; a model that finds padding by ids cannot do so any more, as in Hugging Face's
 * models: RoBERTa counts padding in its positions, GPT-2 and OPT classify at the last place of a
 * sequence whether it is padding or not (so pad on the left).
 *
 * @param tokens P, virtual tokens; the paper has 60
 * @param start where they come from
 * @param modulesToSave parts trained whole and saved with the adapter, by name: a new head
 */
public record Prompt(int tokens, Start start, List<String> modulesToSave) implements PeftMethod {
  /** The names that word embeddings have in checkpoints. */
  private static final List<String> WORDS =
      List.of("word_embeddings", "wte", "embed_tokens", "shared");

  /**
   * Where the vectors come from.
   *
   * @param kind RANDOM from N(0, 1), TEXT from the words of a text, SAMPLE_VOCAB from random words
   * @param text of TEXT, for the file; else null
   * @param ids of TEXT: the text's tokens, repeated or cut to P
   */
  public record Start(Kind kind, String text, List<Integer> ids) {
    /** The names are peft's. */
    public enum Kind {
      /** Drawn from N(0, 1). */
      RANDOM,
      /** The vectors of a text's tokens. */
      TEXT,
      /** The vectors of tokens drawn from the vocabulary. */
      SAMPLE_VOCAB
    }

    /** Checks that a text has tokens. */
    public Start {
      ids = List.copyOf(ids);
      if (kind == Kind.TEXT && ids.isEmpty()) {
        throw new IllegalArgumentException("the text that a prompt starts from has no tokens");
      }
    }

    /** From N(0, 1). */
    public static Start random() {
      return new Start(Kind.RANDOM, null, List.of());
    }

    /** From a text's tokens. */
    public static Start text(String text, List<Integer> ids) {
      return new Start(Kind.TEXT, text, ids);
    }

    /** From tokens drawn from the vocabulary. */
    public static Start vocabulary() {
      return new Start(Kind.SAMPLE_VOCAB, null, List.of());
    }
  }

  /** Checks the numbers. */
  public Prompt {
    if (tokens < 1) {
      throw new IllegalArgumentException("virtual tokens must be at least 1, got " + tokens);
    }
    modulesToSave = List.copyOf(modulesToSave);
  }

  @Override
  public String name() {
    return "prompt";
  }

  /**
   * The frozen model with a prompt.
   *
   * @param model declared as a {@link TextModel} or {@link Seq2SeqModel} or more general, because the whole gets a new root
   */
  @Override
  public <P extends Part> P applyTo(P model, long seed) {
    return install(model, words -> initial(words, seed));
  }

  private Tensor initial(Parameter words, long seed) {
    int d = words.shape().last();
    RandomStream random = RandomStream.of(seed, "prompt", 0);
    if (start.kind == Start.Kind.RANDOM) {
      return random.normal(Shape.of(tokens, d), 1);
    }
    int vocabulary = words.shape().dim(0);
    Tensor t = Tensor.zeros(tokens, d);
    for (int i = 0; i < tokens; i++) {
      int id =
          start.kind == Start.Kind.TEXT
              ? start.ids.get(i % start.ids.size())
              : random.nextInt(vocabulary);
      if (id < 0 || id >= vocabulary) {
        throw new IllegalArgumentException(
            "token " + id + " of the prompt's text is not in a vocabulary of " + vocabulary);
      }
      words.source().read(id * d, t.data(), i * d, d);
    }
    return t;
  }

  /** Where the vectors [P, D] come from. */
  @FunctionalInterface
  interface Source {
    /** The vectors for a model with these word embeddings. */
    Tensor of(Parameter words);
  }

  <P extends Part> P install(P model, Source source) {
    boolean[] found = new boolean[1];
    P result =
        Surgery.replace(
            Adapted.frozen(model, modulesToSave),
            (path, part) -> {
              if (!found[0] && part instanceof Lookup words && isWords(path)) {
                found[0] = true; // the first: the encoder's, where there are two
                return new PromptTable(
                    words, Parameter.trainable(source.of(words.weight())), tokens);
              }
              if (!path.isEmpty() || !found[0]) {
                return part;
              }
              return switch (part) { // the root, last of all
                case CausalModel base -> new PromptDecoder(base, tokens);
                case TextModel base -> new PromptModel(base, tokens);
                case Seq2SeqModel base -> new PromptSeq2Seq(base, tokens);
                default -> part;
              };
            });
    if (!found[0]) {
      throw new IllegalArgumentException("the model has no word embeddings to put a prompt before");
    }
    return result;
  }

  /** Whether that is the place of a model's table of tokens. */
  static boolean isWords(String path) {
    return WORDS.contains(path.substring(path.lastIndexOf('.') + 1));
  }
}
