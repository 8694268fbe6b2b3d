package tacet.transformer.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tacet.autograd.AttentionOps;
import tacet.autograd.LinearOps;
import tacet.autograd.Ops;
import tacet.autograd.Pass;
import tacet.autograd.TokenOps;
import tacet.autograd.Var;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.tensor.kernel.KeyValueCache;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.CausalModel;
import tacet.transformer.Continuation;
import tacet.transformer.Embedding;
import tacet.transformer.Join;
import tacet.transformer.Layer;
import tacet.transformer.Linear;
import tacet.transformer.Lookup;
import tacet.transformer.Memory;
import tacet.transformer.Part;
import tacet.transformer.Residual;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/**
 * GPT-2 (Radford et al. 2019), as Hugging Face's modeling_gpt2 names and computes it: pre-norm blocks
 * of causal attention and MLP whose weights lie [in, out], a last norm, and a head for the next token
 * (usually the embedding table itself) or for classification at the last token. Field names are the
 * names in checkpoint files.
 */
public final class Gpt2 {
  private Gpt2() {}

  /**
   * What config.json says.
   *
   * @param vocabularySize V
   * @param positions longest sequence
   * @param width D, n_embd
   * @param layers number of blocks
   * @param heads H
   * @param inner F
   * @param activation of the MLP
   * @param residualDropout after attention output and MLP output
   * @param embeddingDropout after the embeddings
   * @param attentionDropout on attention probabilities
   * @param eps ε of all layer norms
   * @param scaled whether scores are divided by √(D/H)
   * @param scaledByLayer whether scores are divided by the number of the block too, from 1
   * @param tied whether the table of tokens is the head of the language model
   * @param initializerRange standard deviation of new weights
   * @param labels outputs of the classifier; 1 means regression
   * @param padId token that fills short sequences; -1 for none
   */
  public record Config(
      int vocabularySize,
      int positions,
      int width,
      int layers,
      int heads,
      int inner,
      String activation,
      double residualDropout,
      double embeddingDropout,
      double attentionDropout,
      double eps,
      boolean scaled,
      boolean scaledByLayer,
      boolean tied,
      double initializerRange,
      int labels,
      int padId) {

    /** Reads a Hugging Face config.json of model_type gpt2. */
    public static Config of(Json json) throws IOException {
      String type = json.get("model_type").asString();
      if (!type.equals("gpt2")) {
        throw json.error("model_type is \"" + type + "\", expected gpt2");
      }
      if (json.booleanOr("add_cross_attention", false)) {
        throw json.error("add_cross_attention is not supported");
      }
      int width = Loader.count(json, "n_embd", 768);
      int heads = Loader.count(json, "n_head", 12);
      Loader.requireHeads(json, "n_embd", width, heads);
      return new Config(
          Loader.count(json, "vocab_size", 50257),
          Loader.count(json, "n_positions", 1024),
          width,
          Loader.layers(json, "n_layer", 12),
          heads,
          Loader.count(json, "n_inner", 4 * width),
          Loader.activation(json, "activation_function", "gelu_new"),
          Loader.probability(json, "resid_pdrop", 0.1),
          Loader.probability(json, "embd_pdrop", 0.1),
          Loader.probability(json, "attn_pdrop", 0.1),
          Loader.epsilon(json, "layer_norm_epsilon", 1e-5),
          json.booleanOr("scale_attn_weights", true),
          json.booleanOr("scale_attn_by_inverse_layer_idx", false),
          json.booleanOr("tie_word_embeddings", true),
          json.doubleOr("initializer_range", 0.02),
          Loader.labels(json),
          json.intOr("pad_token_id", -1));
    }
  }

  // ------------------------------------------------------------------ blocks

  /**
   * Causal attention; one product makes queries, keys and values.
   *
   * @param c_attn [D] → [3 D]
   * @param c_proj [D] → [D]
   */
  public record Attention(
      Layer c_attn,
      Memory memory,
      Layer c_proj,
      int heads,
      float scale,
      double attentionDropout,
      double residualDropout)
      implements Part {
    Var forward(Pass pass, Var x, float[] keyBias, KeyValueCache past) {
      int d = x.shape().last();
      Var qkv = c_attn.forward(pass, x); // [B, S, 3 D]
      Var y =
          Past.attend(
              pass,
              TokenOps.columns(pass, qkv, 0, d),
              TokenOps.columns(pass, qkv, d, d),
              TokenOps.columns(pass, qkv, 2 * d, d),
              memory,
              past,
              new AttentionOps.Attention(heads, scale, keyBias, true, null, attentionDropout));
      return Ops.dropout(pass, c_proj.forward(pass, y), residualDropout);
    }

    @Override
    public Attention rebuild(Surgery s) {
      return new Attention(
          s.at("c_attn", c_attn),
          s.at("memory", memory),
          s.at("c_proj", c_proj),
          heads,
          scale,
          attentionDropout,
          residualDropout);
    }
  }

