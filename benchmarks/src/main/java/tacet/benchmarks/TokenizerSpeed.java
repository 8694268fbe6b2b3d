package tacet.benchmarks;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import tacet.tensor.Workers;
import tacet.tensor.measure.Interleaved;
import tacet.transformer.text.Tokenizer;

/**
 * Megabytes of text (UTF-8) that a tokenizer encodes per second and thread: every line of a file, all
 * threads sharing one tokenizer.
 *
 * <pre>java … tacet.benchmarks.TokenizerSpeed --tokenizers DIR --text FILE [--threads N] [--quick]</pre>
 *
 * DIR holds a folder for each tokenizer; FILE is plain text, a megabyte or more.
 */
public final class TokenizerSpeed {
  private TokenizerSpeed() {}

  /** Prints a line per tokenizer. */
  public static void main(String[] args) throws IOException {
    Options options = Options.of(args, "tokenizers", "text", "threads");
    int threads = options.number("threads", 2);
    List<String> lines = Files.readAllLines(options.path("text"));
    double bytes = lines.stream().mapToLong(l -> l.getBytes(StandardCharsets.UTF_8).length).sum();
    Results.say("| tokenizer | MB/s, 1 thread | MB/s and thread, %d threads | tokens |%n", threads);
    try (Workers one = new Workers(1);
        Workers many = new Workers(threads)) {
      for (Path folder : folders(options.path("tokenizers"))) {
        Tokenizer tokenizer = Tokenizer.open(folder);
        Interleaved times =
            Interleaved.of(
                options.settings(),
                List.of(() -> encode(one, tokenizer, lines), () -> encode(many, tokenizer, lines)));
        Results.say(
            "| %s | %.2f | %.2f | %d |%n",
            folder.getFileName(),
            bytes * 1e3 / times.nanos(0),
            bytes * 1e3 / times.nanos(1) / threads,
            encode(many, tokenizer, lines));
      }
    }
  }

  private static List<Path> folders(Path all) throws IOException {
    try (Stream<Path> list = Files.list(all)) {
      return list.filter(Files::isDirectory).sorted().toList();
    }
  }

  /** Encodes every line; returns the number of tokens. */
  private static long encode(Workers workers, Tokenizer tokenizer, List<String> lines) {
    AtomicLong tokens = new AtomicLong();
    workers.forEach(
        lines.size(),
        16,
        (part, from, to) -> {
          for (String line : lines.subList(from, to)) {
            tokens.addAndGet(tokenizer.encode(line).length());
          }
        });
    return tokens.get();
  }
}
