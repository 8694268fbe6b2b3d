package tacet.transformer.text;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tacet.transformer.checkpoint.FormatException;
import tacet.transformer.checkpoint.Json;

/**
 * Text to token ids and back, as the files of a pre-trained model say.
 *
 * <pre>{@code
 * Tokenizer tokenizer = Tokenizer.open(Path.of("models/bert-base-uncased"));
 * Encoding encoding = tokenizer.encode("Silence is golden.");
 * encoding.ids()                                  // 101, 4223, 2003, 3585, 1012, 102
 * tokenizer.decode(encoding.ids(), true)          // "silence is golden."
 * }</pre>
 *
 * <p>The pipeline of encoding: split at added tokens, normalize, split at normalized added tokens,
 * pre-tokenize into words, words to tokens by the model, truncate, add special tokens. Truncation and
 * padding that a file asks for are not applied: the caller decides (see {@link #savedTruncation}).
 *
 * <p>Immutable; any number of threads may use one tokenizer.
 */
public final class Tokenizer {
  private final Normalizer normalizer;
  private final PreTokenizer preTokenizer;
  private final Model model;
  private final PostProcessor postProcessor;
  private final Decoder decoder;
  private final AddedTokens added;
  private final Truncation savedTruncation;
  private final SpecialTokens special;

  private Tokenizer(Json json, Json config) throws FormatException {
    if (json.has("version") && !json.get("version").asString().equals("1.0")) {
      throw json.error("version " + json.get("version") + " is not 1.0");
    }
    normalizer = Normalizers.of(orNull(json, "normalizer"));
    preTokenizer = PreTokenizers.of(orNull(json, "pre_tokenizer"));
    model = Models.of(json.get("model"));
    postProcessor = PostProcessor.of(orNull(json, "post_processor"));
    decoder = Decoders.of(orNull(json, "decoder"));
    added = new AddedTokens(json.members().get("added_tokens"), model.vocabulary(), normalizer);
    savedTruncation = json.has("truncation") ? truncation(json.get("truncation")) : null;
    special = SpecialTokens.find(config, this::idOf, model.unknownId());
  }

  private static Json orNull(Json json, String key) throws FormatException {
    return json.has(key) ? json.get(key) : Json.of(null);
  }

  private static Truncation truncation(Json json) throws FormatException {
    String strategy = json.stringOr("strategy", "LongestFirst");
    String side = json.stringOr("direction", "Right");
    int max = json.get("max_length").asInt();
    int stride = json.intOr("stride", 0);
    if (max < 0 || stride < 0) {
      throw json.error("a negative length");
    }
    return new Truncation(
        max,
        switch (strategy) {
          case "LongestFirst" -> Truncation.Strategy.LONGEST_FIRST;
          case "OnlyFirst" -> Truncation.Strategy.ONLY_FIRST;
          case "OnlySecond" -> Truncation.Strategy.ONLY_SECOND;
          default -> throw json.error("unknown truncation strategy \"" + strategy + "\"");
        },
        stride,
        switch (side) {
          case "Left" -> Truncation.Side.LEFT;
          case "Right" -> Truncation.Side.RIGHT;
          default -> throw json.error("unknown truncation direction \"" + side + "\"");
        });
  }

  // ---------------------------------------------------------------- reading

  /**
   * Reads the tokenizer of a model.
   *
   * @param path a directory with {@code tokenizer.json}, {@code vocab.json} and {@code merges.txt},
   *     {@code spiece.model} or {@code vocab.txt} (the first of these that is there), or one such
   *     file; a {@code tokenizer_config.json} beside it is heeded
   * @throws FormatException if a file is damaged or asks for something unknown; the message names
   *     the file and the component
   * @throws IOException if a file cannot be read
   */
  public static Tokenizer open(Path path) throws IOException {
    return TokenizerFiles.open(path);
  }

