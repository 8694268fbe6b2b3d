package tacet.transformer.model;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import tacet.autograd.LinearOps;
import tacet.autograd.Ops;
import tacet.autograd.Parameter;
import tacet.autograd.Pass;
import tacet.autograd.TokenOps;
import tacet.autograd.Var;
import tacet.tensor.Shape;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.ImageModel;
import tacet.transformer.Join;
import tacet.transformer.Layer;
import tacet.transformer.Memory;
import tacet.transformer.Part;
import tacet.transformer.Residual;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.Weights;

/**
 * ViT (Dosovitskiy et al., ICLR 2021), as Hugging Face's modeling_vit names and computes it: an image
 * is cut into patches, each projected to a token; a class token goes before them; pre-norm blocks; a
 * linear head over the class token. Field names are the names in checkpoint files.
 *
 * <p>Letters beside those of {@link Ops}: P patches, C channels, p × q pixels of a patch, S = P + 1.
 */
public final class Vit {
  private Vit() {}

  /**
   * What config.json says.
   *
   * @param hiddenSize D
   * @param layers number of blocks
   * @param heads H
   * @param intermediateSize F
   * @param hiddenAct activation of the MLP
   * @param hiddenDropout after embeddings, attention output and MLP output
   * @param attentionDropout on attention probabilities
   * @param layerNormEps ε of all layer norms
   * @param imageHeight pixels
   * @param imageWidth pixels
   * @param patchHeight p
   * @param patchWidth q
   * @param channels C
   * @param qkvBias whether queries, keys and values have a bias
   * @param initializerRange standard deviation of new weights
   * @param labels outputs of the head
   */
  public record Config(
      int hiddenSize,
      int layers,
      int heads,
      int intermediateSize,
      String hiddenAct,
      double hiddenDropout,
      double attentionDropout,
      double layerNormEps,
      int imageHeight,
      int imageWidth,
      int patchHeight,
      int patchWidth,
      int channels,
      boolean qkvBias,
      double initializerRange,
      int labels) {

    /** Reads a Hugging Face config.json of model_type vit. */
    public static Config of(Json json) throws IOException {
      String type = json.get("model_type").asString();
      if (!type.equals("vit")) {
        throw json.error("model_type is \"" + type + "\", expected vit");
      }
      int hidden = Loader.count(json, "hidden_size", 768);
      int heads = Loader.count(json, "num_attention_heads", 12);
      Loader.requireHeads(json, "hidden_size", hidden, heads);
      int[] image = pair(json, "image_size", 224);
      int[] patch = pair(json, "patch_size", 16);
      return new Config(
          hidden,
          Loader.layers(json, "num_hidden_layers", 12),
          heads,
          Loader.count(json, "intermediate_size", 3072),
          Loader.activation(json, "hidden_act", "gelu"),
          Loader.probability(json, "hidden_dropout_prob", 0),
          Loader.probability(json, "attention_probs_dropout_prob", 0),
          Loader.epsilon(json, "layer_norm_eps", 1e-12),
          image[0],
          image[1],
          patch[0],
          patch[1],
          Loader.count(json, "num_channels", 3),
          json.booleanOr("qkv_bias", true),
          json.doubleOr("initializer_range", 0.02),
          Loader.labels(json));
    }

    /** One number for height and width, or both. */
    private static int[] pair(Json json, String name, int other) throws IOException {
      if (!json.has(name) || !json.get(name).isArray()) {
        int n = json.intOr(name, other);
        return positive(json, name, n, n);
      }
      List<Json> both = json.get(name).elements();
      if (both.size() != 2) {
        throw json.error(name + " must be one number or [height, width]");
      }
      return positive(json, name, both.get(0).asInt(), both.get(1).asInt());
    }

    private static int[] positive(Json json, String name, int height, int width)
        throws IOException {
      if (height < 1 || width < 1) {
        throw json.error(name + " must be positive");
      }
      return new int[] {height, width};
    }

    /** P; negative where there are more than can be counted. */
    public int patches() {
      long patches = (long) (imageHeight / patchHeight) * (imageWidth / patchWidth);
      return patches < Integer.MAX_VALUE ? (int) patches : -2;
    }
  }

