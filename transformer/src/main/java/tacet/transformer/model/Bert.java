package tacet.transformer.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import tacet.autograd.AttentionOps;
import tacet.autograd.LinearOps;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.TokenOps;
import tacet.autograd.Var;
import tacet.tensor.RandomStream;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Batch;
import tacet.transformer.Embedding;
import tacet.transformer.Join;
import tacet.transformer.Layer;
import tacet.transformer.LayerNorm;
import tacet.transformer.Lookup;
import tacet.transformer.Memory;
import tacet.transformer.Part;
import tacet.transformer.Residual;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/**
 * BERT (Devlin et al., NAACL 2019), as Hugging Face's modeling_bert names and computes it: the sum of
 * three embeddings, post-norm blocks of attention and MLP, a pooler over the first token, and a head
 * for sequence classification, regression or question answering.
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
   * @param padId token that fills short sequences
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
      int labels,
      int padId) {

    /** Reads a Hugging Face config.json of model_type bert, or roberta, which has the same fields. */
    public static Config of(Json json) throws IOException {
      String type = json.get("model_type").asString();
      if (!type.equals("bert") && !type.equals("roberta")) {
        throw json.error("model_type is \"" + type + "\", expected bert or roberta");
      }
      String position = json.stringOr("position_embedding_type", "absolute");
      if (!position.equals("absolute")) {
        throw json.error("position_embedding_type \"" + position + "\" is not supported");
      }
      if (json.booleanOr("is_decoder", false)) {
        throw json.error(
            "is_decoder is true: a "
                + type
                + " whose tokens see only those before them is not supported; GPT-2 and OPT are");
      }
      int hidden = Loader.count(json, "hidden_size");
      int heads = Loader.count(json, "num_attention_heads");
      Loader.requireHeads(json, "hidden_size", hidden, heads);
      int vocabulary = Loader.count(json, "vocab_size");
      int pad = Loader.padId(json, type.equals("bert") ? 0 : 1, vocabulary);
      int positions = Loader.count(json, "max_position_embeddings", 512);
      if (type.equals("roberta") && positions < pad + 2) {
        throw json.error(
            "max_position_embeddings " + positions + " leave no place behind pad_token_id " + pad);
      }
      double dropout = Loader.probability(json, "hidden_dropout_prob", 0.1);
      return new Config(
          vocabulary,
          hidden,
          Loader.layers(json, "num_hidden_layers", 12),
          heads,
          Loader.count(json, "intermediate_size"),
          Loader.activation(json, "hidden_act", "gelu"),
          dropout,
          Loader.probability(json, "attention_probs_dropout_prob", 0.1),
          Loader.probability(json, "classifier_dropout", dropout),
          positions,
          Loader.count(json, "type_vocab_size", 2),
          Loader.epsilon(json, "layer_norm_eps", 1e-12),
          json.doubleOr("initializer_range", 0.02),
          Loader.labels(json),
          pad);
    }
  }

  // ------------------------------------------------------------------ embeddings

  /** Which row of the position table each token takes. */
  @FunctionalInterface
  public interface Positions {
    /**
     * One row number per token, [B, S].
     *
     * @param before positions that are taken already, by memory
     */
    int[] of(Batch batch, int before);

    /** 0, 1, 2, … in every example, from {@code before} on. */
    static int[] inOrder(Batch batch, int before) {
      int[] positions = new int[batch.size() * batch.length()];
      Arrays.setAll(positions, i -> before + i % batch.length());
      return positions;
    }
  }

  /** LN(word + position + type), then dropout. */
  public record Embeddings(
      Lookup word_embeddings,
      Embedding position_embeddings,
      Embedding token_type_embeddings,
      Layer LayerNorm,
      double dropout,
      Positions positions)
      implements Part {
    Var forward(Pass pass, Batch batch, int before) {
      Shape shape = batch.shape();
      Var word = word_embeddings.forward(pass, batch.ids(), shape); // [B, S, D]
      Var type = token_type_embeddings.forward(pass, batch.typeIds(), shape);
      Var position = position_embeddings.forward(pass, positions.of(batch, before), shape);
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
          dropout,
          positions);
    }
  }

  // ------------------------------------------------------------------ attention

  /** softmax(Q Kᵀ / √(D/H) + mask) V per head. */
  public record SelfAttention(
      Layer query, Layer key, Layer value, Memory memory, int heads, double dropout)
      implements Part {
    Var forward(Pass pass, Var x, float[] keyBias) {
      Var q = query.forward(pass, x);
      Var k = memory.keys(pass, key.forward(pass, x)); // [B, M + S, D]
      Var v = memory.values(pass, value.forward(pass, x));
      float[] bias = memory.keyBias(keyBias, x.shape().dim(0));
      float scale = (float) (1 / Math.sqrt((double) x.shape().last() / heads));
      return AttentionOps.attention(
          pass, q, k, v, new AttentionOps.Attention(heads, scale, bias, false, null, dropout));
    }

    @Override
    public SelfAttention rebuild(Surgery s) {
      return new SelfAttention(
          s.at("query", query),
          s.at("key", key),
          s.at("value", value),
          s.at("memory", memory),
          heads,
          dropout);
    }
  }

  /** The end of a sub-layer: LN(dropout(dense(x)) + residual). */
  public record Output(Layer dense, Layer LayerNorm, Join join, double dropout) implements Part {
    Var forward(Pass pass, Var x, Var residual) {
      Var y = Ops.dropout(pass, dense.forward(pass, x), dropout);
      return join.forward(pass, y, residual, LayerNorm);
    }

    @Override
    public Output rebuild(Surgery s) {
      return new Output(
          s.at("dense", dense), s.at("LayerNorm", LayerNorm), s.at("join", join), dropout);
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
      return intermediate_act_fn.after(pass, dense, x); // [B, S, F]
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
    /** Positions that the memory of attention takes. */
    int remembered() {
      return layer.get(0).attention.self.memory.length();
    }

    List<Var> forward(Pass pass, Var x, float[] keyBias) {
      List<Var> hidden = new ArrayList<>(layer.size() + 1);
      hidden.add(x);
      for (Block block : layer) {
        Var in = hidden.get(hidden.size() - 1);
        hidden.add(pass.segment(in, v -> block.forward(pass, v, keyBias)));
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
      Var first = TokenOps.pick(pass, x, new int[x.shape().dim(0)]); // [B, D]
      return Ops.tanh(pass, dense.forward(pass, first));
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
      Var x = pass.scope(() -> embeddings.forward(pass, batch, encoder.remembered()));
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

  /** Extractive question answering: logits [B, S, 2] of where the answer starts and ends. */
  public record QuestionAnswering(Model bert, Layer qa_outputs) implements TextModel {
    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = bert.hidden(pass, batch);
      Var logits = qa_outputs.forward(pass, hidden.get(hidden.size() - 1)); // [B, S, 2]
      return new TextModel.Output(logits, hidden);
    }

    @Override
    public QuestionAnswering rebuild(Surgery s) {
      return new QuestionAnswering(s.at("bert", bert), s.at("qa_outputs", qa_outputs));
    }
  }

  /**
   * Masked language model: logits [B, S, V] of each token, LN(gelu(dense(x))) times the table of words.
   *
   * @param bias [V]
   */
  public record MaskedLanguageModel(
      Model bert, Layer dense, Activation activation, Layer LayerNorm, Parameter bias)
      implements TextModel {
    private static final String HEAD = "cls.predictions.";

    @Override
    public TextModel.Output forward(Pass pass, Batch batch) {
      List<Var> hidden = bert.hidden(pass, batch);
      // The head's function is no neuron of an MLP: it is not a part that surgery finds.
      Var y = activation.after(pass, dense, hidden.get(hidden.size() - 1));
      Var logits =
          LinearOps.linear(
              pass, LayerNorm.forward(pass, y), bert.embeddings.word_embeddings.weight(), bias);
      return new TextModel.Output(logits, hidden);
    }

    @Override
    public MaskedLanguageModel rebuild(Surgery s) {
      return new MaskedLanguageModel(
          s.at("bert", bert),
          s.at(HEAD + "transform.dense", dense),
          activation,
          s.at(HEAD + "transform.LayerNorm", LayerNorm),
          s.parameter(HEAD + "bias", bias));
    }
  }

  // ------------------------------------------------------------------ loading

  /** The encoder of a checkpoint, with its pooler where the file has one; frozen. */
  public static Model model(Config c, Weights w) throws IOException {
    Loader load = new Loader(w);
    Pooler pooler =
        w.has("pooler.dense.weight")
            ? new Pooler(load.linear("pooler.dense", c.hiddenSize, c.hiddenSize))
            : null;
    return model(c, load, Positions::inOrder, -1, pooler);
  }

  /**
   * The same blocks for BERT and RoBERTa.
   *
   * @param paddingPosition row of the position table that is not learnt; -1 for none
   */
  static Model model(Config c, Loader load, Positions positions, int paddingPosition, Pooler pooler)
      throws IOException {
    int d = c.hiddenSize;
    Embeddings embeddings =
        new Embeddings(
            load.embedding("embeddings.word_embeddings", c.vocabularySize, d, c.padId),
            load.embedding("embeddings.position_embeddings", c.positions, d, paddingPosition),
            load.embedding("embeddings.token_type_embeddings", c.typeVocabularySize, d),
            load.norm("embeddings.LayerNorm", d, c.layerNormEps),
            c.hiddenDropout,
            positions);
    List<Block> blocks = new ArrayList<>(c.layers);
    for (int i = 0; i < c.layers; i++) {
      blocks.add(block(c, load.at("encoder.layer." + i)));
    }
    return new Model(embeddings, new Encoder(List.copyOf(blocks)), pooler);
  }

  private static Block block(Config c, Loader load) throws IOException {
    int d = c.hiddenSize;
    SelfAttention self =
        new SelfAttention(
            load.linear("attention.self.query", d, d),
            load.linear("attention.self.key", d, d),
            load.linear("attention.self.value", d, d),
            Memory.none(c.heads, d),
            c.heads,
            c.attentionDropout);
    Output attentionOutput =
        new Output(
            load.linear("attention.output.dense", d, d),
            load.norm("attention.output.LayerNorm", d, c.layerNormEps),
            new Residual(Join.Branch.ATTENTION, d),
            c.hiddenDropout);
    Intermediate intermediate =
        new Intermediate(
            load.linear("intermediate.dense", d, c.intermediateSize), Activation.of(c.hiddenAct));
    Output output =
        new Output(
            load.linear("output.dense", c.intermediateSize, d),
            load.norm("output.LayerNorm", d, c.layerNormEps),
            new Residual(Join.Branch.MLP, d),
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
    Loader load = new Loader(w);
    int d = c.hiddenSize;
    Pooler pooler = new Pooler(load.head("pooler.dense", d, d, true, c.initializerRange, seed));
    return new Classifier(
        model(c, load, Positions::inOrder, -1, pooler),
        load.head("classifier", d, labels, true, c.initializerRange, seed),
        c.classifierDropout);
  }

  /** The question answering model of a checkpoint, frozen; see {@link #classifier}. */
  public static QuestionAnswering questionAnswering(Config c, Weights w, long seed)
      throws IOException {
    Loader load = new Loader(w);
    return new QuestionAnswering(
        model(c, load, Positions::inOrder, -1, null),
        load.head("qa_outputs", c.hiddenSize, 2, true, c.initializerRange, seed));
  }

  /** An untrained masked language model without a pooler; see {@link #initialWeights}. */
  public static MaskedLanguageModel maskedLanguageModel(Json config, long seed) throws IOException {
    Config c = Config.of(config);
    Map<String, Tensor> t = initialWeights(c, seed);
    t.keySet().removeIf(name -> name.startsWith("pooler."));
    int d = c.hiddenSize;
    String head = "cls.predictions.";
    randomLinear(c, t, head + "transform.dense", seed, d, d);
    identityNorm(t, head + "transform.LayerNorm", d);
    t.put(head + "bias", Tensor.zeros(c.vocabularySize));
    Loader load = new Loader(Checkpoint.of("new model", config, t).weights());
    return new MaskedLanguageModel(
        model(c, load, Positions::inOrder, -1, null),
        load.linear(head + "transform.dense", d, d),
        Activation.of(c.hiddenAct),
        load.norm(head + "transform.LayerNorm", d, c.layerNormEps),
        load.parameter(head + "bias", c.vocabularySize));
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
}
