package tacet.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import tacet.peft.AdapterFile;
import tacet.tensor.Engine;
import tacet.tensor.Shape;
import tacet.transformer.Batch;
import tacet.transformer.GenerativeModel;
import tacet.transformer.checkpoint.DType;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.checkpoint.SafeTensorsWriter;
import tacet.transformer.generation.Limits;
import tacet.transformer.generation.Listener;
import tacet.transformer.generation.Strategy;
import tacet.transformer.generation.TextGenerator;
import tacet.transformer.text.Tokenizer;

/** {@code tacet generate}: text, or token ids, from T5, GPT-2 and OPT. */
@Command(
    name = "generate",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Writes text with a T5, GPT-2 or OPT: greedily, by beam search (--beams) or at random"
          + " (--sample).",
      "With --text, prints what is written; with --inputs, reads input_ids and attention_mask from a"
          + " safetensors file and writes generated, int64 ids as Hugging Face's generate gives them,"
          + " to --output."
    })
final class GenerateCommand implements Callable<Integer> {
  @Mixin private ModelOptions model;

  @Option(
      names = "--adapter",
      paramLabel = "DIR",
      description = "An adapter of any kind, in peft's or AdapterHub's format.")
  private Path adapter;

  @Option(
      names = "--text",
      paramLabel = "T",
      description = "What to go on from, or what a T5 reads; may be given several times.")
  private List<String> texts = List.of();

  @Option(names = "--inputs", paramLabel = "F", description = "Token ids to read.")
  private Path inputs;

  @Option(names = "--output", paramLabel = "F", description = "File to write the ids to.")
  private Path output;

  @Option(
      names = "--max-new-tokens",
      paramLabel = "N",
      description = "Most tokens to write (default: ${DEFAULT-VALUE}).")
  private int maxNewTokens = 20;

  @Option(
      names = "--min-new-tokens",
      paramLabel = "N",
      description = "No end before as many tokens (default: ${DEFAULT-VALUE}).")
  private int minNewTokens = 0;

  @Option(
      names = "--beams",
      paramLabel = "N",
      description = "Sequences that are tried side by side (default: ${DEFAULT-VALUE}, greedy).")
  private int beams = 1;

  @Option(
      names = "--length-penalty",
      paramLabel = "X",
      description =
          "Above 0, beams favour long sequences, below, short ones (default: ${DEFAULT-VALUE}).")
  private double lengthPenalty = 1;

  @Option(
      names = "--early-stopping",
      paramLabel = "WHEN",
      description =
          "When beams end, as in Hugging Face: true, false or never (default: ${DEFAULT-VALUE}).")
  private String earlyStopping = "false";

  @Option(names = "--sample", description = "Draw tokens at random.")
  private boolean sample;

  @Option(
      names = "--temperature",
      paramLabel = "X",
      description = "Of --sample; below 1 is bolder (default: ${DEFAULT-VALUE}).")
  private double temperature = 1;

  @Option(
      names = "--top-k",
      paramLabel = "K",
      description = "Draw among the K most probable tokens; 0 for all (default: ${DEFAULT-VALUE}).")
  private int topK = 0;

  @Option(
      names = "--top-p",
      paramLabel = "P",
      description =
          "Draw among the most probable tokens that have P together (default: ${DEFAULT-VALUE}).")
  private double topP = 1;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Of --sample (default: ${DEFAULT-VALUE}).")
  private long seed = 1;

  @Mixin private Common common;

  private GenerateCommand() {}

  @Override
  public Integer call() throws IOException {
    if (texts.isEmpty() == (inputs == null)) {
      throw common.usage("give either --text or --inputs");
    }
    if (inputs != null && output == null) {
      throw common.usage("--inputs needs --output");
    }
    Strategy strategy = strategy();
    try (Engine engine = common.engine();
        ModelSource source = model.open()) {
      GenerativeModel base = model.withActivation(source.generative());
      GenerativeModel m = adapter == null ? base : AdapterFile.load(adapter, base).model();
      TextGenerator generator =
          new TextGenerator(m, Limits.of(maxNewTokens, minNewTokens, source.generationConfigs()));
      if (inputs != null) {
        Batch prompts;
        try (SafeTensors file = SafeTensors.open(inputs)) {
          prompts = new ForwardInputs(inputs, file).batch(false);
        }
        write(generator.write(engine, prompts, strategy));
      } else {
        fromTexts(engine, source, generator, strategy);
      }
    }
    return 0;
  }

