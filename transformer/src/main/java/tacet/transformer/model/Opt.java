package tacet.transformer.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
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
 * OPT (Zhang et al. 2022), as Hugging Face's modeling_opt names and computes it: causal blocks with
 * ReLU, pre-norm but for the 350M model, which is post-norm and has embeddings narrower than its
 * blocks; a head for the next token (usually the embedding table itself) or for classification at the
 * last token. Field names are the names in checkpoint files.
 *
 * <p>Letters beside those of {@link Ops}: E width of the word embeddings, usually D.
 */
public final class Opt {
  /** The first two rows of the position table are unused. */
  private static final int POSITION_OFFSET = 2;

  private static final double EPS = 1e-5; // not in configurations

  private Opt() {}

  /**
   * What config.json says.
   *
   * @param vocabularySize V
   * @param positions longest sequence; the table has two rows more
   * @param hiddenSize D
   * @param embeddingSize E
   * @param layers number of blocks
   * @param heads H
   * @param ffnDim F
   * @param activation of the MLP
   * @param normBefore pre-norm blocks
   * @param finalNorm whether a norm follows the last block
   * @param bias whether the linear layers have one
   * @param dropout after attention output and MLP output
   * @param attentionDropout on attention probabilities
   * @param tied whether the table of tokens is the head of the language model
   * @param initializerRange standard deviation of new weights
   * @param labels outputs of the classifier; 1 means regression
   * @param padId token that fills short sequences; -1 for none
   */
  public record Config(
      int vocabularySize,
      int positions,
      int hiddenSize,
      int embeddingSize,
      int layers,
      int heads,
      int ffnDim,
      String activation,
      boolean normBefore,
      boolean finalNorm,
      boolean bias,
      double dropout,
      double attentionDropout,
      boolean tied,
      double initializerRange,
      int labels,
      int padId) {

    /** Reads a Hugging Face config.json of model_type opt. */
    public static Config of(Json json) throws IOException {
      String type = json.get("model_type").asString();
      if (!type.equals("opt")) {
        throw json.error("model_type is \"" + type + "\", expected opt");
      }
      if (!json.booleanOr("layer_norm_elementwise_affine", true)) {
        throw json.error("layer norms without weights are not supported");
      }
      int hidden = Loader.count(json, "hidden_size", 768);
      int heads = Loader.count(json, "num_attention_heads", 12);
      Loader.requireHeads(json, "hidden_size", hidden, heads);
      boolean before = json.booleanOr("do_layer_norm_before", true);
      int vocabulary = Loader.count(json, "vocab_size", 50272);
      return new Config(
          vocabulary,
          Loader.count(json, "max_position_embeddings", 2048),
          hidden,
          Loader.count(json, "word_embed_proj_dim", hidden),
          Loader.layers(json, "num_hidden_layers", 12),
          heads,
          Loader.count(json, "ffn_dim", 3072),
          Loader.activation(json, "activation_function", "relu"),
          before,
          before && !json.booleanOr("_remove_final_layer_norm", false),
          json.booleanOr("enable_bias", true),
          Loader.probability(json, "dropout", 0.1),
          Loader.probability(json, "attention_dropout", 0),
          json.booleanOr("tie_word_embeddings", true),
          json.doubleOr("init_std", 0.02),
          Loader.labels(json),
          Loader.padId(json, 1, vocabulary));
    }
  }

  // ------------------------------------------------------------------ blocks

  /** Causal attention: softmax(Q Kᵀ / √(D/H) + mask) V per head, projected. */
  public record SelfAttention(
      Layer q_proj,
      Layer k_proj,
      Layer v_proj,
      Memory memory,
      Layer out_proj,
      int heads,
      double dropout)
      implements Part {
    Var forward(Pass pass, Var x, float[] keyBias, KeyValueCache past) {
      float scale = (float) (1 / Math.sqrt((double) x.shape().last() / heads));
      Var y =
          Past.attend(
              pass,
              q_proj.forward(pass, x),
              k_proj.forward(pass, x),
              v_proj.forward(pass, x),
              memory,
              past,
              new AttentionOps.Attention(heads, scale, keyBias, true, null, dropout));
      return out_proj.forward(pass, y);
    }

    @Override
    public SelfAttention rebuild(Surgery s) {
      return new SelfAttention(
          s.at("q_proj", q_proj),
          s.at("k_proj", k_proj),
          s.at("v_proj", v_proj),
          s.at("memory", memory),
          s.at("out_proj", out_proj),
          heads,
          dropout);
    }
  }

