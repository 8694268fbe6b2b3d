package tacet.transformer.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.AttentionOps;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.Var;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.Embedding;
import tacet.transformer.Layer;
import tacet.transformer.LayerNorm;
import tacet.transformer.Linear;
import tacet.transformer.Part;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/**
 * BERT (Devlin et al., NAACL 2019), as Hugging Face's modeling_bert names and computes it: the sum of
 * three embeddings, post-norm blocks of attention and MLP, a pooler over the first token, and a head
 * for sequence classification or regression.
 *
 * <p>The parts below stand in reading order; field names are the names in checkpoint files.
 */
public final class Bert {
  private Bert() {}

  /**
   * What config.json says.
   *
   * @param vocabularySize V
   * @param hiddenSize D
   * @param layers number of blocks
   * @param heads H
   * @param intermediateSize F
   * @param hiddenAct activation of the MLP
   * @param hiddenDropout after embeddings, attention output and MLP output
   * @param attentionDropout on attention probabilities
   * @param classifierDropout before the head
   * @param positions longest sequence
   * @param typeVocabularySize number of segments
   * @param layerNormEps ε of all layer norms
   * @param initializerRange standard deviation of new weights
   * @param labels outputs of the head; 1 means regression
   */
  public record Config(
      int vocabularySize,
      int hiddenSize,
      int layers,
      int heads,
      int intermediateSize,
      String hiddenAct,
      double hiddenDropout,
      double attentionDropout,
      double classifierDropout,
      int positions,
      int typeVocabularySize,
      double layerNormEps,
      double initializerRange,
      int labels) {

    /** Reads a Hugging Face config.json of model_type bert. */
    public static Config of(Json json) throws IOException {
      String type = json.get("model_type").asString();
      if (!type.equals("bert")) {
        throw json.error("model_type is \"" + type + "\", expected bert");
      }
      String position = json.stringOr("position_embedding_type", "absolute");
      if (!position.equals("absolute")) {
        throw json.error("position_embedding_type \"" + position + "\" is not supported");
      }
      int hidden = json.get("hidden_size").asInt();
      int heads = json.get("num_attention_heads").asInt();
      if (heads <= 0 || hidden <= 0 || hidden % heads != 0) {
        throw json.error(
            "hidden_size " + hidden + " is not a multiple of num_attention_heads " + heads);
      }
      double dropout = json.doubleOr("hidden_dropout_prob", 0.1);
      return new Config(
          json.get("vocab_size").asInt(),
          hidden,
          json.get("num_hidden_layers").asInt(),
          heads,
          json.get("intermediate_size").asInt(),
          json.stringOr("hidden_act", "gelu"),
          dropout,
          json.doubleOr("attention_probs_dropout_prob", 0.1),
          json.doubleOr("classifier_dropout", dropout),
          json.intOr("max_position_embeddings", 512),
          json.intOr("type_vocab_size", 2),
          json.doubleOr("layer_norm_eps", 1e-12),
          json.doubleOr("initializer_range", 0.02),
          json.has("id2label")
              ? json.get("id2label").members().size()
              : json.intOr("num_labels", 2));
    }
  }

  // ------------------------------------------------------------------ embeddings

  /** LN(word + position + type), then dropout. */
  public record Embeddings(
      Embedding word_embeddings,
      Embedding position_embeddings,
      Embedding token_type_embeddings,
      Layer LayerNorm,
      double dropout)
      implements Part {
    Var forward(Pass pass, Batch batch) {
      int[] positions = new int[batch.size() * batch.length()];
      for (int i = 0; i < positions.length; i++) {
        positions[i] = i % batch.length();
      }
      Shape shape = batch.shape();
      Var word = word_embeddings.forward(pass, batch.ids(), shape); // [B, S, D]
      Var type = token_type_embeddings.forward(pass, batch.typeIds(), shape);
      Var position = position_embeddings.forward(pass, positions, shape);
      Var sum = Ops.add(pass, Ops.add(pass, word, type), position);
      return Ops.dropout(pass, LayerNorm.forward(pass, sum), dropout);
    }

    @Override
    public Embeddings rebuild(Surgery s) {
      return new Embeddings(
          s.at("word_embeddings", word_embeddings),
          s.at("position_embeddings", position_embeddings),
          s.at("token_type_embeddings", token_type_embeddings),
          s.at("LayerNorm", LayerNorm),
          dropout);
    }
  }