  /**
   * Reads the contents of a {@code tokenizer.json}.
   *
   * @param json UTF-8
   * @param name stands for the file in error messages
   * @throws FormatException if it is damaged or asks for something unknown
   */
  public static Tokenizer parse(byte[] json, String name) throws FormatException {
    return of(Json.parse(json, name), null);
  }

  /** From a tokenizer.json and, where there is one, a tokenizer_config.json. */
  static Tokenizer of(Json json, Json config) throws FormatException {
    return new Tokenizer(json, config);
  }

  // ---------------------------------------------------------------- encoding

  /** Encodes a text, with special tokens. */
  public Encoding encode(String text) {
    return encode(text, null);
  }

  /**
   * Encodes two texts as one sequence, with special tokens.
   *
   * @param pair the second text; null where there is none
   */
  public Encoding encode(String text, String pair) {
    return encode(text, pair, null, true);
  }

  /**
   * Encodes one text or two, shortened.
   *
   * @param pair the second text; null where there is none
   * @param truncation null keeps everything
   */
  public Encoding encode(String text, String pair, Truncation truncation) {
    return encode(text, pair, truncation, true);
  }

  /**
   * Encodes one text or two.
   *
   * @param pair the second text; null where there is none
   * @param truncation null keeps everything
   * @param addSpecialTokens whether [CLS], &lt;/s&gt; and the like are added
   * @throws IllegalArgumentException if the truncation is not possible
   */
  public Encoding encode(
      String text, String pair, Truncation truncation, boolean addSpecialTokens) {
    TokenList first = tokens(text);
    TokenList second = pair == null ? null : tokens(pair);
    if (truncation != null) {
      int[] keep = keep(first, second, truncation, addSpecialTokens);
      int[] a = truncation.windows(first.size, keep[0]).get(0);
      first = first.slice(a[0], a[1]);
      if (second != null) {
        int[] b = truncation.windows(second.size, keep[1]).get(0);
        second = second.slice(b[0], b[1]);
      }
    }
    return postProcessor.process(first, second, addSpecialTokens, this::surface);
  }

  /**
   * Encodes one text or two, and what truncation cuts off in further windows. The first element is
   * what {@link #encode(String, String, Truncation, boolean)} returns; where both texts are cut,
   * every window of one meets every window of the other.
   *
   * @param pair the second text; null where there is none
   * @throws IllegalArgumentException if the truncation is not possible
   */
  public List<Encoding> windows(
      String text, String pair, Truncation truncation, boolean addSpecialTokens) {
    TokenList first = tokens(text);
    TokenList second = pair == null ? null : tokens(pair);
    int[] keep = keep(first, second, truncation, addSpecialTokens);
    List<int[]> as = truncation.windows(first.size, keep[0]);
    List<int[]> bs = second == null ? List.of() : truncation.windows(second.size, keep[1]);
    // The order of the reference: both first windows; later windows of the text, each with all of
    // the pair; the first window of the text with later ones of the pair.
    List<Encoding> out = new ArrayList<>();
    out.add(window(first, as.get(0), second, bs.isEmpty() ? null : bs.get(0), addSpecialTokens));
    for (int[] a : as.subList(1, as.size())) {
      if (second == null) {
        out.add(window(first, a, null, null, addSpecialTokens));
      }
      for (int[] b : bs) {
        out.add(window(first, a, second, b, addSpecialTokens));
      }
    }
    for (int[] b : bs.subList(Math.min(1, bs.size()), bs.size())) {
      out.add(window(first, as.get(0), second, b, addSpecialTokens));
    }
    return out;
  }

  private Encoding window(
      TokenList first, int[] a, TokenList second, int[] b, boolean addSpecialTokens) {
    TokenList partOfFirst = first.slice(a[0], a[1]);
    TokenList partOfSecond = second == null ? null : second.slice(b[0], b[1]);
    return postProcessor.process(partOfFirst, partOfSecond, addSpecialTokens, this::surface);
  }

