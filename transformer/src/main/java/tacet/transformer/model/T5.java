package tacet.transformer.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.AttentionOps;
import tacet.autograd.GatedOps;
import tacet.autograd.Losses;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.tensor.kernel.KeyValueCache;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.Continuation;
import tacet.transformer.Embedding;
import tacet.transformer.GenerativeModel;
import tacet.transformer.Join;
import tacet.transformer.Layer;
import tacet.transformer.Linear;
import tacet.transformer.Lookup;
import tacet.transformer.Memory;
import tacet.transformer.Part;
import tacet.transformer.Residual;
import tacet.transformer.RmsNorm;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/**
 * T5 (Raffel et al., JMLR 2020), T5 1.1 and Flan-T5, as Hugging Face's modeling_t5 names and computes
 * it: an encoder and a decoder of pre-norm blocks without biases, attention whose scores are not scaled
 * but get a bias by relative position, made by the first block of each for all, plain or gated MLPs,
 * and a head that is the table of tokens or a matrix of its own. Field names are the names in
 * checkpoint files.
 *
 * <p>Letters beside those of {@link Ops}: St length of the target, I = H · d_kv width of all heads,
 * which may differ from D.
 */
public final class T5 {
  private T5() {}

  /**
   * What config.json says.
   *
   * @param vocabularySize V
   * @param width D, d_model
   * @param keyWidth width of a head, d_kv
   * @param inner F, d_ff
   * @param layers blocks of the encoder
   * @param decoderLayers blocks of the decoder
   * @param heads H
   * @param buckets rows of the tables of relative positions
   * @param greatestDistance from which on all positions share a bucket
   * @param activation of the MLP
   * @param gated whether the activation is a gate on a second product
   * @param dropout everywhere
   * @param eps ε of all norms
   * @param scaledOutput whether the decoder's last states are divided by √D before the head
   * @param initializerFactor factor of the standard deviations of new weights
   * @param padId token that fills short sequences
   * @param startId token before the first of a target
   */
  public record Config(
      int vocabularySize,
      int width,
      int keyWidth,
      int inner,
      int layers,
      int decoderLayers,
      int heads,
      int buckets,
      int greatestDistance,
      String activation,
      boolean gated,
      double dropout,
      double eps,
      boolean scaledOutput,
      double initializerFactor,
      int padId,
      int startId) {

    /**
     * Reads a Hugging Face config.json of model_type t5. T5 1.1 says {@code tie_word_embeddings: false}
     * and means two things by it, a head of its own and unscaled output; newer files say the second as
     * {@code scale_decoder_outputs}, and the first follows from the tensors.
     */
    public static Config of(Json json) throws IOException {
      String type = json.get("model_type").asString();
      if (!type.equals("t5")) {
        throw json.error("model_type is \"" + type + "\", expected t5");
      }
      String projection = json.stringOr("feed_forward_proj", "relu");
      boolean gated = projection.startsWith("gated-");
      String activation = gated ? projection.substring("gated-".length()) : projection;
      if (projection.equals("gated-gelu")) {
        activation = "gelu_new";
      }
      try {
        Activation.of(activation);
      } catch (IllegalArgumentException e) {
        throw json.error("feed_forward_proj \"" + projection + "\": " + e.getMessage());
      }
      int layers = Loader.layers(json, "num_layers", 6);
      boolean tied = json.booleanOr("tie_word_embeddings", true);
      int pad = json.intOr("pad_token_id", 0);
      Config c =
          new Config(
              Loader.count(json, "vocab_size", 32128),
              Loader.count(json, "d_model", 512),
              Loader.count(json, "d_kv", 64),
              Loader.count(json, "d_ff", 2048),
              layers,
              Loader.layers(json, "num_decoder_layers", layers),
              Loader.count(json, "num_heads", 8),
              Loader.count(json, "relative_attention_num_buckets", 32),
              Loader.count(json, "relative_attention_max_distance", 128),
              activation,
              gated,
              Loader.probability(json, "dropout_rate", 0.1),
              Loader.epsilon(json, "layer_norm_epsilon", 1e-6),
              json.booleanOr("scale_decoder_outputs", tied),
              json.doubleOr("initializer_factor", 1),
              pad,
              json.intOr("decoder_start_token_id", pad));
      try {
        Math.multiplyExact(c.heads, c.keyWidth);
        c.relative(true);
        c.relative(false);
      } catch (IllegalArgumentException | ArithmeticException e) {
        throw json.error(e.getMessage());
      }
      return c;
    }

    private RelativeBuckets relative(boolean bidirectional) {
      return new RelativeBuckets(buckets, greatestDistance, bidirectional);
    }
  }