  // ------------------------------------------------------------------ embeddings

  /**
   * One token per patch: a convolution whose step is its width, so a linear layer over the unfolded
   * patches.
   *
   * @param weight [D, C, p, q]
   * @param bias [D]
   */
  public record Projection(Parameter weight, Parameter bias) implements Part {
    Var forward(Pass pass, Tensor pixels) {
      Shape kernel = weight.shape();
      Tensor patches = unfold(pass, pixels, kernel.dim(2), kernel.dim(3)); // [B, P, C·p·q]
      return LinearOps.linear(pass, pass.constant(patches), weight, bias); // [B, P, D]
    }

    /** The patches in the order of rows, the values of each in the order of the kernel. */
    private static Tensor unfold(Pass pass, Tensor pixels, int p, int q) {
      int channels = pixels.shape().dim(1);
      int height = pixels.shape().dim(2);
      int width = pixels.shape().dim(3);
      int rows = height / p;
      int columns = width / q;
      int b = pixels.shape().dim(0);
      Tensor patches = pass.take(Shape.of(b, rows * columns, channels * p * q));
      int to = 0;
      for (int patch = 0; patch < b * rows * columns; patch++) {
        int example = patch / (rows * columns);
        int row = patch / columns % rows * p;
        int column = patch % columns * q;
        for (int c = 0; c < channels; c++) {
          for (int i = 0; i < p; i++, to += q) {
            int from = ((example * channels + c) * height + row + i) * width + column;
            System.arraycopy(pixels.data(), from, patches.data(), to, q);
          }
        }
      }
      return patches;
    }

    @Override
    public Projection rebuild(Surgery s) {
      return new Projection(s.parameter("weight", weight), s.parameter("bias", bias));
    }
  }

  /** The projection under the name it has in checkpoints. */
  public record PatchEmbeddings(Projection projection) implements Part {
    @Override
    public PatchEmbeddings rebuild(Surgery s) {
      return new PatchEmbeddings(s.at("projection", projection));
    }
  }

  /**
   * (class token, patches) + positions, then dropout.
   *
   * @param cls_token [1, 1, D]
   * @param position_embeddings [1, S, D]
   */
  public record Embeddings(
      Parameter cls_token,
      Parameter position_embeddings,
      PatchEmbeddings patch_embeddings,
      double dropout)
      implements Part {
    Var forward(Pass pass, Tensor pixels) {
      Var patches = patch_embeddings.projection.forward(pass, pixels); // [B, P, D]
      Var tokens = TokenOps.prepend(pass, cls_token, patches); // [B, S, D]
      return Ops.dropout(pass, TokenOps.addToEach(pass, tokens, position_embeddings), dropout);
    }

    @Override
    public Embeddings rebuild(Surgery s) {
      return new Embeddings(
          s.parameter("cls_token", cls_token),
          s.parameter("position_embeddings", position_embeddings),
          s.at("patch_embeddings", patch_embeddings),
          dropout);
    }
  }

  // ------------------------------------------------------------------ blocks

  /** A linear layer with dropout; the residual is added by the block. */
  public record Output(Layer dense, double dropout) implements Part {
    Var forward(Pass pass, Var x) {
      return Ops.dropout(pass, dense.forward(pass, x), dropout);
    }

    @Override
    public Output rebuild(Surgery s) {
      return new Output(s.at("dense", dense), dropout);
    }
  }

  /** Attention with its output projection; {@code attention.attention} in checkpoints. */
  public record Attention(Bert.SelfAttention attention, Output output) implements Part {
    Var forward(Pass pass, Var x) {
      return output.forward(pass, attention.forward(pass, x, null));
    }