  /** How many tokens of each text stay. */
  private int[] keep(TokenList first, TokenList second, Truncation t, boolean addSpecialTokens) {
    int added = addSpecialTokens ? postProcessor.added(second != null) : 0;
    if (t.maxLength() < added) {
      throw new IllegalArgumentException(
          "maxLength " + t.maxLength() + " has no room for the " + added + " special tokens");
    }
    return t.split(t.maxLength() - added, first.size, second == null ? -1 : second.size);
  }

  /** Added tokens may have swallowed white space; the others look as in the vocabulary. */
  private String surface(TokenList tokens, int index) {
    boolean isAdded = added.content(tokens.ids[index]) != null;
    return isAdded ? tokens.covered(index) : model.vocabulary().token(tokens.ids[index]);
  }

  private TokenList tokens(String text) {
    TokenList out = new TokenList(text);
    List<Text> words = new ArrayList<>();
    AddedTokens.Visitor normalized =
        new AddedTokens.Visitor() {
          @Override
          public void token(int id, Text piece) {
            out.add(id, piece, piece.from, piece.to);
          }

          @Override
          public void text(Text piece) {
            words.clear();
            preTokenizer.split(piece, words);
            for (Text word : words) {
              if (!word.isEmpty()) {
                model.tokenize(word, out);
              }
            }
          }
        };
    added.splitRaw(
        Text.of(text),
        new AddedTokens.Visitor() {
          @Override
          public void token(int id, Text piece) {
            out.add(id, piece, piece.from, piece.to);
          }

          @Override
          public void text(Text piece) {
            added.splitNormalized(normalizer.normalize(piece), normalized);
          }
        });
    return out;
  }

  // ---------------------------------------------------------------- decoding

  /**
   * The text of tokens; ids without a token are left out.
   *
   * @param ids not modified
   * @param skipSpecialTokens whether special tokens are left out
   */
  public String decode(int[] ids, boolean skipSpecialTokens) {
    List<String> tokens = new ArrayList<>(ids.length);
    for (int id : ids) {
      String token = tokenOf(id);
      if (token != null && !(skipSpecialTokens && added.isSpecial(id))) {
        tokens.add(token);
      }
    }
    return String.join("", decoder.decode(tokens));
  }

  /** The tokens of an encoding as the vocabulary writes them. */
  public List<String> tokens(Encoding encoding) {
    List<String> tokens = new ArrayList<>(encoding.length());
    for (int id : encoding.ids()) {
      tokens.add(tokenOf(id));
    }
    return tokens;
  }

  // ---------------------------------------------------------------- vocabulary

  /** One more than the largest token id: the rows an embedding table needs. */
  public int vocabularySize() {
    return Math.max(model.vocabulary().size(), added.maxId() + 1);
  }

  /** The id of a token as the vocabulary writes it, or null. */
  public Integer idOf(String token) {
    Integer id = added.id(token);
    return id != null ? id : model.vocabulary().id(token);
  }

  /** The token of an id as the vocabulary writes it, or null. */
  public String tokenOf(int id) {
    String token = added.content(id);
    return token != null ? token : model.vocabulary().token(id);
  }

  /** Id of the padding token, or null where none is known. */
  public Integer padId() {
    return special.pad();
  }

  /** Id of the token that stands for the whole sequence, or null where none is known. */
  public Integer clsId() {
    return special.cls();
  }

  /** Id of the token between two texts, or null where none is known. */
  public Integer sepId() {
    return special.sep();
  }

  /** Id of the token for what the vocabulary cannot express, or null where none is known. */
  public Integer unkId() {
    return special.unk();
  }

  /** Id of the token that ends a text, or null where none is known. */
  public Integer eosId() {
    return special.eos();
  }

  /** The truncation that the file asks for; it is not applied unless given to an encode method. */
  public Optional<Truncation> savedTruncation() {
    return Optional.ofNullable(savedTruncation);
  }
}