  // ------------------------------------------------------------------ attention

  /**
   * softmax(Q Kᵀ + bias + mask) V per head, projected; nothing is scaled.
   *
   * @param q [D] → [I], like k and v
   * @param o [I] → [D]
   * @param relative_attention_bias in the first block of a stack, else null
   */
  public record Attention(
      Layer q,
      Layer k,
      Layer v,
      Memory memory,
      Layer o,
      RelativeBias relative_attention_bias,
      int heads,
      double dropout)
      implements Part {
    /**
     * The tokens x attend to states.
     *
     * @param x [B, Sq, D]
     * @param states [B, Sk, D]
     * @param past what is known of the tokens before, if states are x; else null
     */
    Var forward(Pass pass, Var x, Var states, KeyValueCache past, View view) {
      Var keys = k.forward(pass, states); // [B, Sk, I]
      Var values = v.forward(pass, states);
      return o.forward(
          pass, Past.attend(pass, q.forward(pass, x), keys, values, memory, past, how(view)));
    }

    /** Puts the keys and values of states, and before them the memory's, into an empty cache. */
    void remember(Pass pass, Var states, KeyValueCache cache) {
      Var keys = memory.keys(pass, k.forward(pass, states));
      Var values = memory.values(pass, v.forward(pass, states));
      cache.append(pass.engine(), keys.value(), values.value());
    }

    /** The tokens x attend to what {@link #remember} has put into a cache. */
    Var recall(Pass pass, Var x, KeyValueCache cache, View view) {
      Var queries = pass.view(q.forward(pass, x), cache.batch());
      Var y = AttentionOps.attention(pass, queries, cache, how(view));
      return o.forward(pass, pass.view(y, x.shape().dim(0)));
    }

    private AttentionOps.Attention how(View view) {
      return new AttentionOps.Attention(
          heads, 1, view.keyBias, view.causal, view.positionBias, dropout);
    }

    @Override
    public Attention rebuild(Surgery s) {
      return new Attention(
          s.at("q", q),
          s.at("k", k),
          s.at("v", v),
          s.at("memory", memory),
          s.at("o", o),
          s.at("relative_attention_bias", relative_attention_bias),
          heads,
          dropout);
    }
  }

  /**
   * What attention sees.
   *
   * @param keyBias [B, Sk], what is padding; or null
   * @param causal whether tokens see only what is before them
   * @param positionBias [H, Sq, Sk], or null
   */
  record View(float[] keyBias, boolean causal, Var positionBias) {}

  /**
   * A table of biases by relative position.
   *
   * @param weight [buckets, H]
   */
  public record RelativeBias(Parameter weight, RelativeBuckets buckets) implements Part {
    /** The biases of some queries, the first at position {@code past}, and all keys: [H, Sq, Sk]. */
    Var forward(Pass pass, int past, int queries, int keys) {
      return AttentionOps.relativeBias(
          pass, weight, buckets.table(past, queries, keys), queries, keys);
    }

    @Override
    public RelativeBias rebuild(Surgery s) {
      return new RelativeBias(s.parameter("weight", weight), buckets);
    }
  }

  // ------------------------------------------------------------------ sub-layers

