package tacet.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BiPredicate;
import java.util.function.Predicate;
import tacet.autograd.Parameter;
import tacet.deft.Dataset;
import tacet.deft.task.Example;
import tacet.peft.AdapterFile;
import tacet.tensor.Tensor;
import tacet.tensor.WeightFormat;
import tacet.transformer.Conv1D;
import tacet.transformer.GenerativeModel;
import tacet.transformer.ImageModel;
import tacet.transformer.Linear;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.WarmUp;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.OnnxWeights;
import tacet.transformer.checkpoint.Weights;
import tacet.transformer.image.ImagePreprocessor;
import tacet.transformer.image.RgbImage;
import tacet.transformer.model.T5;
import tacet.transformer.model.TextModels;
import tacet.transformer.model.Vit;
import tacet.transformer.text.Tokenizer;

/** A pre-trained model by name: a Hugging Face directory, or minilm. */
final class ModelSource implements AutoCloseable {
  static final String MINILM = "minilm";

  private static final String ONNX = "all-minilm-l6-v2.onnx";
  private static final String TOKENIZER = "all-minilm-l6-v2-tokenizer.json";

  /** What the model's config.json on the hub says; the artifact does not carry it. */
  private static final String MINILM_CONFIG =
      """
      {"architectures": ["BertModel"], "model_type": "bert", "vocab_size": 30522,
       "hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
       "intermediate_size": 1536, "hidden_act": "gelu", "hidden_dropout_prob": 0.1,
       "attention_probs_dropout_prob": 0.1, "max_position_embeddings": 512,
       "type_vocab_size": 2, "layer_norm_eps": 1e-12, "initializer_range": 0.02,
       "pad_token_id": 0}
      """;

  static final String PREPROCESSOR = "preprocessor_config.json";

  private final String name;
  private final Checkpoint checkpoint;
  private final WarmUp warmUp; // until the model is there

  private ModelSource(String name, Checkpoint checkpoint, WarmUp warmUp) {
    this.name = name;
    this.checkpoint = checkpoint;
    this.warmUp = warmUp;
  }

  static ModelSource open(String model) throws IOException {
    return open(model, WeightFormat.F32);
  }

  /** A model that is loaded with the weights of its linear layers in a format. */
  static ModelSource open(String model, WeightFormat linears) throws IOException {
    WarmUp warmUp = WarmUp.start();
    try {
      ModelSource plain = open(model, warmUp);
      return new ModelSource(plain.name, plain.checkpoint.linearsAs(linears), warmUp);
    } catch (IOException | RuntimeException e) {
      warmUp.close();
      throw e;
    }
  }

  private static ModelSource open(String model, WarmUp warmUp) throws IOException {
    if (model.equals(MINILM)) {
      try (InputStream in = resource(ONNX)) {
        Map<String, Tensor> tensors = OnnxWeights.read(in, ONNX);
        Json config = Json.parse(MINILM_CONFIG, "minilm's config.json");
        return new ModelSource(MINILM, Checkpoint.of(MINILM, config, tensors), warmUp);
      }
    }
    Path dir = Path.of(model);
    if (!Files.isDirectory(dir)) {
      throw new UserException(
          "--model " + model + ": no such directory; name a Hugging Face directory, or minilm");
    }
    return new ModelSource(model, Checkpoint.open(dir), warmUp);
  }

  /** The model, or if its directory has no weights one of which only shapes are known. */
  static ModelSource openShapes(String model) throws IOException {
    Path dir = Path.of(model);
    if (model.equals(MINILM) || !Files.isDirectory(dir) || Checkpoint.hasWeights(dir)) {
      return open(model);
    }
    WarmUp warmUp = WarmUp.start();
    warmUp.close();
    return new ModelSource(model, Checkpoint.shapes(dir), warmUp);
  }

  private static InputStream resource(String file) throws IOException {
    InputStream in = ClassLoader.getSystemResourceAsStream(file);
    if (in == null) {
      throw new IOException(
          file + " is not on the class path; start Tacet with its launcher script, tacet");
    }
    return in;
  }

  /** The name as the user wrote it. */
  String name() {
    return name;
  }

  /** What config.json says. */
  Json config() {
    return checkpoint.config();
  }

  Tokenizer tokenizer() throws IOException {
    return isBuiltIn()
        ? Tokenizer.parse(builtInTokenizer(), TOKENIZER)
        : Tokenizer.open(Path.of(name));
  }

  /** Whether it is minilm, which has no directory. */
  boolean isBuiltIn() {
    return name.equals(MINILM);
  }

  /** The tokenizer.json of minilm. */
  static byte[] builtInTokenizer() throws IOException {
    try (InputStream in = resource(TOKENIZER)) {
      return in.readAllBytes();
    }
  }

  /** Examples as the model reads them: cut to what it can see, filled with its padding token. */
  Dataset dataset(List<Example> examples, int maxLength) throws IOException {
    return Dataset.of(examples, tokenizer(), Math.min(maxLength, longest()), padId());
  }

  /** The token that fills short sequences. */
  int padId() throws IOException {
    Integer pad = tokenizer().padId();
    return checkpoint.config().intOr("pad_token_id", pad == null ? 0 : pad);
  }