  private Strategy strategy() {
    if (!sample && (temperature != 1 || topK != 0 || topP != 1)) {
      throw common.usage("--temperature, --top-k and --top-p belong to --sample");
    }
    if (beams == 1 && (lengthPenalty != 1 || !earlyStopping.equals("false"))) {
      throw common.usage("--length-penalty and --early-stopping belong to --beams of at least 2");
    }
    try {
      if (sample) {
        if (beams != 1) {
          throw common.usage("--sample and --beams exclude each other");
        }
        return new Strategy.Sampling(temperature, topK, topP, seed);
      }
      return beams == 1
          ? new Strategy.Greedy()
          : new Strategy.Beams(beams, lengthPenalty, stopping());
    } catch (IllegalArgumentException e) {
      throw common.usage(e.getMessage());
    }
  }

  private Strategy.EarlyStopping stopping() {
    return switch (earlyStopping) {
      case "true" -> Strategy.EarlyStopping.FIRST;
      case "false" -> Strategy.EarlyStopping.HEURISTIC;
      case "never" -> Strategy.EarlyStopping.NEVER;
      default ->
          throw common.usage("--early-stopping must be true, false or never: " + earlyStopping);
    };
  }

  private void write(int[][] ids) throws IOException {
    int length = ids[0].length;
    long[] all = new long[ids.length * length];
    for (int i = 0; i < all.length; i++) {
      all[i] = ids[i / length][i % length];
    }
    SafeTensorsWriter writer = new SafeTensorsWriter();
    writer.addLongs("generated", Shape.of(ids.length, length), all, DType.I64);
    writer.write(output);
    if (common.json && inputs != null) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("output", output.toString());
      result.put("generated", List.of(ids.length, length));
      common.out().println(Json.of(result));
    }
  }

  private void fromTexts(
      Engine engine, ModelSource source, TextGenerator generator, Strategy strategy)
      throws IOException {
    Tokenizer tokenizer = source.tokenizer();
    Batch prompts = prompts(tokenizer, source.isSeq2Seq(), generator.limits().padId());
    boolean streams = texts.size() == 1 && !common.json && !(strategy instanceof Strategy.Beams);
    TextStream stream = new TextStream(tokenizer, common.out());
    long start = System.nanoTime();
    int[][] ids = generator.write(engine, prompts, strategy, streams ? stream : Listener.NONE);
    double seconds = (System.nanoTime() - start) * 1e-9;
    int first = source.isSeq2Seq() ? 1 : prompts.length();
    List<String> written = new ArrayList<>();
    for (int[] row : ids) {
      written.add(tokenizer.decode(Arrays.copyOfRange(row, first, row.length), true));
    }
    if (streams) {
      stream.end(written.get(0));
    } else if (!common.json) {
      written.forEach(common.out()::println);
    }
    if (output != null) {
      write(ids);
    }
    if (common.json) {
      Map<String, Object> result = new LinkedHashMap<>();
      result.put("texts", written);
      result.put("ids", Arrays.asList(ids));
      result.put("seconds", seconds);
      common.out().println(Json.of(result));
    }
  }

  /** The texts' tokens; padding comes first but for a model that reads with an encoder. */
  private Batch prompts(Tokenizer tokenizer, boolean encoder, int padId) {
    List<int[]> tokens = texts.stream().map(t -> tokenizer.encode(t).ids()).toList();
    int length = tokens.stream().mapToInt(t -> t.length).max().orElse(0);
    int[] ids = new int[tokens.size() * length];
    int[] mask = new int[ids.length];
    Arrays.fill(ids, padId);
    for (int i = 0; i < tokens.size(); i++) {
      int[] row = tokens.get(i);
      if (row.length == 0) {
        throw new UserException("--text: \"" + texts.get(i) + "\" has no tokens");
      }
      int at = i * length + (encoder ? 0 : length - row.length);
      System.arraycopy(row, 0, ids, at, row.length);
      Arrays.fill(mask, at, at + row.length, 1);
    }
    return new Batch(tokens.size(), length, ids, new int[ids.length], mask);
  }

  /** Prints text as it grows: what a later token may change is held back. */
  private static final class TextStream implements Listener {
    private final Tokenizer tokenizer;
    private final PrintWriter out;
    private int[] ids = {};
    private int printed;

    TextStream(Tokenizer tokenizer, PrintWriter out) {
      this.tokenizer = tokenizer;
      this.out = out;
    }

    @Override
    public boolean wrote(int example, int token) {
      ids = Arrays.copyOf(ids, ids.length + 1);
      ids[ids.length - 1] = token;
      String text = tokenizer.decode(ids, true);
      if (!text.endsWith("\uFFFD")) { // bytes of a character are missing
        print(text);
      }
      return true;
    }

    private void print(String text) {
      if (text.length() > printed) {
        out.print(text.substring(printed));
        out.flush();
        printed = text.length();
      }
    }

    void end(String text) {
      print(text);
      out.println();
    }
  }
}