  /** x + attention(norm(x)), to itself. */
  public record SelfLayer(Attention SelfAttention, Layer layer_norm, Join join, double dropout)
      implements Part {
    Var forward(Pass pass, Var x, KeyValueCache past, View view) {
      Var in = layer_norm.forward(pass, x);
      Var y = SelfAttention.forward(pass, in, in, past, view);
      return join.forward(pass, Ops.dropout(pass, y, dropout), x, null);
    }

    @Override
    public SelfLayer rebuild(Surgery s) {
      return new SelfLayer(
          s.at("SelfAttention", SelfAttention),
          s.at("layer_norm", layer_norm),
          s.at("join", join),
          dropout);
    }
  }

  /** x + attention(norm(x)), to the encoder's last states. */
  public record CrossLayer(Attention EncDecAttention, Layer layer_norm, Join join, double dropout)
      implements Part {
    Var forward(Pass pass, Var x, Var states, View view) {
      Var in = layer_norm.forward(pass, x);
      return end(pass, EncDecAttention.forward(pass, in, states, null, view), x);
    }

    /** The same over the states' keys and values. */
    Var forward(Pass pass, Var x, KeyValueCache states, View view) {
      Var in = layer_norm.forward(pass, x);
      return end(pass, EncDecAttention.recall(pass, in, states, view), x);
    }

    private Var end(Pass pass, Var y, Var x) {
      return join.forward(pass, Ops.dropout(pass, y, dropout), x, null);
    }

    @Override
    public CrossLayer rebuild(Surgery s) {
      return new CrossLayer(
          s.at("EncDecAttention", EncDecAttention),
          s.at("layer_norm", layer_norm),
          s.at("join", join),
          dropout);
    }
  }

  /** The MLP, whose activations DEFT makes sparse. */
  public interface Mlp extends Part {
    /** [.., D] → [.., D]. */
    Var forward(Pass pass, Var x);

    @Override
    Mlp rebuild(Surgery s);
  }

  /** wo(f(wi(x))). */
  public record PlainMlp(Layer wi, Layer act, Layer wo, double dropout) implements Mlp {
    @Override
    public Var forward(Pass pass, Var x) {
      Var h = act.after(pass, wi, x); // [.., F]
      return wo.forward(pass, Ops.dropout(pass, h, dropout));
    }

    @Override
    public PlainMlp rebuild(Surgery s) {
      return new PlainMlp(s.at("wi", wi), s.at("act", act), s.at("wo", wo), dropout);
    }
  }

  /** wo(f(wi_0(x)) ∘ wi_1(x)); f(wi_0(x)) is what DEFT makes sparse. */
  public record GatedMlp(Layer wi_0, Layer wi_1, Layer act, Layer wo, double dropout)
      implements Mlp {
    @Override
    public Var forward(Pass pass, Var x) {
      Var gate = act.after(pass, wi_0, x); // [.., F]
      Var h = GatedOps.multiply(pass, gate, wi_1.forwardWhere(pass, x, gate));
      return wo.forward(pass, Ops.dropout(pass, h, dropout));
    }

    @Override
    public GatedMlp rebuild(Surgery s) {
      return new GatedMlp(
          s.at("wi_0", wi_0), s.at("wi_1", wi_1), s.at("act", act), s.at("wo", wo), dropout);
    }
  }

  /** x + MLP(norm(x)). */
  public record FeedForward(Mlp DenseReluDense, Layer layer_norm, Join join, double dropout)
      implements Part {
    Var forward(Pass pass, Var x) {
      Var y = DenseReluDense.forward(pass, layer_norm.forward(pass, x));
      return join.forward(pass, Ops.dropout(pass, y, dropout), x, null);
    }

    @Override
    public FeedForward rebuild(Surgery s) {
      return new FeedForward(
          s.at("DenseReluDense", DenseReluDense),
          s.at("layer_norm", layer_norm),
          s.at("join", join),
          dropout);
    }
  }

  // ------------------------------------------------------------------ stacks

  /**
   * Two or three sub-layers, {@code layer.0} to {@code layer.2} in files.
   *
   * @param cross in the decoder only, else null
   */
  public record Block(SelfLayer self, CrossLayer cross, FeedForward mlp) implements Part {
    Var forward(Pass pass, Var x, View own, Var states, View other) {
      Var a = pass.scope(() -> self.forward(pass, x, null, own));
      Var b = cross == null ? a : pass.scope(() -> cross.forward(pass, a, states, other));
      return mlp.forward(pass, b);
    }

