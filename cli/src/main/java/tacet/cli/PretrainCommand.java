package tacet.cli;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.deft.Dataset;
import tacet.deft.Evaluator;
import tacet.deft.MaskedProblem;
import tacet.deft.Problem;
import tacet.deft.Ramp;
import tacet.deft.SpanCorruptionProblem;
import tacet.deft.Trainer;
import tacet.deft.Vocabularies;
import tacet.deft.report.RunLog;
import tacet.deft.task.Example;
import tacet.deft.task.Squad;
import tacet.deft.task.SyntheticFacts;
import tacet.deft.task.SyntheticReviews;
import tacet.tensor.Engine;
import tacet.tensor.Tensor;
import tacet.transformer.Activation;
import tacet.transformer.Part;
import tacet.transformer.Seq2SeqModel;
import tacet.transformer.Surgery;
import tacet.transformer.TextModel;
import tacet.transformer.checkpoint.AtomicFile;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.model.Bert;
import tacet.transformer.model.T5;
import tacet.transformer.text.Tokenizer;
import tacet.transformer.text.Truncation;

/** {@code tacet pretrain}: a small model from scratch, for who has no other to fine-tune. */
@Command(
    name = "pretrain",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Trains a small model from scratch and writes it as a Hugging Face directory: a BERT by masked"
          + " language modelling, or a T5 by span corruption.",
      "Without --text it reads the built-in tasks' texts; without --tokenizer the vocabulary is made"
          + " of the text's words."
    })
final class PretrainCommand implements Callable<Integer> {
  /** What is trained. */
  enum Architecture {
    bert,
    t5
  }

  private static final int BUILT_IN = 6000;
  private static final int RETOLD = 40_000;

