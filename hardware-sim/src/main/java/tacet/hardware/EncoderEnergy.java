package tacet.hardware;

import tacet.hardware.LeafCall.Site;

/**
 * The energy ratio of a BERT or RoBERTa encoder in closed form: every leaf call of one padded batch follows from the
 * model's shape, and its zeros from one activation density. Weights are taken as dense and GELU as the only source of
 * MLP zeros. This reproduces the RoBERTa-large rows of Table 2 of arXiv 2402.01911 without any weights.
 *
 * @param hidden H, width of the residual stream
 * @param mlp I, neurons of each MLP
 * @param layers number of layers
 * @param heads attention heads
 * @param vocabulary rows of the word table
 * @param positions rows of the position table
 * @param types rows of the token-type table
 */
public record EncoderEnergy(
    int hidden, int mlp, int layers, int heads, int vocabulary, int positions, int types) {

  /** RoBERTa-large. */
  public static final EncoderEnergy ROBERTA_LARGE =
      new EncoderEnergy(1024, 4096, 24, 16, 50265, 514, 1);

  /** RoBERTa-base. */
  public static final EncoderEnergy ROBERTA_BASE =
      new EncoderEnergy(768, 3072, 12, 12, 50265, 514, 1);

  /** BERT-base, uncased. */
  public static final EncoderEnergy BERT_BASE = new EncoderEnergy(768, 3072, 12, 12, 30522, 512, 2);

  private static final int LABELS = 2;

  /** Tuning methods by what they add to the model. */
  public enum Method {
    /** Nothing. */
    FULL,
    /** Pfeiffer bottleneck adapters behind each MLP; {@code extra} is the bottleneck. */
    ADAPTER,
    /** LoRA inside linear modules; seen by no hook. */
    LORA,
    /** Prefix tuning; {@code extra} virtual key-value pairs per layer. */
    PREFIX,
    /** Prompt tuning; {@code extra} virtual tokens before the input. */
    PROMPT
  }

  /**
   * A batch.
   *
   * @param method what was added
   * @param extra its size, see {@link Method}
   * @param sequences B
   * @param length tokens per sequence with padding
   * @param valid tokens per sequence without padding, on average
   * @param density share of non-zero MLP activations, padding included, in 0..1
   */
  public record Batch(
      Method method, int extra, int sequences, int length, double valid, double density) {

    /** @throws IllegalArgumentException if a number is out of its range */
    public Batch {
      if (sequences < 1 || !(valid >= 0 && valid <= length)) {
        throw new IllegalArgumentException(
            "impossible batch: "
                + sequences
                + " sequences with "
                + valid
                + " of "
                + length
                + " tokens");
      }
      if (extra < (method == Method.ADAPTER ? 1 : 0)) {
        throw new IllegalArgumentException(
            "what " + method + " adds has an impossible size: " + extra);
      }
      if (!(density >= 0 && density <= 1)) {
        throw new IllegalArgumentException("density must be a fraction in 0..1, not " + density);
      }
    }
  }

  /**
   * The ratio in the scope that explains the paper's table.
   *
   * @return the estimate with sponge prices and the global compute fraction
   */
  public EnergyEstimate paperTable2(Batch batch) {
    EnergyScope scope = EnergyScope.PAPER_TABLE2.resolve(batch.method().name());
    return meter(batch).estimate(EnergyMeter.Options.of(scope));
  }

  /** A meter that has seen one forward pass over {@code batch}, with eager attention. */
  public EnergyMeter meter(Batch batch) {
    EnergyMeter meter = new EnergyMeter(EnergyMeter.Dialect.CINOFIX);
    Sequence s = new Sequence(meter, batch);
    s.embeddings();
    for (int i = 0; i < layers; i++) {
      s.attention("layer." + i + ".attention.");
      s.mlp("layer." + i + ".");
    }
    s.head();
    meter.endBatch();
    return meter;
  }

  private final class Sequence {
    private final EnergyMeter meter;
    private final Batch batch;
    private final int queries;
    private final int keys;
    private final double validQueries;
    private final double validKeys;

    Sequence(EnergyMeter meter, Batch batch) {
      this.meter = meter;
      this.batch = batch;
      int prompt = batch.method() == Method.PROMPT ? batch.extra() : 0;
      int prefix = batch.method() == Method.PREFIX ? batch.extra() : 0;
      queries = batch.length() + prompt;
      keys = queries + prefix;
      validQueries = batch.valid() + prompt;
      validKeys = validQueries + prefix;
    }

    /** Activations of all tokens, (B, S, width), without zeros but for {@code density}. */
    private Count tokens(double width, double density) {
      double n = batch.sequences() * (double) queries * width;
      double padded = n * (1 - validQueries / queries);
      return new Count(n, n * density, padded, padded * density);
    }

    private Count tokens(double width) {
      return tokens(width, 1);
    }

    void embeddings() {
      Count ids = tokens(1);
      meter.embedding(
          "embeddings.word", ids, tokens(hidden), Count.dense((double) vocabulary * hidden));
      meter.embedding(
          "embeddings.position", ids, tokens(hidden), Count.dense((double) positions * hidden));
      meter.embedding(
          "embeddings.type", tokens(1, 0), tokens(hidden), Count.dense((double) types * hidden));
      normAndDropout("embeddings.");
    }

    void attention(String prefix) {
      for (String name : new String[] {"query", "key", "value"}) {
        linear(prefix + name, Site.ATTENTION_QKV, tokens(hidden), hidden, tokens(hidden), hidden);
      }
      Count probabilities = probabilities();
      meter.dropout(prefix + "dropout", Site.ATTENTION_PROBABILITIES, probabilities, probabilities);
      linear(
          prefix + "output.dense",
          Site.ATTENTION_OUTPUT,
          tokens(hidden),
          hidden,
          tokens(hidden),
          hidden);
      normAndDropout(prefix + "output.");
    }

    /** (B, heads, queries, keys): columns of padded keys are exact zeros behind the masked softmax. */
    private Count probabilities() {
      double rows = (double) batch.sequences() * heads * queries;
      double n = rows * keys;
      double nonZero = rows * validKeys;
      double padded = n - nonZero * validQueries / queries;
      return new Count(n, nonZero, padded, nonZero * (1 - validQueries / queries));
    }

    void mlp(String prefix) {
      Count silent = tokens(mlp, batch.density());
      linear(prefix + "intermediate.dense", Site.MLP_IN, tokens(hidden), hidden, tokens(mlp), mlp);
      meter.activation(prefix + "intermediate_act_fn", Site.MLP_ACTIVATION, tokens(mlp), silent);
      linear(prefix + "output.dense", Site.MLP_OUT, silent, mlp, tokens(hidden), hidden);
      normAndDropout(prefix + "output.");
      if (batch.method() == Method.ADAPTER) {
        int r = batch.extra();
        linear(prefix + "adapter.down", Site.OTHER, tokens(hidden), hidden, tokens(r), r);
        meter.activation(prefix + "adapter.act", Site.OTHER, tokens(r), tokens(r));
        linear(prefix + "adapter.up", Site.OTHER, tokens(r), r, tokens(hidden), hidden);
      }
    }

    void head() {
      Count first = Count.dense((double) batch.sequences() * hidden);
      Count labels = Count.dense((double) batch.sequences() * LABELS);
      meter.dropout("classifier.dropout", Site.OTHER, first, first);
      linear("classifier.dense", Site.OTHER, first, hidden, first, hidden);
      meter.dropout("classifier.dropout", Site.OTHER, first, first);
      linear("classifier.out_proj", Site.OTHER, first, hidden, labels, LABELS);
    }

    private void linear(String name, Site site, Count in, int inWidth, Count out, int outWidth) {
      Count weight = Count.dense((double) inWidth * outWidth);
      meter.linear(name, site, in, inWidth, out, weight, Count.dense(outWidth));
    }

    private void normAndDropout(String prefix) {
      meter.norm(prefix + "LayerNorm", tokens(hidden), tokens(hidden), Count.dense(2.0 * hidden));
      meter.dropout(prefix + "dropout", Site.OTHER, tokens(hidden), tokens(hidden));
    }
  }
}