    /** The same for new tokens of a decoder, over what is known of those before and of the source. */
    Var forward(Pass pass, Var x, KeyValueCache past, View own, KeyValueCache states, View other) {
      Var a = pass.scope(() -> self.forward(pass, x, past, own));
      Var b = pass.scope(() -> cross.forward(pass, a, states, other));
      return mlp.forward(pass, b);
    }

    @Override
    public Block rebuild(Surgery s) {
      return new Block(
          s.at("layer.0", self),
          s.at("layer.1", cross),
          s.at(cross == null ? "layer.1" : "layer.2", mlp));
    }
  }

  /** The blocks of the encoder or the decoder. */
  public record Stack(List<Block> block, Layer final_layer_norm, double dropout) implements Part {
    /**
     * The embeddings, and the output of each block; the last one normed.
     *
     * @param states of the encoder, for the decoder; else null
     * @param other what is seen of them
     */
    List<Var> hidden(Pass pass, Var embedded, View own, Var states, View other) {
      int length = embedded.shape().dim(1);
      Attention first = block.get(0).self.SelfAttention;
      int before = first.memory.length();
      Var bias = first.relative_attention_bias.forward(pass, before, length, before + length);
      View view = new View(own.keyBias, own.causal, bias);
      List<Var> hidden = new ArrayList<>(block.size() + 1);
      hidden.add(Ops.dropout(pass, embedded, dropout));
      for (int i = 0; i < block.size(); i++) {
        Block next = block.get(i);
        Var in = hidden.get(i);
        boolean last = i == block.size() - 1;
        hidden.add(
            pass.segment(
                new Var[] {in, states, view.positionBias},
                v -> {
                  View seen = new View(view.keyBias, view.causal, v[2]);
                  Var y = next.forward(pass, v[0], seen, v[1], other);
                  return last ? end(pass, y) : y;
                }));
      }
      return hidden;
    }

    Var end(Pass pass, Var x) {
      return Ops.dropout(pass, final_layer_norm.forward(pass, x), dropout);
    }

    @Override
    public Stack rebuild(Surgery s) {
      return new Stack(s.each("block", block), s.at("final_layer_norm", final_layer_norm), dropout);
    }
  }

  // ------------------------------------------------------------------ model