  /** The MLP, whose activations DEFT makes sparse: c_proj(f(c_fc(x))). */
  public record Mlp(Layer c_fc, Layer act, Layer c_proj, double dropout) implements Part {
    Var forward(Pass pass, Var x) {
      Var h = act.after(pass, c_fc, x); // [B, S, F]
      return Ops.dropout(pass, c_proj.forward(pass, h), dropout);
    }

    @Override
    public Mlp rebuild(Surgery s) {
      return new Mlp(s.at("c_fc", c_fc), s.at("act", act), s.at("c_proj", c_proj), dropout);
    }
  }

  /** One pre-norm block: x + attention(LN(x)), then x + MLP(LN(x)). */
  public record Block(
      Layer ln_1, Attention attn, Join attn_join, Layer ln_2, Mlp mlp, Join mlp_join)
      implements Part {
    Var forward(Pass pass, Var x, float[] keyBias, KeyValueCache past) {
      Var a =
          pass.scope(
              () -> {
                Var y = attn.forward(pass, ln_1.forward(pass, x), keyBias, past);
                return attn_join.forward(pass, y, x, null);
              });
      return mlp_join.forward(pass, mlp.forward(pass, ln_2.forward(pass, a)), a, null);
    }

    @Override
    public Block rebuild(Surgery s) {
      return new Block(
          s.at("ln_1", ln_1),
          s.at("attn", attn),
          s.at("attn_join", attn_join),
          s.at("ln_2", ln_2),
          s.at("mlp", mlp),
          s.at("mlp_join", mlp_join));
    }
  }

  // ------------------------------------------------------------------ models