    @Override
    public Attention rebuild(Surgery s) {
      return new Attention(s.at("attention", attention), s.at("output", output));
    }
  }

  /** One pre-norm block: x + attention(LN(x)), then x + MLP(LN(x)). */
  public record Block(
      Layer layernorm_before,
      Attention attention,
      Join attn_join,
      Layer layernorm_after,
      Bert.Intermediate intermediate,
      Output output,
      Join mlp_join)
      implements Part {
    Var forward(Pass pass, Var x) {
      Var a =
          pass.scope(
              () -> {
                Var y = attention.forward(pass, layernorm_before.forward(pass, x));
                return attn_join.forward(pass, y, x, null);
              });
      Var h = intermediate.forward(pass, layernorm_after.forward(pass, a)); // [B, S, F]
      return mlp_join.forward(pass, output.forward(pass, h), a, null);
    }

    @Override
    public Block rebuild(Surgery s) {
      return new Block(
          s.at("layernorm_before", layernorm_before),
          s.at("attention", attention),
          s.at("attn_join", attn_join),
          s.at("layernorm_after", layernorm_after),
          s.at("intermediate", intermediate),
          s.at("output", output),
          s.at("mlp_join", mlp_join));
    }
  }

  /** All blocks, one after the other. */
  public record Encoder(List<Block> layer) implements Part {
    List<Var> forward(Pass pass, Var x) {
      List<Var> hidden = new ArrayList<>(layer.size() + 1);
      hidden.add(x);
      for (Block block : layer) {
        Var in = hidden.get(hidden.size() - 1);
        hidden.add(pass.segment(in, v -> block.forward(pass, v)));
      }
      return hidden;
    }

    @Override
    public Encoder rebuild(Surgery s) {
      return new Encoder(s.each("layer", layer));
    }
  }

  // ------------------------------------------------------------------ models

  /** The encoder without a head; its last norm belongs to the heads' input, not to the states. */
  public record Model(Embeddings embeddings, Encoder encoder, Layer layernorm, Config config)
      implements ImageModel {
    @Override
    public TextModel.Output forward(Pass pass, Tensor pixels) {
      return new TextModel.Output(null, hidden(pass, pixels));
    }

    List<Var> hidden(Pass pass, Tensor pixels) {
      Shape s = pixels.shape();
      if (s.rank() != 4
          || s.dim(1) != config.channels
          || s.dim(2) != config.imageHeight
          || s.dim(3) != config.imageWidth) {
        throw new IllegalArgumentException(
            String.format(
                "the model sees images [batch, %d, %d, %d], not %s",
                config.channels, config.imageHeight, config.imageWidth, s));
      }
      return encoder.forward(pass, pass.scope(() -> embeddings.forward(pass, pixels)));
    }

    @Override
    public Model rebuild(Surgery s) {
      return new Model(
          s.at("embeddings", embeddings),
          s.at("encoder", encoder),
          s.at("layernorm", layernorm),
          config);
    }
  }

  /** Image classification: a linear layer over the class token. */
  public record Classifier(Model vit, Layer classifier) implements ImageModel {
    @Override
    public TextModel.Output forward(Pass pass, Tensor pixels) {
      List<Var> hidden = vit.hidden(pass, pixels);
      Var last = hidden.get(hidden.size() - 1);
      Var cls = TokenOps.pick(pass, last, new int[last.shape().dim(0)]); // [B, D]
      Var logits = classifier.forward(pass, vit.layernorm.forward(pass, cls)); // [B, C]
      return new TextModel.Output(logits, hidden);
    }

    @Override
    public Classifier rebuild(Surgery s) {
      return new Classifier(s.at("vit", vit), s.at("classifier", classifier));
    }
  }

  // ------------------------------------------------------------------ loading