  /**
   * Writes a sequence for a sequence: logits [B, St, V].
   *
   * @param shared [V, D], the tokens of encoder and decoder
   * @param lm_head [D] → [V]; its weight may be the table of tokens
   * @param outputScale factor of the decoder's last states
   * @param padId token that fills short sequences
   * @param startId token before the first of a target
   */
  public record Generator(
      Lookup shared,
      Stack encoder,
      Stack decoder,
      Layer lm_head,
      float outputScale,
      int padId,
      int startId)
      implements Seq2SeqModel, GenerativeModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch source, Batch target) {
      List<Var> read = encode(pass, source);
      Var states = read.get(read.size() - 1);
      Var tokens = shared.words().forward(pass, target.ids(), target.shape()); // [B, St, D]
      List<Var> written =
          decoder.hidden(
              pass,
              tokens,
              new View(null, true, null),
              states,
              new View(source.keyBias(), false, null));
      Var logits = head(pass, written.get(written.size() - 1));
      return new TextModel.Output(logits, read);
    }

    /** The encoder's hidden states, [B, S, D] each. */
    public List<Var> encode(Pass pass, Batch source) {
      Var tokens = shared.forward(pass, source.ids(), source.shape()); // [B, S, D]
      return encoder.hidden(pass, tokens, new View(source.keyBias(), false, null), null, null);
    }

    Var head(Pass pass, Var last) {
      return lm_head.forward(pass, outputScale == 1 ? last : Ops.scale(pass, last, outputScale));
    }

    @Override
    public Continuation begin(Engine engine, Batch prompts) {
      return new T5Continuation(this, engine, prompts);
    }

    @Override
    public int longest() {
      return Integer.MAX_VALUE; // positions are relative
    }

    @Override
    public Batch target(int size, int length, int[] labels) {
      int[] ids = new int[Math.multiplyExact(size, length)];
      int[] mask = new int[ids.length];
      for (int i = 0; i < ids.length; i++) {
        int before = i % length == 0 ? startId : labels[i - 1];
        ids[i] = before == Losses.IGNORED ? padId : before;
        mask[i] = labels[i] == Losses.IGNORED ? 0 : 1;
      }
      return new Batch(size, length, ids, new int[ids.length], mask);
    }

    @Override
    public Generator rebuild(Surgery s) {
      return new Generator(
          s.at("shared", shared),
          s.at("encoder", encoder),
          s.at("decoder", decoder),
          s.at("lm_head", lm_head),
          outputScale,
          padId,
          startId);
    }
  }

  // ------------------------------------------------------------------ loading

  /**
   * The model of a checkpoint, frozen.
   *
   * @throws IOException if it is no T5, or tensors are missing, left over or of another shape
   */
  public static Generator open(Checkpoint checkpoint) throws IOException {
    Weights w = checkpoint.weights();
    Generator model = generator(Config.of(checkpoint.config()), w);
    w.finish();
    return model;
  }

  /** The model of a checkpoint, frozen; see {@link #open}. */
  public static Generator generator(Config c, Weights w) throws IOException {
    Loader load = new Loader(w);
    String table =
        w.has("shared.weight") || !w.has("decoder.embed_tokens.weight")
            ? "shared"
            : "decoder.embed_tokens";
    w.ignore("encoder.embed_tokens.", "decoder.embed_tokens."); // repeat the table
    Embedding shared = load.embedding(table, c.vocabularySize, c.width);
    return new Generator(
        shared,
        stack(c, load.at("encoder"), c.layers, false),
        stack(c, load.at("decoder"), c.decoderLayers, true),
        head(c, load, shared),
        c.scaledOutput ? (float) Math.pow(c.width, -0.5) : 1,
        c.padId,
        c.startId);
  }

  private static Linear head(Config c, Loader load, Embedding shared) throws IOException {
    if (load.weights().checkpoint().isHollow() && !c.scaledOutput) {
      return load.linear("lm_head", c.width, c.vocabularySize, false); // so has T5 1.1
    }
    Linear head = load.untiedHead("lm_head", shared.weight());
    return head == null ? new Linear(shared.weight(), null) : head;
  }

  private static Stack stack(Config c, Loader load, int layers, boolean decoder)
      throws IOException {
    List<Block> blocks = new ArrayList<>(layers);
    for (int i = 0; i < layers; i++) {
      Loader at = load.at("block." + i);
      RelativeBias bias =
          i > 0
              ? null
              : new RelativeBias(
                  at.parameter(
                      "layer.0.SelfAttention.relative_attention_bias.weight", c.buckets, c.heads),
                  c.relative(!decoder));
      blocks.add(
          new Block(
              new SelfLayer(
                  attention(c, at.at("layer.0.SelfAttention"), bias),
                  norm(c, at, "layer.0.layer_norm"),
                  new Residual(Join.Branch.ATTENTION, c.width),
                  c.dropout),
              decoder
                  ? new CrossLayer(
                      attention(c, at.at("layer.1.EncDecAttention"), null),
                      norm(c, at, "layer.1.layer_norm"),
                      new Residual(Join.Branch.CROSS_ATTENTION, c.width),
                      c.dropout)
                  : null,
              feedForward(c, at.at(decoder ? "layer.2" : "layer.1"))));
    }
    return new Stack(List.copyOf(blocks), norm(c, load, "final_layer_norm"), c.dropout);
  }

  private static Attention attention(Config c, Loader load, RelativeBias bias) throws IOException {
    int inner = c.heads * c.keyWidth;
    return new Attention(
        load.linear("q", c.width, inner, false),
        load.linear("k", c.width, inner, false),
        load.linear("v", c.width, inner, false),
        Memory.none(c.heads, inner),
        load.linear("o", inner, c.width, false),
        bias,
        c.heads,
        c.dropout);
  }

  private static FeedForward feedForward(Config c, Loader load) throws IOException {
    Loader mlp = load.at("DenseReluDense");
    Activation act = Activation.of(c.activation);
    Linear out = mlp.linear("wo", c.inner, c.width, false);
    return new FeedForward(
        c.gated
            ? new GatedMlp(
                mlp.linear("wi_0", c.width, c.inner, false),
                mlp.linear("wi_1", c.width, c.inner, false),
                act,
                out,
                c.dropout)
            : new PlainMlp(mlp.linear("wi", c.width, c.inner, false), act, out, c.dropout),
        norm(c, load, "layer_norm"),
        new Residual(Join.Branch.MLP, c.width),
        c.dropout);
  }

  private static RmsNorm norm(Config c, Loader load, String name) throws IOException {
    return new RmsNorm(load.parameter(name + ".weight", c.width), c.eps);
  }

  /**
   * The weights of an untrained model by their names in a checkpoint, drawn from the seed with Hugging
   * Face's standard deviations: {@code initializer_factor} for the table of tokens (and a head of its
   * own, which models with unscaled output have), times 1/√(inputs) for matrices, and 1/√(D · d_kv) for
   * queries, which stands for the scaling of scores.
   */
  public static Map<String, Tensor> initialWeights(Config c, long seed) {
    Map<String, Tensor> t = new LinkedHashMap<>();
    double f = c.initializerFactor;
    random(t, "shared", seed, c.vocabularySize, c.width, f);
    for (String stack : List.of("encoder", "decoder")) {
      boolean decoder = stack.equals("decoder");
      for (int i = 0; i < (decoder ? c.decoderLayers : c.layers); i++) {
        String block = stack + ".block." + i + ".layer.";
        randomAttention(c, t, block + "0.SelfAttention.", seed);
        if (i == 0) {
          String bias = block + "0.SelfAttention.relative_attention_bias";
          random(t, bias, seed, c.buckets, c.heads, f / Math.sqrt(c.width));
        }
        if (decoder) {
          randomAttention(c, t, block + "1.EncDecAttention.", seed);
        }
        int last = decoder ? 2 : 1;
        String mlp = block + last + ".DenseReluDense.";
        for (String in : c.gated ? List.of("wi_0", "wi_1") : List.of("wi")) {
          random(t, mlp + in, seed, c.inner, c.width, f / Math.sqrt(c.width));
        }
        random(t, mlp + "wo", seed, c.width, c.inner, f / Math.sqrt(c.inner));
        for (int l = 0; l <= last; l++) {
          t.put(block + l + ".layer_norm.weight", ones(c.width));
        }
      }
      t.put(stack + ".final_layer_norm.weight", ones(c.width));
    }
    if (!c.scaledOutput) {
      random(t, "lm_head", seed, c.vocabularySize, c.width, f);
    }
    return t;
  }

  private static void randomAttention(Config c, Map<String, Tensor> t, String at, long seed) {
    int inner = c.heads * c.keyWidth;
    double f = c.initializerFactor;
    random(t, at + "q", seed, inner, c.width, f / Math.sqrt((double) c.width * c.keyWidth));
    random(t, at + "k", seed, inner, c.width, f / Math.sqrt(c.width));
    random(t, at + "v", seed, inner, c.width, f / Math.sqrt(c.width));
    random(t, at + "o", seed, c.width, inner, f / Math.sqrt(inner));
  }

  private static void random(
      Map<String, Tensor> t, String name, long seed, int rows, int columns, double std) {
    Shape shape = Shape.of(rows, columns);
    t.put(name + ".weight", RandomStream.of(seed, "init " + name, 0).normal(shape, std));
  }

  private static Tensor ones(int d) {
    Tensor ones = Tensor.zeros(d);
    Arrays.fill(ones.data(), 1f);
    return ones;
  }
}