  // ------------------------------------------------------------------ attention

  /** softmax(Q Kᵀ / √(D/H) + mask) V per head. */
  public record SelfAttention(Layer query, Layer key, Layer value, int heads, double dropout)
      implements Part {
    Var forward(Pass pass, Var x, float[] keyBias) {
      Var q = query.forward(pass, x);
      Var k = key.forward(pass, x);
      Var v = value.forward(pass, x);
      float scale = (float) (1 / Math.sqrt((double) x.shape().last() / heads));
      return AttentionOps.attention(
          pass, q, k, v, new AttentionOps.Attention(heads, scale, keyBias, false, null, dropout));
    }

    @Override
    public SelfAttention rebuild(Surgery s) {
      return new SelfAttention(
          s.at("query", query), s.at("key", key), s.at("value", value), heads, dropout);
    }
  }

  /** The end of a sub-layer: LN(dropout(dense(x)) + residual). */
  public record Output(Layer dense, Layer LayerNorm, double dropout) implements Part {
    Var forward(Pass pass, Var x, Var residual) {
      Var y = Ops.dropout(pass, dense.forward(pass, x), dropout);
      return LayerNorm.forward(pass, Ops.add(pass, y, residual));
    }

    @Override
    public Output rebuild(Surgery s) {
      return new Output(s.at("dense", dense), s.at("LayerNorm", LayerNorm), dropout);
    }
  }

  /** Attention with its output projection; {@code self} in checkpoints is the field of that name. */
  public record Attention(SelfAttention self, Output output) implements Part {
    Var forward(Pass pass, Var x, float[] keyBias) {
      return output.forward(pass, self.forward(pass, x, keyBias), x);
    }

    @Override
    public Attention rebuild(Surgery s) {
      return new Attention(s.at("self", self), s.at("output", output));
    }
  }

  // ------------------------------------------------------------------ blocks

  /** The first half of the MLP, where the activations are that DEFT makes sparse: f(x W₁ + b₁). */
  public record Intermediate(Layer dense, Layer intermediate_act_fn) implements Part {
    Var forward(Pass pass, Var x) {
      return intermediate_act_fn.forward(pass, dense.forward(pass, x)); // [B, S, F]
    }

    @Override
    public Intermediate rebuild(Surgery s) {
      return new Intermediate(
          s.at("dense", dense), s.at("intermediate_act_fn", intermediate_act_fn));
    }
  }

  /** One block: attention, then the MLP, each with its residual and norm. */
  public record Block(Attention attention, Intermediate intermediate, Output output)
      implements Part {
    Var forward(Pass pass, Var x, float[] keyBias) {
      Var a = pass.scope(() -> attention.forward(pass, x, keyBias));
      return output.forward(pass, intermediate.forward(pass, a), a);
    }

    @Override
    public Block rebuild(Surgery s) {
      return new Block(
          s.at("attention", attention), s.at("intermediate", intermediate), s.at("output", output));
    }
  }

  /** All blocks, one after the other. */
  public record Encoder(List<Block> layer) implements Part {
    List<Var> forward(Pass pass, Var x, float[] keyBias) {
      List<Var> hidden = new ArrayList<>(layer.size() + 1);
      hidden.add(x);
      for (Block block : layer) {
        Var in = hidden.get(hidden.size() - 1);
        hidden.add(pass.scope(() -> block.forward(pass, in, keyBias)));
      }
      return hidden;
    }

    @Override
    public Encoder rebuild(Surgery s) {
      return new Encoder(s.each("layer", layer));
    }
  }