  /**
   * The decoder without a head.
   *
   * @param wte [V, D], the tokens
   * @param wpe [positions, D]
   */
  public record Model(Lookup wte, Embedding wpe, List<Block> h, Layer ln_f, double dropout)
      implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      return new TextModel.Output(null, hidden(pass, batch));
    }

    /** The embeddings, and the output of each block; the last one normed. */
    List<Var> hidden(Pass pass, Batch batch) {
      int[] positions = Bert.Positions.inOrder(batch, before()); // by place, padding or not
      return hidden(pass, batch.ids(), batch.shape(), positions, batch.keyBias(), null);
    }

    private List<Var> hidden(
        Pass pass,
        int[] ids,
        Shape shape,
        int[] positions,
        float[] keyBias,
        List<KeyValueCache> past) {
      List<Var> hidden = new ArrayList<>(h.size() + 1);
      Lookup table = Past.table(wte, past);
      hidden.add(pass.scope(() -> embed(pass, table, ids, shape, positions)));
      for (int i = 0; i < h.size(); i++) {
        Block block = h.get(i);
        KeyValueCache own = past == null ? null : past.get(i);
        Var in = hidden.get(i);
        boolean last = i == h.size() - 1;
        hidden.add(
            pass.segment(
                in,
                v -> {
                  Var y = block.forward(pass, v, keyBias, own);
                  return last ? ln_f.forward(pass, y) : y;
                }));
      }
      return hidden;
    }

    private int before() {
      return h.get(0).attn.memory.length();
    }

    private Var embed(Pass pass, Lookup table, int[] ids, Shape shape, int[] positions) {
      Var word = table.forward(pass, ids, shape); // [B, S, D]
      Var place = wpe.forward(pass, positions, shape);
      return Ops.dropout(pass, Ops.add(pass, word, place), dropout);
    }

    @Override
    public Model rebuild(Surgery s) {
      return new Model(
          s.at("wte", wte), s.at("wpe", wpe), s.each("h", h), s.at("ln_f", ln_f), dropout);
    }
  }

  /**
   * Next-token prediction: logits [B, S, V].
   *
   * @param lm_head [D] → [V]; null where the table of tokens serves as head
   */
  public record LanguageModel(Model transformer, Layer lm_head)
      implements CausalModel, CausalContinuation.Network {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = transformer.hidden(pass, batch);
      return new TextModel.Output(head(pass, hidden.get(hidden.size() - 1)), hidden);
    }

    @Override
    public Var head(Pass pass, Var states) {
      return lm_head != null
          ? lm_head.forward(pass, states)
          : LinearOps.linear(pass, states, transformer.wte.weight(), null);
    }

    @Override
    public Var states(
        Pass pass,
        int[] ids,
        Shape shape,
        int[] positions,
        float[] keyBias,
        List<KeyValueCache> past) {
      return transformer.hidden(pass, ids, shape, positions, keyBias, past).getLast();
    }

    @Override
    public Continuation begin(Engine engine, Batch prompts) {
      List<KeyValueCache> past =
          Past.empty(transformer.h.size(), prompts.size(), transformer.h.get(0).attn.memory);
      boolean byPlace = prompts.vectors() > 0; // as Hugging Face's model does where it gets vectors
      return new CausalContinuation(this, past, transformer.before(), byPlace, engine, prompts);
    }

    @Override
    public int longest() {
      return transformer.wpe.weight().shape().dim(0) - transformer.before();
    }

    @Override
    public LanguageModel rebuild(Surgery s) {
      return new LanguageModel(s.at("transformer", transformer), s.at("lm_head", lm_head));
    }
  }

  /** Sequence classification (C labels) or regression (one) at the last token of each example. */
  public record Classifier(Model transformer, Layer score, int padId) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = transformer.hidden(pass, batch);
      Var last = TokenOps.pick(pass, hidden.get(hidden.size() - 1), batch.lastTokens(padId));
      return new TextModel.Output(score.forward(pass, last), hidden); // [B, C]
    }

    @Override
    public Classifier rebuild(Surgery s) {
      return new Classifier(s.at("transformer", transformer), s.at("score", score), padId);
    }
  }

  // ------------------------------------------------------------------ loading

  /** The decoder of a checkpoint, frozen. */
  public static Model model(Config c, Weights w) throws IOException {
    Loader load = new Loader(w);
    List<Block> blocks = new ArrayList<>(c.layers);
    for (int i = 0; i < c.layers; i++) {
      blocks.add(block(c, load.at("h." + i), i));
    }
    return new Model(
        load.embedding("wte", c.vocabularySize, c.width),
        load.embedding("wpe", c.positions, c.width),
        List.copyOf(blocks),
        load.norm("ln_f", c.width, c.eps),
        c.embeddingDropout);
  }

  private static Block block(Config c, Loader load, int number) throws IOException {
    int d = c.width;
    double scale = c.scaled ? 1 / Math.sqrt((double) d / c.heads) : 1;
    Attention attention =
        new Attention(
            load.conv1d("attn.c_attn", d, 3 * d),
            Memory.none(c.heads, d),
            load.conv1d("attn.c_proj", d, d),
            c.heads,
            (float) (c.scaledByLayer ? scale / (number + 1) : scale),
            c.attentionDropout,
            c.residualDropout);
    Mlp mlp =
        new Mlp(
            load.conv1d("mlp.c_fc", d, c.inner),
            Activation.of(c.activation),
            load.conv1d("mlp.c_proj", c.inner, d),
            c.residualDropout);
    return new Block(
        load.norm("ln_1", d, c.eps),
        attention,
        new Residual(Join.Branch.ATTENTION, d),
        load.norm("ln_2", d, c.eps),
        mlp,
        new Residual(Join.Branch.MLP, d));
  }

  /** The language model of a checkpoint, frozen; see {@link Loader#untiedHead}. */
  public static LanguageModel languageModel(Config c, Weights w) throws IOException {
    Model model = model(c, w);
    Loader load = new Loader(w);
    Linear head =
        c.tied
            ? load.untiedHead("lm_head", model.wte.weight())
            : load.linear("lm_head", c.width, c.vocabularySize, false);
    return new LanguageModel(model, head);
  }

  /**
   * The classifier of a checkpoint, frozen; a head that the file lacks is made new, as {@link
   * Bert#classifier} does.
   *
   * @param labels outputs of the head, 1 for regression
   */
  public static Classifier classifier(Config c, Weights w, int labels, long seed)
      throws IOException {
    Linear score = new Loader(w).head("score", c.width, labels, false, c.initializerRange, seed);
    return new Classifier(model(c, w), score, c.padId);
  }
}