  /**
   * One block: attention, then the MLP, each with its residual; the norms come before them or, in the
   * 350M model, after the residuals.
   *
   * @param activation_fn where the activations are that DEFT makes sparse
   */
  public record Block(
      SelfAttention self_attn,
      Join attn_join,
      Layer self_attn_layer_norm,
      Layer fc1,
      Layer activation_fn,
      Layer fc2,
      Join mlp_join,
      Layer final_layer_norm,
      boolean normBefore,
      double dropout)
      implements Part {
    Var forward(Pass pass, Var x, float[] keyBias, KeyValueCache past) {
      Var a = pass.scope(() -> attend(pass, x, keyBias, past));
      Var in = normBefore ? final_layer_norm.forward(pass, a) : a;
      Var h = activation_fn.after(pass, fc1, in); // [B, S, F]
      Var y = Ops.dropout(pass, fc2.forward(pass, h), dropout);
      return mlp_join.forward(pass, y, a, normBefore ? null : final_layer_norm);
    }

    private Var attend(Pass pass, Var x, float[] keyBias, KeyValueCache past) {
      Var in = normBefore ? self_attn_layer_norm.forward(pass, x) : x;
      Var y = Ops.dropout(pass, self_attn.forward(pass, in, keyBias, past), dropout);
      return attn_join.forward(pass, y, x, normBefore ? null : self_attn_layer_norm);
    }

    @Override
    public Block rebuild(Surgery s) {
      return new Block(
          s.at("self_attn", self_attn),
          s.at("attn_join", attn_join),
          s.at("self_attn_layer_norm", self_attn_layer_norm),
          s.at("fc1", fc1),
          s.at("activation_fn", activation_fn),
          s.at("fc2", fc2),
          s.at("mlp_join", mlp_join),
          s.at("final_layer_norm", final_layer_norm),
          normBefore,
          dropout);
    }
  }

  // ------------------------------------------------------------------ models

  /**
   * Embeddings and blocks.
   *
   * @param embed_tokens [V, E]
   * @param embed_positions [positions + 2, D]
   * @param project_in [E] → [D]; null where they are equal
   * @param final_layer_norm may be null
   * @param project_out [D] → [E]; null where they are equal
   */
  public record Decoder(
      Lookup embed_tokens,
      Embedding embed_positions,
      Layer project_in,
      List<Block> layers,
      Layer final_layer_norm,
      Layer project_out)
      implements Part {
    /** The embeddings, and the output of each block; the last one normed and projected. */
    List<Var> hidden(Pass pass, Batch batch) {
      int[] positions = positions(batch, before());
      return hidden(pass, batch.ids(), batch.shape(), positions, batch.keyBias(), null);
    }

    /**
     * The same for some tokens.
     *
     * @param positions rows of the table of positions
     */
    private List<Var> hidden(
        Pass pass,
        int[] ids,
        Shape shape,
        int[] positions,
        float[] keyBias,
        List<KeyValueCache> past) {
      List<Var> hidden = new ArrayList<>(layers.size() + 1);
      Lookup table = Past.table(embed_tokens, past);
      hidden.add(pass.scope(() -> embed(pass, table, ids, shape, positions)));
      for (int i = 0; i < layers.size(); i++) {
        Block block = layers.get(i);
        KeyValueCache own = past == null ? null : past.get(i);
        Var in = hidden.get(i);
        boolean last = i == layers.size() - 1;
        hidden.add(
            pass.segment(
                in,
                v -> {
                  Var y = block.forward(pass, v, keyBias, own);
                  return last ? end(pass, y) : y;
                }));
      }
      return hidden;
    }

    private int before() {
      return layers.get(0).self_attn.memory.length();
    }

    private Var embed(Pass pass, Lookup table, int[] ids, Shape shape, int[] positions) {
      Var word = table.forward(pass, ids, shape); // [B, S, E]
      Var in = project_in == null ? word : project_in.forward(pass, word); // [B, S, D]
      return Ops.add(pass, in, embed_positions.forward(pass, positions, shape));
    }

    private Var end(Pass pass, Var x) {
      Var y = final_layer_norm == null ? x : final_layer_norm.forward(pass, x);
      return project_out == null ? y : project_out.forward(pass, y);
    }

    /** Tokens count from the offset; padding takes the row before. */
    private static int[] positions(Batch batch, int before) {
      int[] rows = new int[batch.mask().length];
      int tokens = 0;
      for (int i = 0; i < rows.length; i++) {
        tokens = i % batch.length() == 0 ? before : tokens;
        tokens += batch.mask()[i];
        rows[i] = tokens * batch.mask()[i] - 1 + POSITION_OFFSET;
      }
      return rows;
    }

    @Override
    public Decoder rebuild(Surgery s) {
      return new Decoder(
          s.at("embed_tokens", embed_tokens),
          s.at("embed_positions", embed_positions),
          s.at("project_in", project_in),
          s.each("layers", layers),
          s.at("final_layer_norm", final_layer_norm),
          s.at("project_out", project_out));
    }
  }

