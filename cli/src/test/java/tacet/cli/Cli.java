package tacet.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import tacet.tensor.RandomStream;
import tacet.tensor.Tensor;
import tacet.transformer.checkpoint.Checkpoint;
import tacet.transformer.checkpoint.Json;
import tacet.transformer.checkpoint.SafeTensors;
import tacet.transformer.model.Bert;

/** Runs the command in this JVM, and makes small models and tasks for it. */
final class Cli {
  /** What a command printed and its exit code. */
  record Result(int code, String out, String err) {}

  private static final String[] POSITIVE = {"good", "great", "fine", "warm", "bright"};
  private static final String[] NEGATIVE = {"bad", "awful", "dull", "cold", "dark"};
  private static final String[] NEUTRAL = {"the", "film", "was", "a", "story", "and", "so", "very"};

  private Cli() {}

  static Result run(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    String[] words = new String[args.length];
    for (int i = 0; i < args.length; i++) {
      words[i] = args[i].toString();
    }
    int code = Main.run(words, new PrintWriter(out, true), new PrintWriter(err, true));
    return new Result(code, out.toString(), err.toString());
  }

  /** The ids that {@code tacet generate} writes to a file. */
  static long[] generated(Path out, List<?> args) throws IOException {
    List<Object> all = new ArrayList<>(List.of("generate", "--output", out));
    all.addAll(args);
    Result r = run(all.toArray());
    assertThat(r.err()).isEmpty();
    try (SafeTensors found = SafeTensors.open(out)) {
      return found.readLongs("generated");
    }
  }

  /** The folder of that name beside the project's files, or null. */
  static Path shared(String name) {
    Path dir = Path.of("").toAbsolutePath();
    while (dir != null) {
      Path candidate = dir.resolve("shared").resolve(name);
      if (Files.isDirectory(candidate)) {
        return candidate;
      }
      dir = dir.getParent();
    }
    return null;
  }

  /** The lines of a vocab.txt with the words of the task. */
  static List<String> vocabulary() {
    List<String> words = new ArrayList<>(List.of("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"));
    words.addAll(List.of(POSITIVE));
    words.addAll(List.of(NEGATIVE));
    words.addAll(List.of(NEUTRAL));
    return words;
  }

  /** A Hugging Face directory with an untrained two-layer BERT and a WordPiece tokenizer. */
  static Path tinyModel(Path dir) throws IOException {
    List<String> words = vocabulary();
    Json config =
        Json.parse(
            """
            {"model_type": "bert", "vocab_size": %d, "hidden_size": 16, "num_hidden_layers": 2,
             "num_attention_heads": 2, "intermediate_size": 40, "hidden_act": "relu",
             "max_position_embeddings": 32, "initializer_range": 0.2}
            """
                .formatted(words.size()),
            "config");
    Map<String, Tensor> weights = Bert.initialWeights(Bert.Config.of(config), 3);
    Checkpoint.write(dir, config, weights);
    Files.write(dir.resolve("vocab.txt"), words);
    return dir;
  }

  /** A folder in the form of SST-2 whose label is which kind of word is in the sentence. */
  static Path tinyTask(Path dir) throws IOException {
    Files.createDirectories(dir);
    for (String split : new String[] {"train", "dev"}) {
      RandomStream r = RandomStream.of(7, split, 0);
      StringBuilder sb = new StringBuilder("sentence\tlabel\n");
      int n = split.equals("train") ? 96 : 40;
      for (int i = 0; i < n; i++) {
        boolean positive = i % 2 == 0;
        int length = 3 + r.nextInt(6);
        int place = r.nextInt(length);
        for (int j = 0; j < length; j++) {
          String[] from = j != place ? NEUTRAL : positive ? POSITIVE : NEGATIVE;
          sb.append(from[r.nextInt(from.length)]).append(' ');
        }
        sb.append('\t').append(positive ? 1 : 0).append('\n');
      }
      Files.writeString(dir.resolve(split + ".tsv"), sb.toString());
    }
    return dir;
  }
}