  /** The longest sequence that the model has positions for. */
  int longest() throws IOException {
    return TextModels.longest(checkpoint.config());
  }

  /** The kind of model, by its configuration. */
  String type() throws IOException {
    return checkpoint.config().get("model_type").asString();
  }

  boolean isImageModel() throws IOException {
    return type().equals("vit");
  }

  boolean isSeq2Seq() throws IOException {
    return type().equals("t5");
  }

  /** Whether the model tells first and second texts apart. */
  boolean hasTokenTypes() throws IOException {
    return type().equals("bert") || type().equals("roberta");
  }

  TextModels.Head head() throws IOException {
    if (isImageModel()) {
      return hasClassifier() ? TextModels.Head.CLASSIFIER : TextModels.Head.NONE;
    }
    if (isSeq2Seq()) {
      return TextModels.Head.SEQUENCE_TO_SEQUENCE;
    }
    return TextModels.head(checkpoint);
  }

  boolean hasClassifier() {
    return TextModels.hasClassifier(checkpoint);
  }

  /** Whether the checkpoint has a head that a task can be judged with. */
  boolean hasHead() {
    return hasClassifier()
        || checkpoint.contains("qa_outputs.weight")
        || checkpoint.contains("decoder.final_layer_norm.weight");
  }

  int labels() throws IOException {
    return TextModels.labels(checkpoint);
  }

  /** What the labels are, if the configuration says; else null. */
  String problemType() throws IOException {
    return checkpoint.config().stringOr("problem_type", null);
  }

  /** The model with the head that the checkpoint has. */
  TextModel model() throws IOException {
    TextModel model = TextModels.open(checkpoint);
    warmUp.close();
    return model;
  }

  /** The model without a head. */
  TextModel encoder() throws IOException {
    TextModel model = TextModels.encoder(checkpoint);
    warmUp.close();
    return model;
  }

  /** The image model with the head that the checkpoint has. */
  ImageModel imageModel() throws IOException {
    ImageModel model = Vit.open(checkpoint);
    warmUp.close();
    return model;
  }

  /** The model that writes sequences for sequences. */
  Seq2SeqModel seq2seq() throws IOException {
    Seq2SeqModel model = T5.open(checkpoint);
    warmUp.close();
    return model;
  }

  /** The model that writes tokens. */
  GenerativeModel generative() throws IOException {
    if (isSeq2Seq()) {
      GenerativeModel model = T5.open(checkpoint);
      warmUp.close();
      return model;
    }
    if (!(TextModels.languageModel(checkpoint) instanceof GenerativeModel model)) {
      throw checkpoint.config().error("the model writes no text");
    }
    warmUp.close();
    return model;
  }

  /** What says how to generate, the first thing that does counts. */
  List<Json> generationConfigs() throws IOException {
    Path file = Path.of(name).resolve("generation_config.json");
    return Files.exists(file) ? List.of(Json.read(file), config()) : List.of(config());
  }

  /** Images as {@link #imagePreprocessor} makes them. */
  Tensor pixels(List<Path> files) throws IOException {
    return pixels(checkpoint, Path.of(name), files);
  }

  static Tensor pixels(Checkpoint checkpoint, Path dir, List<Path> files) throws IOException {
    Vit.open(checkpoint); // a size that the weights do not have is refused before it takes memory
    ImagePreprocessor preprocessor = imagePreprocessor(checkpoint, dir);
    List<RgbImage> images = new ArrayList<>();
    for (Path image : files) {
      images.add(ImageFile.read(image));
    }
    try {
      return preprocessor.pixels(images);
    } catch (IllegalArgumentException e) { // an image that is not to be resized
      Path file = dir.resolve(PREPROCESSOR);
      throw (Files.exists(file) ? Json.read(file) : checkpoint.config()).error(e.getMessage());
    }
  }

  /** What the model's preprocessor_config.json says, or what most ViTs want. */
  ImagePreprocessor imagePreprocessor() throws IOException {
    return imagePreprocessor(checkpoint, Path.of(name));
  }

  private static ImagePreprocessor imagePreprocessor(Checkpoint checkpoint, Path dir)
      throws IOException {
    Vit.Config vit = Vit.Config.of(checkpoint.config());
    Path file = dir.resolve(PREPROCESSOR);
    if (!Files.exists(file)) {
      return ImagePreprocessor.standard(vit.imageHeight(), vit.imageWidth());
    }
    Json config = Json.read(file);
    ImagePreprocessor preprocessor = ImagePreprocessor.of(config);
    if (preprocessor.height() != vit.imageHeight() || preprocessor.width() != vit.imageWidth()) {
      throw config.error(
          String.format(
              "images become %d x %d pixels, the model of config.json takes %d x %d",
              preprocessor.height(), preprocessor.width(), vit.imageHeight(), vit.imageWidth()));
    }
    return preprocessor;
  }

  /** Height of the images that the model sees, in pixels. */
  int imageSide() throws IOException {
    return Vit.Config.of(checkpoint.config()).imageHeight();
  }