  @Option(
      names = "--architecture",
      paramLabel = "NAME",
      description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
  private Architecture architecture = Architecture.bert;

  @Option(names = "--text", paramLabel = "F", description = "A text file, one example per line.")
  private Path text;

  @Option(
      names = "--tokenizer",
      paramLabel = "DIR",
      description = "A Hugging Face directory (or file) whose tokenizer to use.")
  private Path tokenizer;

  @Option(
      names = "--vocabulary",
      paramLabel = "N",
      description = "Largest number of tokens of a new vocabulary (8000).")
  private int vocabulary = 8000;

  @Option(names = "--layers", paramLabel = "N", description = "Blocks, of each stack (2).")
  private int layers = 2;

  @Option(names = "--hidden", paramLabel = "N", description = "Width of the model (128).")
  private int hidden = 128;

  @Option(names = "--heads", paramLabel = "N", description = "Heads of attention (4).")
  private int heads = 4;

  @Option(names = "--intermediate", paramLabel = "N", description = "Width of the MLPs (512).")
  private int intermediate = 512;

  @Option(names = "--dropout", paramLabel = "P", description = "Of the new model (0.1).")
  private double dropout = 0.1;

  @Option(
      names = "--activation",
      paramLabel = "NAME",
      description =
          "relu, gelu, gelu_new or silu (gelu; T5: relu); for T5 also gated-gelu, gated-relu,"
              + " gated-silu.")
  private String activation;

  @Option(names = "--max-length", paramLabel = "N", description = "Longest sequence (128).")
  private int maxLength = 128;

  @Mixin private TrainerOptions trainer;

  @Option(names = "--seed", paramLabel = "N", description = "Of every random choice (1).")
  private long seed = 1;

  @Option(names = "--out", required = true, paramLabel = "DIR", description = "Where to write.")
  private Path out;

  @Option(names = "--resume", description = "Go on from the last checkpoint in --out.")
  private boolean resume;

  @Mixin private Common common;

  private PretrainCommand() {}

  @Override
  public Integer call() throws IOException {
    if (!(dropout >= 0 && dropout < 1)) {
      throw new UserException("--dropout " + dropout + " is not in [0, 1)");
    }
    if (Math.min(Math.min(layers, hidden), Math.min(heads, intermediate)) < 1) {
      throw new UserException("--layers, --hidden, --heads and --intermediate must be at least 1");
    }
    if (architecture == Architecture.bert && hidden % heads != 0) {
      throw new UserException("--hidden " + hidden + " is no multiple of --heads " + heads);
    }
    if (activation != null && !activation.startsWith("gated-")) {
      Activation.of(activation); // refuses what is none, before anything is written
    }
    Trainer.Settings settings = trainer.settings(seed, null, Ramp.NONE, 1);
    List<String> lines = lines();
    if (lines.size() < 20) {
      throw new UserException(text + ": " + lines.size() + " lines are too few to learn from");
    }
    Files.createDirectories(out);
    writeTokenizer(lines);
    Tokenizer words = Tokenizer.open(out);
    try (Engine engine = common.engine()) {
      return architecture == Architecture.bert
          ? bert(engine, words, lines, settings)
          : t5(engine, words, lines, settings);
    }
  }

  /** The text's lines, or the texts of the built-in tasks. */
  private List<String> lines() throws IOException {
    if (text != null) {
      if (Files.isDirectory(text)) {
        throw new UserException("--text " + text + ": a folder, not a text file");
      }
      try {
        return Files.readAllLines(text).stream()
            .map(String::strip)
            .filter(l -> !l.isEmpty())
            .toList();
      } catch (CharacterCodingException e) {
        throw new UserException("--text " + text + ": not valid UTF-8");
      }
    }
    if (architecture == Architecture.t5) {
      List<String> lines = new ArrayList<>(SyntheticFacts.retold(seed, RETOLD));
      // The words of questions as the reading task puts them.
      for (Squad.Question q : SyntheticFacts.reading(seed, 20, false)) {
        lines.add("question: " + q.question() + " context: " + q.context());
      }
      return lines;
    }
    List<String> lines = new ArrayList<>();
    for (Example e : SyntheticReviews.task(seed, BUILT_IN, 1).train().read()) {
      lines.add(e.text());
    }
    for (Squad.Question q : SyntheticFacts.reading(seed, BUILT_IN, false)) {
      lines.add("question: " + q.question() + " context: " + q.context());
    }
    return lines;
  }

  private void writeTokenizer(List<String> lines) throws IOException {
    if (tokenizer != null) {
      ModelFolder.copyTokenizer(tokenizer, out);
    } else if (architecture == Architecture.bert) {
      String vocab = String.join("\n", Vocabularies.wordPiece(lines, vocabulary)) + "\n";
      AtomicFile.write(out.resolve("vocab.txt"), vocab);
    } else {
      String json = Vocabularies.unigram(lines, vocabulary).toString();
      AtomicFile.write(out.resolve("tokenizer.json"), json);
    }
  }

  /** One line of twenty is not trained on. */
  private static <T> List<T> split(List<T> all, boolean dev) {
    List<T> some = new ArrayList<>();
    for (int i = 0; i < all.size(); i++) {
      if (i % 20 == 19 == dev) {
        some.add(all.get(i));
      }
    }
    return some;
  }

  // ------------------------------------------------------------------ BERT

  private int bert(Engine engine, Tokenizer words, List<String> lines, Trainer.Settings settings)
      throws IOException {
    Integer mask = words.idOf("[MASK]");
    if (mask == null) {
      throw new UserException(tokenizer + ": a BERT needs a tokenizer with a [MASK] token");
    }
    int pad = words.padId() == null ? 0 : words.padId();
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of("BertForMaskedLM"));
    c.put("model_type", "bert");
    c.put("vocab_size", words.vocabularySize());
    c.put("hidden_size", hidden);
    c.put("num_hidden_layers", layers);
    c.put("num_attention_heads", heads);
    c.put("intermediate_size", intermediate);
    c.put("hidden_act", activation == null ? "gelu" : activation);
    c.put("hidden_dropout_prob", dropout);
    c.put("attention_probs_dropout_prob", dropout);
    c.put("max_position_embeddings", Math.max(512, maxLength));
    c.put("type_vocab_size", 2);
    c.put("layer_norm_eps", 1e-12);
    c.put("initializer_range", 0.02);
    c.put("pad_token_id", pad);
    Json config = Json.parse(Json.of(c).toString(), "new model");
    List<Example> examples = lines.stream().map(l -> new Example(l, null, 0)).toList();
    MaskedProblem problem =
        new MaskedProblem(
            Dataset.of(split(examples, false), words, maxLength, pad),
            Dataset.of(split(examples, true), words, maxLength, pad),
            mask,
            words.vocabularySize(),
            id -> id == pad || same(words.clsId(), id) || same(words.sepId(), id));
    TextModel model = Bert.maskedLanguageModel(config, seed);
    return train(engine, model, problem, settings, config);
  }