  /** The decoder under the name it has in checkpoints, without a head. */
  public record Model(Decoder decoder) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      return new TextModel.Output(null, decoder.hidden(pass, batch));
    }

    @Override
    public Model rebuild(Surgery s) {
      return new Model(s.at("decoder", decoder));
    }
  }

  /**
   * Next-token prediction: logits [B, S, V].
   *
   * @param lm_head [E] → [V]; null where the table of tokens serves as head
   */
  public record LanguageModel(Model model, Layer lm_head)
      implements CausalModel, CausalContinuation.Network {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = model.decoder.hidden(pass, batch);
      return new TextModel.Output(head(pass, hidden.get(hidden.size() - 1)), hidden);
    }

    @Override
    public Var head(Pass pass, Var states) {
      return lm_head != null
          ? lm_head.forward(pass, states)
          : LinearOps.linear(pass, states, model.decoder.embed_tokens.weight(), null);
    }

    @Override
    public Var states(
        Pass pass,
        int[] ids,
        Shape shape,
        int[] positions,
        float[] keyBias,
        List<KeyValueCache> past) {
      int[] rows = Arrays.stream(positions).map(p -> p + POSITION_OFFSET).toArray();
      return model.decoder.hidden(pass, ids, shape, rows, keyBias, past).getLast();
    }

    @Override
    public Continuation begin(Engine engine, Batch prompts) {
      Decoder d = model.decoder;
      List<KeyValueCache> past =
          Past.empty(d.layers.size(), prompts.size(), d.layers.get(0).self_attn.memory);
      return new CausalContinuation(this, past, d.before(), false, engine, prompts);
    }

    @Override
    public int longest() {
      Decoder d = model.decoder;
      return d.embed_positions.weight().shape().dim(0) - POSITION_OFFSET - d.before();
    }

    @Override
    public LanguageModel rebuild(Surgery s) {
      return new LanguageModel(s.at("model", model), s.at("lm_head", lm_head));
    }
  }

  /** Sequence classification (C labels) or regression (one) at the last token of each example. */
  public record Classifier(Model model, Layer score, int padId) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = model.decoder.hidden(pass, batch);
      Var last = TokenOps.pick(pass, hidden.get(hidden.size() - 1), batch.lastTokens(padId));
      return new TextModel.Output(score.forward(pass, last), hidden); // [B, C]
    }

    @Override
    public Classifier rebuild(Surgery s) {
      return new Classifier(s.at("model", model), s.at("score", score), padId);
    }
  }

  // ------------------------------------------------------------------ loading

  /** The decoder of a checkpoint, frozen. */
  public static Model model(Config c, Weights w) throws IOException {
    Loader load = new Loader(w).at("decoder");
    int d = c.hiddenSize;
    int e = c.embeddingSize;
    List<Block> blocks = new ArrayList<>(c.layers);
    for (int i = 0; i < c.layers; i++) {
      blocks.add(block(c, load.at("layers." + i)));
    }
    return new Model(
        new Decoder(
            load.embedding("embed_tokens", c.vocabularySize, e, c.padId),
            load.embedding("embed_positions", c.positions + POSITION_OFFSET, d),
            e == d ? null : load.linear("project_in", e, d, false),
            List.copyOf(blocks),
            c.finalNorm ? load.norm("final_layer_norm", d, EPS) : null,
            e == d ? null : load.linear("project_out", d, e, false)));
  }

  private static Block block(Config c, Loader load) throws IOException {
    int d = c.hiddenSize;
    SelfAttention attention =
        new SelfAttention(
            load.linear("self_attn.q_proj", d, d, c.bias),
            load.linear("self_attn.k_proj", d, d, c.bias),
            load.linear("self_attn.v_proj", d, d, c.bias),
            Memory.none(c.heads, d),
            load.linear("self_attn.out_proj", d, d, c.bias),
            c.heads,
            c.attentionDropout);
    return new Block(
        attention,
        new Residual(Join.Branch.ATTENTION, d),
        load.norm("self_attn_layer_norm", d, EPS),
        load.linear("fc1", d, c.ffnDim, c.bias),
        Activation.of(c.activation),
        load.linear("fc2", c.ffnDim, d, c.bias),
        new Residual(Join.Branch.MLP, d),
        load.norm("final_layer_norm", d, EPS),
        c.normBefore,
        c.dropout);
  }

  /** The language model of a checkpoint, frozen; see {@link Loader#untiedHead}. */
  public static LanguageModel languageModel(Config c, Weights w) throws IOException {
    Model model = model(c, w);
    Loader load = new Loader(w);
    Linear head =
        c.tied
            ? load.untiedHead("lm_head", model.decoder.embed_tokens.weight())
            : load.linear("lm_head", c.embeddingSize, c.vocabularySize, false);
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
    Linear score =
        new Loader(w).head("score", c.embeddingSize, labels, false, c.initializerRange, seed);
    return new Classifier(model(c, w), score, c.padId);
  }
}