  /** The encoder of a checkpoint, frozen. */
  public static Model model(Config c, Weights w) throws IOException {
    Loader load = new Loader(w);
    int d = c.hiddenSize;
    Projection projection =
        new Projection(
            load.parameter(
                "embeddings.patch_embeddings.projection.weight",
                d,
                c.channels,
                c.patchHeight,
                c.patchWidth),
            load.parameter("embeddings.patch_embeddings.projection.bias", d));
    Embeddings embeddings =
        new Embeddings(
            load.parameter("embeddings.cls_token", 1, 1, d),
            load.parameter("embeddings.position_embeddings", 1, c.patches() + 1, d),
            new PatchEmbeddings(projection),
            c.hiddenDropout);
    List<Block> blocks = new ArrayList<>(c.layers);
    for (int i = 0; i < c.layers; i++) {
      blocks.add(block(c, load.at("encoder.layer." + i)));
    }
    return new Model(
        embeddings, new Encoder(List.copyOf(blocks)), load.norm("layernorm", d, c.layerNormEps), c);
  }

  private static Block block(Config c, Loader load) throws IOException {
    int d = c.hiddenSize;
    Bert.SelfAttention self =
        new Bert.SelfAttention(
            load.linear("attention.attention.query", d, d, c.qkvBias),
            load.linear("attention.attention.key", d, d, c.qkvBias),
            load.linear("attention.attention.value", d, d, c.qkvBias),
            Memory.none(c.heads, d),
            c.heads,
            c.attentionDropout);
    return new Block(
        load.norm("layernorm_before", d, c.layerNormEps),
        new Attention(
            self, new Output(load.linear("attention.output.dense", d, d), c.hiddenDropout)),
        new Residual(Join.Branch.ATTENTION, d),
        load.norm("layernorm_after", d, c.layerNormEps),
        new Bert.Intermediate(
            load.linear("intermediate.dense", d, c.intermediateSize), Activation.of(c.hiddenAct)),
        new Output(load.linear("output.dense", c.intermediateSize, d), c.hiddenDropout),
        new Residual(Join.Branch.MLP, d));
  }

  /**
   * The image classifier of a checkpoint, frozen; a head that the file lacks is made new, as {@link
   * Bert#classifier} does.
   *
   * @param labels outputs of the head
   */
  public static Classifier classifier(Config c, Weights w, int labels, long seed)
      throws IOException {
    Loader load = new Loader(w);
    return new Classifier(
        model(c, w), load.head("classifier", c.hiddenSize, labels, true, c.initializerRange, seed));
  }

  /**
   * The model of a checkpoint, with its head where it has one; frozen.
   *
   * @throws IOException if it is no ViT, or tensors are missing, left over or of another shape
   */
  public static ImageModel open(Checkpoint checkpoint) throws IOException {
    Config c = Config.of(checkpoint.config());
    Weights w = checkpoint.weights();
    w.ignore("vit.pooler.", "pooler.", "decoder.", "vit.embeddings.mask_token");
    ImageModel model =
        checkpoint.contains("classifier.weight") || checkpoint.isHollow()
            ? classifier(c, w, c.labels, 0)
            : model(c, w);
    w.finish();
    return model;
  }

  /** The names of the parts of a block in files, and in memory since transformers 5. */
  private static final List<String[]> RENAMED =
      List.of(
          new String[] {"encoder.layer.", "layers."},
          new String[] {"attention.attention.query.", "attention.q_proj."},
          new String[] {"attention.attention.key.", "attention.k_proj."},
          new String[] {"attention.attention.value.", "attention.v_proj."},
          new String[] {"attention.output.dense.", "attention.o_proj."},
          new String[] {"intermediate.dense.", "mlp.fc1."},
          new String[] {"output.dense.", "mlp.fc2."});

  /**
   * What Hugging Face transformers calls a parameter in memory since version 5; files keep the names
   * that are used here.
   */
  public static String nameInMemory(String path) {
    String name = path;
    for (String[] r : RENAMED) {
      name = name.replace(r[0], r[1]);
    }
    return name;
  }
}