  /** The image model with a head for so many classes, new where the file has none or another. */
  ImageModel imageClassifier(int labels, long seed) throws IOException {
    boolean other = hasClassifier() && checkpoint.read("classifier.bias").size() != labels;
    Weights w = (other ? withoutHead() : checkpoint).weights();
    w.ignore("vit.pooler.", "pooler.", "decoder.", "vit.embeddings.mask_token");
    ImageModel model = Vit.classifier(Vit.Config.of(checkpoint.config()), w, labels, seed);
    w.finish();
    warmUp.close();
    return model;
  }

  /** The checkpoint without a head that tells other classes apart. */
  private Checkpoint withoutHead() throws IOException {
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    for (String tensor : checkpoint.names()) {
      if (!tensor.startsWith("classifier.")) {
        tensors.put(tensor, checkpoint.read(tensor));
      }
    }
    return Checkpoint.of(name, checkpoint.config(), tensors);
  }

  /** The model with a head that points into texts, new where the file has none. */
  TextModels.Classifier questionAnswering(long seed) throws IOException {
    TextModels.Classifier model = TextModels.questionAnswering(checkpoint, seed);
    warmUp.close();
    return model;
  }

  /** Tokens of an image: its patches and one. */
  int imageTokens() throws IOException {
    return Vit.Config.of(checkpoint.config()).patches() + 1;
  }

  TextModels.Classifier classifier(int labels, long seed) throws IOException {
    TextModels.Classifier model = TextModels.classifier(checkpoint, labels, seed);
    warmUp.close();
    return model;
  }

  /**
   * Parameters by the names that the model's file has for them; those of a ViT by the names that they
   * have in transformers 5 too, which are not those of files.
   */
  Map<String, Parameter> fileNames(Map<String, Parameter> parameters) throws IOException {
    Map<String, Parameter> named = new LinkedHashMap<>();
    Weights weights = checkpoint.weights();
    boolean image = isImageModel();
    parameters.forEach(
        (path, p) -> {
          String inFile = weights.use(path);
          named.put(inFile == null ? path : inFile, p);
          if (image) {
            named.put(Vit.nameInMemory(path), p);
          }
        });
    return named;
  }

  /** The files behind the model. */
  Checkpoint checkpoint() {
    return checkpoint;
  }

  /** The model of the checkpoint with all it has, whatever it is, to look at. */
  private Part tree() throws IOException {
    Part tree =
        isImageModel()
            ? Vit.open(checkpoint)
            : isSeq2Seq() ? T5.open(checkpoint) : TextModels.open(checkpoint);
    warmUp.close();
    return tree;
  }

  /** The names in the file of the weights of linear layers, those of certain paths. */
  Set<String> linearWeights(Predicate<String> paths) throws IOException {
    return weightNames(
        (path, part) -> (part instanceof Linear || part instanceof Conv1D) && paths.test(path));
  }

  /** The names in the file of weights that are [in, out]. */
  Set<String> turnedWeights() throws IOException {
    return weightNames((path, part) -> part instanceof Conv1D);
  }

  private Set<String> weightNames(BiPredicate<String, Part> which) throws IOException {
    Set<String> names = new LinkedHashSet<>();
    Weights weights = checkpoint.weights();
    Surgery.parts(tree())
        .forEach(
            (path, part) -> {
              String inFile = weights.use(path + ".weight");
              if (inFile != null && which.test(path, part)) {
                names.add(inFile);
              }
            });
    return names;
  }

  /** The model that an adapter is for: with a classifier, where only the adapter has one. */
  Part adaptable(Path adapter) throws IOException {
    if (isImageModel()) {
      return imageModel();
    }
    if (isSeq2Seq()) {
      return seq2seq();
    }
    return needsClassifier(adapter) ? classifier(labels(), 0).model() : model();
  }

  /** Whether an adapter brings a head to a model that has none; null stands for one that does. */
  boolean needsClassifier(Path adapter) throws IOException {
    return head() == TextModels.Head.NONE && (adapter == null || AdapterFile.hasModules(adapter));
  }

  /**
   * A model of this source with an adapter.
   *
   * @throws UserException if the model has parts, such as a head, whose weights neither its file has
   *     nor the adapter: what it says would be chance
   */
  <P extends Part> AdapterFile.Loaded<P> adapted(P base, Path adapter) throws IOException {
    AdapterFile.Loaded<P> loaded = AdapterFile.load(adapter, base);
    if (isSeq2Seq()) {
      return loaded; // all of it is in the file, the table of tokens under other names too
    }
    Weights weights = checkpoint.weights();
    Map<String, Parameter> all = Surgery.parameters(loaded.model());
    List<String> random =
        Surgery.parameters(base).keySet().stream()
            .filter(path -> !weights.has(path) && !all.get(path).trainable())
            .toList();
    if (!random.isEmpty()) {
      throw new UserException(
          adapter
              + ": has no weights for "
              + String.join(", ", random)
              + ", nor has "
              + name
              + "; the adapter is for a model with another head");
    }
    return loaded;
  }

  @Override
  public void close() {
    warmUp.close();
    checkpoint.close();
  }
}