  /** tanh(dense(first token)). */
  public record Pooler(Layer dense) implements Part {
    Var forward(Pass pass, Var x) {
      return Ops.tanh(pass, dense.forward(pass, Ops.firstToken(pass, x)));
    }

    @Override
    public Pooler rebuild(Surgery s) {
      return new Pooler(s.at("dense", dense));
    }
  }

  // ------------------------------------------------------------------ models

  /**
   * The encoder without a head.
   *
   * @param pooler may be null: not every checkpoint has one
   */
  public record Model(Embeddings embeddings, Encoder encoder, Pooler pooler) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      return new TextModel.Output(null, hidden(pass, batch));
    }

    List<Var> hidden(Pass pass, Batch batch) {
      Var x = pass.scope(() -> embeddings.forward(pass, batch));
      return encoder.forward(pass, x, batch.keyBias());
    }

    @Override
    public Model rebuild(Surgery s) {
      return new Model(
          s.at("embeddings", embeddings), s.at("encoder", encoder), s.at("pooler", pooler));
    }
  }

  /** Sequence classification (C labels) or regression (one). */
  public record Classifier(Model bert, Layer classifier, double dropout) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = bert.hidden(pass, batch);
      Var pooled = bert.pooler().forward(pass, hidden.get(hidden.size() - 1)); // [B, D]
      Var logits = classifier.forward(pass, Ops.dropout(pass, pooled, dropout)); // [B, C]
      return new TextModel.Output(logits, hidden);
    }

    @Override
    public Classifier rebuild(Surgery s) {
      return new Classifier(s.at("bert", bert), s.at("classifier", classifier), dropout);
    }
  }

  // ------------------------------------------------------------------ loading

  /** The encoder of a checkpoint; parameters are frozen. */
  public static Model model(Config c, Weights w) throws IOException {
    Embeddings embeddings =
        new Embeddings(
            new Embedding(
                weight(w, "embeddings.word_embeddings.weight", c.vocabularySize, c.hiddenSize)),
            new Embedding(
                weight(w, "embeddings.position_embeddings.weight", c.positions, c.hiddenSize)),
            new Embedding(
                weight(
                    w,
                    "embeddings.token_type_embeddings.weight",
                    c.typeVocabularySize,
                    c.hiddenSize)),
            norm(c, w, "embeddings.LayerNorm"),
            c.hiddenDropout);
    List<Block> blocks = new ArrayList<>(c.layers);
    for (int i = 0; i < c.layers; i++) {
      blocks.add(block(c, w.at("encoder.layer." + i)));
    }
    Pooler pooler =
        w.has("pooler.dense.weight")
            ? new Pooler(linear(w, "pooler.dense", c.hiddenSize, c.hiddenSize))
            : null;
    return new Model(embeddings, new Encoder(List.copyOf(blocks)), pooler);
  }

  private static Block block(Config c, Weights w) throws IOException {
    int d = c.hiddenSize;
    SelfAttention self =
        new SelfAttention(
            linear(w, "attention.self.query", d, d),
            linear(w, "attention.self.key", d, d),
            linear(w, "attention.self.value", d, d),
            c.heads,
            c.attentionDropout);
    Output attentionOutput =
        new Output(
            linear(w, "attention.output.dense", d, d),
            norm(c, w, "attention.output.LayerNorm"),
            c.hiddenDropout);
    Intermediate intermediate =
        new Intermediate(
            linear(w, "intermediate.dense", d, c.intermediateSize), Activation.of(c.hiddenAct));
    Output output =
        new Output(
            linear(w, "output.dense", c.intermediateSize, d),
            norm(c, w, "output.LayerNorm"),
            c.hiddenDropout);
    return new Block(new Attention(self, attentionOutput), intermediate, output);
  }

  /**
   * The classifier of a checkpoint; parameters are frozen. A head (and pooler) that the file lacks
   * is made new: normal weights of the configuration's initializer_range drawn from the seed, zero
   * bias.
   *
   * @param labels outputs of the head, 1 for regression
   */
  public static Classifier classifier(Config c, Weights w, int labels, long seed)
      throws IOException {
    Model model = model(c, w);
    if (model.pooler == null) {
      Pooler pooler = new Pooler(head(c, w, "pooler.dense", c.hiddenSize, seed));
      model = new Model(model.embeddings, model.encoder, pooler);
    }
    return new Classifier(model, head(c, w, "classifier", labels, seed), c.classifierDropout);
  }

  /** The file's weights, or new ones. */
  private static Linear head(Config c, Weights w, String name, int out, long seed)
      throws IOException {
    Tensor weight = w.tensorOrNull(name + ".weight", Shape.of(out, c.hiddenSize));
    Tensor bias = w.tensorOrNull(name + ".bias", Shape.of(out));
    if (weight == null) {
      weight =
          RandomStream.of(seed, "new " + name, 0)
              .normal(Shape.of(out, c.hiddenSize), c.initializerRange);
    }
    return new Linear(
        Parameter.frozen(weight), Parameter.frozen(bias == null ? Tensor.zeros(out) : bias));
  }

  /**
   * The weights of an untrained encoder by their names in a checkpoint: normal with the
   * configuration's initializer_range drawn from the seed, norms at identity, biases zero.
   */
  public static Map<String, Tensor> initialWeights(Config c, long seed) {
    Map<String, Tensor> t = new LinkedHashMap<>();
    int d = c.hiddenSize;
    random(c, t, "embeddings.word_embeddings", seed, c.vocabularySize, d);
    random(c, t, "embeddings.position_embeddings", seed, c.positions, d);
    random(c, t, "embeddings.token_type_embeddings", seed, c.typeVocabularySize, d);
    identityNorm(t, "embeddings.LayerNorm", d);
    for (int i = 0; i < c.layers; i++) {
      String layer = "encoder.layer." + i + ".";
      for (String name : List.of("self.query", "self.key", "self.value", "output.dense")) {
        randomLinear(c, t, layer + "attention." + name, seed, d, d);
      }
      identityNorm(t, layer + "attention.output.LayerNorm", d);
      randomLinear(c, t, layer + "intermediate.dense", seed, c.intermediateSize, d);
      randomLinear(c, t, layer + "output.dense", seed, d, c.intermediateSize);
      identityNorm(t, layer + "output.LayerNorm", d);
    }
    randomLinear(c, t, "pooler.dense", seed, d, d);
    return t;
  }

  private static void random(
      Config c, Map<String, Tensor> t, String name, long seed, int rows, int columns) {
    t.put(
        name + ".weight",
        RandomStream.of(seed, "init " + name, 0)
            .normal(Shape.of(rows, columns), c.initializerRange));
  }

  private static void randomLinear(
      Config c, Map<String, Tensor> t, String name, long seed, int out, int in) {
    random(c, t, name, seed, out, in);
    t.put(name + ".bias", Tensor.zeros(out));
  }

  private static void identityNorm(Map<String, Tensor> t, String name, int d) {
    Tensor ones = Tensor.zeros(d);
    Arrays.fill(ones.data(), 1f);
    t.put(name + ".weight", ones);
    t.put(name + ".bias", Tensor.zeros(d));
  }

  private static Parameter weight(Weights w, String name, int... dims) throws IOException {
    return Parameter.frozen(w.tensor(name, Shape.of(dims)));
  }

  private static Linear linear(Weights w, String name, int in, int out) throws IOException {
    return new Linear(weight(w, name + ".weight", out, in), weight(w, name + ".bias", out));
  }

  private static LayerNorm norm(Config c, Weights w, String name) throws IOException {
    return new LayerNorm(
        weight(w, name + ".weight", c.hiddenSize),
        weight(w, name + ".bias", c.hiddenSize),
        c.layerNormEps);
  }
}