  private static boolean same(Integer token, int id) {
    return token != null && token == id;
  }

  // ------------------------------------------------------------------ T5

  private int t5(Engine engine, Tokenizer words, List<String> lines, Trainer.Settings settings)
      throws IOException {
    Integer sentinel = words.idOf("<extra_id_0>");
    Integer end = words.idOf("</s>");
    if (sentinel == null || end == null) {
      throw new UserException(tokenizer + ": a T5 needs a tokenizer with </s> and <extra_id_0>");
    }
    int pad = words.padId() == null ? 0 : words.padId();
    Map<String, Object> c = new LinkedHashMap<>();
    c.put("architectures", List.of("T5ForConditionalGeneration"));
    c.put("model_type", "t5");
    c.put("vocab_size", Math.max(words.vocabularySize(), sentinel + 1));
    c.put("d_model", hidden);
    c.put("d_kv", Math.max(1, hidden / heads));
    c.put("d_ff", intermediate);
    c.put("num_layers", layers);
    c.put("num_decoder_layers", layers);
    c.put("num_heads", heads);
    c.put("relative_attention_num_buckets", 32);
    c.put("relative_attention_max_distance", 128);
    c.put("dropout_rate", dropout);
    c.put("layer_norm_epsilon", 1e-6);
    c.put("initializer_factor", 1.0);
    c.put("feed_forward_proj", activation == null ? "relu" : activation);
    c.put("is_encoder_decoder", true);
    c.put("tie_word_embeddings", true);
    c.put("pad_token_id", pad);
    c.put("eos_token_id", end);
    c.put("decoder_start_token_id", pad);
    Json config = Json.parse(Json.of(c).toString(), "new model");
    List<int[]> sequences = new ArrayList<>();
    for (String line : lines) {
      int[] ids = words.encode(line, null, Truncation.to(maxLength)).ids();
      int n = ids.length > 0 && ids[ids.length - 1] == end ? ids.length - 1 : ids.length;
      if (n > 1) {
        sequences.add(java.util.Arrays.copyOf(ids, n));
      }
    }
    SpanCorruptionProblem problem =
        new SpanCorruptionProblem(
            split(sequences, false), split(sequences, true), pad, end, sentinel);
    Map<String, Tensor> weights = T5.initialWeights(T5.Config.of(config), seed);
    Seq2SeqModel model = T5.open(Checkpoint.of("new model", config, weights));
    return train(engine, model, problem, settings, config);
  }

  // ------------------------------------------------------------------ training

  private <M extends Part> int train(
      Engine engine, M frozen, Problem<M> problem, Trainer.Settings settings, Json config)
      throws IOException {
    M model = Surgery.replaceParameters(frozen, (path, p) -> p.withTrainable(true));
    Trainer<M> run = new Trainer<>(engine, model, problem, settings);
    Path work = out.resolve("pretraining");
    Files.createDirectories(work);
    Path checkpoint = work.resolve(Trainer.LAST);
    long from = resume && Files.exists(checkpoint) ? run.restore(checkpoint) : 0;
    Path logFile = work.resolve("log.jsonl");
    Trainer.Outcome outcome;
    try (StopSignal stop = StopSignal.install();
        RunLog log = from > 0 ? RunLog.resume(logFile, from) : RunLog.create(logFile)) {
      outcome =
          run.run(
              work,
              new TrainCommand.TrainingProgress(
                  common.progress(), "pretraining", run.totalSteps(), log),
              stop::asked);
    }
    if (outcome.ending() == Trainer.Ending.STOPPED) {
      common.progress().say("stopped and saved at step " + outcome.steps() + "; --resume goes on");
      return TrainCommand.INTERRUPTED;
    }
    Evaluator.Result best = trainer.keepsBest() ? run.restoreBest(work) : null;
    Evaluator.Result kept = best == null ? outcome.last() : best;
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    Surgery.parameters(model).forEach((path, p) -> tensors.put(path, p.value()));
    Checkpoint.write(out, config, tensors);
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("output", out.toString());
    result.put("parameters", Surgery.count(Surgery.parameters(model)));
    result.put("steps", outcome.steps());
    result.put("metrics", kept.metrics());
    if (common.json) {
      common.out().println(Json.of(result));
    } else {
      result.forEach((k, v) -> common.out().printf("%-12s %s%n", k, v));
    }
    return 0;
  }
}
